"""Networks and training steps of PyTorch, the reference that torch_parity_test.py compares with.

    python torch_reference.py CASES.json STORE RANK RANKS RESULT.json    one process of DistributedDataParallel (gloo)

A case is a dictionary: model (cnn or one of torchvision's ResNets), optimiser (adam or sgd), lr, decay, steps, batch,
side, classes, seed; norm_bias, the initial bias of a ResNet's batch norms.
"""
import json
import os
import sys

import torch
import torch.distributed
from torch import nn

CNN = {"filters": (8, 16, 24), "kernels": (3, 5, 3), "dense": (20,), "activation": nn.Mish}

BRANCH_END = {"resnet18": "bn2.weight", "resnet34": "bn2.weight", "resnet50": "bn3.weight"}


class Affine(nn.Module):
    """A layer of lockstep's custom CNN: its norm is registered inside the layer."""

    def __init__(self, affine, norm):
        super().__init__()
        self.affine, self.norm = affine, norm

    def forward(self, x):
        return self.norm(self.affine(x))


def custom_cnn(side, classes):
    layers, width = [], 3
    for number, (filters, kernel) in enumerate(zip(CNN["filters"], CNN["kernels"]), 1):
        conv = nn.Conv2d(width, filters, kernel, padding=kernel // 2, bias=False)
        layers += [(f"conv{number}", Affine(conv, nn.BatchNorm2d(filters))), (f"a{number}", CNN["activation"]()),
                   (f"p{number}", nn.MaxPool2d(2))]
        width, side = filters, side // 2
    layers.append(("flatten", nn.Flatten()))
    width *= side * side
    for number, features in enumerate(CNN["dense"], 1):
        layers += [(f"dense{number}", Affine(nn.Linear(width, features, bias=False), nn.BatchNorm1d(features))),
                   (f"b{number}", CNN["activation"]())]
        width = features
    layers.append(("output", nn.Linear(width, classes)))
    model = nn.Sequential()
    for name, layer in layers:
        model.add_module(name, layer)
    return model


def make_model(case):
    torch.manual_seed(case["seed"])
    if case["model"] == "cnn":
        return custom_cnn(case["side"], case["classes"])
    import torchvision

    model = getattr(torchvision.models, case["model"])(num_classes=case["classes"])
    # Residual branches that start small. With torchvision's own factors, 1, training on so few samples is chaotic: after ten
    # steps PyTorch differs from itself in another memory format by 1e-2 (2026-11-21), with these by less than 1e-5.
    for name, parameter in model.named_parameters():
        if name.endswith(BRANCH_END[case["model"]]):
            nn.init.constant_(parameter, 0.2)
        if name.endswith(".bias") and not name.startswith("fc."):
            nn.init.constant_(parameter, case.get("norm_bias", 0))
    return model


def perturbed(model, seed):
    """Batch norms as training leaves them: no factor 1, no mean 0, no variance 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                for tensor, low, high in ((module.weight, 0.5, 1.5), (module.bias, -0.2, 0.2),
                                          (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 2.0)):
                    tensor.uniform_(low, high, generator=generator)
    return model


def lockstep_state(model):
    """The state dict under lockstep's names: torchvision's as they are."""
    return {name.replace(".affine.", "."): tensor.detach().clone() for name, tensor in model.state_dict().items()}


def make_batches(case):
    """Images [steps, batch, 3, side, side] that show their label [steps, batch], so that training moves the loss."""
    generator = torch.Generator().manual_seed(case["seed"] + 1)
    side, classes, shape = case["side"], case["classes"], (case["steps"], case["batch"])
    patterns = torch.randn(classes, 3, side, side, generator=generator)
    labels = torch.randint(classes, shape, generator=generator)
    return patterns[labels] + 0.5 * torch.randn(*shape, 3, side, side, generator=generator), labels


def make_optimiser(case, parameters):
    if case["optimiser"] == "adam":
        return torch.optim.Adam(parameters, lr=case["lr"], weight_decay=case["decay"])
    return torch.optim.SGD(parameters, lr=case["lr"], momentum=0.9, nesterov=True, weight_decay=case["decay"])


def lockstep_options(case):
    words = ["--optimiser", case["optimiser"], "--lr", case["lr"], "--weight-decay", case["decay"],
             "--batch-norm-stats", "rank", "--threads", 1]
    if case["optimiser"] == "sgd":
        words += ["--momentum", 0.9, "--nesterov"]
    if case["model"] != "cnn":
        return [*words, "--model", case["model"]]
    lists = {name: ",".join(map(str, CNN[name])) for name in ("filters", "kernels", "dense")}
    return [*words, *(word for name, values in lists.items() for word in (f"--{name}", values)),
            "--activation", CNN["activation"].__name__.lower()]


def train(case, rank=0, ranks=1):
    """This rank's losses [step], and the gradients of the first step by name."""
    model = make_model(case).train()
    net = nn.parallel.DistributedDataParallel(model) if ranks > 1 else model
    optimiser = make_optimiser(case, net.parameters())
    share = case["batch"] // ranks
    losses, gradients = [], {}
    for images, labels in zip(*make_batches(case)):
        optimiser.zero_grad()
        mine = slice(rank * share, (rank + 1) * share)
        loss = nn.functional.cross_entropy(net(images[mine]), labels[mine])
        loss.backward()
        if not losses:
            gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        optimiser.step()
        losses.append(loss.item())
    return losses, gradients


def main():
    cases, store, rank, ranks, result = sys.argv[1:]
    rank, ranks = int(rank), int(ranks)
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    with open(cases, encoding="utf-8") as file:
        losses = torch.tensor([train(case, rank, ranks)[0] for case in json.load(file)], dtype=torch.float64)
    torch.distributed.all_reduce(losses)
    if rank == 0:
        with open(result, "w", encoding="utf-8") as file:
            json.dump((losses / ranks).tolist(), file)
    torch.distributed.barrier()
    os._exit(0)  # its threads' own end aborts the process now and then


if __name__ == "__main__":
    main()
