"""Starting from learnt weights: what a run does unless told otherwise, how it says and keeps that, and unfreezing by epochs."""
import re

import support
from support import SystemTest, read_json

safetensors_numpy = support.needed("safetensors.numpy")


def settings(run):
    """config.ini as a dictionary."""
    lines = (run / "config.ini").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


class FineTuning(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=60, side=32)
        cls.first = cls.make_run(cls.data, cls.shared / "first")
        cls.weights = cls.first / "weights/last.safetensors"
        cls.tensors = safetensors_numpy.load_file(cls.weights)

    def words(self, run, *more, epochs=2):
        return ("train", "--data", self.data, "--run", run, "--filters", "8,16", "--kernels", 3, "--dense", 16,
                "--batch", 14, "--threads", 1, "--epochs", epochs, *more)

    def save(self, name, metadata):
        safetensors_numpy.save_file(self.tensors, self.folder / name, metadata)
        return self.folder / name

    def test_our_weights_carry_the_normalisation_they_were_trained_with(self):
        run = self.folder / "run"
        said = self.done(*self.words(run, "--weights", self.weights)).stderr
        self.assertIn("starting from weights, so with --normalise ", said)
        before, after = (read_json(folder / "run.json")["input"] for folder in (self.first, run))
        self.assertEqual(before, after)
        self.assertNotEqual(settings(run)["normalise"], "standardise")
        self.assertEqual((settings(run)["lr"], settings(run)["head-lr"]), ("0.0001", "0.001"))
        self.assertRegex(said, r"learning rates: conv1 … dense1 0\.0001, output 0\.001")

    def test_a_files_own_statistics_are_kept_by_the_run(self):
        file = self.save("w.safetensors", {"input_mean": "0.25,0.5,0.75", "input_std": "0.5,0.25,0.125"})
        run = self.folder / "run"
        said = self.done(*self.words(run, "--weights", file), ranks=2).stderr
        self.assertEqual(said.count("--normalise 0.25,0.5,0.75/0.5,0.25,0.125 --lr 0.0001 --head-lr 0.001"), 1)
        text = (run / "run.json").read_text(encoding="utf-8")
        for value in ("63.75", "127.5", "191.25"):
            self.assertIn(value, text)
        file.unlink()  # neither evaluation nor a resume nor the same run again asks it how
        self.done("evaluate", "--run", run, "--threads", 1)
        self.done("train", "--resume", run, "--epochs", 3)
        self.assertIn("63.75", (run / "run.json").read_text(encoding="utf-8"))

    def test_what_is_said_wins(self):
        run = self.folder / "run"
        said = self.done(*self.words(run, "--weights", self.weights, "--normalise", "unit", "--lr", 0.002)).stderr
        self.assertNotIn("starting from weights, so", said)
        self.assertEqual((settings(run)["normalise"], settings(run)["lr"]), ("unit", "0.002"))
        self.assertNotIn("head-lr", settings(run))

    def test_grey_images_take_the_mean_of_three_channels(self):
        grey = self.make_data(self.folder / "grey", "--channels", 1, images=40, side=32)
        run = self.folder / "run"
        self.done("train", "--data", grey, "--run", run, "--filters", 4, "--dense", 8, "--batch", 14, "--epochs", 1,
                  "--threads", 1, "--normalise", "0.2,0.4,0.6/0.1,0.2,0.3")
        text = re.sub(r"\s", "", (run / "run.json").read_text(encoding="utf-8"))
        self.assertRegex(text, r'"mean":\[10[12][.\d]*\],"std":\[5[01][.\d]*\]')
        self.refused(2, ["a normalisation of 1 channel for images of 3"],
                     *self.words(self.folder / "no", "--normalise", "0.5/0.2"))

    def test_bad_input(self):
        run = self.folder / "run"
        self.refused(2, ["--normalise", "no weights say"], *self.words(run, "--normalise", "weights"))
        self.refused(2, ["--normalise", "imgnet"], *self.words(run, "--normalise", "imgnet"))
        none = self.save("none.safetensors", {})
        self.refused(2, ["--normalise", "no weights say"],
                     *self.words(run, "--weights", none, "--normalise", "weights"))
        damaged = self.save("damaged.safetensors", {"input_mean": "0.5,x,0.5", "input_std": "1,1,1"})
        self.refused(1, ["input_mean", damaged], *self.words(run, "--weights", damaged))
        self.refused_by_ranks(2, 1, ["input_mean", damaged], *self.words(run, "--weights", damaged))
        self.refused(2, ["--transfer", "--weights"], *self.words(run, "--transfer", "small-similar"))
        self.refused(2, ["--transfer", "small-similar|"], *self.words(run, "--transfer", "small"))
        self.refused(2, ["--head-lr", "out of range"], *self.words(run, "--head-lr", -1))
        self.refused(2, ["--unfreeze-at", "3"], *self.words(run, "--freeze-first", 2, "--allow-random-frozen",
                                                            "--unfreeze-at", "3:0"))
        self.refused(2, ["0.9 freezes conv2.weight", "before epoch 2"],
                     *self.words(run, "--freeze-first", 2, "--allow-random-frozen", "--unfreeze-at", "2:0.9"))
        self.refused(2, ["output.weight starts with random weights", "--allow-random-frozen"],
                     *self.words(run, "--weights", self.weights_of_other_classes(), "--freeze", "head"))
        self.assertFalse(run.exists())

    def weights_of_other_classes(self):
        other = dict(self.tensors)
        for name in ("output.weight", "output.bias"):
            other[name] = other[name][:7].copy()
        safetensors_numpy.save_file(other, self.folder / "seven.safetensors")
        return self.folder / "seven.safetensors"

    def test_the_four_scenarios_run_on_two_ranks(self):
        frozen = {}
        for preset in ("small-similar", "small-different", "large-similar", "large-different"):
            with self.subTest(preset=preset):
                run = self.folder / preset
                said = self.done(*self.words(run, "--weights", self.weights_of_other_classes(), "--transfer", preset),
                                 ranks=2).stderr
                self.assertIn(f"--transfer {preset} means ", said)
                self.assertEqual(settings(run)["transfer"], preset)
                told = re.search(r"means (.*); what is said", said)[1]
                for option, value in re.findall(r"--(\S+) (\S+)", told):
                    self.assertEqual(settings(run)[option], value)
                frozen[preset] = read_json(run / "run.json")["network"]["frozen_parameters"]
                again = self.folder / f"{preset}-again"
                self.done("train", "--config", run / "config.ini", "--run", again, ranks=2)
                one, other = (safetensors_numpy.load_file(folder / "weights/last.safetensors") for folder in (run, again))
                for name, values in one.items():
                    self.assertTrue((values == other[name]).all(), f"{preset}: {name}")
        self.assertGreater(frozen["small-similar"], frozen["small-different"])
        self.assertGreater(frozen["small-different"], 0)
        self.assertEqual((frozen["large-similar"], frozen["large-different"]), (0, 0))

    def test_unfreezing_moves_each_part_from_its_epoch_on(self):
        moved = {}
        for epochs in (2, 3, 4):  # the weights after each phase: unfrozen at 3 and 4
            run = self.folder / f"epochs{epochs}"
            later = [pair for pair in ("3:0.5", "4:0") if int(pair[0]) <= epochs]
            words = ("--unfreeze-at", ",".join(later)) if later else ()
            said = self.done(*self.words(run, "--weights", self.weights, "--freeze", "all-but-head", "--lr", 0.01,
                                         *words, epochs=epochs), ranks=2).stderr
            after = safetensors_numpy.load_file(run / "weights/last.safetensors")
            moved[epochs] = {name for name, values in after.items()
                             if name.endswith(("weight", "bias")) and not (values == self.tensors[name]).all()}
        self.assertIn("all 11 parameter tensors are trained", said)
        self.assertEqual(moved[2], {"output.weight", "output.bias"})
        self.assertEqual(moved[3] - moved[2], {"dense1.weight", "dense1.norm.weight", "dense1.norm.bias",
                                               "conv2.norm.weight", "conv2.norm.bias"})
        self.assertEqual(len(moved[4]), 11)


if __name__ == "__main__":
    support.main()
