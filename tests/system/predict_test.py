"""lockstep predict: folders, tables and data sets; runs and weight files; what it refuses."""
import collections
import json
import random
import shutil
import unittest

import support
from predict_support import CLASSES, PredictTest, probabilities_of, rows_of, write_noise
from support import read_json

numpy = support.needed("numpy")
h5py = support.needed("h5py")
safetensors_numpy = support.needed("safetensors.numpy")


class Images(PredictTest):
    def test_folder_csv_and_data_set_give_the_same_rows(self):
        from_folder = self.predict("--run", self.a, "--probabilities", name="folder.csv")
        packed = self.pack(self.folder / "packed", "--source", "images", "--input", self.images)
        from_set = self.predict("--run", self.a, "--probabilities", images=packed, name="set.csv")
        self.assertEqual(from_folder.read_bytes(), from_set.read_bytes())
        ids = [row["id"] for row in rows_of(from_folder)]
        self.assertEqual(len(ids), 37)
        random.Random(3).shuffle(ids)
        table = self.folder / "names.csv"
        table.write_text("image,breed\n" + "".join(f"{name},?\n" for name in ids), encoding="utf-8")
        words = ("--run", self.a, "--probabilities", "--images-folder", self.images)
        from_table = rows_of(self.predict(*words, images=table, name="table.csv"))
        self.assertEqual([row["id"] for row in from_table], ids, "in the order of the table")
        self.assertEqual({row["id"]: row for row in from_table}, {row["id"]: row for row in rows_of(from_folder)})
        beside = self.folder / "beside"
        shutil.copytree(self.images, beside)
        shutil.copy(table, beside / "names.csv")
        again = self.predict("--run", self.a, "--probabilities", images=beside, name="beside.csv")
        self.assertEqual(again.read_bytes(), (self.folder / "table.csv").read_bytes())
        self.assertEqual([path.name for path in self.folder.glob("lockstep-*")], [], "packings stay behind")

    def test_the_same_bytes_on_any_number_of_ranks(self):
        for words in (("--run", self.a, "--test-time-flips", "both"),
                      ("--run", self.a, "--run", self.other, "--ensemble", "vote", "--choose-on", "none")):
            expected = self.predict(*words, "--probabilities", "--top", 2, "--threads", 1).read_bytes()
            for ranks in (1, 2, 3):
                with self.subTest(words=words, ranks=ranks):
                    found = self.predict(*words, "--probabilities", "--top", 2, "--threads", 2, ranks=ranks)
                    self.assertEqual(found.read_bytes(), expected)

    def test_a_split_is_found_or_chosen(self):
        rows = rows_of(self.predict("--run", self.a, "--split", "validation", images=self.data))
        self.assertEqual(len(rows), 30)
        self.refused(1, ["no split 'test'", "train, validation"], "predict", "--run", self.a, "--images", self.data,
                     "--output", self.folder / "p.csv")

    def test_ids_and_labels(self):
        by = {way: [row["id"] for row in rows_of(self.predict("--run", self.a, "--id", way))]
              for way in ("stem", "file", "path", "number")}
        self.assertEqual(by["path"][0], "deep/i00.ppm")
        self.assertEqual([by[way][0] for way in ("stem", "file")], ["i00", "i00.ppm"])
        self.assertEqual(by["number"], [str(number) for number in range(37)])
        names = [row["label"] for row in rows_of(self.predict("--run", self.a))]
        numbers = [row["label"] for row in rows_of(self.predict("--run", self.a, "--label", "index"))]
        self.assertEqual([CLASSES[int(number)] for number in numbers], names)

    def test_the_likeliest_classes_are_those_of_the_probabilities(self):
        rows = rows_of(self.predict("--run", self.b, "--probabilities", "--top", 3))
        for row, found in zip(rows, probabilities_of(rows)):
            order = numpy.argsort(-found, kind="stable")
            self.assertEqual([row["label"], row["label_2"], row["label_3"]], [CLASSES[c] for c in order])
            numpy.testing.assert_array_equal([float(row[f"probability{end}"]) for end in ("", "_2", "_3")], found[order])
        numpy.testing.assert_allclose(probabilities_of(rows).sum(1), 1, atol=1e-8)

    def test_unreadable_images_keep_their_row(self):
        images = self.folder / "images"
        shutil.copytree(self.images, images)
        (images / "i02x.jpg").write_bytes(b"no picture at all")
        (images / "notes.txt").write_text("not an image\n")
        rows = rows_of(self.predict("--run", self.a, "--probabilities", "--top", 2, images=images, ranks=2))
        self.assertEqual(len(rows), 38)
        broken = rows[[row["id"] for row in rows].index("i02x")]
        self.assertEqual(set(broken.values()), {"i02x", ""})
        self.assertEqual([row["id"] for row in rows], sorted((row["id"] for row in rows),
                                                             key=lambda name: (int(name[1:3]) % 4 != 0, name)))
        self.assertIn("1 of 38 images could not be read", self.said.stderr)
        self.assertIn("i02x.jpg", self.said.stderr)
        self.assertNotIn("notes.txt, ", self.said.stderr)

    def test_runs_of_before_say_nothing_of_resizing(self):
        run = self.folder / "run"
        shutil.copytree(self.a, run)
        record = read_json(run / "run.json")
        self.assertEqual(record["data"].pop("resize"), "pad")
        (run / "run.json").write_text(json.dumps(record))
        found = rows_of(self.predict("--run", run, "--probabilities"))
        self.assertEqual(len(found), 37)
        self.assertNotEqual(found, rows_of(self.predict("--run", self.a, "--probabilities")), "these were padded")


