"""Ensembles in predict and evaluate, and evaluate --predictions: against numpy, scikit-learn and one another."""
import csv
import json
import math
import shutil

import support
from predict_support import CLASSES, PredictTest, probabilities_of, rows_of
from support import read_json

numpy = support.needed("numpy")
safetensors = support.needed("safetensors")
safetensors_numpy = support.needed("safetensors.numpy")
sklearn_metrics = support.needed("sklearn.metrics")


class Ensembles(PredictTest):
    def check(self, rows, expected, winners=None):
        numpy.testing.assert_allclose(probabilities_of(rows), expected, atol=1e-8)
        winners = expected.argmax(1) if winners is None else winners
        self.assertEqual([row["label"] for row in rows], [CLASSES[c] for c in winners])

    def test_average_and_its_weights(self):
        members = self.members()
        self.check(self.of_runs(), members.mean(0))
        self.check(self.of_runs("--member-weights", "2,1,0.5"), numpy.average(members, axis=0, weights=[2, 1, 0.5]))

    def test_vote(self):
        members = self.members()
        weights = numpy.array([1.0, 1.0, 1.5])
        mean = numpy.average(members, axis=0, weights=weights)
        votes = numpy.zeros_like(mean)
        for member, weight in zip(members, weights):
            votes[numpy.arange(len(mean)), member.argmax(1)] += weight
        most = votes.max(1, keepdims=True)
        winners = numpy.where(votes > most - 1e-9, mean, -1).argmax(1)
        self.check(self.of_runs("--ensemble", "vote", "--member-weights", "1,1,1.5"), mean, winners)

    def losses_on_validation(self):
        """[run, sample], and the accuracy of each run."""
        truth = self.truth("validation")
        losses, accuracies = [], []
        for run in self.runs:
            rows = rows_of(self.predict("--run", run, "--probabilities", "--id", "path", "--split", "validation",
                                        images=self.data))
            right = numpy.array([CLASSES.index(truth[row["id"]]) for row in rows])
            found = probabilities_of(rows)
            losses.append(-numpy.log(found[numpy.arange(len(rows)), right]))
            accuracies.append((found.argmax(1) == right).mean())
        return numpy.array(losses), accuracies

    def test_best_is_the_most_accurate_on_validation(self):
        losses, accuracies = self.losses_on_validation()
        best = min(range(3), key=lambda m: (-accuracies[m], losses[m].mean()))
        expected = self.predict("--run", self.runs[best], "--probabilities", name="alone.csv").read_bytes()
        self.of_runs("--ensemble", "best")
        self.assertEqual((self.folder / "p.csv").read_bytes(), expected)

    def test_greedy_selection(self):
        losses, _ = self.losses_on_validation()
        own = numpy.exp(-losses)
        counts, total, best = numpy.zeros(3), numpy.zeros(own.shape[1]), (math.inf, None)
        for added in range(1, 101):
            tried = [-numpy.log((total + p) / added).mean() for p in own]
            chosen = int(numpy.argmin(tried))
            total += own[chosen]
            counts[chosen] += 1
            if tried[chosen] < best[0] - 1e-12:
                best = (tried[chosen], counts.copy())
        weights = best[1] / best[1].sum()
        self.check(self.of_runs("--ensemble", "greedy"), numpy.average(self.members(), axis=0, weights=weights))
        for weight in weights:
            self.assertIn(f" {weight:.3f} ", self.done(
                "evaluate", *[w for run in self.runs for w in ("--run", run)], "--ensemble", "greedy").stdout)

    def test_parameters(self):
        files = [run / "weights/best.safetensors" for run in (self.a, self.b)]
        tensors = [safetensors_numpy.load_file(file) for file in files]
        mean = {name: (0.75 * tensors[0][name].astype("f8") + 0.25 * tensors[1][name].astype("f8")).astype("f4")
                if value.dtype == numpy.float32 else value for name, value in tensors[0].items()}
        with safetensors.safe_open(files[0], "np") as file:
            metadata = file.metadata()
        safetensors_numpy.save_file(mean, self.folder / "mean.safetensors", metadata)
        expected = rows_of(self.predict("--weights", self.folder / "mean.safetensors", "--probabilities"))
        found = rows_of(self.predict("--run", self.a, "--run", self.b, "--ensemble", "parameters", "--member-weights", "3,1",
                                     "--probabilities"))
        numpy.testing.assert_allclose(probabilities_of(found), probabilities_of(expected), atol=1e-6)
        self.refused(1, ["a and", "other", "other sizes of images", "--ensemble average"], "predict", "--run", self.a,
                     "--run", self.other, "--ensemble", "parameters", "--images", self.images, "--output",
                     self.folder / "p.csv")

    def test_one_member_of_weight_one_is_that_run(self):
        expected = self.predict("--run", self.b, "--probabilities", name="b.csv").read_bytes()
        for rule in ("average", "vote"):
            self.of_runs("--ensemble", rule, "--member-weights", "0,1,0")
            self.assertEqual((self.folder / "p.csv").read_bytes(), expected)
        self.done("evaluate", "--run", self.b)
        alone = read_json(self.b / "metrics.json")["splits"]["validation"]
        alone.pop("weights")
        for words in (("--ensemble", "average", "--member-weights", "0,1"), ("--ensemble", "vote", "--member-weights", "0,1"),
                      ("--ensemble", "parameters", "--member-weights", "0,1")):
            self.done("evaluate", "--run", self.a, "--run", self.b, *words, "--output", self.folder / "e.json", ranks=2)
            together = read_json(self.folder / "e.json")
            self.assertEqual(together["ensemble"], alone)
            member = together["members"][1]
            self.assertEqual((member.pop("run"), member.pop("weight")), (str(self.b), 1))
            self.assertEqual(member, alone)

    def test_evaluation_of_an_ensemble_against_scikit_learn(self):
        words = [word for run in self.runs for word in ("--run", run)]
        said = self.done("evaluate", *words, "--output", self.folder / "e.json").stdout
        metrics = read_json(self.folder / "e.json")
        self.assertEqual(len(metrics["members"]), 3)
        self.assertIn("ensemble (average)", said)
        rows = rows_of(self.predict(*words, "--probabilities", "--id", "path", "--split", "validation", images=self.data))
        truth = self.truth("validation")
        right = numpy.array([CLASSES.index(truth[row["id"]]) for row in rows])
        mean = probabilities_of(rows)
        together = metrics["ensemble"]
        self.assertAlmostEqual(together["accuracy"], sklearn_metrics.accuracy_score(right, mean.argmax(1)), 12)
        self.assertAlmostEqual(together["loss"], sklearn_metrics.log_loss(right, mean / mean.sum(1, keepdims=True)), 7)
        self.assertAlmostEqual(together["macro"]["f1"], sklearn_metrics.f1_score(right, mean.argmax(1), average="macro"), 12)

    def test_members_are_compared_where_their_data_set_is(self):
        self.of_runs()
        self.assertIn("on validation of", self.said.stderr)
        self.assertIn("ensemble (average)", self.said.stdout)
        self.of_runs("--choose-on", "none")
        self.assertEqual(self.said.stdout, "")
        self.of_runs("--choose-on", "test")
        self.assertIn("the members are not compared", self.said.stderr)

    def test_what_does_not_go_together(self):
        two = ("--run", self.a, "--run", self.b)

        def refused(code, names, *words):
            self.refused(code, names, "predict", "--images", self.images, "--output", self.folder / "p.csv", *words)

        refused(2, ["--member-weights", "3 weights for 2 runs"], *two, "--member-weights", "1,2,3")
        refused(2, ["--member-weights", "all weights are 0"], *two, "--member-weights", "0,0")
        refused(2, ["--member-weights", "average, vote or parameters"], *two, "--ensemble", "best", "--member-weights", "1,2")
        refused(2, ["--ensemble", "several --run"], "--run", self.a, "--ensemble", "vote")
        refused(1, ["nothing to choose", "no split 'test'"], *two, "--ensemble", "best", "--choose-on", "test")
        refused(1, ["nothing to choose"], *two, "--ensemble", "greedy", "--choose-on", "none")
        refused(2, ["neither a run nor a weight file"])
        refused(2, ["--weights", "beside --run"], "--run", self.a, "--weights", "w.pth")
        refused(2, ["--side", "weight file"], "--run", self.a, "--side", 32)
        swapped = self.folder / "swapped"
        shutil.copytree(self.b, swapped)
        record = read_json(swapped / "run.json")
        record["data"]["classes"] = list(reversed(record["data"]["classes"]))
        (swapped / "run.json").write_text(json.dumps(record))
        refused(1, ["'fig' as class 0", "'the \"plum\"'", "same classes"], "--run", self.a, "--run", swapped)


