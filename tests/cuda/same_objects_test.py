"""A build without the CUDA part is the same build less one target: every other file is compiled and linked alike.

Configures the checkout anew, without compiling, and compares with the build folder this test belongs to. Environment:
LOCKSTEP_SOURCE_DIR, LOCKSTEP_BINARY_DIR, LOCKSTEP_CMAKE, LOCKSTEP_LIBTORCH. Ends with 77 where the build folder has no
CUDA part to compare.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["LOCKSTEP_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["LOCKSTEP_BINARY_DIR"])


def neutral(words, build):
    """Without the folders, of which LibTorch's may lie inside one build folder."""
    libtorch = pathlib.Path(os.environ["LOCKSTEP_LIBTORCH"])
    words = words.replace(str(libtorch), "LIBTORCH").replace(str(build), "BUILD")
    inside = libtorch.is_relative_to(build)  # ninja names it relative to the build folder then
    return words.replace(str(libtorch.relative_to(build)), "LIBTORCH") if inside else words


def commands(build):
    """Compiler's words by source and object, for what belongs to the product; without the name of the build folder."""
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    found = {}
    for entry in entries:
        path = pathlib.Path(entry["file"])
        if path.is_relative_to(SOURCE / "src") or path.is_relative_to(SOURCE / "preprocess"):
            words = neutral(entry["command"], build)
            found[path.relative_to(SOURCE).as_posix(), words.split(" -o ")[1].split()[0]] = words
    return found


def cached(build, name):
    for line in (build / "CMakeCache.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return None


def link_words(build, target):
    """How ninja links a program."""
    words = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", target], text=True, check=True,
                           stdout=subprocess.PIPE).stdout
    assert words.strip(), f"ninja knows no {target}"
    return neutral(words, build)


def needed_libraries(program):
    words = subprocess.run(["readelf", "-d", program], text=True, check=True, stdout=subprocess.PIPE).stdout
    return [line.split("[")[1].rstrip("]") for line in words.splitlines() if "(NEEDED)" in line]


def main():
    if cached(BUILD, "LOCKSTEP_CUDA") != "ON":
        print("skipped: this build folder has no CUDA part (-DLOCKSTEP_CUDA=ON)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="lockstep-test-") as folder:
        without = pathlib.Path(folder).resolve()
        kept = [f"-D{name}={cached(BUILD, name)}" for name in
                ("CMAKE_BUILD_TYPE", "LOCKSTEP_SANITIZE", "LOCKSTEP_WERROR", "CMAKE_CXX_COMPILER") if cached(BUILD, name)]
        subprocess.run([os.environ["LOCKSTEP_CMAKE"], "-S", SOURCE, "-B", without, "-G", "Ninja", "-DLOCKSTEP_TESTS=OFF",
                        "-DLOCKSTEP_CUDA=OFF", f"-DLIBTORCH={os.environ['LOCKSTEP_LIBTORCH']}", *kept],
                       check=True, stdout=subprocess.DEVNULL)
        plain, full = commands(without), commands(BUILD)
        assert len(plain) > 50, f"only {len(plain)} sources were seen"
        for place, words in plain.items():
            assert full.get(place) == words, f"{place[0]} is compiled in another way:\n{words}\n{full.get(place)}"
        more = {source for source, _ in full.keys() - plain.keys()}
        assert more and all(source.startswith("src/cuda/") for source in more), f"only in the build with CUDA: {more}"
        for program in ("bin/lockstep", "bin/lockstep-preprocess"):
            assert link_words(without, program) == link_words(BUILD, program), f"{program} is linked in another way"
    cuda = [name for name in needed_libraries(BUILD / "bin/lockstep") if "cuda" in name or "nccl" in name]
    assert not cuda, f"the program itself needs {cuda}"
    print(f"{len(plain)} sources and both programs are built alike; {len(more)} more make the CUDA part")


main()