class WeightFiles(PredictTest):
    def test_a_weight_file_of_ours_is_enough(self):
        expected = self.predict("--run", self.a, "--probabilities").read_bytes()
        best = self.a / "weights/best.safetensors"
        self.assertEqual(self.predict("--weights", best, "--probabilities").read_bytes(), expected)
        self.done("weights", "convert", best, self.folder / "best.pth")
        self.assertEqual(self.predict("--weights", self.folder / "best.pth", "--probabilities").read_bytes(), expected)

    def test_pytorch_gives_the_same_probabilities(self):
        try:
            import torch
            import torchvision
        except (ImportError, OSError, ValueError) as fault:
            raise unittest.SkipTest(f"no torchvision: {fault}") from fault
        run = self.folder / "resnet"
        self.done("train", "--data", self.data, "--run", run, "--model", "resnet18", "--batch", 30, "--epochs", 1)
        rows = rows_of(self.predict("--run", run, "--probabilities", "--split", "validation", images=self.data))
        model = torchvision.models.resnet18(num_classes=3).eval()
        tensors = safetensors_numpy.load_file(run / "weights/best.safetensors")
        model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        record = read_json(run / "run.json")
        with h5py.File(self.data / "shards/validation-00000.h5") as shard:
            pixels = torch.from_numpy(shard["images"][:]).float()
            order = numpy.argsort(shard["ids"][:])
        images = (pixels - torch.tensor(record["input"]["mean"])) / torch.tensor(record["input"]["std"])
        with torch.no_grad():
            expected = torch.softmax(model(images.permute(0, 3, 1, 2)), 1).numpy()[order]
        numpy.testing.assert_allclose(probabilities_of(rows), expected, atol=2e-5)
        self.assertEqual([row["label"] for row in rows], [CLASSES[c] for c in expected.argmax(1)])
        # The state dict alone: no classes, no statistics.
        torch.save(model.state_dict(), self.folder / "plain.pth")
        names = self.folder / "names.txt"
        names.write_text("\n".join(name.upper() for name in CLASSES) + "\n", encoding="utf-8")
        words = ("--weights", self.folder / "plain.pth", "--model", "resnet18", "--side", 32)
        numbers = rows_of(self.predict(*words))
        named = rows_of(self.predict(*words, "--class-names", names))
        self.assertEqual([row["label"] for row in named], [CLASSES[int(row["label"])].upper() for row in numbers])

    def test_files_that_say_too_little_or_nonsense(self):
        best = self.a / "weights/best.safetensors"
        tensors = safetensors_numpy.load_file(best)

        def refused(words, *names):
            self.refused(1, names, "predict", "--images", self.images, "--output", self.folder / "p.csv", *words)

        plain = self.folder / "plain.safetensors"
        safetensors_numpy.save_file(tensors, plain)
        refused(("--weights", plain), "which network", "--model")
        refused(("--weights", plain, "--model", "custom"), "layers of the custom CNN", "--run")
        refused(("--weights", plain, "--model", "resnet18"), "no fc.weight")
        safetensors_numpy.save_file(tensors, plain, {"lockstep": "{"})
        refused(("--weights", plain), "metadata", "damaged")
        safetensors_numpy.save_file({**tensors, "output.bias": tensors["output.bias"] * numpy.float32("nan")}, plain)
        refused(("--weights", self.folder / "none.pth"), "no such file")
        few = self.folder / "few.txt"
        few.write_text("a\nb\n")
        refused(("--weights", best, "--class-names", few), "2 names for 3 classes")
        few.write_text("a\nb\na\n")
        refused(("--weights", best, "--class-names", few), "same name")


