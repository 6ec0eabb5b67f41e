#!/usr/bin/env python3
"""What the project promises on real images, measured: run by hand, an hour on two cores.

    tests/system/acceptance.py [--build-dir DIR] [--work DIR] [caltech] [fashion]

caltech  caltech10-natural packed at side 128, the custom CNN on 2 ranks: at least 65 % of its 172 validation images at the
         best of at most 20 epochs
fashion  Fashion-MNIST, all 60,000 for training, fashion_mnist.ini on 2 ranks: at least 91 % of the 10,000 test images after
         at most 6 epochs

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

    def train(self, config, *words):
        begin = time.monotonic()
        run(ROOT / "launch/train_local.sh", "--build-dir", self.build, RANKS, "--config", ROOT / "configs" / config,
            "--data", self.packed, "--run", self.folder, *words)
        self.minutes = (time.monotonic() - begin) / 60

    def accuracy(self, split):
        """Of the best weights, counted by lockstep evaluate."""
        run(*support.MPIRUN, "-np", RANKS, self.program, "evaluate", "--run", self.folder, "--split", split)
        judged = read_json(self.folder / "metrics.json")["splits"][split]
        return judged["accuracy"], judged["samples"]

    def epochs(self):
        return [line for line in read_log(self.folder) if line["event"] == "epoch"]

    def report(self, name, split, samples, bound, most_epochs):
        """Whether the promise holds, said in a line."""
        accuracy, counted = self.accuracy(split)
        epochs = self.epochs()
        holds = accuracy >= bound and counted == samples and len(epochs) <= most_epochs
        speed = statistics.median(line["images_per_second"] for line in epochs)
        return holds, (f"{name}: {100 * accuracy:.2f} % of {counted} {split} images "
                       f"(at least {100 * bound:g} % of {samples} promised), "
                       f"{len(epochs)} epochs (at most {most_epochs}), {speed:.1f} images/s, {self.minutes:.1f} minutes: "
                       f"{'holds' if holds else 'BROKEN'}")


def caltech(build, work):
    measurement = Measurement("caltech", build, work, support.test_data("caltech10-natural"))
    measurement.pack("--source", "class-folders", "--side", 128)
    measurement.train("custom_cnn.ini", *CALTECH_TRAINING)
    return measurement.report("caltech10-natural", "validation", 172, 0.65, 20)


def fashion(build, work):
    measurement = Measurement("fashion", build, work, support.test_data("fashion-mnist"))
    measurement.pack("--source", "idx", "--side", 28, "--channels", 1, "--validation", 0)
    train = next(split for split in read_json(measurement.packed / "manifest.json")["splits"] if split["name"] == "train")
    if train["samples"] != 60000:
        where = f"{measurement.packed} · check the IDX files"
        raise SystemExit(f"{train['samples']} training images, 60000 expected · {where}")
    measurement.train("fashion_mnist.ini")
    return measurement.report("Fashion-MNIST", "test", 10000, 0.91, 6)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("which", nargs="*", metavar="caltech|fashion")
    words = parser.parse_args()
    measurements = {"caltech": caltech, "fashion": fashion}
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
