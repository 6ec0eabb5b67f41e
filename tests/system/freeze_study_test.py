"""A freeze study as a user starts it: runs for each share and seed, a table, a plot; killed, it goes on where it was."""
import os
import signal
import xml.etree.ElementTree

import support
from support import SystemTest, read_json, read_log


class FreezeStudy(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=90, side=16)

    def words(self, *more, fractions="0,0.5,1", seeds="1,2", epochs=2):
        return ("freeze-study", "--data", self.data, "--output", self.folder / "study", "--filters", "8,16", "--kernels", 3,
                "--dense", 16, "--batch", 30, "--threads", 1, "--epochs", epochs, "--fractions", fractions, "--seeds", seeds,
                "--allow-random-frozen", *more)

    def results(self):
        return {(one["fraction"], one["seed"]): one for one in read_json(self.folder / "study/study.json")}

    def check_result(self, result, run):
        """The figures are those of the run's own folder."""
        network, log = read_json(run / "run.json")["network"], read_log(run)
        epochs = [line for line in log if line["event"] == "epoch"]
        self.assertEqual(result["trained_parameters"], network["parameters"] - network["frozen_parameters"])
        self.assertEqual(result["gradient_bytes_per_step"], network["gradient_bytes"])
        self.assertEqual(result["epochs"], 2)
        self.assertAlmostEqual(result["train_seconds"], sum(line["train_seconds"] for line in epochs))
        self.assertEqual(result["epoch_seconds"], epochs[1]["train_seconds"])
        self.assertEqual(result["accuracy"], max(line["eval_accuracy"] for line in epochs))

    def test_every_share_and_seed_is_a_run_of_its_own(self):
        said = self.done(*self.words("--feature-cache", "memory"), ranks=2)
        results = self.results()
        self.assertEqual(sorted(results), [(fraction, seed) for fraction in (0, 0.5, 1) for seed in (1, 2)])
        for (fraction, seed), result in results.items():
            run = self.folder / f"study/frozen-{fraction:g}-seed-{seed}"
            self.check_result(result, run)
            self.assertEqual(result["ranks"], 2)
            config = (run / "config.ini").read_text()
            self.assertIn(f"seed = {seed}\n", config)
            self.assertIn(f"freeze-fraction = {fraction:g}\n", config)
            self.assertIn(f"feature-cache = {'memory' if fraction else 'off'}\n", config)
        trained = [results[fraction, 1]["trained_parameters"] for fraction in (0, 0.5, 1)]
        self.assertTrue(trained[0] > trained[1] > trained[2] > 0, trained)
        self.assertIn(f"{self.folder}/study/study.{{md,json,svg}}", said.stderr)
        self.assertEqual((self.folder / "study/study.md").read_text(), said.stdout)
        self.assertEqual(len(said.stdout.splitlines()), 2 + 3)
        plot = xml.etree.ElementTree.parse(self.folder / "study/study.svg").getroot()
        circles = [element for element in plot.iter() if element.tag.endswith("}circle")]
        self.assertEqual(len(circles), 3 * len(results))

    def test_it_goes_on_where_it_was_and_takes_more_runs(self):
        words = self.words(seeds=1, epochs=40)
        process = support.start(support.command(*words))
        log = self.folder / "study/frozen-0.5-seed-1/log.jsonl"
        self.wait_until(process, lambda: log.exists() and "checkpoint" in log.read_text())
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        kept = self.folder / "study/frozen-0-seed-1.json"
        before = (kept.read_bytes(), kept.stat().st_mtime_ns)
        said = self.done(*words).stderr
        self.assertNotIn("run 1 of 3", said)
        self.assertIn("going on after", said)
        self.assertEqual((kept.read_bytes(), kept.stat().st_mtime_ns), before)
        self.assertEqual(len(self.results()), 3)
        self.done(*self.words(fractions="0,0.25,0.5,1", seeds=1, epochs=40))
        self.assertEqual(sorted(self.results()), [(0, 1), (0.25, 1), (0.5, 1), (1, 1)])
        self.assertEqual((kept.read_bytes(), kept.stat().st_mtime_ns), before)
        self.refused(2, ["--lr", "0.5", "0.001", "compares like with like"], *words, "--lr", 0.5)
        other = self.make_data(self.folder / "other", images=60, side=16)
        elsewhere = [other if word == self.data else word for word in words]
        self.refused(2, ["--data", other, "compares like with like"], *elsewhere)

    def test_what_cannot_be_studied_is_refused_before_any_run(self):
        for names, words in ((["--fractions", "0.5 is given twice"], self.words(fractions="0.5,0.5")),
                             (["--fractions", "out of range"], self.words(fractions="0,1.5")),
                             (["--freeze", "says itself what is frozen"], self.words("--freeze", "head")),
                             (["--dry-run", "makes its runs itself"], self.words("--dry-run")),
                             (["--eval-split", "judge"], self.words("--eval-split", "none")),
                             (["--lr"], self.words("--lr", -1))):
            with self.subTest(words[-2:]):
                self.refused(2, names, *words)
                self.assertFalse((self.folder / "study").exists())
        (self.folder / "study").mkdir()
        (self.folder / "study/notes.txt").write_text("mine")
        self.refused(2, ["holds something else", "--output"], *self.words())
        self.assertEqual(support.files_below(self.folder / "study"), ["notes.txt"])


if __name__ == "__main__":
    support.main()
