#!/usr/bin/env python3
"""What each regulariser brings: a small CNN on 10,000 images of Fashion-MNIST, judged by its 10,000 test images.

    tests/benchmarks/regularisers.py [--program build/bin/lockstep] [--ranks 2] [--work DIR] [--epochs N] [--seeds N,N,…] [NAME …]

The first 10,000 training images are packed, then trained on once for every way and seed, always for all epochs: what is
judged are the weights of the last one, so the test images choose nothing. The strengths of the regularisers are usual ones
and were not tuned. Prints test accuracy and the gap to the training images, each with its deviation over the seeds, as the
table that the README shows, and keeps all in tests/benchmarks/results/. Runs that are there already are not made again.
Fashion-MNIST's four files are found through LOCKSTEP_TEST_DATA, at ../shared/data beside the checkout, or in --images.
"""
import argparse
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import struct

import measuring

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = 10_000
NETWORK = ("--filters", "16,32,64", "--kernels", 3, "--dense", 128, "--batch", 128, "--lr", 1e-3, "--eval-split", "none",
           "--checkpoint-every", "never")
WAYS = {
    "none": (),
    "L1": ("--l1", 1e-5, "--decay-on", "weights"),
    "L2": ("--weight-decay", 5e-4, "--decay-on", "weights"),
    "L2, decoupled": ("--optimiser", "adamw", "--weight-decay", 0.05, "--decay-on", "weights"),
    "dropout": ("--dropout-conv", 0.1, "--dropout-dense", 0.5),
    "augmentation": ("--augment", "--crop-scale", "0.7,1", "--flip", 0.5),
    "label smoothing": ("--label-smoothing", 0.1),
    "mix-up": ("--mixup", 0.2),
    "EMA": ("--ema", 0.999),
}


def cut_idx(source, target, most):
    """The first records of an IDX file, as one of its own."""
    data = gzip.decompress(source.read_bytes())
    dimensions = data[3]
    sizes = struct.unpack(f">{dimensions}I", data[4:4 + 4 * dimensions])
    record = 1
    for size in sizes[1:]:
        record *= size
    begin = 4 + 4 * dimensions
    target.write_bytes(data[:4] + struct.pack(f">{dimensions}I", most, *sizes[1:]) + data[begin:begin + most * record])


def packed(images, work, program):
    data = work / "data"
    if (data / "manifest.json").exists():
        return data
    cut = work / "idx"
    cut.mkdir(parents=True, exist_ok=True)
    for kind, dimensions in (("images", 3), ("labels", 1)):
        cut_idx(images / f"train-{kind}-idx{dimensions}-ubyte.gz", cut / f"train-{kind}-idx{dimensions}-ubyte", IMAGES)
        shutil.copy(images / f"t10k-{kind}-idx{dimensions}-ubyte.gz", cut)
    measuring.run([program, "preprocess", "--source", "idx", "--input", cut, "--output", data, "--side", 28, "--channels", 1,
                   "--validation", 0])
    return data


def judged(run, split, launcher, program):
    metrics = run / "metrics.json"
    known = json.loads(metrics.read_text())["splits"] if metrics.exists() else {}
    name = f"{split}, last weights"
    if name not in known:
        measuring.run([*launcher, program, "evaluate", "--run", run, "--weights", "last", "--split", split])
        known = json.loads(metrics.read_text())["splits"]
    return known[name]["accuracy"], known[name]["loss"]


def measured(name, seed, data, args, launcher):
    words = [*NETWORK, "--epochs", args.epochs, "--seed", seed, *WAYS[name]]
    digest = hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()[:8]
    run = args.work / f"{name.replace(' ', '-').replace(',', '')}-{seed}-{digest}"
    if not run.exists():
        unfinished = run.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        measuring.run([*launcher, args.program, "train", "--data", data, "--run", unfinished, *words], timeout=3600)
        unfinished.rename(run)
    test, loss = judged(run, "test", launcher, args.program)
    train, _ = judged(run, "train", launcher, args.program)
    return {"way": name, "seed": seed, "test_accuracy": test, "test_loss": loss, "train_accuracy": train}


def spread(values):
    deviation = statistics.stdev(values) if len(values) > 1 else 0
    return f"{statistics.mean(values):.2f} ± {deviation:.2f}"


def table(results, names):
    lines = ["| regulariser | options | test accuracy, % | training − test, % | test loss |", "| --- | --- | ---: | ---: | ---: |"]
    for name in names:
        rows = [row for row in results if row["way"] == name]
        words = " ".join(map(str, WAYS[name]))
        lines.append(f"| {name} | {f'`{words}`' if words else ''} | {spread([100 * row['test_accuracy'] for row in rows])} | "
                     f"{spread([100 * (row['train_accuracy'] - row['test_accuracy']) for row in rows])} | "
                     f"{spread([row['test_loss'] for row in rows])} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/lockstep")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/regularisers")
    parser.add_argument("--images", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("LOCKSTEP_TEST_DATA", ROOT.parent / "shared/data")) / "fashion-mnist")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("ways", nargs="*", choices=[*WAYS, []], default=[])
    args = parser.parse_args()
    if not args.images.is_dir():
        raise SystemExit(f"no {args.images}: fetch Fashion-MNIST (launch/fetch_datasets.sh fashion-mnist) and name it in --images")
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
    launcher = ["mpirun", "--bind-to", "none", "-np", args.ranks] if args.ranks > 1 else []
    names, results = args.ways or list(WAYS), []
    machine = measuring.machine(args.ranks)
    data = packed(args.images, args.work, args.program)
    for seed in map(int, args.seeds.split(",")):
        for name in names:
            results.append(measured(name, seed, data, args, launcher))
            print(json.dumps(results[-1]), flush=True)
    print(table(results, names))
    measuring.write_result("regularisers", {"machine": machine, "images": IMAGES, "epochs": args.epochs, "runs": results}, args.output)


if __name__ == "__main__":
    main()
