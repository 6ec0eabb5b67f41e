"""What the system tests share: the program as a user starts it, data sets it makes itself, and how its errors must read.

Environment (CMakeLists.txt sets it): LOCKSTEP_PROGRAM, the program lockstep; LOCKSTEP_MPIRUN, mpirun with its options.
By hand: LOCKSTEP_PROGRAM=build/bin/lockstep build/python/bin/python tests/system/bad_input_test.py
Real images are found through LOCKSTEP_TEST_DATA or at ../shared/data beside the checkout; tests on them skip without.
A script ends with 77 where every test of it was skipped, the reason being its last line.
"""
import importlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("LOCKSTEP_PROGRAM", ROOT / "build/bin/lockstep")).absolute()
MPIRUN = os.environ.get("LOCKSTEP_MPIRUN", "mpirun --bind-to none --oversubscribe").split()
SKIPPED = 77
LONGEST = 120  # seconds any single command may take

# One line of an error: which rank or who speaks, and the sentence.
ERROR_LINE = re.compile(r"^(?:rank \d+ on \S+: (?:error: |lockstep[ \w-]*: )?|error: |lockstep[ \w-]*: )(?P<sentence>.*)$")
# What shows a user the inside of the program instead of a sentence.
NOISE = ("terminate called", "what():", "std::", "c10::", "Exception raised from", "HDF5-DIAG", "core dumped",
         "Segmentation fault", "Aborted", "basic_string", "json.exception", "errno =")
MPI_NOISE = ("MPI_ABORT", "MPI_Abort", "mpirun", "PMIX", "ORTE")


def needed(module, remedy="launch/setup.sh --tests installs it"):
    """A package of the tests; without it the whole script is skipped."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, ValueError) as fault:  # torch without CUDA's libraries raises the latter two
        reason = "is missing" if isinstance(fault, ModuleNotFoundError) else f"can't be imported ({fault})"
        print(f"skipped: the Python package {module.split('.')[0]} {reason}: {remedy}")
        sys.exit(SKIPPED)


def needed_torch(module):
    """PyTorch as Python imports it: not that of a CPU set-up, which leaves out what only Python's side of it needs."""
    return needed(module, "name a Python that imports torch and torchvision, cmake -DLOCKSTEP_PYTHON=…")


def test_data(name):
    """A folder of real images; the calling test is skipped where it is absent."""
    base = pathlib.Path(os.environ.get("LOCKSTEP_TEST_DATA", ROOT.parent / "shared/data"))
    if not (base / name).is_dir():
        raise unittest.SkipTest(f"no {name} in {base}: name the folder of the test data in LOCKSTEP_TEST_DATA")
    return base / name


def environment():
    """The user's, in which mpirun runs as root too."""
    settings = dict(os.environ)
    if os.geteuid() == 0:
        settings.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
        settings.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
    return settings


def command(*words, ranks=0):
    """The words of a lockstep command, under mpirun if ranks are asked for."""
    launcher = [*MPIRUN, "-np", str(ranks)] if ranks else []
    return [str(word) for word in (*launcher, PROGRAM, *words)]


def lockstep(*words, ranks=0, timeout=LONGEST, **options):
    """Runs a command to its end, whatever that is. A command that hangs fails the test by its time limit."""
    return subprocess.run(command(*words, ranks=ranks), env=environment(), text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **options)


