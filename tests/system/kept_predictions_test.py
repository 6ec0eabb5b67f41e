"""predictions.h5: the same bytes for any ranks, read by h5py, judged again to the same metrics.json, compared with another
run's; what is damaged or of other samples is refused by name."""
import shutil

import support
from support import SystemTest, read_json, write_ppm

numpy = support.needed("numpy")
h5py = support.needed("h5py")


class KeptPredictions(SystemTest):
    """Sizes that divide by nothing: 67 test samples, 7 classes, blocks of 32."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", "--classes", 7, "--test", 0.2, images=333)
        cls.run_folder = cls.make_run(cls.data, cls.shared / "run", "--filters", "8,12", "--epochs", 3)
        cls.weaker = cls.make_run(cls.data, cls.shared / "weaker", "--filters", "4", "--seed", 3)
        for run in (cls.run_folder, cls.weaker):
            for split in ("test", "validation"):
                cls.done("evaluate", "--run", run, "--split", split)

    def files(self, run):
        return (run / "metrics.json").read_bytes(), (run / "predictions.h5").read_bytes()

    def copy(self, run, name="copy"):
        shutil.copytree(run, self.folder / name)
        return self.folder / name

    def judged_again(self, predictions, *words, output="again.json"):
        self.said = self.done("evaluate", "--predictions", predictions, "--output", self.folder / output, *words).stdout
        return (self.folder / output).read_bytes()

    def test_the_same_bytes_for_any_number_of_ranks(self):
        words = ("--split", "test", "--calibrate-on", "validation", "--against", self.weaker)
        expected = None
        for ranks in (0, 1, 2, 3, 4):
            for name in ("metrics.json", "predictions.h5"):
                (self.run_folder / name).unlink()
            self.done("evaluate", "--run", self.run_folder, *words, "--threads", 1 + ranks % 2, ranks=ranks)
            found = self.files(self.run_folder)
            expected = expected or found
            self.assertEqual(found, expected, f"{ranks} ranks")
            self.assertEqual(self.judged_again(self.run_folder / "predictions.h5", *words), expected[0])
        self.done("evaluate", "--run", self.run_folder, "--split", "validation")

    def test_h5py_reads_what_the_contract_says(self):
        manifest, record = read_json(self.data / "manifest.json"), read_json(self.run_folder / "run.json")
        with h5py.File(self.run_folder / "predictions.h5") as file:
            self.assertEqual(file.attrs["format_version"], 1)
            self.assertEqual([name.decode() for name in file["classes"][:]], manifest["classes"])
            self.assertEqual({name.decode() for name in file["splits"][:]}, {"test", "validation"})
            group = file["test"]
            self.assertEqual((group.attrs["weights"], group.attrs["data"]), ("best", record["data"]["digest"]))
            self.assertEqual([(group[name].dtype, group[name].shape) for name in ("ids", "labels", "predicted", "scores")],
                             [("int64", (67,)), ("int32", (67,)), ("int32", (67,)), ("float32", (67, 7))])
            self.assertTrue((numpy.diff(group["ids"][:]) > 0).all())
            numpy.testing.assert_array_equal(group["predicted"][:], group["scores"][:].argmax(1))
            labels, ids = group["labels"][:], group["ids"][:]
        with h5py.File(self.data / "images.h5") as images:
            numpy.testing.assert_array_equal(images["label"][:][ids], labels)
            self.assertEqual({name.decode() for name in images["split"][:][ids]}, {"test"})

    def test_all_splits_judged_again_are_metrics_json(self):
        run = self.make_run(self.data, self.folder / "run")
        for split in ("validation", "test", "train"):
            self.done("evaluate", "--run", run, "--split", split, "--weights", "last", "--bins", 10, "--bootstrap", 200)
        before = self.files(run)
        self.assertEqual(self.judged_again(run / "predictions.h5", "--bins", 10, "--bootstrap", 200), before[0])
        for split in ("validation", "test", "train"):
            self.assertIn(f"{split}, last weights:\n", self.said)
        shutil.rmtree(run / "weights")  # no network is needed
        self.done("evaluate", "--predictions", run / "predictions.h5", "--split", "test, last weights", "--bins", 10,
                  "--bootstrap", 200, "--output", run / "metrics.json", ranks=2)
        self.assertEqual(self.files(run), before)

    def test_other_data_flips_and_weights_stand_beside_the_plain_ones(self):
        run, other = self.copy(self.run_folder), self.make_data(self.folder / "50%", "--classes", 7, images=100)
        self.done("evaluate", "--run", run, "--split", "test")
        self.done("evaluate", "--run", run, "--split", "test", "--data", other)
        self.done("evaluate", "--run", run, "--split", "test", "--test-time-flips", "both")
        plain = read_json(run / "metrics.json")["splits"]["test"]
        self.done("evaluate", "--run", run, "--split", "test", "--test-time-flips", "both", "--weights", "last")
        self.done("evaluate", "--run", run, "--split", "test", "--weights", "last")
        self.assertEqual(read_json(run / "metrics.json")["splits"]["test"], plain)
        names = {"test", "validation", f"test of {other}", "test, test-time flips both", "test, last weights",
                 "test, test-time flips both, last weights"}
        self.assertEqual(set(read_json(run / "metrics.json")["splits"]), names)
        with h5py.File(run / "predictions.h5") as file:
            self.assertEqual({name.decode() for name in file["splits"][:]}, names)
            group = file["test of " + str(other).replace("%", "%25").replace("/", "%2F")]
            self.assertNotEqual(group.attrs["data"], file["test"].attrs["data"])
        self.assertEqual(self.judged_again(run / "predictions.h5"), (run / "metrics.json").read_bytes())
        self.refused(1, ["no predictions of 'train'", "'test'", "evaluate --run"], "evaluate", "--predictions",
                     run / "predictions.h5", "--split", "train")

    def test_not_kept_where_nobody_wants_them(self):
        run = self.make_run(self.data, self.folder / "run")
        self.done("evaluate", "--run", run, "--no-keep-predictions")
        self.assertFalse((run / "predictions.h5").exists())
        self.assertIn("curves", read_json(run / "metrics.json")["splits"]["validation"])
        self.refused(1, ["no predictions yet", run / "predictions.h5", "lockstep evaluate --run"], "evaluate", "--run",
                     self.run_folder, "--against", run)

    def test_a_run_against_another(self):
        said = self.done("evaluate", "--run", self.run_folder, "--split", "test", "--against", self.weaker).stdout
        found = read_json(self.run_folder / "metrics.json")["splits"]["test"]["against"]
        kept = []
        for run in (self.run_folder, self.weaker):
            with h5py.File(run / "predictions.h5") as file:
                kept.append(file["test/labels"][:] == file["test/predicted"][:])
        self.assertEqual(found["only_this_right"], int((kept[0] & ~kept[1]).sum()))
        self.assertEqual(found["only_other_right"], int((~kept[0] & kept[1]).sum()))
        self.assertAlmostEqual(found["difference"], kept[0].mean() - kept[1].mean(), 12)
        self.assertLess(found["interval"][0], found["difference"])
        self.assertIn(f"against {self.weaker}", said)
        self.assertIn("McNemar's test", said)
        self.done("evaluate", "--run", self.run_folder, "--split", "test", "--against", self.weaker / "predictions.h5")
        self.done("evaluate", "--run", self.run_folder, "--run", self.weaker, "--split", "test", "--against", self.weaker,
                  "--calibrate-on", "validation", "--output", self.folder / "ensemble.json", ranks=2)
        together = read_json(self.folder / "ensemble.json")
        self.assertEqual(together["against"]["name"], str(self.weaker))
        self.assertEqual(together["ensemble"]["temperature_scaling"]["fitted_on"], "validation")

    def test_a_temperature_of_the_judged_split_says_so(self):
        note = "of the samples that are judged: it flatters itself"
        run = self.copy(self.run_folder)
        self.assertIn(note, self.done("evaluate", "--run", run, "--split", "test", "--calibrate-on", "test").stdout)
        self.assertNotIn(note, self.done("evaluate", "--run", run, "--split", "test", "--calibrate-on", "validation").stdout)
        self.assertNotIn("temperature", self.done("evaluate", "--run", run, "--split", "test").stdout)
        self.assertIn(note, self.done("evaluate", "--run", run, "--split", "validation+test", "--calibrate-on", "test").stdout)

    def test_predictions_of_other_weights_are_not_mixed(self):
        run = self.copy(self.run_folder)
        (run / "predictions.h5").unlink()
        last = run / "weights/last.safetensors"
        other = self.make_run(self.data, self.folder / "other", "--filters", "8,12", "--seed", 5)
        last.write_bytes((other / "weights/best.safetensors").read_bytes())
        for split, weights in (("validation", "best"), ("test", "last")):
            self.done("evaluate", "--run", run, "--split", split, "--weights", weights)
        kept = run / "predictions.h5"
        self.refused(1, ["different weights (best, last)", kept], "evaluate", "--predictions", kept, "--split",
                     "test, last weights", "--calibrate-on", "validation")
        self.refused(1, ["no predictions of 'test'"], "evaluate", "--predictions", kept, "--split", "test")
        # The last weights' are the only ones of these samples so far.
        said = self.done("evaluate", "--run", self.run_folder, "--split", "test", "--against", run).stdout
        self.assertIn("says of the same samples as 'test, last weights'", said)
        against = read_json(self.run_folder / "metrics.json")["splits"]["test"]["against"]
        self.assertEqual((against["name"], against["split"]), (str(run), "test, last weights"))
        last_figures = read_json(run / "metrics.json")["splits"]["test, last weights"]
        self.done("evaluate", "--run", run, "--split", "test")
        splits = read_json(run / "metrics.json")["splits"]
        self.assertEqual(splits["test, last weights"], last_figures)
        self.assertEqual([splits[name]["weights"] for name in ("test, last weights", "test")], ["last", "best"])
        self.done("evaluate", "--run", self.run_folder, "--split", "test", "--against", run)
        (run / "weights/best.safetensors").write_bytes(last.read_bytes())
        self.refused(1, ["best weights are others than when it was judged on 'test'", kept], "evaluate", "--run",
                     self.run_folder, "--split", "test", "--against", run)
        self.done("evaluate", "--run", self.run_folder, "--split", "test", "--against", kept)

    def test_predictions_of_other_samples_are_refused(self):
        moved = self.make_data(self.folder / "moved", "--classes", 7, "--test", 0.2, "--seed", 9, images=333)
        stranger = self.make_run(moved, self.folder / "stranger")
        fewer = self.make_run(self.make_data(self.folder / "fewer", "--classes", 5), self.folder / "few")
        for run in (stranger, fewer):
            self.done("evaluate", "--run", run, "--split", "test")
        digests = [read_json(run / "run.json")["data"]["digest"] for run in (stranger, self.run_folder)]
        words = ("evaluate", "--run", self.run_folder, "--split", "test", "--against")
        refused = ["predictions of other samples", stranger / "predictions.h5", *digests]
        self.refused(1, refused, *words, stranger)
        self.refused_by_ranks(2, 1, refused, *words, stranger)
        self.refused(1, refused, "evaluate", "--predictions", self.run_folder / "predictions.h5", "--split", "test",
                     "--against", stranger / "predictions.h5")
        self.refused(1, ["5 classes there, 7 here"], *words, fewer)
        self.refused(1, ["no such predictions", self.folder / "none"], *words, self.folder / "none")
        self.refused(1, ["no predictions of 'train'"], "evaluate", "--run", self.run_folder, "--split", "train", "--against",
                     self.weaker)

    def test_damaged_and_foreign_files(self):
        run = self.copy(self.run_folder)
        file = run / "predictions.h5"
        whole = file.read_bytes()
        with h5py.File(file) as content:
            scores = content["test/scores"].id.get_offset()
        again = ("evaluate", "--predictions", file)

        def refused(names, content):
            file.write_bytes(content)
            self.refused(1, [file, *names], *again)
            self.refused(1, [file, *names], "evaluate", "--run", self.run_folder, "--split", "test", "--against", run)

        refused(["evaluate the run again"], whole[:len(whole) // 2])
        refused(["cannot open"], b"")
        refused(["cannot open"], b"\x89HDF\r\n\x1a\n and nothing more")
        refused(["checksum"], whole[:scores] + bytes([whole[scores] ^ 1]) + whole[scores + 1:])
        refused(["nan", "score of sample"], whole[:scores] + b"\0\0\xc0\x7f" + whole[scores + 4:])
        refused(["format_version"], (self.data / "images.h5").read_bytes())
        file.write_bytes(whole)
        with h5py.File(file, "r+") as content:
            content["test/labels"][3] = 7
        refused(["class 7 of sample", "there are 7"], file.read_bytes())
        file.write_bytes(whole)
        with h5py.File(file, "r+") as content:
            content.attrs["format_version"] = numpy.int32(2)
        refused(["format version 2", "reads 1"], file.read_bytes())
        said = self.done("evaluate", "--run", run, "--split", "test").stderr
        self.assertIn("predictions.h5 is now predictions.h5.old, and begun anew: predictions of format version 2", said)
        with h5py.File(run / "predictions.h5.old") as content:
            self.assertEqual(content.attrs["format_version"], 2, "nothing is lost")
        self.done(*again)
        self.refused(1, ["no such predictions", "none.h5"], "evaluate", "--predictions", self.folder / "none.h5")

    def test_options_that_do_not_go_together(self):
        kept, table = self.run_folder / "predictions.h5", self.folder / "p.csv"
        table.write_text("id,label\n1,a\n2,b\n")
        words = ("evaluate", "--predictions", kept)
        self.refused(2, ["--labels", "CSV"], *words, "--labels", table)
        self.refused(2, ["--run", "--predictions"], *words, "--run", self.run_folder)
        self.refused(2, ["--keep-predictions", "--predictions"], *words, "--no-keep-predictions")
        self.refused(1, ["no predictions of 'train'"], *words, "--calibrate-on", "train")
        words = ("evaluate", "--predictions", table, "--labels", table)
        self.refused(2, ["--calibrate-on", "predictions.h5"], *words, "--calibrate-on", "validation")
        self.refused(2, ["--against", "two CSV files"], *words, "--against", self.run_folder)
        self.refused(2, ["--against", "two CSV files"], *words, "--against", kept)
        self.refused(1, ["ids without a prediction"], *words, "--against", self.write_table("q.csv", "id,label\n1,a\n"))
        self.refused(2, ["--bins", "probabilities"], "evaluate", "--predictions", table, "--labels", table, "--bins", 10)
        self.refused(2, ["--predictions", "folder"], "evaluate", "--predictions", self.run_folder)
        self.refused(1, ["not a predictions.h5", table], "evaluate", "--run", self.run_folder, "--against", table)
        self.refused(2, ["--level", "--bootstrap"], "evaluate", "--run", self.run_folder, "--bootstrap", 0, "--level", 0.9)
        self.refused(2, ["--level", "1.5"], "evaluate", "--run", self.run_folder, "--level", 1.5)
        self.refused(2, ["--bins", "0"], "evaluate", "--run", self.run_folder, "--bins", 0)

    def write_table(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name


class WhatDecides(SystemTest):
    """--metric of train on splits that lack labels or classes."""

    def images(self, name, validation):
        colours = {"blue": (0, 0, 250), "green": (0, 250, 0), "red": (250, 0, 0)}
        for split, classes in (("train", colours), ("val", validation)):
            for of_class in classes:
                for number in range(6):
                    shade = [max(0, value - 9 * number) for value in colours[of_class]]
                    write_ppm(self.folder / name / split / of_class / f"{number}.ppm", 16, 16, shade)
        write_ppm(self.folder / name / "test/any.ppm", 16, 16)
        return self.pack_folders(self.folder / name, self.folder / f"{name}-packed")

    def train(self, data, run, *words):
        return ("train", "--data", data, "--run", self.folder / run, "--filters", 4, "--kernels", 3, "--dense", 8, "--epochs",
                2, "--threads", 1, "--batch", 6, *words)

    def test_a_class_absent_from_validation(self):
        data = self.images("two", ("blue", "green"))
        said = self.done(*self.train(data, "a", "--metric", "auc")).stderr
        self.assertIn("1 of the 3 classes have no sample in validation ('red'): auc says nothing of them", said)
        for line in support.read_log(self.folder / "a"):
            if line["event"] == "epoch":
                self.assertTrue(0 <= line["eval_auc"] <= 1 and 0 < line["eval_average_precision"] <= 1)
        self.assertNotIn("no sample in", self.done(*self.train(data, "b")).stderr)

    def test_one_class_alone(self):
        data = self.images("one", ("green",))
        for metric in ("auc", "kappa", "mcc"):
            self.refused(1, [metric, "is not defined on validation", "class 'green'", "--metric"],
                         *self.train(data, "a", "--metric", metric))
            self.assertFalse((self.folder / "a").exists())
        self.done(*self.train(data, "a", "--metric", "balanced-accuracy"))

    def test_without_labels(self):
        data = self.images("unlabelled", ("blue", "green", "red"))
        self.refused(1, ["no sample of test has a label", "--eval-split"],
                     *self.train(data, "a", "--metric", "auc", "--eval-split", "test"))
        run = self.make_run(data, self.folder / "run")
        self.refused(1, ["no sample of test has a label", "--split", "predict"], "evaluate", "--run", run, "--split", "test")
        self.refused_by_ranks(2, 1, ["no sample of test has a label", "--calibrate-on"], "evaluate", "--run", run,
                              "--calibrate-on", "test")

    def test_each_metric_decides_the_same_on_any_ranks(self):
        data = self.images("three", ("blue", "green", "red"))
        figures = {"top5-accuracy": "top5_accuracy", "balanced-accuracy": "balanced_accuracy", "kappa": "cohen_kappa",
                   "mcc": "matthews_correlation", "average-precision": ("macro", "average_precision"),
                   "auc": ("macro", "auc_one_vs_rest"), "macro-recall": ("macro", "recall"), "loss": "loss"}
        for metric, key in figures.items():
            with self.subTest(metric):
                for ranks in (0, 2):
                    run = self.folder / f"{metric}{ranks}"
                    said = self.done(*self.train(data, run.name, "--metric", metric), ranks=ranks).stderr
                    self.done("evaluate", "--run", run)
                    value = read_json(run / "metrics.json")["splits"]["validation"]
                    for step in (key,) if isinstance(key, str) else key:
                        value = value[step]
                    self.assertIn(f"best {metric} {value:.4f} in epoch", said)


if __name__ == "__main__":
    support.main()
