"""Runs that are stopped, killed and taken up again, as a batch system does it: nothing is lost, nothing is counted twice.

A run killed at any moment, also while a checkpoint is being written, goes on from the newest whole checkpoint and ends
with the same weights, bit for bit, as one that nobody touched.
"""
import os
import pathlib
import shutil
import signal

import support
from support import SystemTest, command, files_below, read_json, read_log

safetensors_numpy = support.needed("safetensors.numpy")
RESUMABLE = 75


def weights(run, name="last"):
    return safetensors_numpy.load_file(run / f"weights/{name}.safetensors")


class Resume(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=200)  # 144 for training
        # Slow enough to be met by a kill: 5 steps an epoch, 60 in all, each with a checkpoint of a few MB.
        cls.network = ("--data", cls.data, "--filters", "16,32", "--dense", 256, "--dropout-conv", 0.1, "--augment",
                       "--batch", 32, "--epochs", 12, "--threads", 1, "--log-every", 1, "--schedule", "cosine")
        cls.whole = cls.shared / "whole"
        cls.done("train", "--run", cls.whole, *cls.network)

    def train(self, run, **changed):
        """The words of a training with a checkpoint at each step; lr=0.1 changes or adds --lr."""
        words = ["train", "--run", run, *self.network, "--checkpoint-every", "1steps", "--keep-checkpoints", 2]
        for name, value in changed.items():
            option = "--" + name.replace("_", "-")
            if option in words:
                words[words.index(option) + 1] = value
            else:
                words += [option, value]
        return words

    def assert_same_end(self, run):
        for name in ("last", "best"):
            expected, found = weights(self.whole, name), weights(run, name)
            self.assertEqual(sorted(expected), sorted(found))
            for tensor in expected:
                self.assertTrue((expected[tensor] == found[tensor]).all(), f"{name}: {tensor}")

    def assert_log_tells_each_step_once(self, run):
        """After a line "resumed" with step N, what came before with a larger step is void."""
        steps = []
        for line in read_log(run):
            if line["event"] == "resumed":
                steps = [step for step in steps if step <= line["step"]]
            elif line["event"] == "step":
                steps.append(line["step"])
        self.assertEqual(steps, list(range(1, 61)))

    def test_killed_while_writing(self):
        run = self.folder / "run"
        words, inside = self.train(run), 0
        for _ in range(10):
            process = support.start(command(*words))
            self.addCleanup(process.stdout.close)
            inside += self.kill_inside_a_checkpoint(process, run / "checkpoints")
            if process.returncode == 0:
                break  # a slow test and a fast run: the end was reached
            self.assertEqual(process.returncode, -signal.SIGKILL, process.stdout.read())
            words = ("train", "--resume", run)
        self.assertGreaterEqual(inside, 2, "the test must meet the writing of checkpoints")
        self.done("train", "--resume", run)
        self.assert_same_end(run)
        self.assert_log_tells_each_step_once(run)
        self.assertEqual([name for name in files_below(run) if ".partial" in name], [])

    def kill_inside_a_checkpoint(self, process, folder):
        """Kills the process in the second checkpoint that it writes; whether that was left unfinished."""
        before = self.whole_ones(folder)
        while process.poll() is None:
            if self.unfinished(folder) and self.whole_ones(folder) - before:  # progress was made
                process.kill()
                process.wait()
        return self.unfinished(folder)

    @staticmethod
    def whole_ones(folder):
        return {path.parent.name for path in folder.glob("step-*/DONE")}

    @staticmethod
    def unfinished(folder):
        try:
            return any(path.name.endswith(".partial") or not (path / "DONE").exists() for path in folder.iterdir())
        except FileNotFoundError:
            return False

    def test_stopped_by_each_signal_and_taken_up_by_other_ranks(self):
        for number, ranks in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGUSR2, 2)):
            with self.subTest(signal=number.name):
                run = self.folder / number.name
                process = support.start(command(*self.train(run), ranks=ranks))
                self.addCleanup(process.stdout.close)
                self.wait_until(process, lambda: (run / "log.jsonl").exists() and len(read_whole_lines(run)) > 5)
                process.send_signal(number)
                said = process.communicate(timeout=60)[0]
                self.assertEqual(process.returncode, RESUMABLE, said)
                self.assertIn("lockstep train --resume", said)
                stopped = read_log(run)[-1]
                self.assertEqual(stopped["event"], "stopped")
                newest = max((run / "checkpoints").iterdir())
                self.assertEqual(newest.name, f"step-{stopped['step']:08}")
                self.assertEqual(read_json(newest / "state.json")["steps"], stopped["step"])
                self.done("train", "--resume", run, ranks=3 if ranks else 0)
                self.assert_log_tells_each_step_once(run)
                if not ranks:
                    self.assert_same_end(run)

    def test_a_killed_rank_ends_all_and_the_run_goes_on(self):
        run, whole = self.folder / "run", self.folder / "whole"
        self.done(*self.train(whole), ranks=2)
        process = support.start(command(*self.train(run), ranks=2))
        self.addCleanup(process.stdout.close)
        self.wait_until(process, lambda: len(list(run.glob("checkpoints/*/DONE"))) == 2)
        os.kill(children_of(process.pid)[1], signal.SIGKILL)
        said = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 128 + signal.SIGKILL, said)
        self.done("train", "--resume", run, ranks=2)
        self.assert_log_tells_each_step_once(run)
        for name, expected in weights(whole).items():
            self.assertTrue((weights(run)[name] == expected).all(), name)

    def test_one_training_at_a_time(self):
        """A job submitted twice: the second is told who is there, and changes nothing."""
        run = self.folder / "run"
        process = support.start(command(*self.train(run)))
        self.addCleanup(process.stdout.close)
        self.wait_until(process, lambda: list(run.glob("checkpoints/*/DONE")))
        process.send_signal(signal.SIGSTOP)  # it would end before the others have begun
        names = (f"another training is at work here: process {process.pid} on ", f"remove {run}/owner.json")
        self.refused(1, names, "train", "--resume", run)
        self.refused_by_ranks(2, 1, names, "train", "--resume", run)
        process.kill()
        process.wait()
        self.assertTrue((run / "owner.json").exists())
        self.done("train", "--resume", run)  # at once: its process is gone
        self.assert_same_end(run)
        self.assert_log_tells_each_step_once(run)
        self.assertFalse((run / "owner.json").exists())

    def test_a_run_without_a_checkpoint_yet_begins_anew(self):
        run = self.folder / "run"
        self.done(*self.train(run))
        shutil.rmtree(run / "checkpoints")
        log = [line for line in read_whole_lines(run) if '"checkpoint"' not in line]
        (run / "log.jsonl").write_text("".join(log[:3]), encoding="utf-8")  # as if killed before the first one
        self.assertIn("begins anew", self.done("train", "--resume", run).stderr)
        self.assert_same_end(run)

    def test_a_moved_run_and_moved_data_go_on(self):
        run, moved, data = self.folder / "run", self.folder / "moved", self.folder / "data"
        self.done(*self.train(run, max_steps=7))
        run.rename(moved)
        shutil.copytree(self.data, data)
        said = self.refused(2, ["--max-steps", "cosine"], "train", "--resume", moved, "--data", data, "--max-steps", 9)
        self.assertIn("another --run", said)
        self.done("train", "--resume", moved, "--data", data)
        self.assertEqual(read_json(moved / "run.json")["data"]["folder"], str(data))
        self.done("evaluate", "--run", moved, "--split", "test")
        self.assertIn(f"data = {data}", (moved / "config.ini").read_text(encoding="utf-8"))

    def test_what_cannot_go_on_is_refused(self):
        run = self.folder / "run"
        self.done(*self.train(run))
        self.refused(1, ["no such run"], "train", "--resume", self.folder / "nothing")
        self.refused(1, ["not a run"], "train", "--resume", self.data)
        for option, value in (("--lr", 3), ("--filters", "4"), ("--seed", 5), ("--batch", 16), ("--augment", "false")):
            self.refused(2, [option, value, "another --run"], "train", "--resume", run, option, value)
        self.refused_by_ranks(2, 2, ["--lr"], "train", "--resume", run, "--lr", 3)
        self.refused(2, ["--run", "its own folder"], "train", "--resume", run, "--run", self.folder / "other")
        self.refused(2, ["60 steps", "--epochs"], "train", "--resume", run, "--dry-run")
        other = self.make_data(self.folder / "other", "--seed", 7, images=200)
        self.refused(1, ["another data set", "--data"], "train", "--resume", run, "--data", other)
        self.refused_by_ranks(2, 1, ["another data set", "--data"], "train", "--resume", run, "--data", other)
        self.assert_same_end(run)

    def test_the_same_command_with_resume_goes_on(self):
        """However the values are written: what a job script does that says everything each time."""
        run = self.folder / "run"
        self.done(*self.train(run, lr=0.002, max_steps=7))
        again = self.train(f"{run}/", lr="2e-3", filters="16, 32", max_steps=7, checkpoint_every="9minutes")
        said = self.done(*again, "--resume", run).stderr
        self.assertIn("going on after 7 steps", said)

    def test_a_rehearsal_of_what_is_left(self):
        run = self.folder / "run"
        self.done(*self.train(run, schedule="constant", max_steps=7))
        before = files_below(run)
        said = self.done("train", "--resume", run, "--max-steps", 50, "--dry-run").stdout
        self.assertIn("50 in all", said)
        self.assertEqual(files_below(run), before)
        self.refused(2, ["7 steps", "5", "--epochs"], "train", "--resume", run, "--max-steps", 5)

    def test_weights_that_a_lost_stretch_found_best_are_kept(self):
        run = self.folder / "run"
        self.done(*self.train(run, keep_checkpoints=1000))
        best = max(line["step"] for line in read_log(run) if line["event"] == "epoch" and line["best"])
        for folder in (run / "checkpoints").iterdir():
            if int(folder.name[5:]) >= best:
                shutil.rmtree(folder)
        self.assertIn(f"of step {best}", self.done("train", "--resume", run).stderr)
        self.assert_same_end(run)

    def test_damaged_checkpoints(self):
        run = self.folder / "run"
        self.done(*self.train(run))
        older, newer = sorted((run / "checkpoints").iterdir())
        with open(newer / "model.safetensors", "r+b") as file:
            file.seek(-1, 2)
            last = file.read(1)
            file.seek(-1, 2)
            file.write(bytes([last[0] ^ 1]))
        said = self.done("train", "--resume", run).stderr
        self.assertIn("passed over", said)
        self.assertIn(str(newer / "model.safetensors"), said)
        self.assert_same_end(run)
        older, newer = sorted((run / "checkpoints").iterdir())
        for folder in (older, newer):
            (folder / "state.json").write_text("{}", encoding="utf-8")
        self.refused(1, [older, newer], "train", "--resume", run)
        self.refused_by_ranks(2, 1, [older, newer], "train", "--resume", run)
        shutil.rmtree(run / "checkpoints")
        self.refused(1, ["checkpoints of this run are gone"], "train", "--resume", run)