class BadImages(PredictTest):
    def refused_images(self, code, names, images, *words, ranks=0):
        output = self.folder / "out/p.csv"
        words = ("predict", "--run", self.a, "--images", images, "--output", output, *words)
        if ranks:
            self.refused_by_ranks(ranks, code, names, *words)
        else:
            self.refused(code, names, *words)
        left = [path.name for path in output.parent.iterdir()] if output.parent.exists() else []
        self.assertEqual(left, [], "something stays behind")

    def test_what_holds_no_images(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.refused_images(1, ["no image in this folder"], empty)
        self.refused_images(1, ["no image in this folder"], empty, ranks=2)
        self.refused_images(1, ["there are no such images"], self.folder / "none")
        self.refused_images(1, ["neither a data set"], self.a / "run.json")
        for name in ("a.csv", "b.tsv"):
            (empty / name).write_text("id\n1\n")
        self.refused_images(1, ["2 tables", "a.csv, b.tsv"], empty)
        (empty / "b.tsv").unlink()
        self.refused_images(1, ["none of the 1 named images"], empty)
        unfinished = self.folder / "unfinished"
        shutil.copytree(self.data, unfinished)
        (unfinished / "manifest.json").unlink()
        self.refused_images(1, ["did not finish"], unfinished)

    def test_equal_ids_are_told_apart(self):
        images = self.folder / "images"
        for folder in ("a", "b"):
            write_noise(images / folder / "1.ppm", 5, 0)
        self.refused_images(1, ["a/1.ppm and b/1.ppm", "'1'", "--id path"], images)
        self.refused_images(1, ["'1.ppm'", "--id path"], images, "--id", "file")
        self.assertEqual([row["id"] for row in rows_of(self.predict("--run", self.a, "--id", "path", images=images))],
                         ["a/1.ppm", "b/1.ppm"])

    def test_options_that_would_do_nothing_or_harm(self):
        self.refused_images(2, ["--top", "4 of 3 classes"], self.images, "--top", 4)
        self.refused_images(2, ["--split", "packed data set"], self.images, "--split", "test")
        self.refused_images(2, ["--csv-name"], self.images, "--csv-name", "x")
        self.refused_images(2, ["--images-folder"], self.data, "--images-folder", self.images)
        self.refused(1, ["the output is a folder"], "predict", "--run", self.a, "--images", self.images, "--output",
                     self.folder)
        grey = self.folder / "grey"
        self.done("preprocess", "--source", "images", "--input", self.images, "--output", grey, "--channels", 1, "--side", 20)
        self.refused_images(1, ["1 channel", "--channels 3"], grey)

    def test_a_class_that_is_called_like_a_column(self):
        run = self.folder / "run"
        shutil.copytree(self.a, run)
        record = read_json(run / "run.json")
        record["data"]["classes"][1] = "label"
        (run / "run.json").write_text(json.dumps(record))
        self.refused(1, ["a class is called 'label'", "--probabilities"], "predict", "--run", run, "--images", self.images,
                     "--output", self.folder / "p.csv", "--probabilities")
        self.assertGreater(len(collections.Counter(row["label"] for row in rows_of(self.predict("--run", run)))), 0)


if __name__ == "__main__":
    support.main()
