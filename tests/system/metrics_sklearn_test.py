"""The metrics of a real evaluation against scikit-learn, computed from the pairs that the confusion matrix counts."""
import itertools
import math

import support
from support import SystemTest, read_json, write_ppm

numpy = support.needed("numpy")
sklearn_metrics = support.needed("sklearn.metrics")
TOLERANCE = 1e-12


class MetricsAgainstScikitLearn(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=600)
        cls.trained = cls.make_run(cls.data, cls.shared / "trained", "--epochs", 4)
        # A learning rate too large for the network: some classes are never predicted.
        cls.spoilt = cls.make_run(cls.data, cls.shared / "spoilt", "--lr", 0.3)

    def evaluation(self, run, split):
        self.done("evaluate", "--run", run, "--split", split)
        return read_json(run / "metrics.json")["splits"][split]

    def check(self, metrics):
        confusion = metrics["confusion_matrix"]
        kinds = numpy.indices(numpy.shape(confusion)).reshape(2, -1)  # every pair of label and prediction
        labels, predicted = numpy.repeat(kinds, numpy.ravel(confusion), axis=1)
        self.assertEqual(metrics["samples"], len(labels))
        self.assert_close(metrics["accuracy"], sklearn_metrics.accuracy_score(labels, predicted))
        judge = sklearn_metrics.precision_recall_fscore_support
        per_class = judge(labels, predicted, labels=range(len(confusion)), zero_division=0)
        for name, expected in zip(("precision", "recall", "f1", "support"), per_class):
            self.assert_close([row[name] for row in metrics["classes"]], expected)
        macro = judge(labels, predicted, average="macro", zero_division=0)
        for name, expected in zip(("precision", "recall", "f1"), macro):
            self.assert_close(metrics["macro"][name], expected)
        self.assertTrue(math.isfinite(metrics["loss"]) and metrics["loss"] > 0)
        self.assertTrue(metrics["accuracy"] <= metrics["top5_accuracy"] <= 1)

    def assert_close(self, found, expected):
        numpy.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)

    def test_a_trained_and_a_spoilt_model_on_every_split(self):
        for run, split in itertools.product((self.trained, self.spoilt), ("train", "validation", "test")):
            with self.subTest(run=run.name, split=split):
                self.check(self.evaluation(run, split))

    def test_the_cases_cover_what_they_should(self):
        trained, spoilt = (self.evaluation(run, "train") for run in (self.trained, self.spoilt))
        self.assertGreater(trained["accuracy"], 0.2)
        self.assertTrue(any(sum(column) == 0 for column in zip(*spoilt["confusion_matrix"])), "every class was predicted")

    def test_a_class_without_test_images(self):
        colours = {"blue": (0, 0, 250), "green": (0, 250, 0), "red": (250, 0, 0), "white": (250, 250, 250)}
        for name, colour in colours.items():
            for number in range(6):
                write_ppm(self.folder / f"images/train/{name}/{number}.ppm", 16, 16, [max(0, c - number) for c in colour])
        for name in ("blue", "green", "white"):
            for number in range(5):
                darker = [max(0, c - 9 - number) for c in colours[name]]
                write_ppm(self.folder / f"images/test/{name}/{number}.ppm", 16, 16, darker)
        data = self.pack_folders(self.folder / "images", self.folder / "data")
        for epochs in (1, 12):
            with self.subTest(epochs=epochs):
                run = self.make_run(data, self.folder / f"run{epochs}", "--epochs", epochs)
                metrics = self.evaluation(run, "test")
                self.assertEqual([row["support"] for row in metrics["classes"]], [5, 5, 0, 5])
                self.check(metrics)


if __name__ == "__main__":
    support.main()
