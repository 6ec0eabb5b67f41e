"""What the recipe decides while a run goes on: the same on 1, 2 and 4 ranks, as PyTorch's schedulers would, and after a stop."""
import math

import support
from support import SystemTest, read_json, read_log

RANKS = (1, 2, 4)
SMALL = ("--filters", "8,16", "--kernels", 3, "--dense", 16, "--batch", 24, "--threads", 1, "--log-every", 1)


def curve(run):
    return [line["loss"] for line in read_log(run) if line["event"] == "step"]


def epochs(run):
    return [line for line in read_log(run) if line["event"] == "epoch"]


def events(run, name):
    return [line for line in read_log(run) if line["event"] == name]


class Recipe(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=150)

    def on_ranks(self, name, *words):
        runs = []
        for ranks in RANKS:
            run = self.folder / f"{name}-{ranks}"
            self.done("train", "--data", self.data, "--run", run, *SMALL, *words, ranks=ranks)
            runs.append(run)
        first = curve(runs[0])
        for run in runs[1:]:
            self.assertEqual(len(curve(run)), len(first), run)
            for step, (a, b) in enumerate(zip(first, curve(run))):
                self.assertLess(abs(a - b), 1e-4 * max(a, 0.1), f"{run}, step {step}")
        return runs

    def assert_same(self, values, runs):
        found = [values(run) for run in runs]
        for other in found[1:]:
            self.assertEqual(other, found[0])
        return found[0]

    def test_early_stopping(self):
        runs = self.on_ranks("early", "--epochs", 40, "--lr", 0.003, "--early-stopping", 2, "--min-change", 0.05)
        stopped = self.assert_same(lambda run: events(run, "stopped_early")[0], runs)
        scores = [line["eval_accuracy"] for line in epochs(runs[0])]
        self.assertLess(len(scores), 40)
        best, waited, expected = -1, 0, None
        for epoch, score in enumerate(scores, 1):  # Keras' EarlyStopping
            best, waited = (score, 0) if score > best + 0.05 else (best, waited + 1)
            if waited == 2:
                expected = epoch
                break
        self.assertEqual((stopped["epoch"], len(scores)), (expected, expected))
        self.assertEqual(stopped["best_epoch"], scores.index(max(scores)) + 1)

    def test_a_run_that_stopped_early_is_over_until_it_is_given_more_patience(self):
        run = self.folder / "run"
        words = ("--epochs", 12, "--lr", 0.003, "--early-stopping", 1, "--min-change", 1)
        self.done("train", "--data", self.data, "--run", run, *SMALL, *words)
        self.assertEqual(len(epochs(run)), 2, "no accuracy is better by 1")
        before = (run / "log.jsonl").read_bytes()
        self.done("train", "--resume", run)
        self.assertEqual((run / "log.jsonl").read_bytes(), before)
        self.done("train", "--resume", run, "--early-stopping", 3)
        self.assertEqual(len(epochs(run)), 4)

    def test_plateau_is_pytorchs(self):
        try:
            import torch
        except (ImportError, OSError) as error:
            self.skipTest(f"PyTorch cannot be imported: {error}")
        runs = self.on_ranks("plateau", "--epochs", 10, "--lr", 0.01, "--schedule", "plateau", "--plateau-patience", 1,
                             "--min-change", 0.03, "--lr-gamma", 0.3, "--min-lr", 0.0005, "--metric", "loss")
        rates = self.assert_same(lambda run: [line["lr"] for line in epochs(run)], runs)
        self.assert_same(lambda run: [(line["epoch"], line["lr"]) for line in events(run, "plateau")], runs)
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, "min", 0.3, 1, 0.03, "abs", min_lr=0.0005, eps=0)
        for line, rate in zip(epochs(runs[0]), rates, strict=True):
            self.assertAlmostEqual(rate, optimiser.param_groups[0]["lr"], delta=1e-9)
            scheduler.step(line["eval_loss"])
        self.assertLess(rates[-1], rates[0])

    def test_means_of_weights(self):
        """Judged and kept are the means, whose curves are as equal as those of the steps."""
        groups = ("--batch-norm-stats", "group:8")  # three of a batch: of four ranks one has none
        for statistics in ((), groups):
            plain = self.on_ranks(f"plain{len(statistics)}", "--epochs", 4, *statistics)[0]
            for words in (("--ema", 0.9), ("--swa-from", 2)):
                with self.subTest(words + statistics):
                    runs = self.on_ranks(f"{words[0]}{len(statistics)}", "--epochs", 4, *words, *statistics)
                    self.assertEqual(curve(runs[0]), curve(plain), "the steps don't know of the mean")
                    losses = [[line["eval_loss"] for line in epochs(run)] for run in runs]
                    for run, other in zip(runs[1:], losses[1:]):
                        for a, b in zip(losses[0], other):
                            self.assertLess(abs(a - b), 1e-4 * a, run)
                    self.assertNotEqual(losses[0][2:], [line["eval_loss"] for line in epochs(plain)][2:])

    def test_optimisers_and_schedules(self):
        for name, words in (("lamb", ("--optimiser", "lamb", "--weight-decay", 0.01, "--lr", 0.01, "--schedule", "one-cycle")),
                            ("lars", ("--optimiser", "lars", "--lr", 0.5, "--trust-coefficient", 0.02, "--schedule", "polynomial")),
                            ("l1", ("--l1", 1e-4, "--clip-value", 0.1)),
                            ("shrunk", ("--optimiser", "sgd", "--lr", 0.05, "--l1", 1e-3, "--decay-form", "decoupled"))):
            with self.subTest(name):
                self.on_ranks(name, "--epochs", 3, *words)

    def test_balanced_classes_in_sampling_and_loss(self):
        self.on_ranks("sampled", "--epochs", 2, "--sampling", "balanced")
        runs = self.on_ranks("weighted", "--epochs", 2, "--class-weights", "balanced", "--clip-norm", 1)
        self.assertTrue(all("gradient_norm" in line for line in events(runs[0], "step")))
        weights = ",".join(["1"] * 10)
        same = self.on_ranks("ones", "--epochs", 1, "--class-weights", weights)[0]
        plain = self.on_ranks("none", "--epochs", 1)[0]
        for a, b in zip(curve(same), curve(plain)):
            self.assertLess(abs(a - b), 1e-6 * a)

    def test_a_learning_rate_is_found_alike_and_nothing_is_changed(self):
        said = []
        run = self.folder / "run"
        for ranks in RANKS:
            done = self.done("train", "--data", self.data, "--run", run, *SMALL, "--epochs", 20, "--find-lr", ranks=ranks)
            said.append(done.stdout)
            self.assertEqual(support.files_below(run), ["lr-search.json", "lr-search.svg"])
        search = read_json(run / "lr-search.json")
        self.assertEqual(said[0].splitlines()[-1], said[1].splitlines()[-1])
        self.assertEqual(said[0].splitlines()[-1], said[2].splitlines()[-1])
        self.assertIn(f"--lr {search['suggestion']:.2g}", said[0])
        smoothed = [point["smoothed"] for point in search["points"]]
        least = search["points"][smoothed.index(min(smoothed))]["lr"]
        self.assertTrue(1e-6 < search["suggestion"] < least)
        self.assertTrue(all(math.isclose(b["lr"] / a["lr"], 10 ** (7 / 99), rel_tol=1e-9)
                            for a, b in zip(search["points"], search["points"][1:])))
        scaled = self.done("train", "--data", self.data, *SMALL, "--epochs", 20, "--find-lr", "--lr-for-batch", 12)
        self.assertIn(f"--lr {search['suggestion'] / 2:.2g}", scaled.stdout)
        headed = self.done("train", "--data", self.data, *SMALL, "--epochs", 20, "--find-lr", "--lr", 0.001, "--head-lr", 0.003)
        self.assertRegex(headed.stdout, r"--lr \S+ --head-lr \S+\n")
        few = self.done("train", "--data", self.data, *SMALL, "--find-lr", "--max-steps", 4)
        self.assertIn("4 steps are too few to tell", few.stdout)
        self.done("train", "--data", self.data, "--run", run, *SMALL, "--epochs", 1)
        other = self.make_run(self.data, self.folder / "other", *SMALL, "--epochs", 1)
        self.assertEqual(curve(run), curve(other))

    def test_rates_follow_the_batch(self):
        run = self.folder / "run"
        said = self.done("train", "--data", self.data, "--run", run, *SMALL, "--epochs", 1, "--lr", 0.004, "--lr-for-batch",
                         96)
        self.assertIn("learning rate 0.004 for batches of 96, times 0.25: 0.001 for batches of 24", said.stderr)
        self.assertAlmostEqual(epochs(run)[0]["lr"], 0.001)
        root = self.folder / "root"
        self.done("train", "--data", self.data, "--run", root, *SMALL, "--epochs", 1, "--lr", 0.004, "--lr-for-batch", 96,
                  "--lr-scaling", "sqrt")
        self.assertAlmostEqual(epochs(root)[0]["lr"], 0.002)

    def test_bad_input(self):
        train = ("train", "--data", self.data, "--run", self.folder / "refused", *SMALL)
        for names, words in (
                (["--early-stopping", "0 is out of range"], ("--early-stopping", 0)),
                (["--early-stopping", "2.5"], ("--early-stopping", 2.5)),
                (["--min-change", "--early-stopping"], ("--min-change", 0.1)),
                (["--eval-every", "judgements"], ("--early-stopping", 3, "--eval-every", "never")),
                (["--swa-from", "epoch 11"], ("--swa-from", 11)),
                (["--swa-from", "before the end of epoch 3"], ("--swa-from", 3, "--max-steps", 5)),
                (["--eval-every", "--swa-from"], ("--swa-from", 3, "--eval-every", "2steps")),
                (["--class-weights", "--sampling"], ("--class-weights", "balanced", "--sampling", "balanced")),
                (["--swa-from", "--ema"], ("--swa-from", 2, "--ema", 0.9)),
                (["--class-weights", "3 weights for 10 classes"], ("--class-weights", "1,2,3")),
                (["--class-weights", "'x' is no weight"], ("--class-weights", "1,x")),
                (["--class-weights", "no class counts"], ("--class-weights", ",".join(["0"] * 10))),
                (["--l1", "LARS"], ("--optimiser", "lars", "--l1", 0.1)),
                (["--decay-form", "AdamW"], ("--optimiser", "adamw", "--weight-decay", 0.1, "--decay-form", "coupled")),
                (["--decay-on", "--weight-decay"], ("--decay-on", "weights")),
                (["--trust-coefficient", "lars"], ("--trust-coefficient", 0.1)),
                (["--lr-power", "polynomial"], ("--lr-power", 2)),
                (["--warmup", "one-cycle"], ("--schedule", "one-cycle", "--warmup", 1)),
                (["--lr-scaling", "--lr-for-batch"], ("--lr-scaling", "sqrt")),
                (["--find-lr", "--dry-run"], ("--find-lr", "--dry-run")),
                (["--find-lr", "too few"], ("--find-lr", "--max-steps", 1))):
            with self.subTest(words):
                self.refused(2, names, *train, *words)
                self.assertFalse((self.folder / "refused").exists())

    def test_a_run_with_one_cycle_ends_where_it_was_to_end(self):
        run = self.make_run(self.data, self.folder / "run", "--schedule", "one-cycle")
        self.refused(2, ["--epochs", "one-cycle"], "train", "--resume", run, "--epochs", 5)
        self.refused(2, ["--find-lr", "keeps its learning rate"], "train", "--resume", run, "--find-lr")


if __name__ == "__main__":
    support.main()
