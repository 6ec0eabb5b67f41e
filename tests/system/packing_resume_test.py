"""Packing killed (kill -9) at random moments: the same command goes on, and the result is that of an uninterrupted packing.

One rank with threads and two ranks under mpirun, of which one or both are killed; a new packing and one that adds to a data
set. The moments are drawn with a fixed seed over the time that the work takes here.
"""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import support
from support import SystemTest, command, environment, files_below, read_json

IMAGES, ADDED = 150, 60  # of 128 × 128 pixels: 48 KiB raw, 21 a shard


def packers_of(output):
    """Process numbers of the ranks that pack into this folder."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended meanwhile
                continue
            if words[0].endswith((b"/lockstep", b"/lockstep-preprocess")) and os.fsencode(output) in words:
                found.append(int(folder.name))
    return found


def kill(numbers):
    for number in numbers:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Killed(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.photos = cls.shared / "photos"
        for i in range(IMAGES):
            cls.photograph(cls.photos, i)

    @staticmethod
    def photograph(folder, i):
        draw = random.Random(i)
        width, height = draw.randint(150, 260), draw.randint(150, 260)
        path = folder / f"{'abc'[i % 3]}/{i:04}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"P6 {width} {height} 255\n".encode() + draw.randbytes(3 * width * height))

    def words(self, output, *more):
        return ("preprocess", "--source", "class-folders", "--input", self.photos, "--output", output, "--side", 128,
                "--shard-mib", 1, *more)

    def seconds_of(self, words, ranks):
        begin = time.monotonic()
        self.done(*words, ranks=ranks)
        return time.monotonic() - begin

    def kill_after(self, seconds, output, words, ranks, draw):
        """Whether a rank was killed: False if the packing had ended by then, None if no rank had begun."""
        process = subprocess.Popen(command(*words, ranks=ranks), env=environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            numbers = packers_of(output)
            draw.shuffle(numbers)
            # One rank dies and mpirun ends the other, or all die at once.
            kill(numbers[:draw.randint(1, max(1, len(numbers)))])
        try:
            process.wait(10 if ranks and numbers else 0)
        except subprocess.TimeoutExpired:  # mpirun was starting them, or waits for one that died while it started
            process.kill()
            process.wait()
        while left := packers_of(output):  # nothing may still write when the next one starts
            kill(left)
            time.sleep(0.01)
        return True if numbers else None

    def assert_same(self, found, expected):
        self.assertEqual(files_below(found), files_below(expected))
        for name in files_below(expected):
            self.assertEqual((found / name).read_bytes(), (expected / name).read_bytes(), name)

    def check_whole_or_absent(self, output, expected):
        """At no moment is there a manifest of something that is not whole."""
        if (output / "manifest.json").exists():
            self.assertIn((output / "manifest.json").read_bytes(),
                          [(whole / "manifest.json").read_bytes() for whole in expected])
            for split in read_json(output / "manifest.json")["splits"]:
                for shard in split["shards"]:
                    self.assertEqual((output / shard["file"]).stat().st_size, shard["bytes"])

    def kill_and_go_on(self, rounds, ranks, words_of, start, expected, old=()):
        """`start` prepares an output; kills follow each other in it now and then, as they do on a cluster."""
        draw = random.Random(rounds + ranks)
        started = self.folder / "time"
        start(started)
        span = self.seconds_of(words_of(started), ranks)
        for round_number in range(rounds):
            output = self.folder / f"out-{round_number}"
            start(output)
            kills = 0
            while kills == 0 or draw.random() < 0.4:
                killed = self.kill_after(draw.uniform(0.02, span), output, words_of(output), ranks, draw)
                self.check_whole_or_absent(output, [expected, *old])
                if killed:
                    kills += 1
                elif killed is False and kills == 0:  # it ended unharmed and shows nothing: once more, with an earlier moment
                    span *= 0.95
                    self.assertGreater(span, 0.05, "packing ends before a kill can come")
                    shutil.rmtree(output)
                    start(output)
            self.done(*words_of(output), ranks=ranks)
            self.assert_same(output, expected)
            shutil.rmtree(output)

    def whole(self, *more):
        expected = self.folder / "expected"
        self.done(*self.words(expected, *more))
        return expected

    def test_one_rank_with_threads(self):
        more = ("--threads", 2)
        self.kill_and_go_on(20, 0, lambda output: self.words(output, *more), lambda output: None, self.whole(*more))

    def test_jpeg_with_one_rank(self):
        more = ("--threads", 2, "--store", "jpeg")
        self.kill_and_go_on(6, 0, lambda output: self.words(output, *more), lambda output: None, self.whole(*more))

    def test_two_ranks(self):
        more = ("--threads", 1)
        self.kill_and_go_on(20, 2, lambda output: self.words(output, *more), lambda output: None, self.whole(*more))

    def test_adding(self):
        before = self.folder / "before"
        photos = self.folder / "photos"
        shutil.copytree(self.photos, photos)
        self.photos = photos
        self.done(*self.words(before))
        for i in range(IMAGES, IMAGES + ADDED):
            self.photograph(photos, i)
        expected = self.folder / "expected"
        shutil.copytree(before, expected)
        self.done(*self.words(expected, "--add"))
        self.kill_and_go_on(10, 0, lambda output: self.words(output, "--add"), lambda output: shutil.copytree(before, output),
                            expected, [before])

    def test_a_failure_midway_keeps_what_is_done(self):
        photos = self.folder / "photos"
        shutil.copytree(self.photos, photos)
        self.photos = photos
        expected = self.folder / "expected"
        self.done(*self.words(expected))
        bad = photos / "c/0149.ppm"
        good, times = bad.read_bytes(), bad.stat()
        bad.write_bytes(good[:500])
        self.refused(1, ["an image cannot be used", "c/0149.ppm"], *self.words(self.folder / "out", "--strict", "--threads", 1))
        self.assertFalse((self.folder / "out/manifest.json").exists())
        self.refused(1, ["did not finish"], "train", "--data", self.folder / "out", "--run", self.folder / "run")
        bad.write_bytes(good)
        os.utime(bad, ns=(times.st_atime_ns, times.st_mtime_ns))
        said = self.done(*self.words(self.folder / "out")).stderr
        self.assertIn("going on with an unfinished packing", said)
        self.assert_same(self.folder / "out", expected)
        self.assertIn("nothing to do", self.done(*self.words(self.folder / "out")).stderr)


if __name__ == "__main__":
    support.main()
