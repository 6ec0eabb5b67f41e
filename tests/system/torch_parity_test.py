"""The same weights and batches through lockstep and through PyTorch: losses, gradients, logits.

PyTorch and torchvision are no part of the set-up for CPU (the wheel needs CUDA's libraries to be imported by Python).
"""
import json
import os
import pathlib
import subprocess
import sys

import support
from support import SystemTest, read_json

torch = support.needed_torch("torch")
support.needed_torch("torchvision")
safetensors_torch = support.needed("safetensors.torch")
import torch_reference as reference  # needs torch

PARITY_STEPS = pathlib.Path(os.environ.get("LOCKSTEP_PARITY_STEPS", support.PROGRAM.with_name("parity_steps")))
STEPS = 10
SHAPES = {"cnn": {"side": 32, "batch": 16, "classes": 5, "seed": 3},
          "resnet18": {"side": 64, "batch": 8, "classes": 5, "seed": 4}}
RATES = {("cnn", "adam"): 1e-3, ("cnn", "sgd"): 1e-2, ("resnet18", "adam"): 3e-5, ("resnet18", "sgd"): 5e-4}
CASES = [{"model": model, "optimiser": optimiser, "lr": lr, "decay": 5e-4, "steps": STEPS, **SHAPES[model]}
         for (model, optimiser), lr in RATES.items()]


def name_of(case):
    return f"{case['model']}, {case['optimiser']}"


def relative_error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


class Parity(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        torch.set_num_threads(1)

    def lockstep(self, case, model, judged=None, ranks=0, **more):
        """What parity_steps computes from the model's weights and the case's batches."""
        images, labels = reference.make_batches(case)
        tensors = {f"weights.{name}": tensor.contiguous() for name, tensor in reference.lockstep_state(model).items()}
        judged = torch.zeros(1, *images.shape[2:]) if judged is None else judged
        tensors |= {"images": images, "labels": labels, "judged": judged.contiguous(), **more}
        given, found = self.folder / "given.safetensors", self.folder / "found.safetensors"
        safetensors_torch.save_file(tensors, given, {"classes": str(case["classes"]), "smoothing": "0.1"})
        launcher = [*support.MPIRUN, "-np", str(ranks)] if ranks else []
        words = [*launcher, PARITY_STEPS, given, found, *reference.lockstep_options(case)]
        done = subprocess.run([str(word) for word in words], env=support.environment(), text=True, timeout=support.LONGEST,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        return safetensors_torch.load_file(found)

    def assert_losses(self, found, expected, case):
        errors = [abs(a - b) / b for a, b in zip(found.tolist(), expected, strict=True)]
        print(f"{name_of(case)}: losses {expected[0]:.4f} → {expected[-1]:.4f}, largest error {max(errors):.1e}")
        self.assertLess(max(errors), 1e-4, (found.tolist(), expected))
        self.assertGreater(abs(expected[0] - expected[-1]), 0.1, f"training did not move: {expected}")


class Training(Parity):
    def test_ten_steps_on_one_rank(self):
        for case in CASES:
            with self.subTest(case=name_of(case)):
                found = self.lockstep(case, reference.make_model(case))
                self.assert_losses(found["losses"], reference.train(case)[0], case)

    def test_ten_steps_on_two_ranks_are_those_of_distributed_data_parallel(self):
        cases, result, store = (self.folder / name for name in ("cases.json", "losses.json", "store"))
        cases.write_text(json.dumps(CASES), encoding="utf-8")
        script = pathlib.Path(reference.__file__)
        peers = [support.start([sys.executable, "-B", script, cases, store, rank, 2, result]) for rank in range(2)]
        for peer in peers:
            said, _ = peer.communicate(timeout=support.LONGEST)
            self.assertEqual(peer.returncode, 0, said)
        for case, expected in zip(CASES, read_json(result), strict=True):
            with self.subTest(case=name_of(case)):
                found = self.lockstep(case, reference.make_model(case), ranks=2)
                self.assert_losses(found["losses"], expected, case)
                alone = reference.train({**case, "steps": 1})[0][0]
                self.assertGreater(abs(expected[0] - alone) / alone, 1e-4, "statistics of each rank can't be told apart")

    def test_gradients_of_one_step(self):
        shallow = [next(case for case in CASES if case["model"] == model) for model in SHAPES]
        for case in (*shallow, shallow[-1] | {"model": "resnet50"}):  # with bottlenecks
            # Few values near relu's kink: one that rounding puts on its other side changes a tensor's gradient by 1e-2, PyTorch's
            # too from one memory format to the other (2026-11-21). The losses above have the kinks.
            case, model = case | {"steps": 1, "norm_bias": 4}, case["model"]
            expected = reference.train(case)[1]
            found = self.lockstep(case, reference.make_model(case))
            # a norm's bias has almost no gradient where another norm follows and relu passes it on
            negligible = 1e-3 * max(gradient.norm().item() for gradient in expected.values())
            errors = {}
            for name, gradient in expected.items():
                difference = found["gradient." + name.replace(".affine.", ".")] - gradient
                errors[name] = (difference.norm() / (gradient.norm() + negligible)).item()
            worst = max(errors, key=errors.get)
            print(f"{model}: largest error of a gradient {errors[worst]:.1e} ({worst})")
            with self.subTest(model=model, name=worst):
                self.assertLess(errors[worst], 2e-4)  # PyTorch in two memory formats: 1e-4


class Logits(Parity):
    def test_of_every_resnet_with_weights_as_training_leaves_them(self):
        for number, kind in enumerate(("resnet18", "resnet34", "resnet50")):
            with self.subTest(model=kind):
                case = {"model": kind, "optimiser": "sgd", "lr": 0.1, "decay": 0, "steps": 0, "batch": 1, "side": 96,
                        "classes": 7, "seed": number}
                model = reference.perturbed(reference.make_model(case), number).eval()
                judged = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(number))
                with torch.no_grad():
                    expected = model(judged)
                found = self.lockstep(case, model, judged)
                error = relative_error(found["logits"], expected)
                print(f"{kind}: logits differ by {error:.1e}")
                self.assertLess(error, 1e-4)
                self.assertGreater(expected.std().item(), 0.05, "logits too alike to be compared")
                # and back: what we write loads into a fresh model, strictly
                other = reference.make_model({**case, "seed": 99}).eval()
                other.load_state_dict({name[8:]: tensor for name, tensor in found.items() if name.startswith("weights.")})
                with torch.no_grad():
                    self.assertLess(relative_error(other(judged), expected), 1e-6)

    def test_of_the_custom_cnn(self):
        case = CASES[0] | {"steps": 0}
        model = reference.perturbed(reference.make_model(case), 1).eval()
        judged = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = model(judged)
        self.assertLess(relative_error(self.lockstep(case, model, judged)["logits"], expected), 1e-4)


class SoftTargets(Parity):
    def test_losses_of_soft_targets(self):
        case = CASES[0] | {"steps": 0}
        generator = torch.Generator().manual_seed(5)
        logits = 3 * torch.randn(4, 6, case["classes"], generator=generator)
        targets = torch.softmax(2 * torch.randn(4, 6, case["classes"], generator=generator), 2)
        found = self.lockstep(case, reference.make_model(case), soft_logits=logits, soft_targets=targets)["soft_losses"]
        loss = torch.nn.CrossEntropyLoss(reduction="sum", label_smoothing=0.1)
        for i, value in enumerate(found.tolist()):
            self.assertAlmostEqual(value / loss(logits[i].double(), targets[i].double()).item(), 1, delta=1e-5)


if __name__ == "__main__":
    support.main()
