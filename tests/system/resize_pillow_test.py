"""The stored pixels against Pillow's, in grey levels of 255.

Where nothing is resized they are equal. Shrinking averages areas, enlarging is bilinear: within rounding (1 level) of the
exact average and of Pillow's BILINEAR, and on soft pictures within a mean of 2 levels of what Pillow's antialiased filter
makes of them, which is what other programs train on. A photograph much larger than needed is reduced while it is decoded, as
Pillow's draft() does: within a mean of 1 level of that.
"""
import math

import support
from support import SystemTest

h5py = support.needed("h5py")
numpy = support.needed("numpy")
Image = support.needed("PIL.Image")
SIDE = 24
ROUNDING = 1
ANTIALIAS_MEAN = 2
DRAFT_MEAN = 1
SIZES = [(97, 61), (61, 97), (96, 72), (200, 200), (49, 25), (300, 30), (20, 16), (11, 13)]  # width, height


def soft_picture(width, height, seed):
    """Waves of all colours and a bright disc with a soft edge: forms, but no pixel noise."""
    y, x = numpy.mgrid[0:height, 0:width] / max(width, height)
    waves = [127 + 90 * numpy.sin(6 * (x * math.cos(a) + y * math.sin(a)) + seed + a) for a in (0.3, 1.4, 2.6)]
    disc = 1 / (1 + numpy.exp(40 * (numpy.hypot(x - 0.4, y - 0.25) - 0.2)))
    pixels = numpy.stack(waves, axis=-1) * (1 - disc[..., None]) + 230 * disc[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))


def averaging(size, wanted):
    """The matrix [wanted, size] that averages over the share of each pixel."""
    edges = numpy.arange(wanted + 1) * size / wanted
    starts, ends = edges[:-1, None], edges[1:, None]
    pixels = numpy.arange(size)
    shares = numpy.clip(numpy.minimum(ends, pixels + 1) - numpy.maximum(starts, pixels), 0, None)
    return shares / shares.sum(axis=1, keepdims=True)


def area_average(image, width, height):
    pixels = numpy.asarray(image, dtype=float)
    return numpy.einsum("ij,jkc,lk->ilc", averaging(image.height, height), pixels, averaging(image.width, width))


def bilinear(image, width, height):
    """Pillow's, which is antialiased where the picture shrinks."""
    return numpy.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=float)


def exact(image, width, height):
    return (area_average if width * height < image.width * image.height else bilinear)(image, width, height)


def crop(image, resize):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return resize(image.crop((left, top, left + side, top + side)), SIDE, SIDE)


def stretch(image, resize):
    return resize(image, SIDE, SIDE)


def pad(image, resize):
    scale = SIDE / max(image.size)
    inner = resize(image, max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    result = numpy.zeros((SIDE, SIDE, 3))
    top, left = (SIDE - inner.shape[0]) // 2, (SIDE - inner.shape[1]) // 2
    result[top:top + inner.shape[0], left:left + inner.shape[1]] = inner
    return result


FITS = {"crop": crop, "stretch": stretch, "pad": pad}


class ResizeAgainstPillow(SystemTest):
    def setUp(self):
        super().setUp()
        self.images = {}  # path relative to the input → picture

    def add(self, name, image, **options):
        """An image of two classes in turn; kept as Pillow reads it back."""
        path = self.folder / "input" / ("apple", "pear")[len(self.images) % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
        kept = self.images[str(path.relative_to(self.folder / "input"))] = Image.open(path)
        self.addCleanup(kept.close)

    def stored(self, *words):
        """The packed pixels by path."""
        output = self.folder / f"packed{len(list(self.folder.iterdir()))}"
        self.done("preprocess", "--source", "class-folders", "--input", self.folder / "input", "--output", output,
                  "--side", SIDE, "--strict", "--validation", 0, "--test", 0, *words)
        with h5py.File(output / "images.h5", "r") as table, h5py.File(output / "shards/train-00000.h5", "r") as shard:
            paths = [path.decode() for path in table["path"][:]]
            packed = dict(zip((paths[i] for i in shard["ids"][:]), shard["images"][:].astype(float)))
        self.assertEqual(set(packed), set(self.images))
        return packed

    def differences(self, packed, fit, resize):
        """Absolute ones, by path."""
        expected = {path: FITS[fit](image.convert("RGB"), resize) for path, image in self.images.items()}
        return {path: numpy.abs(packed[path] - expected[path]) for path in expected}

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

    def test_all_fits_against_the_exact_average_and_against_antialiasing(self):
        for number, (width, height) in enumerate(SIZES):
            self.add(f"{width}x{height}.png", soft_picture(width, height, number))
        for fit in FITS:
            packed = self.stored("--resize", fit)
            for path, difference in self.differences(packed, fit, exact).items():
                self.assertLessEqual(difference.max(), ROUNDING, f"{path}, {fit}")
            for path, difference in self.differences(packed, fit, bilinear).items():
                self.assertLessEqual(difference.mean(), ANTIALIAS_MEAN, f"{path}, {fit}")

    def test_jpegs_of_all_sizes(self):
        for number, (width, height) in enumerate(SIZES):
            self.add(f"{width}x{height}.jpg", soft_picture(width, height, number), quality=92)
        for fit in FITS:
            for path, difference in self.differences(self.stored("--resize", fit), fit, exact).items():
                self.assertLessEqual(difference.mean(), ANTIALIAS_MEAN, f"{path}, {fit}")

    def test_a_picture_that_shrinks_along_one_side_only_is_averaged_along_it(self):
        noise = numpy.random.default_rng(3).integers(0, 256, (1, 30 * SIDE, 3), dtype=numpy.uint8)
        wide = Image.fromarray(noise.repeat(SIDE // 2, axis=0))
        self.add("wide.png", wide)
        self.add("high.png", wide.transpose(Image.Transpose.TRANSPOSE))
        for path, pixels in self.stored("--resize", "stretch").items():
            difference = numpy.abs(pixels - bilinear(self.images[path], SIDE, SIDE))
            # On noise the two filters differ by some levels; single pixels in place of averages by 50.
            self.assertLessEqual(difference.mean(), 12, path)

    def test_the_kinds_of_fit_differ_more_than_the_tolerance(self):
        self.add("wide.png", soft_picture(97, 40, 1))
        self.add("high.png", soft_picture(40, 97, 2))
        packed = [self.stored("--resize", fit) for fit in FITS]
        for one, other in ((0, 1), (0, 2), (1, 2)):
            for path in self.images:
                self.assertGreater(numpy.abs(packed[one][path] - packed[other][path]).mean(), 2 * ANTIALIAS_MEAN)

    def test_photographs(self):
        for photograph in sorted(support.test_data("caltech10-natural").rglob("*.jpg"))[::50]:
            self.add(photograph.name, Image.open(photograph).convert("RGB"), quality=95)
            self.images[next(reversed(self.images))].draft("RGB", (2 * SIDE, 2 * SIDE))
        self.assertGreater(len(self.images), 10)
        for path, difference in self.differences(self.stored(), "crop", exact).items():
            self.assertLessEqual(difference.mean(), DRAFT_MEAN, path)


if __name__ == "__main__":
    support.main()
