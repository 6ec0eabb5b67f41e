"""Fifty steps of every optimiser, decay and clipping beside PyTorch's, timm's, and the published LARS."""
import math
import os
import pathlib
import subprocess

import support
from support import SystemTest

torch = support.needed_torch("torch")
timm_optim = support.needed("timm.optim", "name a Python that imports timm, cmake -DLOCKSTEP_PYTHON=…")
safetensors_torch = support.needed("safetensors.torch")

STEPS = 50
OPTIMISER_STEPS = pathlib.Path(os.environ.get("LOCKSTEP_OPTIMISER_STEPS", support.PROGRAM.with_name("optimiser_steps")))
WEIGHTS, VECTORS = ("conv.weight", "dense.weight", "zeros.weight"), ("norm.weight", "dense.bias")


def some_parameters():
    draw = torch.Generator().manual_seed(5)
    shapes = {"conv.weight": (8, 3, 3, 3), "dense.weight": (40, 30), "zeros.weight": (4, 4), "norm.weight": (8,), "dense.bias": (40,)}
    parameters = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    parameters["zeros.weight"].zero_()  # a layer without size has no rate of its own
    gradients = {name: torch.randn(STEPS, *shape, generator=draw) * 0.3 for name, shape in shapes.items()}
    gradients["conv.weight"][7] = 0  # nor one without a gradient
    return parameters, gradients


def rates_of(lr):
    return [lr * (1 + math.cos(math.pi * step / STEPS)) / 2 + 1e-4 for step in range(STEPS)]


class PublishedLars:
    """Algorithm 1 of You et al., 2017, in double precision; norms and biases by plain momentum, without decay."""

    def __init__(self, parameters, eta, momentum, decay):
        self.parameters, self.eta, self.momentum, self.decay = parameters, eta, momentum, decay
        self.velocity = {name: torch.zeros_like(value) for name, value in parameters.items()}

    def step(self, gradients, rate):
        for name, weight in self.parameters.items():
            gradient, local, decay = gradients[name], 1.0, 0.0
            if name in WEIGHTS:
                decay = self.decay
                norm, gradient_norm = weight.norm(), gradient.norm()
                if norm > 0 and gradient_norm > 0:
                    local = self.eta * norm / (gradient_norm + decay * norm)
            self.velocity[name] = self.momentum * self.velocity[name] + rate * local * (gradient + decay * weight)
            weight -= self.velocity[name]


