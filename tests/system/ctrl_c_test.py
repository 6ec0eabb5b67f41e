"""A run that is asked to stop ends after its step with exit code 75 and everything saved: one process, and ranks.

launch/train_local.sh turns Ctrl-C into SIGUSR2 to mpirun, which hands it to every rank.
"""
import signal
import time

import support
from support import PROGRAM, ROOT, SystemTest, command, read_log

safetensors = support.needed("safetensors")
numpy = support.needed("numpy")
SOON = 30  # seconds from the signal to the end; a step takes milliseconds
RESUMABLE = 75


class CtrlC(SystemTest):
    IMAGES = 300

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=cls.IMAGES)

    def setUp(self):
        super().setUp()
        self.run_folder = self.folder / "run"

    def words(self, *more):
        """A training that would take hours."""
        network = more or ("--filters", "8,16", "--batch", 6)
        return ("train", "--data", self.data, "--run", self.run_folder, "--dense", 16, "--threads", 1, "--epochs", 100000,
                "--log-every", 1, *network)

    def start(self, words, wanted, **options):
        """Starts and waits until the log has a line of the wanted kind."""
        process = support.start(words, **options)
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        log = self.run_folder / "log.jsonl"
        self.wait_until(process, lambda: log.exists() and f'"event":"{wanted}"' in log.read_text(encoding="utf-8"))
        return process

    def stop(self, process, number):
        """Sends the signal and returns what was said until the end."""
        begin = time.monotonic()
        process.send_signal(number)
        said = process.communicate(timeout=SOON)[0]
        self.assertLess(time.monotonic() - begin, SOON)
        return said

    def assert_saved(self, process, said):
        self.assertEqual(process.returncode, RESUMABLE, said)
        self.assertIn("stopped by a signal", said)
        for noise in support.NOISE:
            self.assertNotIn(noise, said)
        log = read_log(self.run_folder)
        last = log[-1]
        self.assertEqual([line["event"] for line in log].count("stopped"), 1)
        self.assertEqual(last["event"], "stopped")
        self.assertGreaterEqual(last["step"], log[-2]["step"])
        self.assertTrue(numpy.isfinite(last["train_loss"]))
        with safetensors.safe_open(self.run_folder / "weights/last.safetensors", "numpy") as file:
            self.assertEqual(int(file.metadata()["step"]), last["step"])
            for name in file.keys():
                self.assertTrue(numpy.isfinite(file.get_tensor(name)).all(), name)
        self.assertEqual([name for name in support.files_below(self.run_folder) if name.endswith(".partial")], [])
        self.done("evaluate", "--run", self.run_folder, "--weights", "last")


class ShortEpoch(CtrlC):
    def test_one_process_and_sigint(self):
        process = self.start(command(*self.words()), "step")
        self.assert_saved(process, self.stop(process, signal.SIGINT))

    def test_one_process_and_sigterm_after_an_epoch(self):
        process = self.start(command(*self.words()), "epoch")
        self.assert_saved(process, self.stop(process, signal.SIGTERM))
        self.done("evaluate", "--run", self.run_folder, "--weights", "best")

    def test_two_ranks_and_sigusr2_to_mpirun(self):
        for wanted in ("step", "epoch"):
            with self.subTest(after=wanted):
                self.run_folder = self.folder / wanted
                process = self.start(command(*self.words(), ranks=2), wanted)
                self.assert_saved(process, self.stop(process, signal.SIGUSR2))

    def test_the_launch_script_and_sigint(self):
        script = (ROOT / "launch/train_local.sh", "--build-dir", PROGRAM.parent.parent, 2)
        process = self.start((*script, *self.words()[1:]), "epoch")
        self.assert_saved(process, self.stop(process, signal.SIGINT))


class LongEpoch(CtrlC):
    """7,200 training images: an epoch takes seconds."""

    IMAGES = 10000

    def test_before_the_first_epoch_there_are_no_best_weights(self):
        process = self.start(command(*self.words()), "step")
        self.assert_saved(process, self.stop(process, signal.SIGINT))
        self.refused(1, [self.run_folder / "weights/best.safetensors", "--weights"], "evaluate", "--run", self.run_folder)

    def test_a_second_sigint_does_not_wait_for_the_step(self):
        process = self.start(command(*self.words("--filters", "16,16", "--kernels", 11, "--batch", 3000)), "step")
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # a step takes a second
        said = self.stop(process, signal.SIGINT)
        self.assertEqual(process.returncode, -signal.SIGINT, said)
        self.assertEqual(support.files_below(self.run_folder / "weights"), [])


if __name__ == "__main__":
    support.main()
