"""What cmake --install puts into a folder runs from there, without the checkout or the build folder in its ways."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LOCKSTEP_BINARY_DIR", ROOT / "build"))


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name).resolve()
        cls.prefix = cls.folder / "prefix"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True, capture_output=True)

    def run_here(self, *words):
        result = subprocess.run([str(word) for word in words], cwd=self.folder, text=True, capture_output=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def test_what_is_there(self):
        scripts = self.prefix / "share/lockstep"
        for path in (self.prefix / "bin/lockstep", self.prefix / "bin/lockstep-preprocess", scripts / "launch/train_local.sh",
                     scripts / "launch/submit", scripts / "slurm/train.sbatch", scripts / "configs/custom_cnn.ini"):
            self.assertTrue(path.exists(), path)
        for path in (scripts / "launch/submit", scripts / "launch/train_local.sh"):
            self.assertTrue(os.access(path, os.X_OK), path)
        self.assertFalse((scripts / "launch/setup.sh").exists(), "there is nothing to set up")

    def test_training_from_there(self):
        self.run_here(self.prefix / "bin/lockstep", "preprocess", "--source", "generated", "--images", 60, "--side", 16, "--output", "data")
        said = self.run_here(self.prefix / "share/lockstep/launch/train_local.sh", 2, "--data", "data", "--run", "run", "--filters", 4, "--dense", 8,
                             "--max-steps", 2, "--batch", 10)
        self.assertIn("2 ranks", said)
        self.assertIn("samples", self.run_here(self.prefix / "bin/lockstep", "evaluate", "--run", "run"))

    def test_a_job_finds_the_program_beside_it(self):
        (self.folder / "bin").mkdir()
        (self.folder / "bin/mpirun").write_text('#!/bin/bash\necho "told $*"\n')
        (self.folder / "bin/mpirun").chmod(0o755)
        home = self.prefix / "share/lockstep"
        result = subprocess.run(["bash", home / "slurm/evaluate.sbatch", "--run", "run"], text=True, capture_output=True, cwd=self.folder, env={
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "LOCKSTEP_ROOT": str(home), "SLURM_JOB_ID": "1", "SLURM_JOB_NUM_NODES": "1",
            "SLURM_JOB_NODELIST": "node1", "SLURM_SUBMIT_DIR": "/"})
        self.assertIn(f"told -np 1 {self.prefix}/bin/lockstep evaluate --run run", result.stdout, result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
