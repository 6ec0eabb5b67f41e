"""A disk that fills up: one sentence, nothing partial taken for whole, and the same command succeeds once there is room.

Each test fills a memory disk of its own, mounted in a private name space that ends with this script. Where the system allows
no such mount the script is skipped.
"""
import os
import subprocess
import sys

import support
from support import SystemTest, files_below, read_json

INSIDE = "LOCKSTEP_IN_OWN_NAMESPACE"
NO_SPACE = "No space left"


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True, text=True)


def enter_own_namespace():
    """Starts this script again where it may mount; ends with 77 if nothing may be mounted anywhere."""
    own = ["unshare", "--mount"] + (["--map-root-user"] if os.geteuid() else [])
    try:
        attempt = subprocess.run([*own, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    except FileNotFoundError as error:
        attempt = subprocess.CompletedProcess(own, 1, "", str(error))
    if attempt.returncode != 0:
        print(f"skipped: no memory disk can be mounted in a name space of our own: {attempt.stderr.strip()}")
        sys.exit(support.SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp(own[0], [*own, sys.executable, "-B", *sys.argv])


class NoSpace(SystemTest):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()

    def mount_disk(self, *options):
        mount("-t", "tmpfs", "-o", ",".join(options), "none", self.disk)
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)

    def enlarge(self):
        mount("-o", "remount,size=64m,nr_inodes=1000", self.disk)


class Packing(NoSpace):
    def pack_words(self):
        return ("preprocess", "--source", "generated", "--images", 3000, "--side", 32, "--shard-mib", 1,
                "--output", self.disk / "data")

    def assert_goes_on(self, words):
        """What was finished before the disk was full may stay, as an unfinished packing; the rest is packed then."""
        left = files_below(self.disk)
        self.assertEqual([name for name in left if name.endswith(("manifest.json", "images.h5", ".partial"))], [])
        self.assertTrue(not left or "data/.packing/settings.json" in left, left)
        self.enlarge()
        self.done(*words)
        self.assertFalse((self.disk / "data/.packing").exists())
        self.assertEqual(sum(split["samples"] for split in read_json(self.disk / "data/manifest.json")["splits"]), 3000)

    def test_too_small_a_disk_is_told_before_the_work(self):
        self.mount_disk("size=4m")
        self.refused(1, ["MiB", "are free", self.disk / "data"], *self.pack_words())
        self.assert_goes_on(self.pack_words())

    def test_a_disk_that_takes_no_more_files_midway(self):
        self.mount_disk("size=64m", "nr_inodes=8")
        self.refused(1, [NO_SPACE, self.disk / "data"], *self.pack_words())
        self.refused(1, ["did not finish"], "train", "--data", self.disk / "data", "--run", self.folder / "run")
        self.assert_goes_on(self.pack_words())

    def test_the_same_with_two_ranks(self):
        self.mount_disk("size=64m", "nr_inodes=8")
        self.refused_by_ranks(2, 1, [NO_SPACE, self.disk / "data"], *self.pack_words())
        self.assert_goes_on(self.pack_words())


class Training(NoSpace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data")

    def train_words(self):
        """A network of a megabyte."""
        return ("train", "--data", self.data, "--run", self.disk / "run", "--filters", "8,16", "--dense", 1024,
                "--epochs", 1, "--threads", 1)

    def evaluate_words(self, weights):
        return ("evaluate", "--run", self.disk / "run", "--weights", weights)

    def assert_no_partial_weights(self, *expected):
        self.assertEqual(sorted(path.name for path in self.disk.rglob("*.safetensors*")), sorted(expected))
        self.assertEqual([path for path in files_below(self.disk) if path.endswith(".partial")], [])

    def test_no_room_for_the_run_at_all(self):
        self.mount_disk("size=64m", "nr_inodes=2")
        self.refused(1, [NO_SPACE, self.disk / "run"], *self.train_words())
        self.assert_no_partial_weights()
        self.enlarge()
        self.done(*self.train_words())

    def test_no_room_for_the_weights(self):
        self.mount_disk("size=512k")
        sentence = self.refused(1, [NO_SPACE, self.disk / "run/weights/best.safetensors"], *self.train_words())
        self.assert_no_partial_weights()
        self.enlarge()
        self.assertNotEqual(support.lockstep(*self.evaluate_words("best")).returncode, 0)
        again = support.lockstep(*self.train_words())
        self.assertTrue("same command" not in sentence or again.returncode == 0,
                        f"'{sentence}' promises what does not hold:\n{again.stderr}")

    def test_no_room_for_the_second_weights(self):
        self.mount_disk("size=1700k")
        self.refused(1, [NO_SPACE, self.disk / "run/weights/last.safetensors"], *self.train_words())
        self.assert_no_partial_weights("best.safetensors")
        self.enlarge()
        self.done(*self.evaluate_words("best"))
        self.refused(1, [self.disk / "run/weights/last.safetensors"], *self.evaluate_words("last"))

    def test_no_room_for_the_checkpoint(self):
        self.mount_disk("size=4000k")
        self.refused(1, [NO_SPACE, self.disk / "run/checkpoints"], *self.train_words())
        self.assert_no_partial_weights("best.safetensors", "last.safetensors")
        self.enlarge()
        self.done(*self.evaluate_words("last"))
        self.assertIn("begins anew", self.done("train", "--resume", self.disk / "run").stderr)

    def test_no_room_with_two_ranks(self):
        self.mount_disk("size=512k")
        self.refused_by_ranks(2, 1, [NO_SPACE, self.disk / "run/weights/best.safetensors"], *self.train_words())
        self.assert_no_partial_weights()


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_own_namespace()
    support.main()
