"""Data sets in their official formats, written by Python: packed, read back to the byte, trained on and judged.

CIFAR-10 batches and MNIST's IDX files by struct and numpy, CSV tables by csv, PNG files by Pillow; shards by h5py.
"""
import csv
import gzip
import json
import struct

import support
from support import SystemTest, read_json, read_log

numpy = support.needed("numpy")
h5py = support.needed("h5py")
Image = support.needed("PIL.Image")

CIFAR_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
NETWORK = ("--filters", "8,16", "--kernels", 3, "--dense", 32, "--batch", 32, "--lr", 3e-3, "--threads", 1)


def pictures(count, classes, side, channels, seed):
    """Images [n, side, side, channels] of noise with a bright stripe whose place tells the class, and labels [n]."""
    draws = numpy.random.default_rng(seed)
    images = draws.integers(0, 120, (count, side, side, channels), numpy.uint8)
    labels = draws.permutation(count) % classes
    step = side // classes
    for image, label in zip(images, labels):
        image[label * step:(label + 1) * step] += 110
    return images, labels


def write_cifar10(folder, batches, test):
    """As www.cs.toronto.edu/~kriz/cifar.html describes it: a label byte, then planes of red, green and blue."""
    folder.mkdir(parents=True)
    files = {f"data_batch_{i + 1}.bin": batch for i, batch in enumerate(batches)} | {"test_batch.bin": test}
    for name, (images, labels) in files.items():
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        (folder / name).write_bytes(numpy.hstack([labels.astype(numpy.uint8)[:, None], planes]).tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(CIFAR_NAMES) + "\n\n")


def write_idx(folder, part, images, labels, packed):
    """As yann.lecun.com/exdb/mnist describes it."""
    folder.mkdir(parents=True, exist_ok=True)
    n, height, width, _ = images.shape
    files = {f"{part}-images-idx3-ubyte": struct.pack(">4I", 0x803, n, height, width) + images.tobytes(),
             f"{part}-labels-idx1-ubyte": struct.pack(">2I", 0x801, n) + labels.astype(numpy.uint8).tobytes()}
    for name, data in files.items():
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)


def write_pngs(folder, images, names):
    for image, name in zip(images, names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(path)


def write_table(path, header, rows, **style):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, **style).writerows([header, *rows])


class Sources(SystemTest):
    def pack(self, *words, ranks=0, output=None):
        output = output or self.folder / "packed"
        self.done("preprocess", "--output", output, *words, ranks=ranks)
        return output

    def samples(self, data, split):
        """Images [n, h, w, c], labels [n] and source paths [n] of a split, in order of ids."""
        entry = next(entry for entry in read_json(data / "manifest.json")["splits"] if entry["name"] == split)
        parts = []
        for shard in entry["shards"]:
            with h5py.File(data / shard["file"], "r") as file:
                parts.append([file[name][:] for name in ("images", "labels", "ids")])
        images, labels, ids = (numpy.concatenate(column) for column in zip(*parts))
        order = numpy.argsort(ids)
        with h5py.File(data / "images.h5", "r") as table:
            paths = table["path"].asstr()[:]
        return images[order], labels[order], [paths[i] for i in ids[order]]

    def assert_samples(self, data, split, images, labels):
        found, found_labels, paths = self.samples(data, split)
        numpy.testing.assert_array_equal(found_labels, labels)
        numpy.testing.assert_array_equal(found, images)
        return paths

    def assert_same_bytes_from_ranks(self, data, *words):
        other = self.pack(*words, ranks=3, output=self.folder / "by three")
        names = support.files_below(data)
        self.assertEqual(support.files_below(other), names)
        self.assertEqual([name for name in names if (other / name).read_bytes() != (data / name).read_bytes()], [])

    def assert_learnt(self, data, least, epochs=2):
        """Trains a tiny network; its accuracy on the test split, measured by evaluate, is at least that."""
        run = self.folder / "run"
        self.done("train", "--data", data, "--run", run, "--epochs", epochs, *NETWORK)
        self.assertEqual(len([line for line in read_log(run) if line["event"] == "epoch"]), epochs)
        self.done("evaluate", "--run", run, "--split", "test")
        metrics = read_json(run / "metrics.json")["splits"]["test"]
        self.assertGreaterEqual(metrics["accuracy"], least)
        return run

    def assert_nothing_whole(self, output):
        """Whatever was left behind, training refuses it."""
        self.refused(1, [output], "train", "--data", output, "--run", self.folder / "run")


