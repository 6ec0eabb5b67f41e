"""The stored pixels against Pillow's: exact where nothing is resized, close where both average areas.

Tolerances are in grey levels of 255. Shrinking is compared with Pillow's BOX filter, which averages areas too; what is left
is rounding of the crop's edges to whole pixels (mean up to 2 on pictures with soft forms). Enlarging is bilinear in both.
"""
import math

import support
from support import SystemTest

h5py = support.needed("h5py")
numpy = support.needed("numpy")
Image = support.needed("PIL.Image")
SIDE = 24
MEAN_TOLERANCE = 2  # grey levels, where something is resized
SIZES = [(97, 61), (61, 97), (96, 72), (200, 200), (49, 25), (300, 30), (20, 16), (11, 13)]  # width, height


def soft_picture(width, height, seed):
    """Waves of all colours and a bright disc with a soft edge: forms, but no pixel noise."""
    y, x = numpy.mgrid[0:height, 0:width] / max(width, height)
    waves = [127 + 90 * numpy.sin(6 * (x * math.cos(a) + y * math.sin(a)) + seed + a) for a in (0.3, 1.4, 2.6)]
    disc = 1 / (1 + numpy.exp(40 * (numpy.hypot(x - 0.4, y - 0.25) - 0.2)))
    pixels = numpy.stack(waves, axis=-1) * (1 - disc[..., None]) + 230 * disc[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))


def resized(image, width, height, box=None):
    shrinks = width * height < image.width * image.height
    return image.resize((width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR, box=box)


def cropped(image):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return resized(image, SIDE, SIDE, (left, top, left + side, top + side))


def stretched(image):
    return resized(image, SIDE, SIDE)


def padded(image):
    scale = SIDE / max(image.size)
    inner = resized(image, max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    result = Image.new(image.mode, (SIDE, SIDE))
    result.paste(inner, ((SIDE - inner.width) // 2, (SIDE - inner.height) // 2))
    return result


class ResizeAgainstPillow(SystemTest):
    def setUp(self):
        super().setUp()
        self.images = {}  # path relative to the input → picture

    def add(self, name, image, **options):
        """An image of two classes in turn; kept as Pillow reads it back."""
        path = self.folder / "input" / ("apple", "pear")[len(self.images) % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
        self.images[str(path.relative_to(self.folder / "input"))] = Image.open(path)

    def stored(self, *words):
        """The packed pixels by path."""
        output = self.folder / f"packed{len(list(self.folder.iterdir()))}"
        self.done("preprocess", "--source", "class-folders", "--input", self.folder / "input", "--output", output, "--side", SIDE, "--strict",
                  "--validation", 0, "--test", 0, *words)
        with h5py.File(output / "images.h5", "r") as table, h5py.File(output / "shards/train-00000.h5", "r") as shard:
            paths = [path.decode() for path in table["path"][:]]
            packed = dict(zip((paths[i] for i in shard["ids"][:]), shard["images"][:].astype(float)))
        self.assertEqual(set(packed), set(self.images))
        return packed

    def assert_close(self, packed, expected):
        for path, image in self.images.items():
            with self.subTest(path):
                difference = numpy.abs(packed[path] - numpy.asarray(expected(image.convert("RGB")), dtype=float))
                self.assertLessEqual(difference.mean(), MEAN_TOLERANCE)

    def test_what_has_the_right_size_is_stored_exactly(self):
        noise = numpy.random.default_rng(7).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)
        for number, mode in enumerate(("RGB", "L", "P", "1")):
            self.add(f"{mode}.png", Image.fromarray(noise).convert(mode))
        self.add("noise.bmp", Image.fromarray(noise))
        self.add("noise.ppm", Image.fromarray(noise))
        for fit in ("crop", "stretch", "pad"):
            for path, pixels in self.stored("--resize", fit).items():
                self.assertTrue((pixels == numpy.asarray(self.images[path].convert("RGB"))).all(), f"{path}, {fit}")

    def test_an_uncompressed_jpeg_of_the_right_size_is_pillow_s_within_a_level(self):
        self.add("a.jpg", soft_picture(SIDE, SIDE, 1), quality=95, subsampling=0)
        self.add("b.jpg", soft_picture(SIDE, SIDE, 2), quality=95, subsampling=0)
        for path, pixels in self.stored().items():
            self.assertLessEqual(numpy.abs(pixels - numpy.asarray(self.images[path])).max(), 1)

    def test_grey_is_pillow_s_luminance_within_a_level(self):
        self.add("a.png", soft_picture(SIDE, SIDE, 1))
        self.add("b.png", soft_picture(SIDE, SIDE, 2).convert("L"))
        for path, pixels in self.stored("--channels", 1).items():
            self.assertEqual(pixels.shape, (SIDE, SIDE, 1))
            self.assertLessEqual(numpy.abs(pixels[..., 0] - numpy.asarray(self.images[path].convert("L"))).max(), 1)

    def add_all_sizes(self, extension, **options):
        for number, (width, height) in enumerate(SIZES):
            self.add(f"{width}x{height}.{extension}", soft_picture(width, height, number), **options)

    def test_crop_stretch_and_pad_of_png(self):
        self.add_all_sizes("png")
        for fit, expected in (("crop", cropped), ("stretch", stretched), ("pad", padded)):
            with self.subTest(fit):
                self.assert_close(self.stored("--resize", fit), expected)

    def test_crop_stretch_and_pad_of_jpeg(self):
        self.add_all_sizes("jpg", quality=92)
        for fit, expected in (("crop", cropped), ("stretch", stretched), ("pad", padded)):
            with self.subTest(fit):
                self.assert_close(self.stored("--resize", fit), expected)

    def test_the_kinds_of_fit_differ_more_than_the_tolerance(self):
        self.add("wide.png", soft_picture(97, 40, 1))
        self.add("high.png", soft_picture(40, 97, 2))
        packed = [self.stored("--resize", fit) for fit in ("crop", "stretch", "pad")]
        for one, other in ((0, 1), (0, 2), (1, 2)):
            for path in self.images:
                self.assertGreater(numpy.abs(packed[one][path] - packed[other][path]).mean(), 2 * MEAN_TOLERANCE)

    def test_photographs(self):
        for photograph in sorted(support.test_data("caltech10-natural").rglob("*.jpg"))[::50]:
            self.add(photograph.name, Image.open(photograph).convert("RGB"), quality=95)
        self.assertGreater(len(self.images), 10)
        self.assert_close(self.stored(), cropped)


if __name__ == "__main__":
    support.main()
