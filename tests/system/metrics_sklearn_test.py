"""Every figure of evaluate against scikit-learn's and scipy's: of predictions made up here, random and degenerate ones, and
of real runs whose predictions.h5 is read with h5py."""
import csv
import itertools
import math
import warnings

import support
from support import SystemTest, read_json, write_ppm

numpy = support.needed("numpy")
h5py = support.needed("h5py")
sklearn_metrics = support.needed("sklearn.metrics")
sklearn_calibration = support.needed("sklearn.calibration")
scipy_stats = support.needed("scipy.stats")
scipy_optimize = support.needed("scipy.optimize")
TOLERANCE = 1e-12
MOST_POINTS = 128  # of a curve in the JSON


def softmax(scores):
    """As lockstep adds them up: in the order of the classes."""
    rows = []
    for row in scores.tolist():
        powers = [math.exp(score - max(row)) for score in row]
        total = 0.0
        for power in powers:
            total += power
        rows.append([power / total for power in powers])
    return numpy.array(rows)


def philox(counter, key):
    """Philox4x32-10, of its authors' paper: arrays of four columns of counters to as many of bits."""
    words = [numpy.asarray(word, dtype=numpy.uint64) for word in counter]
    key = [numpy.uint64(word) for word in key]
    low, half = numpy.uint64(0xFFFFFFFF), numpy.uint64(32)
    for _ in range(10):
        first, second = words[0] * numpy.uint64(0xD2511F53), words[2] * numpy.uint64(0xCD9E8D57)
        words = [(second >> half) ^ words[1] ^ key[0], second & low, (first >> half) ^ words[3] ^ key[1], first & low]
        key = [(key[0] + numpy.uint64(0x9E3779B9)) & low, (key[1] + numpy.uint64(0xBB67AE85)) & low]
    return words


