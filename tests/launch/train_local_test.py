"""Tests of launch/train_local.sh with an mpirun of our own that tells how it was called, and with a real terminal."""
import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "launch/train_local.sh"
CORES = len(os.sched_getaffinity(0))

# Tells its words and environment, then ends with $MPIRUN_EXIT.
TELLING_MPIRUN = '#!/bin/bash\nprintf "word %s\\n" "$@"\nenv\nexit "${MPIRUN_EXIT:-0}"\n'
# Runs until a signal comes, and tells each one in $SIGNALS.
WAITING_MPIRUN = r"""#!/bin/bash
echo started >>"$SIGNALS"
trap 'echo USR2 >>"$SIGNALS"; [[ -n ${STUBBORN-} ]] || { sleep 0.3; exit 75; }' USR2
trap 'echo INT >>"$SIGNALS"; exit 1' INT
trap 'echo TERM >>"$SIGNALS"; exit 143' TERM
for ((i = 0; i < 200; ++i)); do sleep 0.1; done
exit 99
"""


class TrainLocal(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "build/bin").mkdir(parents=True)
        self.add_program("build/bin/lockstep", "#!/bin/bash\n")
        self.signals = self.folder / "signals"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "MALLOC", "OMPI"))}
        self.environment = kept | {"PATH": f"{self.folder}:{os.environ['PATH']}", "SIGNALS": str(self.signals)}

    def add_program(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def command(self, *words):
        return [SCRIPT, "--build-dir", self.folder / "build", *words]

    def train(self, *words, before=(), **environment):
        self.add_program("mpirun", TELLING_MPIRUN)
        return subprocess.run([*before, *self.command(*words)], env=self.environment | environment, cwd="/", text=True,
                              capture_output=True, timeout=60)

    def told_environment(self, result):
        return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)

    def test_options_arrive_whole(self):
        result = self.train("2", "--data", "a folder/with spaces", "--lr", "1e-3")
        self.assertEqual(result.returncode, 0, result.stderr)
        words = [line[5:] for line in result.stdout.splitlines() if line.startswith("word ")]
        self.assertEqual(words, ["-np", "2", "--oversubscribe", str(self.folder / "build/bin/lockstep"),
                                 "train", "--data", "a folder/with spaces", "--lr", "1e-3"])

    def test_ranks_are_bound_to_no_single_core(self):
        told = self.told_environment(self.train("1"))
        self.assertEqual(told["OMPI_MCA_hwloc_base_binding_policy"], "none")
        self.assertEqual(told["PRTE_MCA_hwloc_default_binding_policy"], "none")

    def test_ranks_share_the_cores_this_process_may_use(self):
        told = self.told_environment(self.train("1"))
        self.assertEqual(told["OMP_NUM_THREADS"], str(CORES))
        one_core = str(min(os.sched_getaffinity(0)))
        told = self.told_environment(self.train("1", before=("taskset", "-c", one_core)))
        self.assertEqual(told["OMP_NUM_THREADS"], "1")

    def test_large_blocks_are_kept_between_steps(self):
        told = self.told_environment(self.train("1"))
        self.assertGreaterEqual(int(told["MALLOC_MMAP_THRESHOLD_"]), 1 << 32)
        self.assertGreaterEqual(int(told["MALLOC_TRIM_THRESHOLD_"]), 1 << 32)

    def test_root_is_allowed_only_for_root(self):
        told = self.told_environment(self.train("1"))
        self.assertEqual(told.get("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1" if os.geteuid() == 0 else None)

    def test_more_ranks_than_cores_warns_and_lets_waiting_ranks_yield(self):
        result = self.train(str(CORES + 1))
        self.assertIn(f"warning: {CORES + 1} ranks share {CORES} cores", result.stderr)
        told = self.told_environment(result)
        self.assertEqual((told["OMP_NUM_THREADS"], told["OMPI_MCA_mpi_yield_when_idle"]), ("1", "1"))
        self.assertEqual(self.train(str(CORES)).stderr, "")

    def test_what_the_user_set_is_kept(self):
        told = self.told_environment(self.train("1", OMP_NUM_THREADS="7", MALLOC_TRIM_THRESHOLD_="8"))
        self.assertEqual((told["OMP_NUM_THREADS"], told["MALLOC_TRIM_THRESHOLD_"]), ("7", "8"))

    def test_the_exit_code_is_the_program_s(self):
        for code in (1, 2, 71, 75):
            self.assertEqual(self.train("1", MPIRUN_EXIT=str(code)).returncode, code)

    def test_a_wrong_command_line_is_a_usage_error(self):
        for words in ([], ["0"], ["-3"], ["two"], ["--data", "d"], ["1.5"]):
            result = self.train(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn("the number of ranks comes first", result.stderr)

    def test_a_missing_program_is_named_with_the_way_to_build_it(self):
        (self.folder / "build/bin/lockstep").unlink()
        result = self.train("1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the program is not built", result.stderr)
        self.assertIn("quickstart.sh", result.stderr)

    def start(self, **options):
        """The script over an mpirun that waits for signals; returns when that has started."""
        self.add_program("mpirun", WAITING_MPIRUN)
        process = subprocess.Popen(self.command("1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True, **options)
        self.addCleanup(process.kill)
        self.wait_until(lambda: self.signals.exists())
        return process

    def wait_until(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, "waited 20 s in vain")
            time.sleep(0.05)

    def received(self):
        return self.signals.read_text().split()[1:]

    def test_an_interrupt_becomes_one_request_to_stop(self):
        process = self.start(env=self.environment)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 75)
        self.assertEqual(self.received(), ["USR2"])

    def test_a_second_interrupt_ends_it_at_once(self):
        process = self.start(env=self.environment | {"STUBBORN": "1"})
        process.send_signal(signal.SIGINT)
        self.wait_until(lambda: self.received() == ["USR2"])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 143)
        self.assertEqual(self.received(), ["USR2", "TERM"])

    def test_ctrl_c_on_a_terminal_reaches_the_ranks_as_a_request_only(self):
        self.add_program("mpirun", WAITING_MPIRUN)
        child, terminal = pty.fork()
        if child == 0:
            os.execve(SCRIPT, [str(word) for word in self.command("1")], self.environment)
        self.wait_until(lambda: self.signals.exists())
        os.write(terminal, b"\x03")
        _, status = os.waitpid(child, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 75)
        self.assertEqual(self.received(), ["USR2"])


if __name__ == "__main__":
    unittest.main()
