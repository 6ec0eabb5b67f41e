"""Weight files of torchvision's networks through the program, and the program's through torchvision."""
import os
import unittest.mock

import support
from support import SystemTest

torch = support.needed_torch("torch")
torchvision = support.needed_torch("torchvision")
safetensors_torch = support.needed("safetensors.torch")
import torch_reference as reference  # needs torch


class WeightFiles(SystemTest):
    """Through the program itself."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=60, side=32)
        torch.manual_seed(1)
        cls.pretrained = reference.perturbed(torchvision.models.resnet18(num_classes=1000), 1)
        cls.file = cls.shared / "resnet18.safetensors"
        safetensors_torch.save_file(cls.pretrained.state_dict(), cls.file)

    def train(self, run, *words):
        result = self.done("train", "--data", self.data, "--run", run, "--model", "resnet18", "--batch", 14, "--epochs", 1,
                           "--threads", 1, "--eval-split", "none", *words)
        return safetensors_torch.load_file(run / "weights/last.safetensors"), result.stdout + result.stderr

    def test_torchvisions_weights_with_another_head_are_fine_tuned(self):
        # 40 of the 41 modules are frozen: the network is torchvision's still, but for the head
        tuned, said = self.train(self.folder / "run", "--weights", self.file, "--freeze-fraction", 0.98)
        self.assertIn("the head fc starts anew: 1000 classes in the file, 10 in the data set", said)
        self.assertIn("trained from fc.weight on", said)
        before = self.pretrained.state_dict()
        self.assertEqual(set(tuned), set(before))
        for name, tensor in tuned.items():
            if not name.startswith("fc."):
                self.assertTrue(torch.equal(tensor, before[name]), name)
        self.assertEqual(tuple(tuned["fc.weight"].shape), (10, 512))

    def test_our_weights_load_strictly_and_start_another_run(self):
        first, _ = self.train(self.folder / "first", "--lr", 1e-3)
        model = torchvision.models.resnet18(num_classes=10)
        model.load_state_dict(first, strict=True)
        self.assertEqual(model.bn1.num_batches_tracked.item(), 3)
        second, said = self.train(self.folder / "second", "--weights", self.folder / "first/weights/last.safetensors",
                                  "--freeze-fraction", 0.98, "--lr", 1e-9)
        self.assertNotIn("starts anew", said)
        for name, tensor in second.items():
            torch.testing.assert_close(tensor, first[name], rtol=0, atol=1e-6)

    def test_weights_of_another_network_are_listed(self):
        words = ("train", "--data", self.data, "--run", self.folder / "run", "--weights", self.file, "--threads", 1)
        self.refused(1, ["another model", "missing: ", "layer1.0.conv1.weight is [64, 64, 3, 3], the model's"], *words, "--model", "resnet50")
        self.refused(1, ["missing: conv1.norm.weight", "not in the model: bn1.bias", " in all)"], *words, "--filters", "8,16")
        self.assertFalse((self.folder / "run").exists())

    def test_weights_for_colour_meet_grey_images(self):
        grey = self.make_data(self.folder / "grey", "--channels", 1, images=40, side=32)
        result = self.done("train", "--data", grey, "--run", self.folder / "run", "--model", "resnet18", "--weights", self.file,
                           "--freeze-fraction", 0.98, "--batch", 14, "--epochs", 1, "--threads", 1, "--eval-split", "none")
        self.assertIn("the first layer's 3 channels are summed for grey images", result.stdout + result.stderr)
        tuned = safetensors_torch.load_file(self.folder / "run/weights/last.safetensors")
        torch.testing.assert_close(tuned["conv1.weight"], self.pretrained.conv1.weight.detach().sum(1, keepdim=True))

    def test_a_name_finds_the_file_in_the_cache_of_pytorchs_hub(self):
        folder = self.folder / "hub/checkpoints"
        folder.mkdir(parents=True)
        torch.save(self.pretrained.state_dict(), folder / "resnet18-f37072fd.pth", _use_new_zipfile_serialization=False)
        with unittest.mock.patch.dict(os.environ, {"TORCH_HOME": str(self.folder), "LOCKSTEP_WEIGHTS": str(self.shared / "none")}):
            tuned, said = self.train(self.folder / "run", "--weights", "resnet18", "--freeze-fraction", 0.98)
            self.assertIn(str(folder / "resnet18-f37072fd.pth"), said)
            self.assertIn(f"weights = {folder}/resnet18-f37072fd.pth", (self.folder / "run/config.ini").read_text())
            self.assertTrue(torch.equal(tuned["conv1.weight"], self.pretrained.conv1.weight))
            words = ("train", "--data", self.data, "--run", self.folder / "other", "--threads", 1)
            self.refused(1, ["no weights 'resnet34'", self.shared / "none", folder], *words, "--weights", "resnet34")
            torch.save({}, folder / "resnet18-5c106cde.pth")
            self.refused(1, ["several weights 'resnet18'", "f37072fd", "5c106cde"], *words, "--weights", "resnet18")

    def test_the_weights_of_a_real_network_of_another_kind(self):
        file = support.test_data("weights") / "squeezenet1_1-imagenet-features.safetensors"
        self.refused(1, ["another model", "missing: ", "not in the model: ", file], "train", "--data", self.data, "--run",
                     self.folder / "run", "--model", "resnet18", "--weights", file)


if __name__ == "__main__":
    support.main()