def resample(seed, number, samples):
    """The places that the bootstrap draws: two of each block of random bits."""
    purpose = 8 * 0x85EBCA6B & 0xFFFFFFFF
    mixed = [int(word) for word in philox([number, 0, 0, 0], [seed ^ purpose, 0])]
    blocks = numpy.arange((samples + 1) // 2, dtype=numpy.uint64)
    zero = numpy.zeros_like(blocks)
    bits = philox([blocks, zero, zero + numpy.uint64(mixed[3]), zero + numpy.uint64(mixed[2])], mixed[:2])
    pairs = [(bits[0] << numpy.uint64(32)) | bits[1], (bits[2] << numpy.uint64(32)) | bits[3]]
    places = (numpy.stack(pairs, axis=1).ravel() >> numpy.uint64(11)) * 2.0**-53 * samples
    return places.astype(numpy.int64)[:samples]


def or_none(value):
    return None if math.isnan(value) else value


class AgainstScikitLearn(SystemTest):
    """How a set of metrics is compared."""

    def close(self, found, expected, name="", tolerance=TOLERANCE):
        if expected is None:
            self.assertIsNone(found, name)
        else:
            numpy.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)

    def check(self, metrics, labels, predicted, probabilities):
        """All figures of one split."""
        labels, predicted = numpy.asarray(labels), numpy.asarray(predicted)
        self.assertNotIn("NaN", str(metrics))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.check_counts(metrics, labels, predicted)
            if probabilities is not None:
                self.check_scores(metrics, labels, predicted, probabilities)
                self.check_calibration(metrics["calibration"], labels == predicted,
                                       probabilities[numpy.arange(len(labels)), predicted])

    def check_counts(self, metrics, labels, predicted):
        classes = range(len(metrics["classes"]))
        self.assertEqual(metrics["samples"], len(labels))
        numpy.testing.assert_array_equal(metrics["confusion_matrix"],
                                         sklearn_metrics.confusion_matrix(labels, predicted, labels=classes))
        self.close(metrics["accuracy"], sklearn_metrics.accuracy_score(labels, predicted))
        self.close(metrics["balanced_accuracy"], sklearn_metrics.balanced_accuracy_score(labels, predicted))
        self.close(metrics["matthews_correlation"], sklearn_metrics.matthews_corrcoef(labels, predicted))
        self.close(metrics["cohen_kappa"], or_none(sklearn_metrics.cohen_kappa_score(labels, predicted)), "kappa")
        judge = sklearn_metrics.precision_recall_fscore_support
        per_class = judge(labels, predicted, labels=classes, zero_division=0)
        for name, expected in zip(("precision", "recall", "f1", "support"), per_class):
            self.close([row[name] for row in metrics["classes"]], expected, name)
        for average in ("macro", "weighted", "micro"):
            expected = judge(labels, predicted, average=average, zero_division=0)
            for name, value in zip(("precision", "recall", "f1"), expected):
                self.close(metrics[average][name], value, f"{average} {name}")

    def check_scores(self, metrics, labels, predicted, probabilities):
        count = probabilities.shape[1]
        self.close(metrics["log_loss"], sklearn_metrics.log_loss(labels, probabilities, labels=range(count)), "log-loss")
        own = probabilities[numpy.arange(len(labels)), labels]
        self.close(metrics["loss"], numpy.mean(-numpy.log(numpy.maximum(own, 2.2250738585072014e-308))), "loss", 1e-11)
        # scikit-learn prefers the last of equal scores: with the classes turned round that is our first. The class that was
        # said comes before all others.
        order = probabilities.copy()
        order[numpy.arange(len(labels)), predicted] = 2
        self.close(metrics["top5_accuracy"], sklearn_metrics.top_k_accuracy_score(
            count - 1 - labels, order[:, ::-1], k=5, labels=range(count)) if count > 2 else 1, "top-5")
        one_hot = numpy.eye(count)[labels]
        supports = one_hot.sum(0)
        areas = {"auc": [], "average_precision": []}
        for c, row in enumerate(metrics["classes"]):
            right, scores = one_hot[:, c], probabilities[:, c]
            both = 0 < supports[c] < len(labels)
            areas["auc"].append(sklearn_metrics.roc_auc_score(right, scores) if both else None)
            areas["average_precision"].append(sklearn_metrics.average_precision_score(right, scores) if supports[c] else None)
            for name, values in areas.items():
                self.close(row[name], values[-1], f"{name} of class {c}")
            self.check_curves(metrics["curves"]["classes"][c], right, scores, both)
        for name, key in (("auc", "auc_one_vs_rest"), ("average_precision",) * 2):
            defined = [c for c in range(count) if areas[name][c] is not None]
            values = [areas[name][c] for c in defined]
            self.close(metrics["macro"][key], numpy.mean(values) if defined else None, f"macro {name}")
            self.close(metrics["weighted"][key], numpy.average(values, weights=supports[defined]) if defined else None)
        if (supports > 0).all() and count > 2:
            for average in ("macro", "weighted"):
                self.close(metrics[average]["auc_one_vs_rest"],
                           sklearn_metrics.roc_auc_score(one_hot, probabilities, average=average))
                self.close(metrics[average]["average_precision"],
                           sklearn_metrics.average_precision_score(one_hot, probabilities, average=average))
        self.close(metrics["micro"]["auc"], sklearn_metrics.roc_auc_score(one_hot.ravel(), probabilities.ravel()))
        self.close(metrics["micro"]["average_precision"],
                   sklearn_metrics.average_precision_score(one_hot, probabilities, average="micro"))
        self.check_curves(metrics["curves"]["micro"], one_hot.ravel(), probabilities.ravel(), True)
        self.check_mean_curve(metrics["curves"]["macro"]["roc"], one_hot, probabilities)

    def check_curves(self, found, right, scores, both):
        if not both:
            self.assertIsNone(found["roc"])
        else:
            expected = sklearn_metrics.roc_curve(right, scores, drop_intermediate=False)
            curve = self.points_of(found["roc"], ("false_positive_rate", "true_positive_rate"), expected)
            if len(expected[0]) <= MOST_POINTS:  # nothing was thinned
                self.close(sklearn_metrics.auc(*curve), sklearn_metrics.roc_auc_score(right, scores))
        if right.sum() == 0:
            self.assertIsNone(found["precision_recall"])
            return
        precision, recall, thresholds = sklearn_metrics.precision_recall_curve(right, scores)
        expected = (recall[::-1], precision[::-1], numpy.append(numpy.inf, thresholds[::-1]))
        curve = self.points_of(found["precision_recall"], ("recall", "precision"), expected)
        if len(expected[0]) <= MOST_POINTS:
            self.close(numpy.sum(numpy.diff(curve[0]) * curve[1][1:]),
                       sklearn_metrics.average_precision_score(right, scores))

    def points_of(self, found, names, expected):
        """A curve whose points must all be scikit-learn's, its ends included."""
        thresholds = [numpy.inf if value is None else value for value in found["threshold"]]
        self.assertLessEqual(len(thresholds), MOST_POINTS)
        self.assertEqual(thresholds, sorted(thresholds, reverse=True))
        place = {threshold: number for number, threshold in enumerate(expected[2].tolist())}
        places = [place[threshold] for threshold in thresholds]
        for name, values in zip(names, expected):
            self.close(found[name], values[places], name)
        self.assertEqual(places[0], 0)
        self.close((found[names[0]][0], found[names[0]][-1]), (0, 1))
        return [numpy.array(found[name]) for name in names]

    def check_mean_curve(self, found, one_hot, probabilities):
        curves = [sklearn_metrics.roc_curve(right, scores)[:2] for right, scores in zip(one_hot.T, probabilities.T)
                  if 0 < right.sum() < len(right)]
        if not curves:
            self.assertIsNone(found)
        else:  # of whole curves, however those of the classes were thinned
            grid = numpy.arange(101) / 100
            self.close(found["true_positive_rate"], numpy.mean([numpy.interp(grid, *curve) for curve in curves], axis=0))

    def check_calibration(self, found, right, confidence):
        bins = found["reliability"]
        count = len(bins["to"])
        share_right, mean_confidence = sklearn_calibration.calibration_curve(right, confidence, n_bins=count, pos_label=True)
        filled = [b for b in range(count) if bins["samples"][b] > 0]
        self.close([bins["accuracy"][b] for b in filled], share_right, "accuracy of bins")
        self.close([bins["confidence"][b] for b in filled], mean_confidence, "confidence of bins")
        self.assertEqual(sum(bins["samples"]), len(right))
        weights = numpy.array(bins["samples"])[filled] / len(right)
        self.close(found["expected_error"], numpy.sum(weights * abs(share_right - mean_confidence)))
        self.close(found["largest_error"], numpy.max(abs(share_right - mean_confidence)))


