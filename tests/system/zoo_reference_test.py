"""Every network that --model names is torchvision's (Xception: timm's): logits, losses, gradients, initial weights."""
import os
import pathlib
import subprocess

import support
from support import SystemTest

torch = support.needed_torch("torch")
torchvision = support.needed_torch("torchvision")
safetensors_torch = support.needed("safetensors.torch")
import torch_reference as reference  # needs torch

# What is compared: network, its smallest side, side of the training images, channels, classes. Sides are small to be
# quick, but for one large network and two light ones; Inception trains with its auxiliary head from 299 pixels on.
CASES = [("resnet18", 17, 48, 1, 3), ("resnet34", 17, 40, 3, 4), ("resnet50", 17, 64, 3, 5), ("resnet101", 17, 48, 3, 2),
         ("resnet152", 17, 48, 3, 6), ("vgg11", 32, 32, 3, 10), ("vgg11_bn", 32, 40, 1, 4), ("vgg13", 32, 40, 3, 3),
         ("vgg13_bn", 32, 32, 3, 5), ("vgg16", 32, 32, 3, 7), ("vgg16_bn", 32, 32, 3, 2), ("vgg19", 32, 32, 1, 3),
         ("vgg19_bn", 32, 32, 3, 4), ("inception_v3", 75, 299, 3, 5), ("inception_v3", 75, 120, 1, 3),
         ("xception", 23, 96, 3, 4), ("squeezenet1_1", 17, 224, 3, 10), ("squeezenet1_1", 17, 60, 1, 2),
         ("mobilenet_v3_small", 17, 224, 3, 6), ("mobilenet_v3_small", 17, 64, 1, 9)]
# The first convolution and the head of each family, as its weight files call them.
ENDS = {"resnet": ("conv1", "fc"), "vgg": ("features.0", "classifier.6"), "inception": ("Conv2d_1a_3x3.conv", "fc"),
        "xception": ("conv1", "fc"), "squeezenet": ("features.0", "classifier.1"),
        "mobilenet": ("features.0.0", "classifier.3")}
BATCH = 4
GRADIENT_BOUND = 1e-4  # relative
PARITY_STEPS = pathlib.Path(os.environ.get("LOCKSTEP_PARITY_STEPS", support.PROGRAM.with_name("parity_steps")))


def ends_of(kind):
    return next(ends for family, ends in ENDS.items() if kind.startswith(family))


def branch_end(kind):
    """The norm that ends a ResNet's residual branches."""
    return {"resnet18": ".bn2", "resnet34": ".bn2"}.get(kind, ".bn3") if kind.startswith("resnet") else "nothing"


def has_auxiliary(kind, side):
    return kind == "inception_v3" and side >= 299


def network(kind, side, channels, classes):
    """The reference in its own initial weights, without dropout."""
    if kind == "xception":
        timm = support.needed_torch("timm")
        return timm.create_model("legacy_xception", num_classes=classes, in_chans=channels)
    words = {"num_classes": classes}
    if kind == "inception_v3":
        words.update(init_weights=True, aux_logits=has_auxiliary(kind, side))
    model = getattr(torchvision.models, kind)(weights=None, **words)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if channels != 3:
        first = ends_of(kind)[0]
        conv = model.get_submodule(first)
        other = torch.nn.Conv2d(channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
                                bias=conv.bias is not None)
        model.get_submodule(first.rpartition(".")[0]).add_module(first.rpartition(".")[2], other)
    return model


def trained_looking(model, kind, images, seed):
    """Weights as training leaves them: norms with factors and biases of their own, running statistics near those of the
    images, no bias zero, and scores of the order of 1."""
    reference.perturbed(model, seed)
    generator = torch.Generator().manual_seed(seed)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".bias") and model.get_submodule(name[:-5]) not in norms:
                parameter.uniform_(-0.1, 0.1, generator=generator)
        if kind.startswith("squeezenet"):
            model.classifier[1].bias.add_(1)  # a relu follows: not all scores shall be zero
        # With these numbers rounding stays rounding. With torchvision's own, errors grow from layer to layer until PyTorch differs
        # from itself in another memory format by 7e-4 (Inception) and 3e-3 (ResNet152), 2026-11-21.
        for norm in norms:
            norm.bias.add_(0.8)
        for name, parameter in model.named_parameters():
            if name.endswith((f"{branch_end(kind)}.weight", f"{branch_end(kind)}.bias")):
                parameter.mul_(0.2)
        usual = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        model.train()(images)
        for norm, momentum in zip(norms, usual, strict=True):
            norm.momentum = momentum
            norm.running_var.mul_(torch.empty_like(norm.running_var).uniform_(0.8, 1.2, generator=generator))
        rescale_heads(model, kind, images)
    return model


