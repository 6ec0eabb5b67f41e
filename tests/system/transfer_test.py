"""Fine-tuning as a user does it: an ImageNet trunk, a new head, the frozen part run once for each image.

Real photographs (caltech10-natural) and the trunk of SqueezeNet 1.1 trained on ImageNet, with torchvision's names.
"""
import json
import re

import support
from support import SystemTest


class Transfer(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        photographs = support.test_data("caltech10-natural")
        cls.trunk = support.test_data("weights") / "squeezenet1_1-imagenet-features.safetensors"
        cls.data = cls.shared / "photographs"
        cls.done("preprocess", "--source", "class-folders", "--input", photographs, "--side", 224, "--output", cls.data)

    def train(self, run, *more, ranks=0):
        """The log's events by kind, and what was said."""
        words = ("train", "--data", self.data, "--run", self.folder / run, "--model", "squeezenet1_1", "--batch", 32,
                 "--lr", "1e-3", "--threads", 2 if ranks == 0 else 1, "--log-every", 1, *more)
        result = self.done(*words, ranks=ranks)
        events = {}
        for line in (self.folder / run / "log.jsonl").read_text().splitlines():
            event = json.loads(line)
            events.setdefault(event["event"], []).append(event)
        return events, result.stdout + result.stderr

    def trained_head(self, run, *more, ranks=0):
        return self.train(run, "--weights", self.trunk, "--freeze", "all-but-head", *more, ranks=ranks)

    def test_the_head_alone_reaches_96_percent(self):
        events, said = self.trained_head("head", "--epochs", 20, "--feature-cache", "memory")
        best = max(event["eval_accuracy"] for event in events["epoch"])
        print(f"validation accuracy {best:.4f}")
        self.assertGreaterEqual(best, 0.96)
        self.assertRegex(said, r"features of \d+ of \d+ stages: .* 874 computed")

    def test_kept_features_change_no_loss(self):
        without, _ = self.trained_head("without", "--epochs", 2)
        for name, more, ranks in (("memory", ("--feature-cache", "memory"), 0),
                                  ("disk", ("--feature-cache", "disk", "--feature-folder", self.folder / "kept"), 2),
                                  ("again", ("--feature-cache", "disk", "--feature-folder", self.folder / "kept"), 0)):
            with self.subTest(name):
                found, said = self.trained_head(name, "--epochs", 2, *more, ranks=ranks)
                self.assertEqual(len(found["step"]), len(without["step"]))
                for one, other in zip(found["step"], without["step"]):
                    self.assertAlmostEqual(one["loss"], other["loss"], delta=1e-5)
                for one, other in zip(found["epoch"], without["epoch"]):
                    self.assertAlmostEqual(one["eval_loss"], other["eval_loss"], delta=1e-5)
                computed = int(re.search(r"(\d+) computed", said)[1])
                self.assertEqual(computed, 0 if name == "again" else 874)


if __name__ == "__main__":
    support.main()
