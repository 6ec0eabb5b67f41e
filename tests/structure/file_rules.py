"""What every file of the project keeps to: contracts on top of headers, a length one can read, no leftovers.

check(root) returns one finding per breach, as "file:line: what · how to fix". No third-party module.
"""
import pathlib
import re

LONGEST_FILE = 450  # lines
FEWEST_CONTRACT_LINES = {"include": 2, "src": 1, "preprocess": 1, "tests": 1}  # the reader of a public one sees less
FOLDERS = ("include", "src", "preprocess", "launch", "slurm", "tests", "configs")
SUFFIXES = {".hpp", ".cpp", ".py", ".sh", ".sbatch", ".txt", ".cmake", ".ini", ""}

LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# A path below somebody's home or workplace works on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.$}{/-])/(work|home|root|Users)/\w")


def check(root):
    root = pathlib.Path(root)
    findings = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                lines = path.read_text(encoding="utf-8").splitlines()
                findings += [f"{path.relative_to(root).as_posix()}:{finding}" for finding in faults(folder, path, lines)]
    return findings


def faults(folder, path, lines):
    if len(lines) > LONGEST_FILE:
        yield f"{LONGEST_FILE + 1}: {len(lines)} lines, at most {LONGEST_FILE} · cut it where two things meet"
    if path.suffix == ".hpp":
        yield from header_faults(folder, path, lines)
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            yield f"{number}: a tab · indent with spaces"
        if match := LEFTOVER.search(line):
            yield f"{number}: {match[0]} · do it, or describe it as a known limit in the README"
        if match := MACHINE_PATH.search(line):
            yield f"{number}: {match[0]}… exists on one machine only · derive the path, or take it as an argument"


def header_faults(folder, path, lines):
    contract = 0
    while contract < len(lines) and lines[contract].startswith("//"):
        contract += 1
    if contract < FEWEST_CONTRACT_LINES.get(folder, 1):
        yield ("1: the header opens without a contract · say in 2 to 7 lines of // what it is, who owns what, which threads "
               "or ranks call it, how it fails")
    precompiled = path.stem.endswith("_pch")  # the compiler's main file then, where the pragma means nothing
    if "#pragma once" not in lines and not precompiled:
        yield "1: no #pragma once · add it below the contract"