def read_whole_lines(run):
    return [line for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


class DryRun(SystemTest):
    def test_nothing_is_written_and_the_figures_are_sane(self):
        data, run = self.make_data(self.folder / "data", images=300), self.folder / "run"
        for ranks in (0, 2):
            said = self.done("train", "--data", data, "--run", run, "--filters", "8", "--dense", 8, "--batch", 30, "--epochs", 3,
                             "--dry-run", ranks=ranks).stdout
            lines = {line.split()[0]: line for line in said.splitlines()}
            self.assertIn("24 in all, 8 an epoch", lines["steps"])  # 216 + 54 + 30 images
            self.assertRegex(lines["memory"], r"\d+ MiB on the largest of [12] rank")
            self.assertRegex(lines["judging"], r"3 times")
            self.assertFalse(run.exists())


class Splits(SystemTest):
    def test_joined_splits(self):
        data = self.make_data(self.folder / "data", images=300)
        manifest = read_json(data / "manifest.json")
        both = support.samples_of(manifest, "train") + support.samples_of(manifest, "validation")
        run = self.make_run(data, self.folder / "run", "--train-split", "train+validation", "--eval-split", "test")
        self.assertEqual(next(line for line in read_log(run) if line["event"] == "epoch")["samples"], both)
        self.refused(2, ["validation", "--eval-split"], "train", "--data", data, "--run", self.folder / "b", "--train-split",
                     "train+validation")
        self.refused(2, ["joined to itself"], "train", "--data", data, "--run", self.folder / "b", "--train-split",
                     "train+train")
        self.refused(1, ["tset", "validation"], "train", "--data", data, "--run", self.folder / "b", "--train-split",
                     "train+tset")


class Schedules(SystemTest):
    """The learning rates of a run against PyTorch's schedulers."""

    EPOCHS = 6

    def rates(self, run):
        return [line["lr"] for line in read_log(run) if line["event"] == "step"]

    def test_equal_pytorch(self):
        try:
            import torch
        except (ImportError, OSError) as error:
            self.skipTest(f"PyTorch cannot be imported: {error}")
        schedulers = torch.optim.lr_scheduler
        data = self.make_data(self.folder / "data", images=200)  # 144 for training: 5 steps an epoch
        steps = 5 * self.EPOCHS

        def cosine(optimiser):
            warm = schedulers.LambdaLR(optimiser, lambda s: (s + 1) / 7)
            tail = schedulers.CosineAnnealingLR(optimiser, steps - 7, eta_min=1e-3)
            return schedulers.SequentialLR(optimiser, [warm, tail], [7])

        kinds = {
            "cosine": (cosine, ("--schedule", "cosine", "--warmup", "7steps", "--min-lr", 1e-3)),
            "step": (lambda o: schedulers.StepLR(o, 2 * 5, 0.3), ("--schedule", "step", "--lr-step", 2, "--lr-gamma", 0.3)),
            "polynomial": (lambda o: schedulers.PolynomialLR(o, steps, 1.7), ("--schedule", "polynomial", "--lr-power", 1.7)),
            "one-cycle": (lambda o: schedulers.OneCycleLR(o, 0.02, total_steps=steps, cycle_momentum=False),
                          ("--schedule", "one-cycle")),
            "one-cycle, early summit": (
                lambda o: schedulers.OneCycleLR(o, 0.02, total_steps=steps, pct_start=0.1, cycle_momentum=False),
                ("--schedule", "one-cycle", "--one-cycle-rise", 0.1)),
            "milestones": (lambda o: schedulers.MultiStepLR(o, [5, 20], 0.1), ("--schedule", "step", "--lr-step", "1,4")),
        }
        for name, (make, words) in kinds.items():
            with self.subTest(schedule=name):
                run = self.make_run(data, self.folder / name, "--batch", 32, "--epochs", self.EPOCHS, "--log-every", 1, "--lr",
                                    0.02, "--eval-split", "none", *words)
                optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
                scheduler, expected = make(optimiser), []
                for _ in range(steps):
                    expected.append(optimiser.param_groups[0]["lr"])
                    optimiser.step()
                    scheduler.step()
                found = self.rates(run)
                self.assertEqual(len(found), steps)
                for step, (ours, theirs) in enumerate(zip(found, expected)):
                    self.assertAlmostEqual(ours, theirs, delta=1e-9, msg=f"step {step}")


if __name__ == "__main__":
    support.main()