def rescale_heads(model, kind, images):
    """Heads whose scores of the images in training have a standard deviation of 1."""
    scores = model.train()(images)
    for name, of_head in zip((ends_of(kind)[1], "AuxLogits.fc"), scores if isinstance(scores, tuple) else (scores,)):
        model.get_submodule(name).weight.mul_(1 / of_head.std())


def without_kinks(model, kind, images):
    """Biases that keep what goes into activations away from where their slope jumps. A value that rounding puts on the other
    side of a kink changes a gradient by 1e-3 and more, PyTorch's own too from one memory format to the other."""
    def lift(module, _, output):
        least = 3.2 if kind.startswith("mobilenet") else 0.1 * output.std()  # hardswish is straight above 3, relu above 0
        lifted = (least - output.amin([0, 2, 3] if output.dim() == 4 else 0)).clamp_min(0)
        module.bias.add_(lifted)
        return output + (lifted.view(-1, 1, 1) if output.dim() == 4 else lifted)

    hooks = []
    for name, module in model.named_modules():
        has_bias = isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Linear, torch.nn.Conv2d)) and module.bias is not None
        before_softmax = isinstance(module, torch.nn.Linear) and name in (ends_of(kind)[1], "AuxLogits.fc")
        if has_bias and not before_softmax:
            hooks.append(module.register_forward_hook(lift))
    with torch.no_grad():
        model.train()(images)
        for hook in hooks:
            hook.remove()
        rescale_heads(model, kind, images)
    return model


def distance(found, expected):
    """The largest of the gradients' differences, each in its norm and relative to the expected."""
    # a convolution's bias before a batch norm has no gradient but what rounding leaves
    negligible = 1e-3 * max(gradient.norm().item() for gradient in expected.values())
    return max(((found[name] - gradient).norm() / (gradient.norm() + negligible)).item()
               for name, gradient in expected.items())