class Optimisers(SystemTest):
    def ours(self, parameters, gradients, rates, *words):
        given, found = self.folder / "given.safetensors", self.folder / "found.safetensors"
        tensors = {f"parameter.{name}": value.contiguous() for name, value in parameters.items()}
        tensors |= {f"gradient.{name}": value.contiguous() for name, value in gradients.items()}
        safetensors_torch.save_file(tensors, given, {"rates": " ".join(map(repr, rates))})
        done = subprocess.run([str(word) for word in (OPTIMISER_STEPS, given, found, *words)], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        return {name.removeprefix("parameter."): value for name, value in safetensors_torch.load_file(found).items()}

    def assert_equal(self, found, expected):
        for name, value in expected.items():
            error = ((found[name].double() - value.double()).norm() / value.double().norm()).item()
            self.assertLess(error, 1e-6, name)

    def beside(self, make, words, lr, change=None, spared=False, clip=None):
        """`make(groups)`: the reference; `change(parameters, gradients, rate)`: what it lacks, before each step."""
        parameters, gradients = some_parameters()
        rates = rates_of(lr)
        theirs = {name: value.clone().requires_grad_(True) for name, value in parameters.items()}
        groups = [{"params": list(theirs.values())}]
        if spared:
            groups = [{"params": [theirs[name] for name in WEIGHTS]},
                      {"params": [theirs[name] for name in VECTORS], "weight_decay": 0}]
        optimiser = make(groups)
        for step, rate in enumerate(rates):
            for name, value in theirs.items():
                value.grad = gradients[name][step].clone()
            if clip:
                clip(list(theirs.values()))
            if change:
                change(theirs, rate)
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        self.assert_equal(self.ours(parameters, gradients, rates, *words), {name: value.detach() for name, value in theirs.items()})

    def test_torch(self):
        sgd = lambda **more: lambda groups: torch.optim.SGD(groups, lr=1, **more)
        cases = {
            "sgd": (sgd(momentum=0.9, weight_decay=1e-2), ("--optimiser", "sgd", "--weight-decay", 1e-2), 0.1, {}),
            "nesterov, norms and biases spared": (
                sgd(momentum=0.8, nesterov=True, weight_decay=1e-2),
                ("--optimiser", "sgd", "--momentum", 0.8, "--nesterov", "--weight-decay", 1e-2, "--decay-on", "weights"), 0.1, {"spared": True}),
            "adam": (lambda g: torch.optim.Adam(g, weight_decay=1e-2), ("--weight-decay", 1e-2), 0.01, {}),
            "adamw, norms and biases spared": (
                lambda g: torch.optim.AdamW(g, weight_decay=0.1),
                ("--optimiser", "adamw", "--weight-decay", 0.1, "--decay-on", "weights"), 0.01, {"spared": True}),
            "adam, decoupled": (lambda g: torch.optim.AdamW(g, weight_decay=0.1),
                                ("--optimiser", "adam", "--weight-decay", 0.1, "--decay-form", "decoupled"), 0.01, {}),
            "clipped by norm": (sgd(momentum=0.9), ("--optimiser", "sgd", "--clip-norm", 2), 0.1,
                                {"clip": lambda values: torch.nn.utils.clip_grad_norm_(values, 2)}),
            "clipped by value": (sgd(momentum=0.9), ("--optimiser", "sgd", "--clip-value", 0.25), 0.1,
                                 {"clip": lambda values: torch.nn.utils.clip_grad_value_(values, 0.25)}),
        }
        for name, (make, words, lr, more) in cases.items():
            with self.subTest(name):
                self.beside(make, words, lr, **more)

    def test_l1(self):
        """PyTorch has none: added to its gradients, or taken off its weights, here."""

        def coupled(theirs, rate):
            for value in theirs.values():
                value.grad += 3e-2 * value.detach().sign()

        def decoupled(theirs, rate):
            with torch.no_grad():
                for name, value in theirs.items():
                    if name in WEIGHTS:
                        value.copy_(value.sign() * (value.abs() - rate * 0.5).clamp_min(0))

        self.beside(lambda g: torch.optim.SGD(g, lr=1, momentum=0.9), ("--optimiser", "sgd", "--l1", 3e-2), 0.1, coupled)
        self.beside(lambda g: torch.optim.Adam(g, lr=1), ("--l1", 3e-2), 0.01, coupled)
        spared = ("--l1", 0.5, "--decay-form", "decoupled", "--decay-on", "weights")
        self.beside(lambda g: torch.optim.SGD(g, lr=1), ("--optimiser", "sgd", "--momentum", 0, *spared), 0.05, decoupled)

    def test_timm_lamb(self):
        make = lambda groups: timm_optim.Lamb(groups, lr=1, weight_decay=0.02, eps=1e-6, max_grad_norm=None)
        self.beside(make, ("--optimiser", "lamb", "--weight-decay", 0.02, "--adam-epsilon", 1e-6), 0.02, spared=True)

    def test_published_lars(self):
        parameters, gradients = some_parameters()
        rates = rates_of(2.0)
        reference = PublishedLars({name: value.double() for name, value in parameters.items()}, 0.01, 0.9, 1e-3)
        for step, rate in enumerate(rates):
            reference.step({name: value[step].double() for name, value in gradients.items()}, rate)
        found = self.ours(parameters, gradients, rates, "--optimiser", "lars", "--weight-decay", 1e-3, "--trust-coefficient", 0.01)
        self.assert_equal(found, reference.parameters)

    def test_timm_lars(self):
        """timm's has the rate outside the momentum: the same where the rate stays."""
        parameters, gradients = some_parameters()
        theirs = {name: value.clone().requires_grad_(True) for name, value in parameters.items()}
        optimiser = timm_optim.Lars([{"params": [theirs[name] for name in WEIGHTS]},
                                     {"params": [theirs[name] for name in VECTORS], "weight_decay": 0}],
                                    lr=1.0, momentum=0.9, weight_decay=1e-3, trust_coeff=0.01, eps=0)
        for step in range(STEPS):
            for name, value in theirs.items():
                value.grad = gradients[name][step].clone()
            optimiser.step()
        found = self.ours(parameters, gradients, [1.0] * STEPS, "--optimiser", "lars", "--weight-decay", 1e-3,
                          "--trust-coefficient", 0.01)
        self.assert_equal(found, {name: value.detach() for name, value in theirs.items()})


if __name__ == "__main__":
    support.main()
