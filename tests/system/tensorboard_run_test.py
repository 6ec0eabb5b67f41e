"""What a training tells TensorBoard, read by TensorBoard's own code: the log's numbers, weights, gradients, images, options."""
import json
import random
import re
import shutil
import signal
import time

import support
from support import SystemTest, command, read_json, read_log
from tensorboard_reader import Hparams, hparams_api, numpy, pixels, points, read_events, single, texts

h5py = support.needed("h5py")
safetensors = support.needed("safetensors.numpy")
GREEN, RED = (120, 220, 120), (255, 120, 110)


class OfARun(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=240)
        cls.runs = cls.shared / "runs"
        cls.run_folder = cls.make_run(cls.data, cls.runs / "first", *cls.words(), ranks=2)
        cls.events, cls.log = read_events(cls.run_folder), read_log(cls.run_folder)

    @staticmethod
    def words():
        """Plain gradient descent, and every step's weights kept, so that gradients can be told from them."""
        return ("--epochs", 3, "--log-every", 2, "--optimiser", "sgd", "--momentum", 0, "--lr", 0.05, "--freeze", "conv1",
                "--allow-random-frozen", "--checkpoint-every", "1steps", "--keep-checkpoints", 100)

    def lines(self, *events):
        return [line for line in self.log if line["event"] in events]

    def weights_after(self, steps):
        return safetensors.load_file(self.run_folder / f"checkpoints/step-{steps:08}/model.safetensors")

    def test_numbers_are_those_of_the_log(self):
        for event, fields in (("step", ("loss", "accuracy", "lr", "images_per_second", "wait_share")),
                              ("epoch", ("train_loss", "train_accuracy", "lr", "images_per_second", "wait_share",
                                         "eval_loss", "eval_accuracy", "eval_macro_recall", "eval_macro_f1"))):
            for field in fields:
                tag = f"judged/{field[5:]}" if field.startswith("eval_") else f"{event}/{field.removeprefix('train_')}"
                expected = [(line["step"], single(line[field])) for line in self.lines(event)]
                self.assertEqual(points(self.events, tag), expected, tag)
                self.assertTrue(expected)

    def test_the_wait_share_is_what_the_loader_cost(self):
        for line in self.lines("epoch"):
            self.assertAlmostEqual(line["wait_share"], line["wait_seconds"] / line["train_seconds"], delta=0.02)

    def trained_names(self):
        frozen = read_json(self.run_folder / "run.json")["network"]["frozen"]
        self.assertTrue(frozen)
        names = {name for name in self.weights_after(1) if not re.search("running_|num_batches", name)}
        return sorted(names - set(frozen))

    def test_histograms_of_weights_are_those_of_the_checkpoints(self):
        trained = self.trained_names()
        self.assertEqual(sorted(self.events.Tags()["histograms"]),
                         sorted(f"{kind}/{name}" for kind in ("weights", "gradients") for name in trained))
        for name in trained:
            for event in self.events.Histograms(f"weights/{name}"):
                expected, found = self.weights_after(event.step)[name].astype(numpy.float64), event.histogram_value
                self.assertEqual((found.num, found.min, found.max), (expected.size, expected.min(), expected.max()))
                numpy.testing.assert_allclose([found.sum, found.sum_squares], [expected.sum(), (expected ** 2).sum()], rtol=1e-9)
                self.assertEqual(sum(found.bucket), expected.size)
        self.assertEqual([event.step for event in self.events.Histograms(f"weights/{trained[0]}")],
                         [line["step"] for line in self.lines("epoch")])

    def test_histograms_of_gradients_are_those_of_the_step_before(self):
        """Of all ranks together: the step is the learning rate times the gradient."""
        for name in self.trained_names():
            for event in self.events.Histograms(f"gradients/{name}"):
                after, before = (self.weights_after(step)[name].astype(numpy.float64) for step in (event.step, event.step - 1))
                expected, found = (before - after) / 0.05, event.histogram_value
                rounding = 4 * numpy.abs(before).max() * 2 ** -24 / 0.05
                self.assertEqual(found.num, expected.size)
                self.assertLess(abs(found.min - expected.min()), rounding, name)
                self.assertLess(abs(found.max - expected.max()), rounding, name)
                self.assertGreater(found.sum_squares, 0)

    def image_of(self, number):
        """The stored pixels of a sample."""
        for shard in sorted((self.data / "shards").glob("*.h5")):
            with h5py.File(shard) as file:
                [place] = numpy.nonzero(file["ids"][:] == number)
                if len(place):
                    return file["images"][place[0]]
        return self.fail(f"no sample {number}")

    def test_judged_images_are_the_same_each_time_and_say_what_they_are(self):
        [chosen] = self.lines("shown_images")
        ids = [int(number) for number in chosen["ids"].split(",")]
        self.assertEqual(len(ids), 8)
        classes = read_json(self.data / "manifest.json")["classes"]
        tags = self.events.Tags()["images"]
        self.assertEqual(sorted(int(tag.split()[-1]) for tag in tags), sorted(ids))
        best = [line["step"] for line in self.lines("epoch") if line["best"]]
        for tag in tags:
            name = re.fullmatch(r"judged images/(.*) \d+", tag)[1]
            self.assertIn(name, classes)
            self.assertEqual([event.step for event in self.events.Images(tag)], best)
            expected = self.image_of(int(tag.split()[-1]))
            factor = 112 // expected.shape[1]
            for event in self.events.Images(tag):
                shown = pixels(event)
                height = expected.shape[0] * factor
                numpy.testing.assert_array_equal(shown[:height], expected.repeat(factor, 0).repeat(factor, 1))
                caption = shown[height:].reshape(-1, 3)
                colours = {tuple(map(int, colour)) for colour in caption} - {tuple(map(int, caption[0]))}
                self.assertTrue(colours in ({GREEN}, {RED}), colours)

    def test_wrong_ones_are_shown_first(self):
        """After one epoch the network is mostly wrong: all of the first images must be."""
        first = [pixels(self.events.Images(tag)[0]) for tag in self.events.Tags()["images"]]
        self.assertLess(self.lines("epoch")[0]["eval_accuracy"], 0.8)
        self.assertTrue(all((image == RED).all(axis=2).any() for image in first))

    def test_the_config_is_there_as_text(self):
        [(step, text)] = texts(self.run_folder, "config")
        self.assertEqual(step, 0)
        shown = "\n".join(line.removeprefix("    ") for line in text.split("\n"))
        self.assertEqual(shown, (self.run_folder / "config.ini").read_text())

    def test_the_hparams_tab_compares_runs(self):
        self.make_run(self.data, self.runs / "second", "--lr", 0.25, "--seed", 3)
        tab = Hparams(self.runs)
        self.assertEqual([info.name.tag for info in tab.experiment.metric_infos], ["judged/accuracy"])
        self.assertEqual(sorted(tab.sessions()), ["first", "second"])
        for run in ("first", "second"):
            session = tab.sessions()[run]
            self.assertEqual(session.status, hparams_api.STATUS_SUCCESS)
            [metric] = session.metric_values
            last = [line for line in read_log(self.runs / run) if line["event"] == "epoch"][-1]
            self.assertEqual((metric.value, metric.training_step), (single(last["eval_accuracy"]), last["step"]))
        first, second = tab.values("first"), tab.values("second")
        self.assertEqual((first["lr"], second["lr"], first["optimiser"], second["optimiser"]), (0.05, 0.25, "sgd", "adam"))
        self.assertEqual((first["epochs"], second["epochs"], first["augment"]), (3, 1, False))


