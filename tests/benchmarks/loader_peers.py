#!/usr/bin/env python3
"""lockstep's loader beside other programs' on the same photographs and cores, in one sitting; medians and ratios.

    loader_peers.py --program build/bin/lockstep --photographs DIR --peers DIR --python P --dali-python P --work DIR

Everyone makes normalised float32 batches of 32 at 224 px after a random resized crop (8 … 100 % of the area) and a flip:
  lockstep raw, jpeg   the photographs packed at 256 px, as pixels and as JPEGs
  h5py                 the same at 256 px in one HDF5 file, h5py Dataset + DataLoader
  ImageFolder          the photographs, torchvision ImageFolder + DataLoader
  DALI                 the photographs, NVIDIA DALI's pipeline on CPU; it decodes JPEGs, so lockstep raw has less to do
  DALI stored          the JPEGs that lockstep jpeg reads, written out as files
Rounds run them one after the other, in turn forwards and backwards. --peers is a folder with load_images.py (--folder DIR,
--hdf5 FILE, --pack DIR FILE) and load_fast.py (--dali DIR), each taking --seconds and --workers and ending with a JSON line
that says images_per_second. --python: one with torch, torchvision and h5py. --work keeps what is packed.
"""
import argparse
import json
import os
import pathlib
import statistics

from measuring import machine, run, write_result

# name of a ratio: (ours, theirs, what was promised)
RATIOS = {"raw / h5py": ("lockstep raw", "h5py", 4.0), "raw / DALI": ("lockstep raw", "DALI", 3.0),
          "raw / ImageFolder": ("lockstep raw", "ImageFolder", None),
          "jpeg / DALI on the same JPEGs": ("lockstep jpeg", "DALI stored", 1.3)}

EXPORT = """
import glob, h5py, os, sys
for shard in sorted(glob.glob(sys.argv[1] + "/shards/train-*.h5")):
    with h5py.File(shard) as file:
        ends, data = file["offsets"][:], file["jpeg"]
        for i, (label, id) in enumerate(zip(file["labels"][:], file["ids"][:])):
            folder = f"{sys.argv[2]}/{label:04}"
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/{id:08}.jpg", "wb") as image:
                image.write(data[ends[i]:ends[i + 1]].tobytes())
"""


class Sitting:
    def __init__(self, a):
        self.a = a
        self.work = a.work.absolute()
        self.raw, self.jpeg, self.hdf5, self.stored = (self.work / name for name in ("raw", "jpeg", "peer.h5", "stored"))

    def prepare(self):
        self.work.mkdir(parents=True, exist_ok=True)
        for folder, store in ((self.raw, "raw"), (self.jpeg, "jpeg")):
            if not folder.exists():
                run([self.a.program, "preprocess", "--source", "class-folders", "--input", self.a.photographs, "--output", folder,
                     "--side", 256, "--store", store, "--validation", 0, "--test", 0])
        if not self.hdf5.exists():
            run([self.a.python, self.a.peers / "load_images.py", "--pack", self.a.photographs, self.hdf5])
        if not self.stored.exists():
            run([self.a.python, "-c", EXPORT, self.jpeg, self.stored])

    def lockstep(self, data):
        figures = self.work / "figures.json"
        run([self.a.program, "bench", "loader", "--data", data, "--side", 224, "--augment", "--crop-scale", "0.08,1",
             "--normalise", "imagenet", "--batch", 32, "--loader-threads", self.a.workers, "--seconds", self.a.seconds,
             "--json", figures])
        return json.loads(figures.read_text())["images_per_second"]

    def peer(self, python, script, *words):
        out = run([python, self.a.peers / script, *words, "--workers", self.a.workers, "--seconds", self.a.seconds])
        return json.loads(out.strip().splitlines()[-1])["images_per_second"]

    def programs(self):
        a = self.a
        return {"lockstep raw": lambda: self.lockstep(self.raw),
                "h5py": lambda: self.peer(a.python, "load_images.py", "--hdf5", self.hdf5),
                "ImageFolder": lambda: self.peer(a.python, "load_images.py", "--folder", a.photographs),
                "DALI": lambda: self.peer(a.dali_python, "load_fast.py", "--dali", a.photographs),
                "lockstep jpeg": lambda: self.lockstep(self.jpeg),
                "DALI stored": lambda: self.peer(a.dali_python, "load_fast.py", "--dali", self.stored)}

    def measure(self):
        programs = self.programs()
        seen = {name: [] for name in programs}
        for round in range(self.a.rounds):
            for name in list(programs)[::1 if round % 2 == 0 else -1]:
                seen[name].append(round_figure(programs[name]()))
                print(f"round {round + 1}  {name:<14} {seen[name][-1]:8} images/s", flush=True)
        return seen


def round_figure(value):
    return round(float(value), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("program", "photographs", "peers", "python", "dali-python", "work"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=pathlib.Path, help="default: results/DATE-loader-peers.json beside this script")
    a = parser.parse_args()
    where = machine(a.workers)
    sitting = Sitting(a)
    sitting.prepare()
    seen = sitting.measure()
    medians = {name: statistics.median(figures) for name, figures in seen.items()}
    ratios = {name: dict(ratio=round(medians[ours] / medians[theirs], 2), promised=promised)
              for name, (ours, theirs, promised) in RATIOS.items()}
    result = dict(machine=where, seconds=a.seconds, rounds=a.rounds, images_per_second=seen, medians=medians, ratios=ratios)
    print(f"\n{where}; medians of {a.rounds} rounds, images/s")
    for name, median in medians.items():
        print(f"  {name:<14} {median:8}")
    for name, ratio in ratios.items():
        print(f"  {name:<30} {ratio['ratio']:6}×" + (f"  (promised {ratio['promised']}×)" if ratio["promised"] else ""))
    write_result("loader-peers", result, a.output)


if __name__ == "__main__":
    main()