class Cifar10(Sources):
    def setUp(self):
        super().setUp()
        self.input = self.folder / "cifar"
        self.batches = [pictures(120, 10, 32, 3, seed) for seed in range(5)]
        self.test = pictures(100, 10, 32, 3, 99)
        write_cifar10(self.input / "cifar-10-batches-bin", self.batches, self.test)
        self.words = ("--source", "cifar10", "--input", self.input)

    def test_comes_back_to_the_byte_and_trains(self):
        data = self.pack(*self.words, "--validation", 0)
        images, labels = (numpy.concatenate(column) for column in zip(*self.batches))
        paths = self.assert_samples(data, "train", images, labels)
        self.assertEqual((paths[0], paths[121]), ("data_batch_1:0", "data_batch_2:1"))
        self.assert_samples(data, "test", *self.test)
        manifest = read_json(data / "manifest.json")
        self.assertEqual(manifest["classes"], CIFAR_NAMES)
        self.assertEqual(manifest["shape"], {"height": 32, "width": 32, "channels": 3})
        self.assertEqual(manifest["settings"]["source"], "cifar10")
        self.assert_learnt(data, 0.5)

    def test_ranks_write_the_same_bytes(self):
        data = self.pack(*self.words, "--shard-mib", 1)
        self.assert_same_bytes_from_ranks(data, *self.words, "--shard-mib", 1)

    def test_a_batch_cut_short(self):
        batch = self.input / "cifar-10-batches-bin/data_batch_4.bin"
        whole = batch.read_bytes()
        batch.write_bytes(whole[:3073 * 7 + 11])
        output = self.folder / "packed"
        names = ["cut short inside record 7", batch, "again"]
        self.refused(1, names, "preprocess", *self.words, "--output", output)
        self.refused_by_ranks(3, 1, names, "preprocess", *self.words, "--output", output)
        self.assert_nothing_whole(output)
        batch.write_bytes(whole)
        self.pack(*self.words)

    def test_a_batch_cut_between_two_records(self):
        """Of few records, these sets are noted file by file, and refused by --strict."""
        result = self.done("preprocess", *self.words, "--output", self.folder / "packed")
        for name in [f"data_batch_{i}" for i in range(1, 6)]:
            self.assertIn(f"{name}.bin holds 120 records, 10000 in the official file", result.stderr)
        self.assertIn("test_batch.bin holds 100 records, 10000 in the official file", result.stderr)
        batch, output = self.input / "cifar-10-batches-bin/data_batch_1.bin", self.folder / "strict"
        names = ["120 records, 10000 in the official file", batch, "again"]
        self.refused(1, names, "preprocess", *self.words, "--strict", "--output", output)
        self.refused_by_ranks(3, 1, names, "preprocess", *self.words, "--strict", "--output", output)
        self.assert_nothing_whole(output)

    def test_a_label_above_nine_and_missing_batches(self):
        folder, output = self.input / "cifar-10-batches-bin", self.folder / "packed"
        damaged = bytearray((folder / "data_batch_2.bin").read_bytes())
        damaged[3073 * 5] = 10
        (folder / "data_batch_2.bin").write_bytes(damaged)
        self.refused(1, ["label 10 in record 5", "0 to 9", "data_batch_2.bin"], "preprocess", *self.words, "--output", output)
        (folder / "data_batch_2.bin").unlink()
        (folder / "test_batch.bin").unlink()
        self.refused(1, ["missing: data_batch_2.bin, test_batch.bin", folder], "preprocess", *self.words, "--output", output)
        self.assert_nothing_whole(output)


