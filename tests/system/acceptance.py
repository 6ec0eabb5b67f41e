#!/usr/bin/env python3
"""What the project promises on real images, measured: run by hand, an hour on two cores.

    tests/system/acceptance.py [--build-dir DIR] [--work DIR] [caltech] [fashion] [transfer] [scratch] [apparel]

caltech  caltech10-natural packed at side 128, the custom CNN on 2 ranks: at least 65 % of its 172 validation images at the
         best of at most 20 epochs
fashion  Fashion-MNIST, all 60,000 for training, fashion_mnist.ini on 2 ranks: at least 91 % of the 10,000 test images after
         at most 6 epochs
transfer caltech10-natural at side 224, SqueezeNet 1.1 with its trunk's ImageNet weights, all but the head frozen, features kept,
         on 2 ranks: at least 96 % of its validation images after at most 20 epochs, within 2 minutes
scratch  the same network on the same images without those weights: nothing is promised, it stands beside the row above
apparel  Fashion-MNIST as tables and PNG files: a small network from scratch, then SqueezeNet 1.1 with its trunk's weights, then
         the submission file for the 10,000 images without labels: at least 92 % of them right

Prints accuracy, images/s and minutes of each; exit code 1 below a bound. The images are found through LOCKSTEP_TEST_DATA or
at ../shared/data beside the checkout. The runs stay in --work (default: acceptance in the build folder), which must not hold
any yet.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import time
import unittest

import apparel
import support
from support import ROOT, read_json, read_log

RANKS = 2
# The configuration's own values but for learning rate, epochs and augmentation.
CALTECH_TRAINING = ("--lr", "7e-4", "--epochs", 20, "--augment")


def run(*words):
    words = [str(word) for word in words]
    print("$", " ".join(words), flush=True)
    subprocess.run(words, check=True, env=support.environment())


class Measurement:
    def __init__(self, name, build, work, data):
        self.program, self.build, self.work = build / "bin/lockstep", build, work
        self.input, self.packed, self.folder = data, work / f"{name}-data", work / f"{name}-run"

    def pack(self, *words):
        run(self.program, "preprocess", "--input", self.input, "--output", self.packed, *words)

    def train(self, *words):
        begin = time.monotonic()
        run(ROOT / "launch/train_local.sh", "--build-dir", self.build, RANKS, "--data", self.packed, "--run", self.folder, *words)
        self.minutes = (time.monotonic() - begin) / 60

    def accuracy(self, split):
        """Of the best weights, counted by lockstep evaluate."""
        run(*support.MPIRUN, "-np", RANKS, self.program, "evaluate", "--run", self.folder, "--split", split)
        judged = read_json(self.folder / "metrics.json")["splits"][split]
        return judged["accuracy"], judged["samples"]

    def epochs(self):
        return [line for line in read_log(self.folder) if line["event"] == "epoch"]

    def report(self, name, split, samples, bound, most_epochs, most_minutes=float("inf")):
        """Whether the promise holds, said in a line."""
        accuracy, counted = self.accuracy(split)
        epochs = self.epochs()
        holds = accuracy >= bound and counted == samples and len(epochs) <= most_epochs and self.minutes <= most_minutes
        speed = statistics.median(line["images_per_second"] for line in epochs)
        return holds, (f"{name}: {100 * accuracy:.2f} % of {counted} {split} images "
                       f"(at least {100 * bound:g} % of {samples} promised), "
                       f"{len(epochs)} epochs (at most {most_epochs}), {speed:.1f} images/s, {self.minutes:.1f} minutes: "
                       f"{'holds' if holds else 'BROKEN'}")


def caltech(build, work):
    measurement = Measurement("caltech", build, work, support.test_data("caltech10-natural"))
    measurement.pack("--source", "class-folders", "--side", 128)
    measurement.train("--config", ROOT / "configs/custom_cnn.ini", *CALTECH_TRAINING)
    return measurement.report("caltech10-natural", "validation", 172, 0.65, 20)


def photographs_at_224(name, build, work):
    measurement = Measurement(name, build, work, support.test_data("caltech10-natural"))
    measurement.pack("--source", "class-folders", "--side", 224)
    return measurement


def trunk():
    return support.test_data("weights") / "squeezenet1_1-imagenet-features.safetensors"


def transfer(build, work):
    measurement = photographs_at_224("transfer", build, work)
    measurement.train("--model", "squeezenet1_1", "--weights", trunk(), "--freeze", "all-but-head", "--lr", "1e-3", "--batch", 32,
                      "--epochs", 20, "--feature-cache", "memory")
    return measurement.report("SqueezeNet 1.1, the head alone", "validation", 172, 0.96, 20, most_minutes=2)


def scratch(build, work):
    measurement = photographs_at_224("scratch", build, work)
    measurement.train("--model", "squeezenet1_1", "--normalise", "imagenet", "--lr", "3e-4", "--batch", 32, "--epochs", 20, "--augment")
    return measurement.report("SqueezeNet 1.1 from scratch", "validation", 172, 0, 20)


def fashion(build, work):
    measurement = Measurement("fashion", build, work, support.test_data("fashion-mnist"))
    measurement.pack("--source", "idx", "--side", 28, "--channels", 1, "--validation", 0)
    train = next(split for split in read_json(measurement.packed / "manifest.json")["splits"] if split["name"] == "train")
    if train["samples"] != 60000:
        where = f"{measurement.packed} · check the IDX files"
        raise SystemExit(f"{train['samples']} training images, 60000 expected · {where}")
    measurement.train("--config", ROOT / "configs/fashion_mnist.ini")
    return measurement.report("Fashion-MNIST", "test", 10000, 0.91, 6)


class Apparel:
    """From tables and PNG files to the submission file."""

    def __init__(self, build, work):
        self.build, self.work, self.tables = build, work, work / "apparel-tables"
        apparel.write(support.test_data("fashion-mnist"), self.tables)

    def trained(self, name, side, *words):
        measurement = Measurement(name, self.build, self.work, self.tables)
        measurement.pack("--source", "csv", "--side", side, "--channels", 1, "--validation", 0.1)
        measurement.train("--batch", 128, *words)
        return measurement

    def submission(self, measurement):
        """The share of the unlabelled images that it names right, and how many it names."""
        predictions, figures = measurement.folder / "submission.csv", measurement.folder / "submission.json"
        run(*support.MPIRUN, "-np", RANKS, measurement.program, "predict", "--run", measurement.folder,
            "--images", measurement.packed, "--split", "test", "--output", predictions)
        run(measurement.program, "evaluate", "--predictions", predictions, "--labels", self.tables / "held/labels.csv",
            "--output", figures)
        found = read_json(figures)
        return found["accuracy"], found["samples"]


def apparel_tables(build, work):
    task = Apparel(build, work)
    small = task.trained("apparel-small", 28, "--config", ROOT / "configs/fashion_mnist.ini", "--epochs", 8, "--schedule", "cosine")
    tuned = task.trained("apparel-tuned", 64, "--model", "squeezenet1_1", "--weights", trunk(), "--transfer", "large-different",
                         "--lr", "3e-4", "--crop-scale", "0.6,1", "--schedule", "cosine", "--epochs", 4)
    lines, best = [], 0
    for name, measurement in (("a small CNN from scratch", small), ("SqueezeNet 1.1, fine-tuned", tuned)):
        accuracy, counted = task.submission(measurement)
        best = max(best, accuracy if counted == 10000 else 0)
        lines.append(f"apparel, {name}: {100 * accuracy:.2f} % of {counted} submitted, {measurement.minutes:.1f} minutes")
    return best >= 0.92, "\n".join(lines) + f" (at least 92 % of 10000 promised): {'holds' if best >= 0.92 else 'BROKEN'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("which", nargs="*", metavar="WHICH")
    words = parser.parse_args()
    measurements = {"caltech": caltech, "fashion": fashion, "transfer": transfer, "scratch": scratch,
                    "apparel": apparel_tables}
    if not set(words.which) <= set(measurements):
        parser.error(f"choose from {', '.join(measurements)}")
    build = words.build_dir.resolve()
    work = (words.work or build / "acceptance").resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        results = [measurements[name](build, work) for name in words.which or measurements]
    except unittest.SkipTest as missing:
        sys.exit(f"error: {missing}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"error: a command ended with {failed.returncode} · {failed.cmd[0]} · see what it said above")
    print("\n" + "\n".join(line for _, line in results))
    sys.exit(0 if all(holds for holds, _ in results) else 1)


if __name__ == "__main__":
    main()