class MadeUpPredictions(AgainstScikitLearn):
    def write(self, name, labels, probabilities, winners=None):
        """Predictions with all digits of their numbers, and the right labels beside them."""
        names = [f"c{c}" for c in range(probabilities.shape[1])]
        winners = probabilities.argmax(1) if winners is None else winners
        with open(self.folder / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "label", *names])
            for i, row in enumerate(probabilities):
                writer.writerow([i, names[winners[i]], *map(repr, row.tolist())])
        with open(self.folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["id", "label"], *([i, names[label]] for i, label in enumerate(labels))])
        return self.folder / name

    def judge(self, labels, probabilities, *words, winners=None):
        predictions = self.write("p.csv", labels, probabilities, winners)
        self.said = self.done("evaluate", "--predictions", predictions, "--labels", self.folder / "labels.csv", "--output",
                              self.folder / "m.json", *words).stdout
        self.assertNotIn("nan", self.said.lower())
        return read_json(self.folder / "m.json")

    def test_random_predictions(self):
        for seed, (samples, classes, doubt) in enumerate([(300, 5, 1), (97, 2, 3), (40, 60, 0.3), (1500, 10, 0.1), (12, 3, 1), (900, 200, 0.02)]):
            with self.subTest(samples=samples, classes=classes):
                draw = numpy.random.default_rng(seed)
                probabilities = draw.dirichlet(numpy.full(classes, doubt), samples)
                labels = numpy.where(draw.random(samples) < 0.5, probabilities.argmax(1), draw.integers(classes, size=samples))
                self.check(self.judge(labels, probabilities), labels, probabilities.argmax(1), probabilities)

    def test_ties(self):
        """Eighths are exact: whole rows are equal, within and between samples."""
        draw = numpy.random.default_rng(5)
        for classes in (3, 8):
            probabilities = draw.multinomial(8, numpy.full(classes, 1 / classes), 200) / 8
            labels = draw.integers(classes, size=200)
            self.check(self.judge(labels, probabilities), labels, probabilities.argmax(1), probabilities)
            even = numpy.full((6, classes), 1 / 8) if classes == 8 else numpy.full((6, classes), [0.25, 0.25, 0.5])
            labels = numpy.arange(6) % classes
            self.check(self.judge(labels, even), labels, even.argmax(1), even)

    def test_classes_that_do_not_occur(self):
        draw = numpy.random.default_rng(6)
        probabilities = draw.dirichlet(numpy.ones(5), 120)
        probabilities[:, 1] = 0
        probabilities /= probabilities.sum(1, keepdims=True)
        winners = probabilities.argmax(1)
        for name, labels in {"never predicted": draw.integers(5, size=120), "never present": draw.choice([0, 1, 3], size=120),
                             "neither": draw.choice([0, 3, 4], size=120), "one class alone": numpy.full(120, 2)}.items():
            with self.subTest(name):
                metrics = self.judge(labels, probabilities)
                self.check(metrics, labels, winners, probabilities)
                self.assertIn("1 of the 5 classes never predicted ('c1')", " ".join(metrics["notes"]))
                self.assertIn("never predicted ('c1')", self.said)
                absent = 5 - len(set(labels))
                self.assertEqual(f"{absent} of the 5 classes without a sample" in self.said, absent > 0)

    def test_one_sample_and_certain_ones(self):
        row = numpy.array([[0.5, 0.25, 0.25]])
        for label in (0, 2):
            metrics = self.judge([label], row)
            self.check(metrics, [label], [0], row)
            self.assertEqual(metrics["cohen_kappa"], None if label == 0 else 0)
            self.assertIn("all samples are of one class", self.said)
        certain = numpy.eye(4)[[0, 1, 2, 3, 0, 1]]
        labels = numpy.array([0, 1, 2, 3, 1, 1])
        self.check(self.judge(labels, certain), labels, certain.argmax(1), certain)

    def test_a_label_that_is_not_that_of_the_largest_probability(self):
        draw = numpy.random.default_rng(8)
        for classes in (4, 9):
            probabilities = draw.dirichlet(numpy.ones(classes), 90)
            labels, winners = draw.integers(classes, size=90), draw.integers(classes, size=90)
            self.check(self.judge(labels, probabilities, winners=winners), labels, winners, probabilities)

    def test_few_digits(self):
        """As people write them: rows that add up to 1 roughly count as they are written."""
        probabilities = numpy.array([[0.333, 0.333, 0.333], [0.5, 0.25, 0.25], [0.1, 0.2, 0.701], [0.665, 0.333, 0.001]])
        labels = numpy.array([0, 1, 2, 0])
        found = self.judge(labels, probabilities)
        chosen = probabilities[numpy.arange(4), labels]
        self.close(found["loss"], -numpy.log(chosen).mean())
        self.close(found["classes"]["c0"]["auc"] if isinstance(found["classes"], dict) else found["classes"][0]["auc"],
                   sklearn_metrics.roc_auc_score(labels == 0, probabilities[:, 0]))

    def test_intervals_are_quantiles_of_resamples(self):
        draw = numpy.random.default_rng(9)
        probabilities, labels = draw.dirichlet(numpy.ones(4), 151), draw.integers(4, size=151)
        predicted = probabilities.argmax(1)
        losses = -numpy.log(probabilities[numpy.arange(151), labels])
        found = self.judge(labels, probabilities, "--bootstrap", 60, "--seed", 77, "--level", 0.8)["intervals"]
        drawn = [resample(77, number, 151) for number in range(60)]

        def expect(name, figure):
            values = [figure(labels[places], predicted[places]) for places in drawn]
            self.close(found[name], numpy.percentile(values, [10, 90]), name)

        expect("accuracy", sklearn_metrics.accuracy_score)
        expect("balanced_accuracy", sklearn_metrics.balanced_accuracy_score)
        expect("cohen_kappa", sklearn_metrics.cohen_kappa_score)
        expect("matthews_correlation", sklearn_metrics.matthews_corrcoef)
        expect("macro_f1", lambda right, said: sklearn_metrics.f1_score(right, said, average="macro"))
        self.close(found["loss"], numpy.percentile([losses[places].mean() for places in drawn], [10, 90]), "loss")
        self.assertNotIn("intervals", self.judge(labels, probabilities, "--bootstrap", 0))

    def test_mcnemars_test_and_the_difference(self):
        draw = numpy.random.default_rng(10)
        for samples, better in ((30, 0.5), (30, 0.9), (600, 0.5), (600, 0.7)):
            labels = draw.integers(3, size=samples)
            winners = [numpy.where(draw.random(samples) < share, labels, (labels + 1) % 3) for share in (better, 0.5)]
            even = numpy.full((samples, 3), [0.5, 0.25, 0.25])
            other = self.write("other.csv", labels, even, winners[1])
            found = self.judge(labels, even, "--against", other, "--bootstrap", 50, winners=winners[0])["against"]
            right = [one == labels for one in winners]
            counts = [int((right[0] & right[1]).sum()), int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())]
            self.assertEqual([found[name] for name in ("both_right", "only_this_right", "only_other_right")], counts)
            differences = right[0].astype(float) - right[1]
            self.close(found["difference"], differences.mean())
            drawn = [differences[resample(0, number, samples)].mean() for number in range(50)]
            self.close(found["interval"], numpy.percentile(drawn, [2.5, 97.5]))
            few = sum(counts[1:]) < 25
            self.assertEqual(found["mcnemar"]["exact"], few)
            if few:
                self.close(found["mcnemar"]["p"], scipy_stats.binomtest(min(counts[1:]), sum(counts[1:])).pvalue)
            else:
                statistic = max(abs(counts[1] - counts[2]) - 1, 0) ** 2 / sum(counts[1:])
                self.close(found["mcnemar"]["chi_square"], statistic)
                self.close(found["mcnemar"]["p"], scipy_stats.chi2.sf(statistic, 1))
            self.assertIn(f"only this one {counts[1]}, only the other {counts[2]}", self.said)


