"""--store jpeg, read by h5py and decoded by Pillow: originals byte for byte, what was encoded anew near the raw pixels.

Tolerances, of 255 levels on average over an image: at quality 90 with halved colours smooth pictures lie within 3 of the raw
pixels, at 100 within 1. Photographs lose more, as much as Pillow's encoder loses of the same pixels at the same settings: the
two decode to pictures within 0.1 of each other.
"""
import io

import support
from support import SystemTest, read_json

h5py = support.needed("h5py")
numpy = support.needed("numpy")
Image = support.needed("PIL.Image")


class JpegStore(SystemTest):
    def setUp(self):
        super().setUp()
        self.photos = self.folder / "photos"
        for i in range(12):
            self.picture(i, (64, 64) if i % 3 == 0 else (90 + 7 * i, 70 + 5 * i))

    def picture(self, i, size):
        x, y = numpy.meshgrid(numpy.linspace(0, 1, size[0]), numpy.linspace(0, 1, size[1]))
        values = numpy.stack([200 * x + 3 * i, 220 * y, 120 + 100 * numpy.sin(3 * x + 2 * y + i)], -1).clip(0, 255)
        path = self.photos / "ab"[i % 2] / f"{i:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype("uint8")).save(path, quality=92, progressive=i == 6)

    def packed(self, name, *words):
        output = self.folder / name
        self.done("preprocess", "--source", "class-folders", "--input", self.photos, "--output", output, "--side", 64,
                  "--validation", 0, "--test", 0, *words)
        manifest = read_json(output / "manifest.json")
        return manifest, h5py.File(output / manifest["splits"][0]["shards"][0]["file"])

    @staticmethod
    def files_of(shard):
        begin = shard["offsets"][()]
        return [shard["jpeg"][begin[i]:begin[i + 1]].tobytes() for i in range(len(begin) - 1)]

    def check(self, shard, raw, tolerance, mode="RGB"):
        for i, file in enumerate(self.files_of(shard)):
            picture = Image.open(io.BytesIO(file))
            self.assertEqual((picture.format, picture.size, picture.mode), ("JPEG", (64, 64), mode))
            self.assertFalse(picture.info.get("progressive"), i)
            pixels = numpy.asarray(picture).reshape(raw["images"][i].shape).astype(float)
            self.assertLess(numpy.abs(pixels - raw["images"][i]).mean(), tolerance, i)

    def test_pixels_are_near_the_raw_ones(self):
        manifest, shard = self.packed("jpeg", "--store", "jpeg")
        raw_manifest, raw = self.packed("raw")
        self.assertEqual((manifest["store"], raw_manifest["store"]), ("jpeg", "raw"))
        self.assertEqual(list(shard["ids"]), list(raw["ids"]))
        self.assertEqual(list(shard["labels"]), list(raw["labels"]))
        self.assertEqual(manifest["mean"], raw_manifest["mean"])
        self.check(shard, raw, 3)
        _, best = self.packed("best", "--store", "jpeg", "--quality", 100)
        self.check(best, raw, 1)
        self.assertGreater(best["jpeg"].shape[0], shard["jpeg"].shape[0])

    def test_grey(self):
        _, shard = self.packed("jpeg", "--store", "jpeg", "--channels", 1)
        _, raw = self.packed("raw", "--channels", 1)
        self.check(shard, raw, 3, "L")

    def test_originals_of_the_right_size_stay_as_they_are(self):
        _, shard = self.packed("jpeg", "--store", "jpeg")
        paths = sorted(path.relative_to(self.photos).as_posix() for path in self.photos.rglob("*.jpg"))
        kept = 0
        for number, file in zip(shard["ids"], self.files_of(shard)):
            original = (self.photos / paths[number]).read_bytes()
            i = int(paths[number][2:4])
            self.assertEqual(file == original, i % 3 == 0 and i != 6, paths[number])  # 6 is progressive
            kept += file == original
        self.assertEqual(kept, 3)

    def test_real_photographs(self):
        self.photos = support.test_data("caltech10-natural") / "val"
        _, shard = self.packed("jpeg", "--store", "jpeg")
        _, raw = self.packed("raw")
        for i, file in enumerate(self.files_of(shard)):
            encoded = io.BytesIO()
            Image.fromarray(raw["images"][i]).save(encoded, "JPEG", quality=90, subsampling="4:2:0")
            theirs, ours = (numpy.asarray(Image.open(source)).astype(float) for source in (encoded, io.BytesIO(file)))
            self.assertLess(numpy.abs(theirs - ours).mean(), 0.1, i)


if __name__ == "__main__":
    support.main()