class Steps(SystemTest):
    def lockstep(self, kind, tensors, metadata):
        given, found = self.folder / "given.safetensors", self.folder / "found.safetensors"
        safetensors_torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, given, metadata=metadata)
        words = ["--model", kind, "--batch-norm-stats", "rank", "--optimiser", "sgd", "--momentum", 0, "--lr", 1e-30,
                 "--threads", 1, *([] if kind.startswith("resnet") else ["--dropout", 0])]
        done = subprocess.run([str(word) for word in (PARITY_STEPS, given, found, *words)], env=support.environment(), text=True,
                              timeout=support.LONGEST, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        return safetensors_torch.load_file(found)


class Networks(Steps):
    def assert_close(self, found, expected, what, bound=1e-4):
        """`expected`: of the order of 1."""
        error = (found - expected).abs().max().item()
        self.worst[what] = max(self.worst.get(what, 0), error)
        self.assertLess(error, bound, what)

    def assert_scores(self, found, expected, what):
        self.assertTrue(0.05 < expected.std().item() < 20, f"{what} are of no use: {expected}")
        self.assert_close(found, expected.detach(), what)

    def compare(self, kind, smallest, side, channels, classes, seed):
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        images, judged = (torch.randn(BATCH, channels, pixels, pixels, generator=generator) for pixels in (side, smallest))
        labels = torch.arange(BATCH) % classes
        model = trained_looking(network(kind, side, channels, classes), kind, images, seed)
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with torch.no_grad():
            scores = model.eval()(judged)
            training = model.train()(images)
        names = [name for name, _ in without_kinks(model, kind, images).named_parameters()]
        changed = {f"training.{name}": tensor for name, tensor in model.state_dict().items()
                   if name in names and not tensor.equal(state[name])}
        keep = [*ends_of(kind), "AuxLogits"]
        found = self.lockstep(kind, {**{f"weights.{name}": tensor for name, tensor in state.items()}, **changed,
                                     "images": images[None], "labels": labels[None], "judged": judged},
                              {"classes": str(classes), "keep": " ".join(keep)})
        self.assert_scores(found["logits"], scores, "logits in evaluation")
        self.assertEqual("auxiliary_logits" in found, has_auxiliary(kind, side))
        if has_auxiliary(kind, side):
            training, auxiliary = training
            self.assert_scores(found["auxiliary_logits"], auxiliary, "auxiliary logits")
        self.assert_scores(found["training_logits"], training, "logits in training")
        loss, gradients = self.step(model, images, labels, keep)
        self.assert_close(found["losses"] / loss, torch.ones(1), "loss")
        error = distance({name: found[f"gradient.{name}"] for name in gradients}, gradients)
        if error < GRADIENT_BOUND:
            return error, None
        format_of_lockstep = {"memory_format": torch.channels_last}
        return error, distance(self.step(model.to(**format_of_lockstep), images.to(**format_of_lockstep), labels, keep)[1], gradients)

    def step(self, model, images, labels, keep):
        """The loss, and the gradients of the layers `keep`."""
        model.zero_grad()
        loss = self.loss_of(model, images, labels)
        loss.backward()
        return loss.item(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()
                             if name.startswith(tuple(keep))}

    @staticmethod
    def loss_of(model, images, labels):
        scores = model(images)
        if not isinstance(scores, tuple):
            return torch.nn.functional.cross_entropy(scores, labels)
        logits, auxiliary = (torch.nn.functional.cross_entropy(of_head, labels) for of_head in scores)
        return logits + 0.4 * auxiliary  # as torchvision's reference does

    def test_is_the_reference(self):
        for number, (kind, smallest, side, channels, classes) in enumerate(CASES):
            if os.environ.get("ZOO_ONLY", kind) not in kind:
                continue
            with self.subTest(model=kind, side=side):
                self.worst = {}
                # Two pixels of a max-pool's window may be equal but for rounding, which then decides on who has the gradient:
                # PyTorch's two memory formats are up to 5e-3 apart (2026-11-21), Inception's with its large pools always. Another
                # draw has no such pixels, or PyTorch is as far from itself; a gradient that is wrong is so for all draws.
                errors, bound = [], 0
                while (not errors or errors[-1] >= bound) and len(errors) < 3:
                    error, of_formats = self.compare(kind, smallest, side, channels, classes, number + 100 * len(errors))
                    errors.append(error)
                    bound = max(GRADIENT_BOUND, 2 * (of_formats or 0))
                print(f"{kind}, {side} pixels: largest error of {', '.join(f'{what} {error:.1e}' for what, error in self.worst.items())}; "
                      f"gradients {', '.join(f'{error:.1e}' for error in errors)}" +
                      (f" (PyTorch in its two formats {of_formats:.1e})" if of_formats else ""), flush=True)
                self.assertLess(errors[-1], bound, "gradients of the first and last layer")


class InitialWeights(Steps):
    def test_follow_the_laws_of_the_reference(self):
        """Of every kind of layer: zeros where there are zeros, else the same deviation, and the same law by its mean magnitude
        (0.798 deviations of a normal one, 0.866 of a uniform one)."""
        for kind, side in (("resnet18", 32), ("vgg11_bn", 32), ("inception_v3", 299), ("xception", 32), ("squeezenet1_1", 32),
                           ("mobilenet_v3_small", 32)):
            torch.manual_seed(1)
            expected = network(kind, side, 3, 50).state_dict()
            tensors = {"images": torch.zeros(0, 2, 3, side, side), "labels": torch.zeros(0, 2, dtype=torch.int64),
                       "judged": torch.zeros(1, 3, side, side)}
            found = self.lockstep(kind, tensors, {"classes": "50", "keep": "features" if kind.startswith("vgg") else ""})
            compared = 0
            for name, tensor in expected.items():
                mine = found.get(f"weights.{name}")
                if mine is None:
                    self.assertTrue(kind.startswith("vgg"), name)
                    continue
                with self.subTest(model=kind, name=name):
                    self.assertEqual(mine.shape, tensor.shape)
                    if tensor.unique().numel() == 1:
                        self.assertTrue(torch.equal(mine, tensor.to(mine.dtype)))
                    elif tensor.numel() >= 500:
                        noise = 6 / tensor.numel() ** 0.5  # six standard errors of the difference of two such estimates, about
                        self.assertAlmostEqual((mine.std() / tensor.std()).item(), 1, delta=noise)
                        self.assertAlmostEqual((mine.abs().mean() / mine.std()).item(), (tensor.abs().mean() / tensor.std()).item(),
                                               delta=noise)
                        compared += 1
            self.assertGreater(compared, 5, kind)


if __name__ == "__main__":
    support.main()
