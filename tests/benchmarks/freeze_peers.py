#!/usr/bin/env python3
"""lockstep's steps of a partly frozen network beside PyTorch DDP's, in one sitting; medians and ratios.

    freeze_peers.py --program build/bin/lockstep --peers DIR --torchrun T --work DIR [--model resnet50] [FRACTION ...]

Two ranks of --batch images at 224 px, random weights (speed does not depend on them), Adam:
  lockstep       the first share of the parameter tensors frozen (--freeze-by tensors); images from a packed data set
  DDP            the same tensors frozen, PyTorch as most write it; random images held in memory
  DDP tuned      channels-last, and an allocator that keeps large blocks
Frozen batch norms use and keep their running statistics here; the peer leaves them in training mode. Ours train with the
statistics of the global batch, the peer's with those of each rank. Rounds run them one after the other, in turn forwards
and backwards. --peers is a folder with train_ddp.py (--model, --batch, --freeze-fraction, --tuned), which ends with a JSON
line that says images_per_second. Then each way of freezing runs once with lockstep: gradients and time of a step.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics

from measuring import machine, run, write_result

STEPS, WARMUP = 8, 2
PROMISED = {"DDP": 1.3, "DDP tuned": 1.0}  # at the largest fraction
STRATEGIES = {"nothing frozen": (), "all but the head": ("--freeze", "all-but-head"), "the head": ("--freeze", "head"),
              "the first 20 modules": ("--freeze-first", 20), "the first half": ("--freeze-fraction", 0.5)}
KEEP_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": "8589934592", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


class Sitting:
    def __init__(self, a):
        self.a, self.runs = a, 0
        self.data = a.work.absolute() / f"generated-{a.side}"
        if not self.data.exists():
            run([a.program, "preprocess", "--source", "generated", "--images", (STEPS + WARMUP) * 2 * a.batch, "--side", a.side,
                 "--validation", 0, "--test", 0, "--output", self.data])

    def lockstep(self, *words):
        """Images a second, and what run.json says of the network."""
        self.runs += 1
        folder = self.a.work.absolute() / f"run-{os.getpid()}-{self.runs}"
        frozen = ("--allow-random-frozen",) if words else ()
        run(["mpirun", "--bind-to", "none", "--oversubscribe", "-np", 2, self.a.program, "train", "--data", self.data, "--run", folder,
             "--model", self.a.model, "--batch", 2 * self.a.batch, "--epochs", 1, "--eval-split", "none", "--log-every", 1,
             "--checkpoint-every", "never", "--lr", 1e-4, *words, *frozen])
        steps = [line for line in map(json.loads, (folder / "log.jsonl").read_text().splitlines()) if line["event"] == "step"]
        network = json.loads((folder / "run.json").read_text())["network"]
        shutil.rmtree(folder)
        return statistics.median(line["images_per_second"] for line in steps[WARMUP:]), network

    def peer(self, fraction, tuned):
        out = run([self.a.torchrun, "--nproc-per-node", 2, self.a.peers / "train_ddp.py", "--model", self.a.model, "--batch",
                   self.a.batch, "--size", self.a.side, "--steps", STEPS, "--warmup", WARMUP, "--freeze-fraction", fraction,
                   *(["--tuned"] if tuned else [])], **(KEEP_BLOCKS if tuned else {}))
        return json.loads(out.splitlines()[-1])["images_per_second"]

    def measure(self, fraction):
        ways = {"lockstep": lambda: self.lockstep("--freeze-fraction", fraction, "--freeze-by", "tensors"),
                "DDP": lambda: self.peer(fraction, False), "DDP tuned": lambda: self.peer(fraction, True)}
        rates, network = {name: [] for name in ways}, {}
        for number in range(self.a.rounds):
            for name in list(ways) if number % 2 == 0 else reversed(list(ways)):
                found = ways[name]()
                rate, network = found if name == "lockstep" else (found, network)
                rates[name].append(rate)
        medians = {name: statistics.median(values) for name, values in rates.items()}
        row = {"fraction": fraction, "images_per_second": rates, "median": medians, "network": short(network),
               "ratio": {name: medians["lockstep"] / medians[name] for name in PROMISED}}
        print(f"{fraction:>4} frozen: " + ", ".join(f"{name} {rate:.1f}" for name, rate in medians.items()) + " images/s; "
              + ", ".join(f"{ratio:.2f}x {name}" for name, ratio in row["ratio"].items())
              + f"; {network['gradient_bytes'] / 2**20:.1f} MiB a step", flush=True)
        return row

    def strategies(self):
        rows = []
        for name, words in STRATEGIES.items():
            rate, network = self.lockstep(*words)
            rows.append({"strategy": name, "images_per_second": rate, "step_seconds": 2 * self.a.batch / rate, "network": short(network)})
            print(f"{name}: {network['gradient_bytes'] / 2**20:.1f} MiB and {2 * self.a.batch / rate:.2f} s a step, {rate:.1f} images/s",
                  flush=True)
        return rows


def short(network):
    return {**network, "frozen": len(network["frozen"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default="build/bin/lockstep")
    parser.add_argument("--peers", type=pathlib.Path, required=True)
    parser.add_argument("--torchrun", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8, help="of each rank")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, help="default: results/DATE-freeze-peers.json beside this script")
    parser.add_argument("fractions", nargs="*", type=float, metavar="FRACTION", default=[0.3, 0.5, 0.8])
    a = parser.parse_args()
    a.program = a.program.absolute()
    a.work.mkdir(parents=True, exist_ok=True)
    where = machine(2)
    sitting = Sitting(a)
    rows = [sitting.measure(fraction) for fraction in a.fractions]
    write_result("freeze-peers", {"machine": where, "model": a.model, "side": a.side, "ranks": 2, "batch_per_rank": a.batch,
                                  "rows": rows, "strategies": sitting.strategies()}, a.output)
    last = max(rows, key=lambda row: row["fraction"])
    for name, least in PROMISED.items():
        ratio = last["ratio"][name]
        print(f"at {last['fraction']}: {ratio:.2f}x {name}, at least {least}x promised: {'holds' if ratio >= least else 'BROKEN'}")


if __name__ == "__main__":
    main()
