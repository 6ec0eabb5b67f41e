"""What the audit finds in a folder whose faults are known, since Pillow made them: exactly these, no others.

Also what --fail-on and --drop-duplicates make of them, and that --verify names the file that was damaged.
"""
import json
import shutil

import support
from support import SystemTest

numpy = support.needed("numpy")
Image = support.needed("PIL.Image")
h5py = support.needed("h5py")


def picture(seed, width=240, height=180):
    """Smooth noise: as many forms as seeds, none of them regular."""
    coarse = numpy.random.default_rng(seed).integers(0, 256, (18, 24, 3), dtype=numpy.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


class Audit(SystemTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.folder / "input", self.folder / "output"
        for number, name in enumerate(("train/cat/1", "train/cat/2", "train/dog/3", "train/dog/4", "val/cat/5", "val/dog/6",
                                       "test/cat/7", "test/dog/8", "train/bird/9")):
            self.add(name + ".png", picture(100 + number))

    def add(self, name, image, **options):
        path = self.input / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)

    def copy(self, name, other):
        shutil.copyfile(self.input / name, self.input / other)

    def add_exact_copies(self):
        self.add("train/cat/a.png", picture(1))
        self.copy("train/cat/a.png", "train/cat/a-copy.png")
        self.add("train/dog/b.png", picture(2))
        self.copy("train/dog/b.png", "test/dog/b.png")
        self.add("train/cat/c.png", picture(3))
        self.copy("train/cat/c.png", "train/dog/c.png")

    def add_near_copies(self):
        self.add("train/cat/d.png", picture(4))
        self.add("val/cat/d.jpg", picture(4).resize((120, 90)), quality=60)
        self.add("train/dog/e.png", picture(5))
        self.add("train/cat/e.jpg", picture(5).crop((2, 2, 238, 178)), quality=90)
        self.add("train/dog/f.png", picture(6))
        self.add("train/dog/f.bmp", picture(6))

    def add_poor_ones(self):
        self.add("train/cat/white.png", Image.new("RGB", (200, 200), (255, 255, 255)))
        dust = numpy.random.default_rng(9).integers(249, 252, (200, 200, 3), dtype=numpy.uint8)
        self.add("train/cat/blank.png", Image.fromarray(dust))
        (self.input / "train/dog/broken.jpg").write_text("<html>not found</html>")
        self.add("train/dog/small.png", picture(7, 40, 30))

    def pack(self, *words):
        return ("preprocess", "--source", "class-folders", "--input", self.input, "--output", self.output, "--side", 48,
                *words)

    def audit(self, *words):
        text = self.done("preprocess", "--audit", self.output, *words).stdout
        return text, json.loads((self.output / "audit.json").read_text())

    def groups(self, found):
        return {frozenset(image["path"] for image in group["images"]): group for group in found["groups"]}

    def test_exactly_the_known_faults_are_found(self):
        self.add_exact_copies()
        self.add_near_copies()
        self.add_poor_ones()
        self.done(*self.pack())
        text, found = self.audit()
        self.assertEqual(found["findings"], {
            "corrupt": 1, "duplicates": 3, "near-duplicates": 3, "leakage": 1, "near-leakage": 1,
            "conflicting-labels": 1, "near-conflicts": 1, "blank": 2, "empty-classes": 2})
        groups = self.groups(found)
        facts = {paths: (group["identical"], group["across_splits"], group["labels_differ"])
                 for paths, group in groups.items()}
        self.assertEqual(facts, {
            frozenset(("train/cat/a.png", "train/cat/a-copy.png")): (True, "none", "none"),
            frozenset(("train/dog/b.png", "test/dog/b.png")): (True, "identical", "none"),
            frozenset(("train/cat/c.png", "train/dog/c.png")): (True, "none", "identical"),
            frozenset(("train/cat/d.png", "val/cat/d.jpg")): (False, "alike", "none"),
            frozenset(("train/dog/e.png", "train/cat/e.jpg")): (False, "none", "alike"),
            frozenset(("train/dog/f.png", "train/dog/f.bmp")): (False, "none", "none")})
        self.assertEqual([image["path"] for image in found["constant"]], ["train/cat/white.png"])
        self.assertEqual([image["path"] for image in found["blank"]], ["train/cat/blank.png"])
        self.assertEqual([image["path"] for image in found["upscaled"]], ["train/dog/small.png"])
        self.assertEqual(found["refused"][0]["images"][0]["path"], "train/dog/broken.jpg")
        self.assertEqual(found["sizes"]["width"]["least"], 40)
        for path in ("train/dog/broken.jpg", "train/cat/c.png (train, cat) = train/dog/c.png (train, dog)"):
            self.assertIn(path, text)
        manifest = json.loads((self.output / "manifest.json").read_text())
        self.assertEqual(manifest["findings"], found["findings"])

    def test_a_clean_set_has_no_findings_but_the_class_that_only_training_has(self):
        self.done(*self.pack())
        _, found = self.audit("--fail-on", "corrupt,duplicates,near-duplicates,leakage,near-leakage,blank")
        self.assertEqual({name for name, count in found["findings"].items() if count > 0}, {"empty-classes"})
        self.assertEqual(found["groups"], [])

    def test_fail_on_makes_no_data_set_and_ends_the_audit(self):
        self.add_exact_copies()
        self.refused(1, ["leakage (1)", self.output], *self.pack("--fail-on", "corrupt,leakage"))
        self.assertFalse((self.output / "manifest.json").exists())
        self.done(*self.pack("--fail-on", "corrupt,blank"))
        self.refused(1, ["leakage (1)", "duplicates (3)"], "preprocess", "--audit", self.output, "--fail-on",
                     "leakage,duplicates")
        self.assertTrue((self.output / "audit.json").exists())
        self.refused(2, ["--side", "--audit"], "preprocess", "--audit", self.output, "--side", 3)
        self.refused(2, ["leak"], *self.pack("--fail-on", "leak"))

    def test_dropped_duplicates_leave_the_test_as_it_is(self):
        self.add_exact_copies()
        self.done(*self.pack("--drop-duplicates", "--fail-on", "duplicates,leakage"))
        with h5py.File(self.output / "images.h5", "r") as table:
            rows = {path.decode(): (status.decode(), reason.decode())
                    for path, status, reason in zip(table["path"][:], table["status"][:], table["reason"][:])}
        dropped = {path: reason for path, (status, reason) in rows.items() if status == "duplicate"}
        self.assertEqual(dropped, {"train/cat/a.png": "the same bytes as train/cat/a-copy.png",
                                   "train/dog/b.png": "the same bytes as test/dog/b.png",
                                   "train/dog/c.png": "the same bytes as train/cat/c.png"})
        self.assertEqual(self.audit()[1]["findings"]["conflicting-labels"], 1)

    def test_verify_names_the_damaged_file(self):
        self.done(*self.pack())
        self.done("preprocess", "--verify", self.output)
        self.done("preprocess", "--verify", self.output, ranks=2)
        shard = self.output / "shards/train-00000.h5"
        whole = shard.read_bytes()
        for name, damaged in (("a bit", whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:]), ("cut", whole[:-100])):
            with self.subTest(name):
                shard.write_bytes(damaged)
                self.assertIn("shards/train-00000.h5", self.failed_verify())
                shard.write_bytes(whole)
        shard.unlink()
        self.assertIn("shards/train-00000.h5", self.failed_verify())
        shard.write_bytes(whole)
        table = self.output / "images.h5"
        with h5py.File(table, "r+") as file:
            file["label"][3] = 1 - file["label"][3]
        self.assertIn("shards/train-00000.h5", self.failed_verify())
        table.write_bytes(table.read_bytes()[:200])
        self.assertIn("images.h5", self.failed_verify())

    def failed_verify(self):
        run = support.lockstep("preprocess", "--verify", self.output)
        self.assertEqual(run.returncode, 1, run.stderr)
        return run.stderr


if __name__ == "__main__":
    support.main()
