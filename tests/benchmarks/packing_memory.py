"""Peak memory and time per image of packing, from a thousand to fifty thousand images; one JSON on stdout.

    python tests/benchmarks/packing_memory.py [--program build/bin/lockstep-preprocess] [--store raw] [--images 1000 10000 50000]

Pictures are generated at 64 px, in shards of 4 MiB, so that the smallest set fills several shards as the largest does. Peak
memory is the largest resident set of lockstep-preprocess (getrusage), which `lockstep preprocess` becomes: the program lockstep
itself has more while it starts, for LibTorch.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

MEASURE = "--measure"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/bin/lockstep-preprocess")
    parser.add_argument("--store", default="raw")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10000, 50000])
    options = parser.parse_args()
    rows = []
    for images in options.images:
        with tempfile.TemporaryDirectory(prefix="lockstep-memory-") as name:
            words = [options.program, "--source", "generated", "--images", images, "--side", 64, "--shard-mib", 4,
                     "--threads", options.threads, "--store", options.store, "--output", pathlib.Path(name) / "data"]
            # A process of its own for each: the peak of all children only grows.
            found = subprocess.run([sys.executable, __file__, MEASURE, *map(str, words)], check=True, capture_output=True, text=True)
            rows.append({"images": images, **json.loads(found.stdout)})
            rows[-1]["cpu_ms_per_image"] = round(1e3 * rows[-1].pop("cpu_seconds") / images, 3)
    print(json.dumps({"side": 64, "store": options.store, "threads": options.threads, "runs": rows}, indent=1))


def measure(words):
    begin = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"peak_mib": round(used.ru_maxrss / 1024, 1), "seconds": round(time.perf_counter() - begin, 1),
                      "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    measure(sys.argv[2:]) if sys.argv[1:2] == [MEASURE] else main()