class Switches(SystemTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_data(self.folder / "data", images=90)

    def event_files(self, run):
        return [path.name for path in run.iterdir() if "tfevents" in path.name]

    def test_off(self):
        run = self.make_run(self.data, self.folder / "run", "--no-tensorboard")
        self.assertEqual(self.event_files(run), [])
        self.refused(2, ["--tensorboard-images", "no effect without --tensorboard"], "train", "--data", self.data, "--run",
                     self.folder / "other", "--no-tensorboard", "--tensorboard-images", 3)

    def test_without_histograms_and_images(self):
        run = self.make_run(self.data, self.folder / "run", "--tensorboard-histograms", 0, "--tensorboard-images", 0)
        tags = read_events(run).Tags()
        self.assertEqual((tags["histograms"], tags["images"]), ([], []))
        self.assertIn("judged/accuracy", tags["scalars"])

    def test_every_other_epoch_and_more_images_than_there_are(self):
        run = self.make_run(self.data, self.folder / "run", "--epochs", 5, "--tensorboard-histograms", 2, "--tensorboard-images", 500)
        events, log = read_events(run), read_log(run)
        steps = [line["step"] for line in log if line["event"] == "epoch"]
        for tag in events.Tags()["histograms"]:
            self.assertEqual([event.step for event in events.Histograms(tag)], [steps[1], steps[3]])
        judged = next(line["eval_samples"] for line in log if line["event"] == "epoch")
        self.assertEqual(len(events.Tags()["images"]), judged)

    def test_nothing_that_judges(self):
        run = self.make_run(self.data, self.folder / "runs/run", "--eval-split", "none")
        self.assertEqual(read_events(run).Tags()["images"], [])
        [info] = Hparams(self.folder / "runs").experiment.metric_infos
        self.assertEqual((info.name.tag, info.dataset_type), ("epoch/loss", hparams_api.DATASET_TRAINING))

    def test_judged_within_epochs_by_another_metric(self):
        run = self.make_run(self.data, self.folder / "runs/run", "--eval-every", "1steps", "--metric", "macro-f1", "--batch", 16)
        log = read_log(run)
        judged = [(line["step"], single(line["eval_macro_f1"])) for line in log if line["event"] in ("evaluation", "epoch")]
        self.assertGreater(len(judged), 2)
        self.assertEqual(points(read_events(run), "judged/macro_f1"), judged)
        [info] = Hparams(self.folder / "runs").experiment.metric_infos
        self.assertEqual(info.name.tag, "judged/macro_f1")


class EveryMetric(SystemTest):
    def test_the_metric_that_decides_has_its_curve(self):
        data = self.make_data(self.folder / "data", images=120)
        for metric in ("accuracy", "top5-accuracy", "balanced-accuracy", "macro-recall", "macro-f1", "kappa", "mcc", "auc",
                       "average-precision", "loss"):
            with self.subTest(metric):
                run = self.make_run(data, self.folder / metric, "--metric", metric)
                name = metric.replace("-", "_")
                judged = [line for line in support.read_log(run) if line["event"] == "epoch"]
                self.assertEqual(points(read_events(run), f"judged/{name}"),
                                 [(line["step"], numpy.float32(line[f"eval_{name}"])) for line in judged])
                log = run / "log.jsonl"  # as of a run that was killed: the end doesn't tell its best
                log.write_text("".join(line for line in log.read_text().splitlines(True) if '"finished"' not in line))
                listed = json.loads(self.done("runs", run, "--json").stdout)[0]
                self.assertEqual(listed["best_value"], judged[0][f"eval_{name}"])


class AcrossStarts(SystemTest):
    def test_a_run_killed_again_and_again_shows_one_curve(self):
        data = self.make_data(self.folder / "data", images=120)
        words = ("--epochs", 60, "--log-every", 1, "--checkpoint-every", "7steps")
        whole = self.make_run(data, self.folder / "whole", *words)
        run, draw, kills = self.folder / "run", random.Random(3), 0
        start = ("train", "--data", data, "--run", run, "--filters", "8,16", "--kernels", 3, "--dense", 16, "--batch", 30,
                 "--threads", 1, *words)
        log = run / "log.jsonl"
        written = lambda: log.stat().st_size if log.exists() else 0
        for _ in range(30):
            process = support.start(command(*start))
            self.addCleanup(process.stdout.close)
            end = written() + draw.randrange(500, 12000)  # bytes: three to seventy lines
            while process.poll() is None and written() < end:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            kills += 1
            if (run / "run.json").exists():
                start = ("train", "--resume", run)
            else:  # it had not begun
                shutil.rmtree(run, ignore_errors=True)
        else:
            self.done("train", "--resume", run)
        self.assertGreaterEqual(kills, 3)
        expected, found = read_events(whole), read_events(run)
        self.assertEqual(sorted(found.Tags()["scalars"]), sorted(expected.Tags()["scalars"]))
        for tag in ("step/loss", "step/accuracy", "step/lr", "epoch/loss", "judged/loss", "judged/accuracy"):
            self.assertEqual(points(found, tag), points(expected, tag), tag)
        self.assertEqual(sorted(found.Tags()["histograms"]), sorted(expected.Tags()["histograms"]))
        for tag in found.Tags()["histograms"]:
            self.assertEqual([(event.step, list(event.histogram_value.bucket)) for event in found.Histograms(tag)],
                             [(event.step, list(event.histogram_value.bucket)) for event in expected.Histograms(tag)], tag)
        self.assertEqual(sorted(found.Tags()["images"]), sorted(expected.Tags()["images"]), "the same images")
        for tag in found.Tags()["images"]:  # the best weights may be of a step that a resume made once more: no news then
            steps = [event.step for event in found.Images(tag)]
            self.assertEqual(steps, sorted(set(steps)))
            self.assertLessEqual(set(steps), {event.step for event in expected.Images(tag)})

    def test_what_earlier_starts_wrote_is_left_as_it_was(self):
        data = self.make_data(self.folder / "data", images=60)
        run = self.make_run(data, self.folder / "run", "--epochs", 4, "--max-steps", 2)
        before = {path.name: path.read_bytes() for path in run.iterdir() if "tfevents" in path.name}
        time.sleep(0.01)
        self.done("train", "--resume", run, "--max-steps", 4)
        after = {path.name: path.read_bytes() for path in run.iterdir() if "tfevents" in path.name}
        self.assertEqual(len(after), 2)
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertGreater(max(after), max(before))


if __name__ == "__main__":
    support.main()