class Cifar100(Sources):
    def test_comes_back_to_the_byte_under_its_fine_labels(self):
        folder = self.folder / "cifar/cifar-100-binary"
        folder.mkdir(parents=True)
        draws = numpy.random.default_rng(4)
        written = {}
        for split, count in (("train", 230), ("test", 40)):
            images = draws.integers(0, 256, (count, 32, 32, 3), numpy.uint8)
            fine = (numpy.arange(count) % 100).astype(numpy.uint8)
            records = numpy.hstack([(fine // 5)[:, None], fine[:, None], images.transpose(0, 3, 1, 2).reshape(count, -1)])
            (folder / f"{split}.bin").write_bytes(records.tobytes())
            written[split] = (images, fine)
        names = [f"fine {i}" for i in range(100)]
        (folder / "fine_label_names.txt").write_text("\n".join(names) + "\n")
        data = self.pack("--source", "cifar100", "--input", self.folder / "cifar", "--validation", 0)
        for split, samples in written.items():
            self.assert_samples(data, split, *samples)
        self.assertEqual(read_json(data / "manifest.json")["classes"], names)


class Mnist(Sources):
    def test_comes_back_to_the_byte_and_trains_plain_and_gzipped(self):
        train, test = pictures(600, 7, 28, 1, 1), pictures(100, 7, 28, 1, 2)
        packed = []
        for gzipped in (False, True):
            folder = self.folder / f"mnist-{gzipped}"
            write_idx(folder, "train", *train, gzipped)
            write_idx(folder, "t10k", *test, gzipped)
            data = self.pack("--source", "idx", "--input", folder, "--channels", 1, "--validation", 0,
                             output=self.folder / f"packed-{gzipped}")
            paths = self.assert_samples(data, "train", *train)
            self.assertEqual(paths[5], "train:5")
            self.assert_samples(data, "test", *test)
            packed.append((data / "shards/train-00000.h5").read_bytes())
        self.assertEqual(packed[0], packed[1])
        self.assert_learnt(data, 0.5)


class Csv(Sources):
    """PNG files whose names and labels stand in tables."""

    def setUp(self):
        super().setUp()
        self.input = self.folder / "set"
        self.output = self.folder / "packed"
        self.breeds = ["akita", "boxer", "collie, rough", "pug"]
        self.images, self.labels = pictures(400, 4, 24, 3, 5)
        self.names = [f"{i * 7919 % 10000:04x}" for i in range(400)]
        write_pngs(self.input / "train", self.images, self.names)

    def rows(self):
        return [[name, self.breeds[label]] for name, label in zip(self.names, self.labels)]

    def words(self, *more, input=None):
        return ("--source", "csv", "--input", input or self.input, "--side", 24, *more)

    def refused_table(self, rows, names, header=("id", "breed"), *more):
        write_table(self.input / "labels.csv", header, rows)
        self.refused(1, [*names, self.input / "labels.csv"], "preprocess", *self.words(*more), "--output", self.output)
        self.assert_nothing_whole(self.output)

    def test_dog_breeds_layout_comes_back_to_the_byte(self):
        """Kaggle's: labels.csv beside train/, and test/ whose images nobody has labelled."""
        write_table(self.input / "labels.csv", ["id", "breed"], self.rows())
        write_table(self.input / "sample_submission.csv", ["id", *self.breeds], [["t0", .25, .25, .25, .25]])
        unknown, _ = pictures(9, 4, 24, 3, 6)
        write_pngs(self.input / "test", unknown, [f"t{i}" for i in range(9)])
        data = self.pack(*self.words("--validation", 0))
        paths = self.assert_samples(data, "train", self.images, self.labels)
        self.assertEqual(paths[3], f"train/{self.names[3]}.png")
        paths = self.assert_samples(data, "test", unknown, [-1] * 9)
        self.assertEqual(paths[0], "test/t0.png")
        manifest = read_json(data / "manifest.json")
        self.assertEqual(manifest["classes"], self.breeds)
        test = next(split for split in manifest["splits"] if split["name"] == "test")
        self.assertEqual((test["samples"], test["class_counts"]), (9, [0, 0, 0, 0]))
        settings = manifest["settings"]
        self.assertEqual((settings["csv-name"], settings["csv-label"], settings["csv-separator"]), ("id", "breed", "comma"))
        self.assert_same_bytes_from_ranks(data, *self.words("--validation", 0))

    def test_unlabelled_samples_are_neither_judged_nor_trained_on(self):
        write_table(self.input / "labels.csv", ["id", "breed"], self.rows())
        write_pngs(self.input / "test", self.images[:5], [f"t{i}" for i in range(5)])
        data = self.pack(*self.words())
        run = self.folder / "run"
        self.done("train", "--data", data, "--run", run, "--epochs", 1, *NETWORK)
        self.refused(1, ["no sample of test has a label", "--split", "lockstep predict"], "evaluate", "--run", run, "--split", "test")
        self.done("evaluate", "--run", run, "--split", "validation")
        self.refused(1, ["has no label", "'test'"], "train", "--data", data, "--run", self.folder / "other", "--train-split",
                     "test", *NETWORK)

    def test_a_table_alone_is_split_and_trains(self):
        """Semicolons, a byte order mark, quotes and CRLF, as a spreadsheet writes them; images in a folder of their own."""
        table = self.folder / "tables/all.csv"
        write_table(table, ["Class", "File Name", "note"], [[breed, f"{name}.png", 'a "note"; two\nlines'] for name, breed in
                                                            self.rows()], delimiter=";")
        table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
        data = self.pack(*self.words("--images-folder", self.input / "train", input=table))
        by_name = {name: (image, label) for name, image, label in zip(self.names, self.images, self.labels)}
        seen = 0
        for split in ("train", "validation", "test"):
            for image, label, path in zip(*self.samples(data, split)):
                expected_image, expected_label = by_name[path.rsplit("/", 1)[1].removesuffix(".png")]
                self.assertEqual(label, expected_label)
                self.assertTrue((image == expected_image).all(), path)
                seen += 1
        self.assertEqual(seen, 400)
        self.assertEqual(read_json(data / "manifest.json")["settings"]["csv-separator"], "semicolon")
        self.assert_learnt(data, 0.6, epochs=3)

    def test_integer_labels_are_ordered_as_numbers_and_named_by_a_file(self):
        write_table(self.input / "train.csv", ["image_id", "label"], [[name, 8 + int(label)] for name, label in
                                                                     zip(self.names, self.labels)])
        data = self.pack(*self.words("--validation", 0, "--test", 0))
        self.assertEqual(read_json(data / "manifest.json")["classes"], ["8", "9", "10", "11"])
        self.assert_samples(data, "train", self.images, self.labels)
        (self.folder / "names.json").write_text(json.dumps({str(i): [str(8 + i), name] for i, name in enumerate(self.breeds)}))
        named = self.pack(*self.words("--class-names", self.folder / "names.json"), output=self.folder / "named")
        self.assertEqual(read_json(named / "manifest.json")["classes"], ["akita", "boxer", "collie", "pug"])
        (self.folder / "names.json").write_text('{"0": ["8", "akita"], "1": ["9", "boxer"]}')
        self.refused(1, ["2 of 4 classes have no name", "'10', '11'", "names.json"], "preprocess",
                     *self.words("--class-names", self.folder / "names.json"), "--output", self.folder / "other")

    def test_images_that_no_row_names_are_counted_and_left_out(self):
        write_table(self.input / "labels.csv", ["id", "breed"], self.rows()[:390])
        result = self.done("preprocess", *self.words("--validation", 0, "--test", 0), "--output", self.output)
        self.assertIn("images that no row names, left out: 10", result.stderr)
        self.assert_samples(self.output, "train", self.images[:390], self.labels[:390])

    def test_names_without_a_file(self):
        gone = [[f"gone{i}", "pug"] for i in range(8)]
        names = ["names without a file: 8", "line 402 'gone0'", "and 3 more", "--images-folder"]
        self.refused_table(self.rows() + gone, names)
        self.refused_by_ranks(3, 1, names, "preprocess", *self.words(), "--output", self.output)

    def test_rows_that_contradict_themselves(self):
        rows = self.rows()
        self.refused_table([*rows, rows[4]], ["rows for one and the same file: 1", "as in line 6"])
        self.refused_table([*rows[:9], [rows[9][0], ""], *rows[10:]], ["rows without a label: 1", "line 11"])
        self.refused_table([*rows[:9], ["", "pug"], *rows[10:]], ["rows without a name: 1", "line 11"])
        self.refused_table([*rows[:9], [*rows[9], "more"], *rows[10:]], ["3 fields in a row, 2 in the header", "line 11"])

    def test_columns_that_are_missing(self):
        self.refused_table(self.rows(), ["no column that names the images", "photo, breed"], ("photo", "breed"))
        self.refused_table(self.rows(), ["no column with the labels", "id, kind"], ("id", "kind"))
        self.refused_table(self.rows(), ["no column 'what'", "id, breed"], ("id", "breed"), "--csv-label", "what")
        write_table(self.input / "labels.csv", ("photo", "kind"), self.rows())
        self.pack(*self.words("--csv-name", "photo", "--csv-label", "kind"))

    def test_a_class_that_only_the_test_has(self):
        write_table(self.input / "train.csv", ["id", "breed"], self.rows())
        write_pngs(self.input / "test", self.images[:3], ["x", "y", "z"])
        write_table(self.input / "test.csv", ["id", "breed"], [["x", "pug"], ["y", "poodle"], ["z", "akita"]])
        names = ["classes that the training does not have: 1", "line 3 'poodle'", self.input / "test.csv"]
        self.refused(1, names, "preprocess", *self.words(), "--output", self.output)
        self.assert_nothing_whole(self.output)

    def test_options_of_another_source(self):
        self.refused(2, ["--csv-name", "csv"], "preprocess", "--source", "idx", "--input", self.input, "--output", self.output,
                     "--csv-name", "id")
        self.refused(1, ["no such file", "--input"], "preprocess", *self.words(input=self.folder / "none.csv"), "--output",
                     self.output)
        self.assertFalse(self.output.exists())


class NestedFolders(Sources):
    def test_images_at_any_depth_and_an_unlabelled_test(self):
        images, labels = pictures(30, 3, 24, 3, 7)
        synsets = ["n01440764", "n02012849", "n03126707"]
        for i, (image, label) in enumerate(zip(images, labels)):
            write_pngs(self.folder / "set/train" / synsets[label] / ("deep/er" if i % 2 else "."), [image], [f"{i:02}"])
        write_pngs(self.folder / "set/test", images[:4], list("abcd"))
        (self.folder / "names.txt").write_text("n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n")
        result = self.done("preprocess", "--source", "class-folders", "--input", self.folder / "set", "--side", 24,
                           "--class-names", self.folder / "names.txt", "--validation", 0, "--output", self.folder / "packed")
        self.assertIn("taken as that class: 15", result.stderr)
        manifest = read_json(self.folder / "packed/manifest.json")
        self.assertEqual(manifest["classes"], ["tench", "crane (n02012849)", "crane (n03126707)"])
        for image, label, path in zip(*self.samples(self.folder / "packed", "train")):
            number = int(path[-6:-4])
            self.assertEqual(label, labels[number])
            self.assertTrue((image == images[number]).all(), path)
        self.assert_samples(self.folder / "packed", "test", images[:4], [-1] * 4)

    def test_the_deepest_folder_is_the_class(self):
        classes = ["animals/cat", "animals/dog", "plants/cat"]
        images, labels = pictures(30, 3, 24, 3, 8)
        words = ("--source", "class-folders", "--input", self.folder / "set", "--side", 24)
        for split, part in (("train", slice(0, 21)), ("val", slice(21, 30))):
            for i, (image, label) in enumerate(zip(images[part], labels[part])):
                write_pngs(self.folder / "set" / split / classes[label], [image], [f"{i:02}"])
        write_pngs(self.folder / "set/test", images[:4], list("abcd"))
        said = self.done("preprocess", *words, "--output", self.folder / "first").stderr
        self.assertIn("--class-folder deepest", said)
        self.assertEqual(read_json(self.folder / "first/manifest.json")["classes"], ["animals", "plants"])
        (self.folder / "names.txt").write_text("animals/cat Felis\nplants/cat Nepeta\ndog Canis\n")
        words += ("--class-folder", "deepest", "--class-names", self.folder / "names.txt")
        data = self.pack(*words)
        manifest = read_json(data / "manifest.json")
        self.assertEqual(manifest["classes"], ["Felis", "Canis", "Nepeta"])
        self.assertEqual(manifest["settings"]["class-folder"], "deepest")
        for split, first, part in (("train", 0, slice(0, 21)), ("validation", 21, slice(21, 30))):
            found, found_labels, paths = self.samples(data, split)
            self.assertEqual(len(found), part.stop - part.start)
            for image, label, path in zip(found, found_labels, paths):
                number = first + int(path[-6:-4])
                self.assertEqual((label, classes[label]), (labels[number], path.split("/", 1)[1].rsplit("/", 1)[0]))
                self.assertTrue((image == images[number]).all(), path)
        self.assert_samples(data, "test", images[:4], [-1] * 4)
        self.assert_same_bytes_from_ranks(data, *words)
        (self.folder / "names.txt").write_text("cat Felis\ndog Canis\n")
        self.refused(1, ["2 of 3 classes have no name", "'animals/cat', 'plants/cat'"], "preprocess", *words, "--output",
                     self.folder / "other")


if __name__ == "__main__":
    support.main()
