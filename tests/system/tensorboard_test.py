"""TensorBoard event files read by TensorBoard's own code: of known content, of a writer that was killed, cut anywhere."""
import os
import pathlib
import random
import signal
import subprocess
import time

import support
from support import SystemTest
from tensorboard_reader import Hparams, hparams_api, numpy, pixels, points, read_events, single, texts

EVENT_STEPS = pathlib.Path(os.environ.get("LOCKSTEP_EVENT_STEPS", support.ROOT / "build/bin/event_steps")).absolute()


class KnownContent(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        draw = numpy.random.default_rng(5)
        cls.values = numpy.concatenate([draw.normal(0, 0.02, 20000), draw.normal(3, 1, 50), numpy.zeros(7), [1e-30, -1e-20, 4e20]])
        cls.values = cls.values.astype(numpy.float32)
        cls.grey, cls.rgb = draw.integers(0, 256, (5, 7), numpy.uint8), draw.integers(0, 256, (5, 7, 3), numpy.uint8)
        for name in ("values", "grey", "rgb"):
            (cls.shared / name).write_bytes(getattr(cls, name).tobytes())
        cls.run_folder = cls.shared / "log/one"
        cls.run_folder.mkdir(parents=True)
        subprocess.run([EVENT_STEPS, "kinds", cls.run_folder, cls.shared], check=True)
        cls.events = read_events(cls.run_folder)

    def test_numbers_are_exactly_those_written(self):
        self.assertEqual(points(self.events, "step/loss"), [(1, single(0.1))])
        self.assertEqual(points(self.events, "step/accuracy"), [(1, 0.75)])
        self.assertLess(abs(time.time() - self.events.Scalars("step/loss")[0].wall_time), 3600)

    def test_histograms_count_what_numpy_counts(self):
        [event] = self.events.Histograms("weights/conv1")
        found, values = event.histogram_value, self.values.astype(numpy.float64)
        self.assertEqual((event.step, found.num, found.min, found.max), (2, len(values), values.min(), values.max()))
        numpy.testing.assert_allclose(found.sum, values.sum(), rtol=1e-12)
        numpy.testing.assert_allclose(found.sum_squares, (values ** 2).sum(), rtol=1e-12)
        ends = numpy.array(found.bucket_limit)
        self.assertTrue((numpy.diff(ends) > 0).all())
        # An edge belongs to the bucket that is farther from zero; none of the values is a positive edge.
        self.assertFalse(numpy.isin(values[values > 0], ends).any())
        counts = [((values > low) & (values <= high)).sum() for low, high in zip([-numpy.inf, *ends], ends)]
        self.assertEqual(list(found.bucket), counts)
        self.assertEqual(sum(found.bucket), len(values))
        widths = ends[1:] / ends[:-1]
        filled = (numpy.array(found.bucket[1:]) > 0) & (ends[:-1] > 0)
        self.assertTrue((widths[filled] <= 1.125).all() and filled.sum() > 20)

    def test_pictures_decode_to_the_same_pixels(self):
        for name, expected in (("grey", self.grey), ("rgb", self.rgb)):
            [event] = self.events.Images(f"pictures/{name}")
            self.assertEqual((event.step, event.height, event.width), (3, 5, 7))
            numpy.testing.assert_array_equal(pixels(event), expected)

    def test_a_caption_stands_below_the_picture(self):
        [event] = self.events.Images("pictures/captioned")
        shown = pixels(event)
        factor = 112 // 7
        self.assertEqual(shown.shape[1], 7 * factor)
        numpy.testing.assert_array_equal(shown[:5 * factor], self.rgb.repeat(factor, 0).repeat(factor, 1))
        caption = shown[5 * factor:]
        red = (caption == (255, 0, 0)).all(axis=2)
        self.assertTrue(((caption == caption[0, 0]).all(axis=2) | red).all(), "letters and background alone")
        rows = red.any(axis=1)
        lines = int(rows[0]) + int((numpy.diff(rows.astype(int)) == 1).sum())
        self.assertEqual(lines, 2)

    def test_text_is_shown_as_it_is(self):
        self.assertEqual(texts(self.run_folder, "config"), [(5, "# α\n\n    lr = 0.001\n")])
        self.assertEqual(self.events.SummaryMetadata("config").plugin_data.plugin_name, "text")

    def test_the_hparams_tab_finds_options_and_metric(self):
        tab = Hparams(self.shared / "log")
        [info] = tab.experiment.metric_infos
        self.assertEqual((info.name.tag, info.dataset_type), ("judged/accuracy", hparams_api.DATASET_VALIDATION))
        kinds = {info.name: info.type for info in tab.experiment.hparam_infos}
        self.assertEqual([kinds[name] for name in ("lr", "nesterov", "optimiser", "filters")],
                         [hparams_api.DATA_TYPE_FLOAT64, hparams_api.DATA_TYPE_BOOL] + 2 * [hparams_api.DATA_TYPE_STRING])
        for name in ("run", "data", "threads", "checkpoint-every", "timeout", "resume"):
            self.assertNotIn(name, kinds)
        session = tab.sessions()["one"]
        self.assertEqual((session.start_time_secs, session.end_time_secs, session.status),
                         (1000.5, 2000.25, hparams_api.STATUS_SUCCESS))
        self.assertEqual([(value.name.tag, value.value, value.training_step) for value in session.metric_values],
                         [("judged/accuracy", 0.5, 0)])
        values = tab.values("one")
        self.assertEqual({name: values[name] for name in ("lr", "nesterov", "optimiser", "epochs", "filters")},
                         {"lr": 0.25, "nesterov": True, "optimiser": "sgd", "epochs": 7, "filters": "32,64,128,256,512"})


class KilledWriter(SystemTest):
    def numbers(self, first, last):
        return [(step, step * 0.5) for step in range(first, last)]

    def test_killed_at_any_moment_all_but_the_last_record_is_there(self):
        draw = random.Random(11)
        for attempt in range(25):
            folder = self.folder / str(attempt)
            folder.mkdir()
            with subprocess.Popen([EVENT_STEPS, "numbers", folder, "0", "1000000"], stdout=subprocess.PIPE, text=True) as writer:
                writer.stdout.readline()  # of step 0
                time.sleep(draw.uniform(0, 0.03))
                os.kill(writer.pid, signal.SIGKILL)
                said = [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            last = max(said, default=0)
            found = points(read_events(folder), "n")
            self.assertEqual(found, self.numbers(0, len(found)))
            self.assertIn(len(found), (last + 1, last + 2), "a step was said to be written, or about to be")

    def test_cut_at_any_byte_whole_records_are_there_and_so_is_what_comes_after(self):
        whole = self.folder / "whole"
        whole.mkdir()
        subprocess.run([EVENT_STEPS, "numbers", whole, "1", "4"], check=True, stdout=subprocess.DEVNULL)
        [file] = whole.iterdir()
        content = file.read_bytes()
        ends, at = [], 0
        while at < len(content):
            at += 8 + 4 + int.from_bytes(content[at:at + 8], "little") + 4
            ends.append(at)
        self.assertEqual((len(ends), at), (5, len(content)), "version, start, three steps")
        for length in range(len(content) + 1):
            folder = self.folder / f"cut-{length}"
            folder.mkdir()
            (folder / file.name).write_bytes(content[:length])
            steps = max(0, sum(end <= length for end in ends) - 2)
            events = read_events(folder)
            self.assertEqual(points(events, "n") if steps else events.Tags()["scalars"], self.numbers(1, 1 + steps))
        for length in range(0, len(content) + 1, 7):
            folder = self.folder / f"cut-{length}"
            steps = max(0, sum(end <= length for end in ends) - 2)
            subprocess.run([EVENT_STEPS, "numbers", folder, "5", "7"], check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(points(read_events(folder), "n"), self.numbers(1, 1 + steps) + self.numbers(5, 7))

    def test_a_start_voids_what_was_written_of_its_steps(self):
        for first, last in ((0, 9), (5, 7), (6, 12)):
            subprocess.run([EVENT_STEPS, "numbers", self.folder, str(first), str(last)], check=True, stdout=subprocess.DEVNULL)
        events = read_events(self.folder)
        self.assertEqual(points(events, "n"), self.numbers(0, 12))
        self.assertEqual([step for step, _ in texts(self.folder, "padding")], list(range(12)))
        self.assertEqual(len(list(self.folder.iterdir())), 3)


if __name__ == "__main__":
    support.main()
