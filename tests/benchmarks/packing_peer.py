"""Packing beside Pillow + h5py, and one rank beside two: medians of alternating runs, as one JSON on stdout.

    python tests/benchmarks/packing_peer.py PHOTOS [--program build/bin/lockstep] [--side 256] [--rounds 3] [--copies 1]
                                             [--peer SCRIPT]

PHOTOS holds a folder per class (or train/ and val/ of such). --copies links the files so often into a larger set. The peer is
what most people write: a loop over the files with Pillow, resize of the shorter side, centre crop, into one h5py data set; a
single process, as it is written; --peer names another script to be run with --pack FOLDER FILE --side N instead. Needs
Pillow, h5py and numpy. CPU seconds are those of all processes of a run: on a machine
with other work they tell more than the clock.
"""
import argparse
import json
import os
import pathlib
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

SUFFIXES = {".jpg", ".jpeg", ".png"}
PEER = "--as-peer"


def pack_as_peer(folder, output, side):
    """Resize, centre crop, store: as torchvision's Resize and CenterCrop do it with Pillow."""
    import h5py
    import numpy
    from PIL import Image
    classes = sorted(path.name for path in folder.iterdir())
    files = [(path, label) for label, name in enumerate(classes) for path in sorted((folder / name).iterdir())]
    with h5py.File(output, "w") as packed:
        images = packed.create_dataset("images", (len(files), side, side, 3), "u1")
        labels = packed.create_dataset("labels", (len(files),), "i4")
        for i, (path, label) in enumerate(files):
            image = Image.open(path).convert("RGB")
            scale = side / min(image.size)
            size = [max(side, round(length * scale)) for length in image.size]
            left, top = (size[0] - side) // 2, (size[1] - side) // 2
            image = image.resize(size, Image.BILINEAR).crop((left, top, left + side, top + side))
            images[i], labels[i] = numpy.asarray(image), label


def link_photographs(photos, folder, copies):
    """The photographs of all splits in one folder per class; returns their number."""
    count = 0
    for path in sorted(photos.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        for copy in range(copies):
            place = folder / path.parent.name / f"{copy}-{path.parent.parent.name}-{path.name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place) if os.stat(path).st_dev == os.stat(place.parent).st_dev else place.write_bytes(path.read_bytes())
            count += 1
    return count


def timed(words):
    """Seconds by the clock and of CPU."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("--program", default="build/bin/lockstep")
    parser.add_argument("--mpirun", default="mpirun --bind-to none --oversubscribe")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--peer", type=pathlib.Path)
    parser.add_argument(PEER, nargs=2, type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        pack_as_peer(*options.as_peer, options.side)
        return

    with tempfile.TemporaryDirectory(prefix="lockstep-packing-") as name:
        folder = pathlib.Path(name)
        count = link_photographs(options.photos, folder / "photos", options.copies)
        output = folder / "packed"
        pack = [options.program, "preprocess", "--source", "class-folders", "--input", folder / "photos", "--output", output,
                "--side", options.side]
        ranks = [*shlex.split(options.mpirun), "-np"]
        files = [folder / "photos", output, "--side", options.side]
        own_peer = [sys.executable, __file__, options.photos, PEER, *files]
        variants = {"Pillow + h5py": [sys.executable, options.peer, "--pack", *files] if options.peer else own_peer}
        for store in ("raw", "jpeg"):
            variants[f"{store}, 1 rank of 2 threads"] = [*pack, "--store", store, "--threads", 2]
            variants[f"{store}, 1 rank of 1 thread"] = [*ranks, 1, *pack, "--store", store, "--threads", 1]
            variants[f"{store}, 2 ranks of 1 thread"] = [*ranks, 2, *pack, "--store", store, "--threads", 1]
        runs = {variant: [] for variant in variants}
        for round_number in range(options.rounds + 1):
            for variant, words in variants.items():
                subprocess.run(["rm", "-rf", output], check=True)
                os.sync()  # the one before shall not be written to disk in this one's time
                found = timed(words)
                if round_number > 0:  # the first round warms the page cache
                    runs[variant].append(found)
    rates = {variant: count / statistics.median(seconds for seconds, _ in found) for variant, found in runs.items()}
    peer = rates["Pillow + h5py"]
    print(json.dumps({
        "images": count, "side": options.side, "rounds": options.rounds,
        "load_average": os.getloadavg()[0],
        "images_per_second": {variant: round(rate) for variant, rate in rates.items()},
        "cpu_ms_per_image": {variant: round(1e3 * statistics.median(cpu for _, cpu in found) / count, 3)
                             for variant, found in runs.items()},
        "times_the_peer": {variant: round(rate / peer, 2) for variant, rate in rates.items()},
        "two_ranks_over_one": {store: round(rates[f"{store}, 2 ranks of 1 thread"] / rates[f"{store}, 1 rank of 1 thread"], 2)
                               for store in ("raw", "jpeg")},
    }, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
