"""Images that can't be packed: each is refused in one sentence, and leaves nothing that a later command takes for whole."""
import gzip
import signal
import struct

import support
from support import SystemTest, write_ppm

PACK_FOLDERS = ("preprocess", "--source", "class-folders", "--side", 16)
PACK_IDX = ("preprocess", "--source", "idx")
UNFINISHED = ("no such data set", "did not finish", "no manifest.json")  # what train says of what a failed packing left


class BadImages(SystemTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.folder / "input", self.folder / "output"
        self.places = ("--input", self.input, "--output", self.output)

    def assert_nothing_whole(self):
        """Whatever was left behind, training refuses it."""
        sentence = self.refused(1, [self.output], "train", "--data", self.output, "--run", self.folder / "run")
        self.assertTrue(any(words in sentence for words in UNFINISHED), sentence)
        self.assertFalse((self.folder / "run").exists())


class ClassFolders(BadImages):
    def add_classes(self, *names, images=3, below="."):
        for name in names:
            for number in range(images):
                write_ppm(self.input / below / name / f"{number}.ppm", 20, 24)

    def test_a_missing_folder(self):
        self.refused(1, ["no such folder", self.input, "--input"], *PACK_FOLDERS, *self.places)
        self.assert_nothing_whole()

    def test_a_folder_without_classes(self):
        self.input.mkdir()
        self.refused(1, ["no class folders", self.input], *PACK_FOLDERS, *self.places)
        self.assert_nothing_whole()

    def test_an_empty_class(self):
        self.add_classes("apple", "pear")
        (self.input / "plum").mkdir()
        self.refused(1, ["no images in the class folder", self.input / "plum"], *PACK_FOLDERS, *self.places)
        self.assert_nothing_whole()
        (self.input / "plum").rmdir()
        self.done(*PACK_FOLDERS, *self.places)

    def test_a_class_that_only_the_test_images_have(self):
        self.add_classes("apple", "pear", below="train")
        self.add_classes("apple", "plum", below="test")
        self.refused(1, ["'plum'", "test/plum"], *PACK_FOLDERS, *self.places)
        self.assert_nothing_whole()

    def test_folders_mapped_wrongly(self):
        self.add_classes("apple", "pear", below="train")
        self.add_classes("apple", "pear", below="val")
        for words in ("nonsense", "=test", "val="):
            with self.subTest(words):
                self.refused(2, ["--folder-as", f"'{words}'", "val=test"], *PACK_FOLDERS, *self.places, "--folder-as", words)
        self.refused(2, ["'vla'", "--folder-as", "train, val"], *PACK_FOLDERS, *self.places, "--folder-as", "vla=test")
        self.assert_nothing_whole()
        self.done(*PACK_FOLDERS, *self.places, "--folder-as", "val=test")

    def test_a_damaged_image_ends_a_strict_packing_and_the_same_command_then_succeeds(self):
        self.add_classes("apple", "pear", images=10)
        whole = (self.input / "pear/4.ppm").read_bytes()
        (self.input / "pear/4.ppm").write_bytes(whole[:100])
        self.refused(1, ["pear/4.ppm"], *PACK_FOLDERS, *self.places, "--strict")
        self.assert_nothing_whole()
        (self.input / "pear/4.ppm").write_bytes(whole)
        self.done(*PACK_FOLDERS, *self.places, "--strict")

    def test_no_image_that_can_be_used(self):
        self.add_classes("apple", "pear")
        for image in self.input.rglob("*.ppm"):
            image.write_bytes(b"no image")
        self.refused(1, ["none of the training images", self.input], *PACK_FOLDERS, *self.places)
        self.assert_nothing_whole()

    def test_an_output_that_is_taken(self):
        self.add_classes("apple", "pear")
        self.output.mkdir()
        (self.output / "letter.txt").write_text("mine")
        self.refused(1, ["letter.txt", self.output], *PACK_FOLDERS, *self.places)
        self.assertEqual((self.output / "letter.txt").read_text(), "mine")
        (self.output / "letter.txt").unlink()
        self.done(*PACK_FOLDERS, *self.places)
        manifest = (self.output / "manifest.json").read_bytes()
        self.assertIn("nothing to do", self.done(*PACK_FOLDERS, *self.places).stderr)
        self.refused(1, ["a data set is here already", self.output, "seed"], *PACK_FOLDERS, *self.places, "--seed", 9)
        self.assertEqual((self.output / "manifest.json").read_bytes(), manifest)
        inside = self.input / "packed"
        self.refused(2, ["inside the input", inside], *PACK_FOLDERS, "--input", self.input, "--output", inside)

    def test_sources_without_input_or_unknown(self):
        self.refused(2, ["--input"], *PACK_FOLDERS, "--output", self.output)
        names = ["'cifar'", "--source", "class-folders|csv|images|idx|cifar10|cifar100|generated"]
        self.refused(2, names, "preprocess", "--source", "cifar", *self.places)
        self.assertFalse(self.output.exists())


class Idx(BadImages):
    """MNIST's files with one thing wrong at a time, plain and gzipped."""

    def content(self, images=12, side=8):
        return {"train-images-idx3-ubyte": struct.pack(">4I", 0x803, images, side, side) + bytes(range(64)) * images,
                "train-labels-idx1-ubyte": struct.pack(">2I", 0x801, images) + bytes(i % 3 for i in range(images))}

    def write(self, content, packed):
        self.input.mkdir(exist_ok=True)
        for name, data in content.items():
            (self.input / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)

    def try_fault(self, name, words, change):
        for packed in (False, True):
            with self.subTest(f"{name}{'.gz' * packed}"):
                content = self.content()
                self.write(content | {name: change(content[name])}, packed)
                self.refused(1, [*words, name + ".gz" * packed], *PACK_IDX, *self.places)
                self.assert_nothing_whole()
                self.write(content, packed)
                self.done(*PACK_IDX, *self.places)
                for folder in (self.input, self.output):
                    folder.rename(self.folder / f"{folder.name}-{packed}")

    def test_wrong_magic_of_images(self):
        self.try_fault("train-images-idx3-ubyte", [], lambda data: struct.pack(">I", 0x903) + data[4:])

    def test_wrong_magic_of_labels(self):
        self.try_fault("train-labels-idx1-ubyte", [], lambda data: struct.pack(">I", 0x802) + data[4:])

    def test_images_cut_short(self):
        self.try_fault("train-images-idx3-ubyte", [], lambda data: data[:len(data) // 2])

    def test_labels_cut_short(self):
        self.try_fault("train-labels-idx1-ubyte", [], lambda data: data[:-3])

    def test_header_cut_short(self):
        self.try_fault("train-images-idx3-ubyte", [], lambda data: data[:7])

    def test_longer_than_its_header_says(self):
        self.try_fault("train-images-idx3-ubyte", ["more than"], lambda data: data + b"\0")

    def test_a_gzip_cut_short(self):
        self.write(self.content(), packed=True)
        file = self.input / "train-images-idx3-ubyte.gz"
        whole = file.read_bytes()
        for kept in (len(whole) // 2, len(whole) - 4):
            with self.subTest(f"{kept} of {len(whole)} bytes"):
                file.write_bytes(whole[:kept])
                self.refused(1, ["cut short", file], *PACK_IDX, *self.places)
                self.assert_nothing_whole()

    def test_a_damaged_gzip(self):
        self.write(self.content(), packed=True)
        file = self.input / "train-images-idx3-ubyte.gz"
        damaged = bytearray(file.read_bytes())
        damaged[-8] ^= 0xFF  # the checksum
        file.write_bytes(damaged)
        self.refused(1, ["gzip", file], *PACK_IDX, *self.places)
        self.assert_nothing_whole()

    def test_missing_files_and_counts_that_differ(self):
        self.refused(1, ["no such folder", self.input], *PACK_IDX, *self.places)
        content = self.content()
        self.write({"train-images-idx3-ubyte": content["train-images-idx3-ubyte"]}, packed=False)
        self.refused(1, ["train-labels-idx1-ubyte", self.input], *PACK_IDX, *self.places)
        self.write({"train-labels-idx1-ubyte": struct.pack(">2I", 0x801, 11) + bytes(11)}, packed=False)
        self.refused(1, ["12 images", "11 labels"], *PACK_IDX, *self.places)
        self.assert_nothing_whole()


class Interrupted(BadImages):
    def test_a_packing_killed_midway_is_known_as_unfinished_and_goes_on(self):
        pack = ("preprocess", "--source", "generated", "--images", 6000, "--side", 32, "--shard-mib", 1,
                "--output", self.output)
        process = support.start(support.command(*pack))
        self.addCleanup(process.stdout.close)
        self.wait_until(process, lambda: any(self.output.glob("shards/train-*.h5")))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertFalse((self.output / "manifest.json").exists())
        self.refused(1, ["did not finish", self.output, "lockstep preprocess"], "train", "--data", self.output, "--run",
                     self.folder / "run")
        self.done(*pack)
        self.make_run(self.output, self.folder / "run", "--filters", "4", "--batch", 600)


if __name__ == "__main__":
    support.main()
