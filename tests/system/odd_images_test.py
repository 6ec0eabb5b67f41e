"""The odd images of the test data: each is packed or refused as their MANIFEST.tsv expects, and what is packed is what
Pillow decodes, within the differences of the decoders: a mean of 4 levels of 255 over pictures averaged to 32 × 32.

An expectation "x-or-y" is met by either. WebP, which the list calls unsupported, is read; Pillow's own verdict decides nothing.
"""
import csv
import shutil

import support
from support import SystemTest

numpy = support.needed("numpy")
h5py = support.needed("h5py")
Image = support.needed("PIL.Image")
ImageOps = support.needed("PIL.ImageOps")
SIDE = 32
DECODERS_DIFFER = 4  # levels, mean


def may_be_packed(name, expected):
    return "ok" in expected or name.endswith(".webp")


def may_be_refused(expected):
    return not expected.startswith("ok") or expected.startswith("ok-or") or "unsupported" in expected


def by_pillow(path):
    """8-bit RGB, upright, alpha dropped, 16 bits scaled; none if Pillow does not decode it."""
    try:
        with Image.open(path) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                grey = numpy.asarray(upright, dtype=float) / 257
                upright = Image.fromarray(grey.round().astype(numpy.uint8))
            return upright.convert("RGB")
    except Exception:  # whatever Pillow makes of such files
        return None


class OddImages(SystemTest):
    def setUp(self):
        super().setUp()
        self.source = support.test_data("odd-images")
        with open(self.source / "MANIFEST.tsv", newline="") as file:
            self.lines = list(csv.DictReader(file, delimiter="\t"))
        place = self.folder / "input/odd"
        place.mkdir(parents=True)
        for line in self.lines:
            shutil.copyfile(self.source / line["file"], place / line["file"])

    def pack(self, *words):
        output = self.folder / "output"
        self.done("preprocess", "--source", "class-folders", "--input", self.folder / "input", "--output", output,
                  "--side", SIDE, "--resize", "stretch", "--validation", 0, "--test", 0, *words)
        with h5py.File(output / "images.h5", "r") as table, h5py.File(output / "shards/train-00000.h5", "r") as shard:
            paths = [path.decode().split("/")[-1] for path in table["path"][:]]
            rows = dict(zip(paths, zip(table["status"][:], table["reason"][:], table["width"][:], table["height"][:])))
            pixels = dict(zip((paths[i] for i in shard["ids"][:]), shard["images"][:].astype(float)))
        return rows, pixels

    def test_each_ends_as_expected_and_looks_as_pillow_decodes_it(self):
        rows, pixels = self.pack()
        self.assertEqual(len(self.lines), 81)
        self.assertEqual(set(rows), {line["file"] for line in self.lines})
        compared = 0
        for line in self.lines:
            name, expected = line["file"], line["expected"]
            status, reason, width, height = rows[name]
            with self.subTest(name, expected=expected, reason=reason.decode()):
                self.assertTrue(may_be_packed(name, expected) if status == b"ok" else may_be_refused(expected))
                self.assertEqual(status == b"ok", name in pixels)
                self.assertEqual(status == b"ok", reason == b"")
                reference = by_pillow(self.source / name) if status == b"ok" else None
                if reference is None:
                    continue
                self.assertEqual((width, height), reference.size)
                shrinks = min(reference.size) >= 2 * SIDE  # below, Pillow's box is no average
                resize = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
                wanted = numpy.asarray(reference.resize((SIDE, SIDE), resize), dtype=float)
                difference = numpy.abs(pixels[name] - wanted).mean() if shrinks else \
                    numpy.abs(pixels[name].mean(axis=(0, 1)) - wanted.mean(axis=(0, 1))).mean()
                self.assertLessEqual(difference, DECODERS_DIFFER)
                compared += 1
        self.assertGreater(compared, 40)

    def test_other_formats_are_refused_by_their_names(self):
        place = self.folder / "input/odd"
        picture = Image.effect_noise((40, 30), 60)
        picture.save(place / "animated.gif", save_all=True, append_images=[picture.rotate(9)])
        picture.save(place / "scan.tiff")
        picture.convert("RGB").save(place / "wave.jpg", format="JPEG2000")
        rows, _ = self.pack()
        for name, word in (("animated.gif", "GIF"), ("scan.tiff", "TIFF"), ("gen__gif_named_jpg.jpg", "GIF"),
                           ("wave.jpg", "JPEG 2000")):
            self.assertEqual(rows[name][0], b"refused", name)
            self.assertIn(word, rows[name][1].decode())


if __name__ == "__main__":
    support.main()
