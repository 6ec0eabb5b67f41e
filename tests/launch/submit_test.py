"""Tests of launch/submit: its scripts beside stored ones for two sites, and what it says to an sbatch of our own.

After a wanted change: python3 tests/launch/submit_test.py --store, then look at the difference.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORED = ROOT / "tests/launch/submitted"
CHAIN = ("--nodes", "2", "preprocess", "--source", "class-folders", "--input", "my images", "--output", "data", "then", "--nodes", "4", "train",
         "--data", "data", "--run", "run", "--config", "configs/custom_cnn.ini", "then", "--nodes", "1", "--time", "30:00", "evaluate",
         "--run", "run", "--split", "test")

# Keeps each script it gets, and numbers the jobs; the third one is refused if $REFUSES.
SBATCH = r"""#!/bin/bash
number=$(($(ls "$JOBS" | wc -l) + 1))
if [[ -n ${REFUSES-} && $number == 3 ]]; then echo "sbatch: error: invalid partition" >&2; exit 1; fi
cat >"$JOBS/$number"
echo "$((100 + number));cluster"
"""


def dry_run(site):
    """The scripts of a chain for a site, with the project's folder called ROOT."""
    words = CHAIN if site == "cpu" else CHAIN[:CHAIN.index("--config")] + ("--device", "cuda") + CHAIN[CHAIN.index("then", 12):]
    result = subprocess.run([ROOT / "launch/submit", "--dry-run", "--site", STORED / f"{site}_site.sh", *words], text=True, capture_output=True,
                            env={name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP")}, check=True)
    return result.stdout.replace(str(ROOT), "ROOT")


class Submit(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "bin").mkdir()
        (self.folder / "jobs").mkdir()
        (self.folder / "bin/sbatch").write_text(SBATCH)
        (self.folder / "bin/sbatch").chmod(0o755)

    def submit(self, *words, path=True, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP")}
        paths = f"{self.folder}/bin:" if path else ""
        return subprocess.run([ROOT / "launch/submit", *words], text=True, capture_output=True, cwd=self.folder,
                              env=kept | {"PATH": f"{paths}/usr/bin:/bin", "JOBS": str(self.folder / "jobs")} | environment)

    def lines(self, *words):
        """#SBATCH lines and the exports of a single job."""
        result = self.submit("--dry-run", *words)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [line.split("  ")[0] for line in result.stdout.splitlines() if line.startswith(("#SBATCH", "export", "set -- "))]

    def test_scripts_are_the_stored_ones(self):
        for site in ("cpu", "gpu"):
            self.assertEqual(dry_run(site), (STORED / f"{site}.txt").read_text(), f"{site}: see the top of this file")

    def test_a_script_is_one_that_bash_and_slurm_read(self):
        """Slurm stops looking for its lines at the first command."""
        for site in ("cpu", "gpu"):
            for script in dry_run(site).split("# --- job ")[1:]:
                lines = script.splitlines()[1:]
                self.assertEqual(lines[0], "#!/usr/bin/env bash")
                first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
                self.assertFalse([line for line in lines[first:] if line.startswith("#SBATCH")])
                subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=True)

    def test_the_command_line_wins_over_the_site_which_wins_over_the_template(self):
        site = STORED / "cpu_site.sh"
        lines = self.lines("--site", site, "--cpus=8", "--partition", "debug", "train")
        for line in ("#SBATCH --cpus-per-task=8", "#SBATCH --partition=debug", "#SBATCH --account=vision", "#SBATCH --nodes=1"):
            self.assertIn(line, lines)
        self.assertEqual(len({line.split("=")[0] for line in lines}), len(lines), "each said once")

    def test_a_rank_a_gpu_unless_said_otherwise_and_none_for_packing(self):
        self.assertIn("#SBATCH --ntasks-per-node=4", self.lines("--gpus", "4", "train"))
        self.assertIn("#SBATCH --ntasks-per-node=2", self.lines("--gpus", "4", "--ranks", "2", "train"))
        self.assertIn("#SBATCH --ntasks-per-node=8", self.lines("--site", STORED / "cpu_site.sh", "--gpus", "8", "train"))
        self.assertIn("#SBATCH --ntasks-per-node=2", self.lines("--site", STORED / "cpu_site.sh", "--gpus", "0", "train"), "the site's")
        packing = self.lines("--gpus", "4", "preprocess")
        self.assertIn("#SBATCH --ntasks-per-node=4", packing)  # the template's
        self.assertFalse([line for line in packing if "gpus" in line])

    def test_jobs_wait_for_the_one_before(self):
        result = self.submit("--after", "55", *CHAIN)
        self.assertEqual(result.returncode, 0, result.stderr)
        scripts = [(self.folder / f"jobs/{number}").read_text() for number in (1, 2, 3)]
        for script, before in zip(scripts, (55, 101, 102)):
            self.assertIn(f"#SBATCH --dependency=afterok:{before}\n", script)
            self.assertIn("#SBATCH --kill-on-invalid-dep=yes\n", script)
        self.assertEqual([line for line in result.stdout.splitlines() if line.startswith("job ")],
                         ["job 101: preprocess", "job 102: train", "job 103: evaluate"])
        for words in ("squeue --me", "tail -F preprocess-101.log", "lockstep runs", "scancel 101 102 103"):
            self.assertIn(words, result.stdout)

    def test_a_range_of_nodes_and_a_longer_warning(self):
        lines = self.lines("--nodes", "2-8", "--warning", "600", "train")
        self.assertIn("#SBATCH --nodes=2-8", lines)
        self.assertIn("#SBATCH --signal=B:USR2@600", lines)
        self.assertEqual(len([line for line in lines if "--signal" in line]), 1)
        self.assertFalse([line for line in self.lines("--warning", "600", "evaluate") if "--signal" in line])

    def test_the_build_folder_goes_along(self):
        self.assertIn("export LOCKSTEP_BUILD=/scratch/a\\ b", self.lines("--build-dir", "/scratch/a b", "train"))
        self.assertIn("export LOCKSTEP_BUILD=/scratch/b", self.submit("--dry-run", "train", LOCKSTEP_BUILD="/scratch/b").stdout)

    def test_the_log_has_the_jobs_name(self):
        self.assertIn("tail -F mine-101.log", self.submit("--name", "mine", "train").stdout)

    def test_a_site_that_is_not_there(self):
        result = self.submit("--dry-run", "train", LOCKSTEP_SITE="/none.sh")
        self.assertEqual((result.returncode, result.stderr.split(" · ")[1]), (2, "LOCKSTEP_SITE=/none.sh"))

    def test_a_name_with_spaces(self):
        self.assertIn('#SBATCH --job-name="my first job"', self.lines("--name", "my first job", "train"))

    def test_words_arrive_whole(self):
        script = self.submit("--dry-run", "train", "--run", "a b", "--class-names", "it's $HOME; `ls`", "--data", "*").stdout
        line = next(line for line in script.splitlines() if line.startswith("set -- "))
        words = subprocess.run(["bash", "-c", f"{line}\nprintf '%s\\n' \"$@\""], text=True, capture_output=True, cwd=self.folder).stdout.splitlines()
        self.assertEqual(words, ["--run", "a b", "--class-names", "it's $HOME; `ls`", "--data", "*"])
        self.assertIn("\nset --\n", self.submit("--dry-run", "evaluate").stdout, "none at all")

    def test_a_refused_job_is_said(self):
        result = self.submit(*CHAIN, REFUSES="1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("invalid partition", result.stderr)
        self.assertIn("error: Slurm refused the job", result.stderr)
        self.assertIn("scancel 101 102", result.stderr, "what was submitted already")

    def test_wrong_command_lines(self):
        for words, said in (((), "no command"), (("--nodes", "2"), "no command after the resources"), (("--nodes",), "--nodes needs a value"),
                            (("--nodes", "two", "train"), "--nodes 'two' is neither a number nor a range"), (("--gpu", "2", "train"), "unknown option"),
                            (("tune",), "'tune' is not a job"), (("train", "then"), "nothing follows 'then'"),
                            (("--launcher", "ssh", "train"), "--launcher 'ssh'"), (("--site", "/none", "train"), "no site file")):
            with self.subTest(words):
                result = self.submit(*words)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(said, result.stderr)
                self.assertEqual(result.stderr.count(" · "), 2)
        self.assertEqual(list((self.folder / "jobs").iterdir()), [])

    def test_away_from_a_cluster(self):
        result = self.submit("train", path=False)
        if "sbatch is missing" not in result.stderr:
            self.skipTest("there is an sbatch in /usr/bin")
        self.assertEqual(result.returncode, 1)


if __name__ == "__main__":
    if sys.argv[1:] == ["--store"]:
        for each in ("cpu", "gpu"):
            (STORED / f"{each}.txt").write_text(dry_run(each))
    else:
        unittest.main(verbosity=2)