class Comparing(PredictTest):
    """evaluate --predictions."""

    def labels(self, split, name="t.csv", header="image_id,class"):
        path = self.folder / name
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header.split(","))
            writer.writerows((image.removesuffix(".ppm"), label) for image, label in self.truth(split).items())
        return path

    def compare(self, predictions, labels, *words):
        self.done("evaluate", "--predictions", predictions, "--labels", labels, "--output", self.folder / "m.json", *words)
        return read_json(self.folder / "m.json")

    def test_equals_evaluation_and_scikit_learn(self):
        predictions = self.predict("--run", self.b, "--probabilities", "--top", 2, "--id", "path", "--split", "validation",
                                   images=self.data)
        found = self.compare(predictions, self.labels("validation"))
        self.done("evaluate", "--run", self.b)
        own = read_json(self.b / "metrics.json")["splits"]["validation"]
        for name in ("samples", "accuracy", "top5_accuracy", "classes", "confusion_matrix"):
            self.assertEqual(found[name], own[name], name)
        self.assertAlmostEqual(found["loss"], own["loss"], 7)
        for name, value in own["macro"].items():
            self.assertAlmostEqual(found["macro"][name], value, 6, name)
        rows, truth = rows_of(predictions), self.truth("validation")
        right = numpy.array([CLASSES.index(truth[row["id"]]) for row in rows])
        mine = probabilities_of(rows)
        self.assertAlmostEqual(found["loss"], sklearn_metrics.log_loss(right, mine / mine.sum(1, keepdims=True)), 9)
        self.assertAlmostEqual(found["macro"]["auc_one_vs_rest"],
                               sklearn_metrics.roc_auc_score(right, mine, multi_class="ovr"), 6)

    def test_labels_alone_give_no_loss(self):
        predictions = self.predict("--run", self.b, "--id", "path", "--split", "validation", images=self.data)
        found = self.compare(predictions, self.labels("validation"))
        self.done("evaluate", "--run", self.b)
        own = read_json(self.b / "metrics.json")["splits"]["validation"]
        self.assertEqual(found["accuracy"], own["accuracy"])
        self.assertEqual(set(own) - set(found), {"weights", "loss", "log_loss", "top5_accuracy", "calibration", "curves"})
        self.assertEqual(set(found["macro"]), {"precision", "recall", "f1"})
        self.assertNotIn("loss", found["intervals"])

    def test_votes_are_judged_by_their_labels(self):
        words = [word for run in self.runs for word in ("--run", run)] + ["--ensemble", "vote"]
        predictions = self.predict(*words, "--probabilities", "--id", "path", "--split", "validation", images=self.data)
        found = self.compare(predictions, self.labels("validation"))
        self.done("evaluate", *words, "--output", self.folder / "e.json")
        together = read_json(self.folder / "e.json")["ensemble"]
        for name in ("accuracy", "top5_accuracy", "confusion_matrix"):
            self.assertEqual(found[name], together[name], name)
        self.assertAlmostEqual(found["loss"], together["loss"], 7)

    def test_numbers_and_wished_columns(self):
        predictions = self.predict("--run", self.b, "--probabilities", "--label", "index", "--id", "path", "--split",
                                   "validation", images=self.data)
        labels = self.labels("validation", header="what,who")
        found = self.compare(predictions, labels, "--csv-name", "what", "--csv-label", "who")
        self.done("evaluate", "--run", self.b)
        self.assertEqual(found["accuracy"], read_json(self.b / "metrics.json")["splits"]["validation"]["accuracy"])
        self.refused(1, ["no column that names", "--csv-name"], "evaluate", "--predictions", predictions, "--labels", labels)

    def test_bad_files(self):
        good = "id,label,x,y\n1,x,0.75,0.25\n2,y,0.5,0.5\n"
        labels = "id,label\n1,x\n2,y\n"
        cases = [("", labels, ["empty"]), (good, "", ["empty"]),
                 (good, "id,label\n1,x\n", ["without a label to compare with: 1", "'2'"]),
                 (good, labels + "3,x\n", ["ids without a prediction: 1", "'3'"]),
                 (good + "1,x,1,0\n", labels, ["same id twice", "lines 2 and 4"]),
                 (good, labels + "1,x\n", ["same id twice"]),
                 (good, "id,label\n1,x\n2,z\n", ["no class of the predictions: 1", "'z' in line 3", "x, y"]),
                 ("number,label\n1,x\n", labels, ["no column that names"]), ("id,x\n1,0.5\n", labels, ["no column with the labels"]),
                 (good.replace("0.75", "1.75"), labels, ["'1.75' in column 'x'", "p.csv:2"]),
                 (good.replace("0.75", "0.5"), labels, ["add up to 0.75", "p.csv:2"]),
                 ("id,label\n1,x\n2,\n", labels, ["ids without a label: 1", "'2'"])]
        for predictions, right, names in cases:
            with self.subTest(names=names):
                (self.folder / "p.csv").write_text(predictions)
                (self.folder / "t.csv").write_text(right)
                self.refused(1, names, "evaluate", "--predictions", self.folder / "p.csv", "--labels", self.folder / "t.csv")
        (self.folder / "p.csv").write_text(good)
        (self.folder / "t.csv").write_text(labels)
        words = ("evaluate", "--predictions", self.folder / "p.csv")
        self.refused(2, ["--labels is missing"], *words)
        self.refused(2, ["--run", "--predictions"], *words, "--labels", self.folder / "t.csv", "--run", self.a)
        self.refused(2, ["--labels", "--predictions"], "evaluate", "--run", self.a, "--labels", self.folder / "t.csv")
        self.refused(2, ["--output", "several --run"], "evaluate", "--run", self.a, "--output", self.folder / "m.json")
        self.refused_by_ranks(2, 1, ["cannot open", "none.csv"], "evaluate", "--predictions", self.folder / "none.csv", "--labels",
                              self.folder / "t.csv")


if __name__ == "__main__":
    support.main()
