"""The CUDA part as a user meets it: missing, broken, of another version, without a GPU, and not needed at all.

Environment beside that of tests/system/support.py: LOCKSTEP_CUDA_PART, the real one (empty: not built); LOCKSTEP_STRANGER
and LOCKSTEP_NO_ENTRY, libraries that are none.
"""
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import support
from support import SystemTest, read_json

NAME = "liblockstep_cuda.so"
HAS_GPU = pathlib.Path("/dev/nvidiactl").exists()
# evaluate must have said what it will compute with before it looks at weights, and train before it makes a folder
NETWORK = ("--filters", "4", "--kernels", 3, "--dense", 8, "--batch", 30, "--epochs", 1, "--threads", 1)


class CudaPart(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data")
        cls.run_folder = cls.make_run(cls.data, cls.shared / "run")

    def setUp(self):
        """The program copied to a folder where nothing else is."""
        super().setUp()
        self.program = self.folder / "install/bin/lockstep"
        self.program.parent.mkdir(parents=True)
        shutil.copy2(support.PROGRAM, self.program)
        original, support.PROGRAM = support.PROGRAM, self.program
        self.addCleanup(setattr, support, "PROGRAM", original)

    def put(self, library, folder="bin"):
        place = self.program.parents[1] / folder / NAME
        place.parent.mkdir(exist_ok=True)
        shutil.copy2(library, place)
        return place

    def real_part(self):
        part = os.environ.get("LOCKSTEP_CUDA_PART")
        if not part:
            self.skipTest("the CUDA part was not built: -DLOCKSTEP_CUDA=ON")
        return part

    def refused_everywhere(self, *words):
        """By train and evaluate, by one process and by two ranks; nothing is left behind."""
        train = ("train", "--data", self.data, "--run", self.folder / "new", *NETWORK, "--device", "cuda")
        evaluate = ("evaluate", "--run", self.run_folder, "--device", "cuda")
        for command in (train, evaluate):
            with self.subTest(command=command[0]):
                self.refused(1, words, *command)
                self.refused_by_ranks(2, 1, words, *command)
        self.assertFalse((self.folder / "new").exists())

    def test_without_it_the_program_trains_and_judges_on_the_cpu(self):
        self.done("train", "--data", self.data, "--run", self.folder / "new", *NETWORK, "--device", "cpu")
        self.done("evaluate", "--run", self.folder / "new", ranks=2)
        self.assertEqual(read_json(self.folder / "new/run.json")["device"], "cpu")

    def test_without_it_cuda_is_refused(self):
        self.refused_everywhere("this install has no CUDA part", self.program.parent / NAME, "launch/setup.sh --cuda",
                                "-DLOCKSTEP_CUDA=ON")

    def test_a_broken_one_is_named(self):
        place = self.program.parent / NAME
        place.write_bytes(b"no library at all")
        self.refused_everywhere("can't be loaded", place)

    def test_one_of_another_version_is_named_with_both_versions(self):
        place = self.put(os.environ["LOCKSTEP_STRANGER"])
        version = support.lockstep("--version").stdout.split()[1]
        self.refused_everywhere("the CUDA part is of lockstep 0.0.1 with LibTorch 1.2.3", f"of lockstep {version} with", place)

    def test_a_library_that_is_no_cuda_part_is_named(self):
        place = self.put(os.environ["LOCKSTEP_NO_ENTRY"], "lib")  # also found where an install keeps libraries
        self.refused_everywhere("the CUDA part has no lockstep_accelerator_entry", place)

    def test_without_a_gpu_the_real_one_loads_and_says_so(self):
        self.put(self.real_part())
        if HAS_GPU:
            self.skipTest("this machine has a GPU")
        self.refused_everywhere("NVIDIA driver", "--device cpu")

    def test_with_a_gpu_it_trains_and_judges(self):
        self.put(self.real_part())
        if not HAS_GPU:
            self.skipTest("this machine has no NVIDIA GPU (no /dev/nvidiactl)")
        self.done("train", "--data", self.data, "--run", self.folder / "new", *NETWORK, "--device", "cuda")
        self.assertEqual(read_json(self.folder / "new/run.json")["device"], "cuda")
        self.done("evaluate", "--run", self.folder / "new", "--device", "cuda")
        on_gpu = read_json(self.folder / "new/metrics.json")["splits"]["validation"]
        self.done("evaluate", "--run", self.folder / "new", "--device", "cpu")
        on_cpu = read_json(self.folder / "new/metrics.json")["splits"]["validation"]
        self.assertAlmostEqual(on_gpu["loss"], on_cpu["loss"], delta=1e-3)


if __name__ == "__main__":
    support.main()