def start(words, **options):
    """Starts a process that reads nothing, with its words on stderr and stdout together."""
    return subprocess.Popen([str(word) for word in words], env=environment(), text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def write_ppm(path, width, height, colour=(200, 100, 50)):
    """The simplest image file there is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"P6 {width} {height} 255\n".encode() + bytes(colour) * (width * height))


def read_json(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def read_log(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def samples_of(manifest, split):
    return next(entry["samples"] for entry in manifest["splits"] if entry["name"] == split)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class SystemTest(unittest.TestCase):
    """A test with a folder of its own. `shared` is a folder that all tests of the class use; they leave it as it is."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.temporary_folder(cls.addClassCleanup)

    def setUp(self):
        self.folder = self.temporary_folder(self.addCleanup)

    @staticmethod
    def temporary_folder(add_cleanup):
        temporary = tempfile.TemporaryDirectory(prefix="lockstep-test-")
        add_cleanup(temporary.cleanup)
        return pathlib.Path(temporary.name).resolve()

    @classmethod
    def done(cls, *words, **options):
        """A command that must succeed."""
        result = lockstep(*words, **options)
        if result.returncode != 0:
            said = f"ended with {result.returncode}:\n{result.stdout}{result.stderr}"
            raise AssertionError(f"{' '.join(map(str, words))} {said}")
        return result

    @classmethod
    def make_data(cls, output, *words, images=120, side=16):
        cls.done("preprocess", "--source", "generated", "--images", images, "--side", side, "--output", output, *words)
        return output

    @classmethod
    def pack_folders(cls, images, output, *words):
        """Class folders as they are, at side 16, without a validation split cut from them."""
        cls.done("preprocess", "--source", "class-folders", "--input", images, "--output", output, "--side", 16,
                 "--validation", 0, *words)
        return output

    @classmethod
    def make_run(cls, data, run, *words, ranks=0):
        """A quick training of a small network."""
        network = ("--filters", "8,16", "--kernels", 3, "--dense", 16, "--batch", 30, "--threads", 1)
        given = set(map(str, words))
        defaults = [word for pair in zip(network[::2], network[1::2]) if pair[0] not in given for word in pair]
        epochs = () if "--epochs" in given else ("--epochs", 1)
        cls.done("train", "--data", data, "--run", run, *defaults, *epochs, *words, ranks=ranks)
        return run

    def assert_refused(self, result, code, *words):
        """Exit code, and a single sentence of what · where · how to fix, with these words in it. Returns the sentence."""
        said = f"\nexit code {result.returncode}\n{result.stdout}{result.stderr}"
        self.assertEqual(result.returncode, code, said)
        sentences = [match["sentence"] for line in result.stderr.splitlines() if (match := ERROR_LINE.match(line))]
        self.assertEqual(len(sentences), 1, f"one sentence is expected{said}")
        parts = sentences[0].split(" · ")
        self.assertEqual(len(parts), 3, f"what · where · how to fix is expected{said}")
        self.assertTrue(all(part.strip() for part in parts), said)
        for word in words:
            self.assertIn(str(word), sentences[0])
        for noise in NOISE:
            self.assertNotIn(noise, result.stderr)
        return sentences[0]

    def refused(self, code, names, *words, **options):
        """Runs a command of one process, which must refuse; see assert_refused."""
        result = lockstep(*words, **options)
        sentence = self.assert_refused(result, code, *names)
        for noise in MPI_NOISE:
            self.assertNotIn(noise, result.stderr)
        return sentence

    def refused_by_ranks(self, ranks, code, names, *words):
        """The same under mpirun, whose own lines about the end of the job may follow the sentence."""
        return self.assert_refused(lockstep(*words, ranks=ranks), code, *names)

    def wait_until(self, process, condition, seconds=60):
        """Polls until the condition holds; the process ending first fails the test."""
        end = time.monotonic() + seconds
        while not condition():
            if process.poll() is not None:
                self.fail(f"ended early with {process.returncode}:\n{process.stdout.read()}")
            if time.monotonic() > end:
                process.send_signal(signal.SIGTERM)
                self.fail(f"nothing after {seconds} s:\n{process.communicate(timeout=30)[0]}")
            time.sleep(0.01)


def main():
    """Runs the tests of the calling script. Exit code 77 if there was nothing that could be run here."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.skipped and result.testsRun <= len(result.skipped):
        print("skipped: " + "; ".join(sorted({reason for _, reason in result.skipped})))
        sys.exit(SKIPPED)
    sys.exit(0 if result.testsRun else 1)
