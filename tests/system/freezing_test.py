"""Freezing as a user meets it: what is refused, what is said and recorded, and that exchanged bytes fall."""
import math
import re

import support
from support import SystemTest, read_json

numpy = support.needed("numpy")
safetensors_numpy = support.needed("safetensors.numpy")

SLOT = 64  # bytes to which each tensor's gradient is aligned in its bucket


class Freezing(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=60, side=32)

    def words(self, run, *more):
        return ("train", "--data", self.data, "--run", self.folder / run, "--batch", 22, "--epochs", 1, "--threads", 1,
                "--eval-split", "none", *more)

    def train(self, run, *more, ranks=0):
        result = self.done(*self.words(run, *more), ranks=ranks)
        return read_json(self.folder / run / "run.json")["network"], result.stdout + result.stderr

    def weights(self, run):
        return safetensors_numpy.load_file(self.folder / run / "weights/last.safetensors")

    def test_frozen_random_weights_are_refused_unless_wanted(self):
        self.refused(2, ["--freeze-fraction", "--weights", "--allow-random-frozen"], *self.words("run", "--freeze-fraction", 0.5))
        self.refused(2, ["nothing is left to train"], *self.words("run", "--freeze-first", 99, "--allow-random-frozen"))
        self.refused(2, ["--freeze", "--weights", "--allow-random-frozen"], *self.words("run", "--freeze", "head"))
        self.refused(2, ["'conv9' is the name of no module", "did you mean conv1?"],
                     *self.words("run", "--freeze", "conv9", "--allow-random-frozen"))
        self.refused(2, ["--freeze says what is frozen already", "--freeze-first"],
                     *self.words("run", "--freeze", "head", "--freeze-first", 2))
        self.refused(2, ["--freeze-first", "out of range"], *self.words("run", "--freeze-first", -1))
        self.refused(2, ["--freeze-fraction", "out of range"], *self.words("run", "--freeze-fraction", 1.5))
        self.refused(2, ["--freeze-by", "layers"], *self.words("run", "--freeze-by", "layers"))
        self.assertFalse((self.folder / "run").exists())

    def test_exchanged_bytes_fall_with_the_fraction(self):
        """ResNet18 on two ranks: 41 modules that own parameters, 62 tensors."""
        last = math.inf
        for fraction, first_trained in ((0, None), (0.3, "layer2.0.conv2.weight"), (0.5, "layer3.0.conv1.weight"),
                                        (0.8, "layer4.0.conv2.weight")):
            with self.subTest(fraction=fraction):
                run = f"run{fraction}"
                network, said = self.train(run, "--model", "resnet18", "--freeze-fraction", fraction,
                                           "--allow-random-frozen", ranks=2)
                tensors = {name: values for name, values in self.weights(run).items()
                           if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
                trained = [values.size for name, values in tensors.items() if name not in network["frozen"]]
                self.assertEqual((len(tensors), network["model"]), (62, "resnet18"))
                self.assertEqual(network["parameters"], sum(values.size for values in tensors.values()))
                self.assertEqual(network["frozen_parameters"], network["parameters"] - sum(trained))
                aligned = sum(-(-4 * size // SLOT) * SLOT for size in trained)
                self.assertEqual(network["gradient_bytes"], aligned)
                self.assertLess(network["gradient_bytes"], last)
                last = network["gradient_bytes"]
                told = re.search(r"([\d.]+) MiB of gradients a step", said)
                self.assertAlmostEqual(float(told[1]), last / 2**20, delta=0.051)
                if first_trained:
                    self.assertIn(f"trained from {first_trained} on", said)
                    listed = re.search(r"the frozen modules: (.*)", said)[1].split(", ")
                    self.assertEqual(listed, list(dict.fromkeys(name.rpartition(".")[0] for name in network["frozen"])))

    def test_frozen_tensors_stay_and_the_others_move(self):
        for name, words in (("resnet", ("--model", "resnet18")), ("cnn", ("--filters", "8,16", "--dense", 16)),
                            ("tensors", ("--filters", "8,16", "--dense", 16, "--freeze-by", "tensors")),
                            ("parameters", ("--model", "resnet18", "--freeze-by", "parameters")),
                            ("head", ("--filters", "8,16", "--dense", 16, "--freeze", "head")),
                            ("names", ("--model", "resnet18", "--freeze", "layer1,layer3.*.bn1,fc.bias")),
                            ("all", ("--filters", "8,16", "--dense", 16, "--freeze", "all-but-head"))):
            with self.subTest(network=name):
                share = () if "--freeze" in words else ("--freeze-fraction", 0.5)
                common = (*words, *share, "--allow-random-frozen", "--optimiser", "sgd")
                slow, _ = self.train(f"{name}-slow", *common, "--lr", 1e-3)
                fast, _ = self.train(f"{name}-fast", *common, "--lr", 1e-2)
                self.assertEqual(slow, fast)
                self.assertTrue(slow["frozen"])
                one, other = self.weights(f"{name}-slow"), self.weights(f"{name}-fast")
                for key, values in one.items():
                    if key.endswith((".weight", ".bias")):
                        self.assertEqual(numpy.array_equal(values, other[key]), key in slow["frozen"], key)
                self.done("evaluate", "--run", self.folder / f"{name}-fast", "--weights", "last")
                self.done("train", "--config", self.folder / f"{name}-fast/config.ini", "--run", self.folder / f"{name}-again")


if __name__ == "__main__":
    support.main()
