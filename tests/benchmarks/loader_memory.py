#!/usr/bin/env python3
"""Memory and time per image of the loader as a data set grows: both should stay as they are.

    loader_memory.py --program build/bin/lockstep --work DIR [--images 1000,10000,50000]

Generated sets of 64 px, read by lockstep bench loader (whole epochs: until each image has come at least once), raw and as
JPEGs; the peak of the process's memory, without what the page cache holds, and the time per image.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess

SIDE, BATCH = 64, 64


def peak_of(words):
    """MiB that the process held at most; it must succeed."""
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, words))} ended with status {status}")
    return usage.ru_maxrss / 1024


def data_set(a, images, store):
    folder = a.work / f"{store}-{images}"
    if not folder.exists():
        peak_of([a.program, "preprocess", "--source", "generated", "--images", images, "--side", SIDE, "--store", store,
                 "--validation", 0, "--test", 0, "--output", folder])
    return folder


def measure(a, images, store):
    """One line of the table; longer, if the epoch didn't end."""
    figures, seconds = a.work / "figures.json", a.seconds
    while True:
        peak = peak_of([a.program, "bench", "loader", "--data", data_set(a, images, store), "--augment", "--batch", BATCH,
                        "--seconds", seconds, "--json", figures])
        seen = json.loads(figures.read_text())
        if seen["images"] >= images:
            cpu = 1e6 / seen["images_per_cpu_second"]
            return dict(store=store, images=images, peak_mib=round(peak, 1), cpu_us_per_image=round(cpu, 1),
                        images_per_second=round(seen["images_per_second"]))
        seconds *= 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--images", default="1000,10000,50000")
    parser.add_argument("--seconds", type=float, default=5)
    a = parser.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    lines = []
    for store in ("raw", "jpeg"):
        for images in map(int, a.images.split(",")):
            lines.append(measure(a, images, store))
            print("{store:<5} {images:>7} images: peak {peak_mib:7} MiB, {cpu_us_per_image:6} µs of a core an image, "
                  "{images_per_second} images/s".format(**lines[-1]), flush=True)
    date = datetime.date.today().isoformat()
    output = pathlib.Path(__file__).parent / "results" / f"{date}-loader-memory.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(dict(date=date, side=SIDE, batch=BATCH, results=lines), indent=1) + "\n")
    print(f"written to {output}")


if __name__ == "__main__":
    main()