class RealRuns(AgainstScikitLearn):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=600)
        cls.trained = cls.make_run(cls.data, cls.shared / "trained", "--epochs", 4)
        # A learning rate too large for the network: some classes are never predicted.
        cls.spoilt = cls.make_run(cls.data, cls.shared / "spoilt", "--lr", 0.3)

    def evaluation(self, run, split, *words):
        self.done("evaluate", "--run", run, "--split", split, *words)
        return read_json(run / "metrics.json")["splits"][split]

    def kept(self, run, split):
        with h5py.File(run / "predictions.h5") as file:
            group = file[split]
            return group["labels"][:], group["predicted"][:], group["scores"][:].astype(float)

    def test_a_trained_and_a_spoilt_model_on_every_split(self):
        for run, split in itertools.product((self.trained, self.spoilt), ("train", "validation", "test")):
            with self.subTest(run=run.name, split=split):
                metrics = self.evaluation(run, split)
                labels, predicted, scores = self.kept(run, split)
                numpy.testing.assert_array_equal(predicted, scores.argmax(1))
                self.check(metrics, labels, predicted, softmax(scores))

    def test_the_cases_cover_what_they_should(self):
        trained, spoilt = (self.evaluation(run, "train") for run in (self.trained, self.spoilt))
        self.assertGreater(trained["accuracy"], 0.2)
        self.assertTrue(any(sum(column) == 0 for column in zip(*spoilt["confusion_matrix"])), "every class was predicted")

    def test_the_temperature_has_the_least_loss(self):
        metrics = self.evaluation(self.trained, "test", "--calibrate-on", "validation")
        found = metrics["temperature_scaling"]
        self.assertEqual((found["fitted_on"], found["samples"]), ("validation", len(self.kept(self.trained, "validation")[0])))

        def loss(split, temperature):
            labels, _, scores = self.kept(self.trained, split)
            return sklearn_metrics.log_loss(labels, softmax(scores / temperature), labels=range(scores.shape[1]))

        best = scipy_optimize.minimize_scalar(lambda power: loss("validation", math.exp(power)), bounds=(-4, 4),
                                              method="bounded", options={"xatol": 1e-10})
        self.close(found["temperature"], math.exp(best.x), tolerance=1e-6)
        self.assertLessEqual(loss("validation", found["temperature"]), best.fun + TOLERANCE)
        self.close(found["log_loss"], loss("test", found["temperature"]))
        labels, predicted, scores = self.kept(self.trained, "test")
        scaled = softmax(scores / found["temperature"])
        self.check_calibration(found["calibration"], labels == predicted, scaled.max(1))
        self.close(metrics["log_loss"], loss("test", 1))

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
                labels, predicted, scores = self.kept(run, "test")
                self.check(metrics, labels, predicted, softmax(scores))


if __name__ == "__main__":
    support.main()
