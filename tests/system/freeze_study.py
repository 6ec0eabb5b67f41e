"""What freezing saves: gradient bytes and time of a step of ResNet50 with 0, 0.3, 0.5 and 0.8 of its modules frozen.

    build/python/bin/python tests/system/freeze_study.py [--build-dir DIR] [--side N] [--batch N] [--ranks N] [FRACTION ...]

By hand, on an idle machine: it measures. Weights are random, since speed does not depend on them. Ends with 1 unless bytes and
time fall from each fraction to the next.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

import support
from support import ROOT, read_json, read_log

STEPS, EPOCHS = 4, 4  # the first epoch warms up


def run_quietly(*words):
    """A command; what it said is shown if it fails."""
    done = subprocess.run([str(word) for word in words], env=support.environment(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nerror: a command ended with {done.returncode} · {words[0]} · see what it said above")


def measured(words, folder, fraction):
    run = folder / f"frozen-{fraction}"
    run_quietly(*support.MPIRUN, "-np", words.ranks, words.build_dir / "bin/lockstep", "train", "--data", folder / "data",
                "--run", run, "--model", "resnet50", "--freeze-fraction", fraction, "--allow-random-frozen",
                "--batch", words.batch, "--epochs", EPOCHS, "--eval-split", "none", "--log-every", 1, "--lr", 1e-4)
    network = read_json(run / "run.json")["network"]
    steps = [line for line in read_log(run) if line["event"] == "step" and line["epoch"] > 1]
    seconds = statistics.median(words.batch / line["images_per_second"] for line in steps)
    return network, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16, help="global")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("fractions", nargs="*", type=float, metavar="FRACTION", default=[0, 0.3, 0.5, 0.8])
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockstep-freeze-") as temporary:
        folder = pathlib.Path(temporary)
        run_quietly(words.build_dir / "bin/lockstep", "preprocess", "--source", "generated", "--images", STEPS * words.batch,
                    "--validation", 0, "--test", 0, "--side", words.side, "--output", folder / "data")
        rows = []
        print(f"{'fraction':>8}  {'frozen until':<24}  {'frozen parameters':>17}  {'MiB a step':>10}  {'s a step':>8}  images/s")
        for fraction in sorted(words.fractions):
            network, seconds = measured(words, folder, fraction)
            rows.append((network["gradient_bytes"], seconds))
            until = network["frozen"][-1] if network["frozen"] else "nothing"
            share = network["frozen_parameters"] / network["parameters"]
            print(f"{fraction:>8}  {until:<24}  {share:>17.1%}  {network['gradient_bytes'] / 2**20:>10.1f}  {seconds:>8.2f}  "
                  f"{words.batch / seconds:.1f}", flush=True)
    falls = all(after[0] < before[0] and after[1] < before[1] for before, after in zip(rows, rows[1:]))
    print("bytes and time fall" if falls else "BROKEN: bytes or time do not fall")
    sys.exit(0 if falls else 1)


if __name__ == "__main__":
    main()
