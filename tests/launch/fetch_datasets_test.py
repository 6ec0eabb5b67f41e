"""Tests of launch/fetch_datasets.sh with a server and small files of our own: nothing is fetched from elsewhere.

Each test runs a copy of the script beside a table that lists these files in the place of the real ones.
"""
import hashlib
import http.server
import io
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
ARCHIVE, UNPACKED = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"


class Server(http.server.ThreadingHTTPServer):
    """Serves a dictionary of bytes. `cut` ends each answer after that many bytes, when `go_on` is set; `ranges`: understands
    Range."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cut, self.ranges, self.requests = dict(files), None, True, []
        self.go_on = threading.Event()
        self.go_on.set()
        self.url = f"http://127.0.0.1:{self.server_port}/sets"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        content = self.server.files.get(self.path.removeprefix("/sets/"))
        if content is None:
            self.send_error(404)
            return
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:][:self.server.cut])
        self.wfile.flush()
        self.server.go_on.wait(30)

    def log_message(self, *words):
        pass


def cifar_archive():
    """An archive such as the official one, far smaller."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in (("data_batch_1.bin", os.urandom(9000)), ("batches.meta.txt", b"airplane\n")):
            entry = tarfile.TarInfo(f"{UNPACKED}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


class FetchDatasets(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        shutil.copytree(ROOT / "launch", self.folder / "checkout/launch")
        self.output = self.folder / "out"
        self.files = {IMAGES: os.urandom(300_000), LABELS: os.urandom(700), ARCHIVE: cifar_archive()}
        self.server = Server(self.files)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.write_table(self.server.url)

    def write_table(self, *addresses):
        sets = {IMAGES: "mnist", LABELS: "mnist", ARCHIVE: "cifar10"}
        lines = [f"from {name} {address}/" for name in ("mnist", "cifar10") for address in addresses]
        lines += [f"file {sets[name]} {name} {len(data)} {hashlib.sha256(data).hexdigest()}"
                  for name, data in self.files.items()]
        (self.folder / "checkout/launch/datasets.txt").write_text("\n".join(lines) + "\n")

    def command(self, *words):
        return [self.folder / "checkout/launch/fetch_datasets.sh", *words, "--output", self.output]

    def fetch(self, *words, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return subprocess.run(self.command(*words), env=clean | environment, cwd=self.folder, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def assert_complete(self, result, *names):
        self.assertEqual(result.returncode, 0, result.stdout)
        for name in names:
            self.assertEqual((self.output / name).read_bytes(), self.files[name])
        self.assertEqual(list(self.output.glob("*.partial")), [])

    def assert_error(self, result, *words, code=1):
        """A last line that says what, where and how, with these words in it, and no file under its final name."""
        self.assertEqual(result.returncode, code, result.stdout)
        last = result.stdout.splitlines()[-1]
        self.assertTrue(last.startswith("error: "), result.stdout)
        self.assertEqual(last.count(" · "), 2, last)
        for word in words:
            self.assertIn(word, last)

    def test_files_come_whole_and_the_next_command_is_said(self):
        result = self.fetch("mnist")
        self.assert_complete(result, IMAGES, LABELS)
        self.assertIn(f"preprocess --source idx --input {self.output} --output datasets/mnist --channels 1", result.stdout)
        self.server.files.clear()
        self.server.requests.clear()
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)
        self.assertEqual(self.server.requests, [])

    def test_an_archive_is_unpacked_and_then_no_longer_needed(self):
        result = self.fetch("cifar10")
        self.assert_complete(result, ARCHIVE)
        self.assertIn("--source cifar10", result.stdout)
        self.assertEqual((self.output / UNPACKED / "batches.meta.txt").read_text(), "airplane\n")
        (self.output / ARCHIVE).unlink()
        self.assertEqual(self.fetch("cifar10", "--check-only").returncode, 0)

    def test_a_cut_download_goes_on_where_it_ended(self):
        self.server.cut = 100_000
        self.assert_error(self.fetch("mnist"), IMAGES, "goes on from here")
        self.assertEqual((self.output / f"{IMAGES}.partial").stat().st_size, 100_000)
        self.assertFalse((self.output / IMAGES).exists())
        self.server.cut = None
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)
        self.assertIn((f"/sets/{IMAGES}", "bytes=100000-"), self.server.requests)

    def test_an_interrupted_run_leaves_what_the_next_one_goes_on_from(self):
        self.server.cut = 1 << 17
        self.server.go_on.clear()  # the connection stays open, as on a slow line
        run = subprocess.Popen(self.command("mnist"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
        partial, deadline = self.output / f"{IMAGES}.partial", time.monotonic() + 30
        while not (partial.exists() and partial.stat().st_size == 1 << 17) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        said = run.communicate(timeout=30)[0]
        self.assertNotEqual(run.returncode, 0)
        self.assertNotIn("Traceback", said)
        self.assertEqual(len(self.server.requests), 1, "it went on to the next file or address")
        self.assertEqual(partial.stat().st_size, 1 << 17)
        self.assertFalse((self.output / IMAGES).exists())
        self.server.cut = None
        self.server.go_on.set()
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)

    def test_too_little_space_is_said_before_anything_is_fetched(self):
        (self.folder / "bin").mkdir()
        (self.folder / "bin/df").write_text("#!/bin/bash\nprintf 'Avail\\n0\\n'\n")
        (self.folder / "bin/df").chmod(0o755)
        result = self.fetch("mnist", PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        self.assert_error(result, "mnist needs 1 MB free, 0 MB are", str(self.output), "--output")
        self.assertEqual(self.server.requests, [])

    def test_a_server_without_ranges_starts_anew(self):
        self.output.mkdir()
        (self.output / f"{IMAGES}.partial").write_bytes(self.files[IMAGES][:5000])
        self.server.ranges = False
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)

    def test_a_whole_partial_file_is_taken_without_fetching(self):
        self.output.mkdir()
        (self.output / f"{IMAGES}.partial").write_bytes(self.files[IMAGES])
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)
        self.assertNotIn(f"/sets/{IMAGES}", [path for path, _ in self.server.requests])

    def test_a_wrong_checksum_is_never_accepted(self):
        self.server.files[LABELS] = bytes(700)
        result = self.fetch("mnist")
        self.assert_error(result, LABELS, "--mirror URL", "--from DIR")
        self.assertIn("wrong checksum", result.stdout)
        self.assertFalse((self.output / LABELS).exists())
        self.assertEqual((self.output / IMAGES).read_bytes(), self.files[IMAGES])
        self.server.files[LABELS] = self.files[LABELS]
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)

    def test_a_begun_file_of_something_else_is_dropped_and_fetched_again(self):
        self.output.mkdir()
        (self.output / f"{LABELS}.partial").write_bytes(b"x" * 100)
        result = self.fetch("mnist")
        self.assert_complete(result, IMAGES, LABELS)
        self.assertIn("wrong checksum", result.stdout)

    def test_the_second_address_helps_where_the_first_fails(self):
        self.write_table(f"{self.server.url}/gone", self.server.url)
        result = self.fetch("mnist")
        self.assert_complete(result, IMAGES, LABELS)
        self.assertIn("404", result.stdout)

    def test_more_than_expected_is_not_taken(self):
        self.server.files[LABELS] += b"more"
        result = self.fetch("mnist")
        self.assert_error(result, LABELS)
        self.assertIn("704 bytes came, 700 expected", result.stdout)

    def test_no_network_is_a_clear_message(self):
        self.write_table("http://127.0.0.1:9", "http://no-such-host.invalid")
        started = time.monotonic()
        result = self.fetch("mnist")
        self.assert_error(result, "can't be fetched", "http://127.0.0.1:9", "check the network", "--from DIR")
        self.assertIn("refused", result.stdout)
        self.assertNotIn("Traceback", result.stdout)
        self.assertLess(time.monotonic() - started, 60)

    def test_mirrors_by_http_and_file(self):
        self.write_table("http://127.0.0.1:9")
        self.assert_complete(self.fetch("mnist", "--mirror", self.server.url), IMAGES, LABELS)
        shutil.rmtree(self.output)
        store = self.folder / "store"
        store.mkdir()
        for name in (IMAGES, LABELS):
            (store / name).write_bytes(self.files[name])
        self.assert_complete(self.fetch("mnist", f"--mirror=file://{store}"), IMAGES, LABELS)

    def test_files_from_a_folder(self):
        store = self.folder / "a store"
        store.mkdir()
        self.assert_error(self.fetch("cifar10", "--from", store), ARCHIVE, "missing", str(store))
        (store / ARCHIVE).write_bytes(self.files[ARCHIVE][:-5])
        self.assert_error(self.fetch("cifar10", "--from", store), "not the official file",
                          hashlib.sha256(self.files[ARCHIVE][:-5]).hexdigest())
        self.assertFalse((self.output / UNPACKED).exists())
        (store / ARCHIVE).write_bytes(self.files[ARCHIVE])
        self.assert_complete(self.fetch("cifar10", "--from", store), ARCHIVE)
        self.assertTrue((self.output / UNPACKED / "data_batch_1.bin").exists())
        self.assertEqual(self.server.requests, [])

    def test_check_only_lists_and_changes_nothing(self):
        self.assertEqual(self.fetch("mnist", "--check-only").stdout.splitlines(), [f"missing: {IMAGES}", f"missing: {LABELS}"])
        self.assertFalse(self.output.exists())
        self.fetch("mnist")
        (self.output / LABELS).write_bytes(b"rubbish")
        result = self.fetch("mnist", "--check-only")
        self.assertEqual((result.returncode, result.stdout.splitlines()), (1, [f"damaged: {LABELS}"]))
        self.assert_complete(self.fetch("mnist"), IMAGES, LABELS)
        self.assertEqual(self.fetch("mnist", "--check-only").returncode, 0)

    def test_a_folder_of_somebody_else_is_left_alone(self):
        (self.output / UNPACKED).mkdir(parents=True)
        (self.output / UNPACKED / "mine").write_text("keep")
        self.assert_error(self.fetch("cifar10"), UNPACKED, "move it away")
        self.assertEqual((self.output / UNPACKED / "mine").read_text(), "keep")

    def test_two_runs_at_once_end_with_whole_files(self):
        runs = [subprocess.Popen(self.command("mnist"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for _ in range(2)]
        for run in runs:
            said = run.communicate(timeout=60)[0]
            self.assertEqual(run.returncode, 0, said)
        self.assertEqual(len(self.server.requests), 2)
        self.assertEqual((self.output / IMAGES).read_bytes(), self.files[IMAGES])

    def test_a_wrong_command_line_is_a_usage_error(self):
        for words in ([], ["imagenet"], ["mnist", "cifar10"], ["mnist", "--gpu"], ["mnist", "--mirror", "x", "--from", "y"]):
            result = self.fetch(*words)
            self.assertEqual(result.returncode, 2, result.stdout)
        self.assertIn("mnist cifar10", self.fetch("imagenet").stdout)


class Table(unittest.TestCase):
    """launch/datasets.txt itself."""

    def test_every_row_is_whole(self):
        lines = (ROOT / "launch/datasets.txt").read_text().splitlines()
        rows = [line.split() for line in lines if line and not line.startswith("#")]
        for row in rows:
            if row[0] == "file":
                self.assertRegex(" ".join(row[3:]), r"^[1-9]\d* [0-9a-f]{64}$")
            else:
                self.assertEqual((row[0], len(row)), ("from", 3))
                self.assertRegex(row[2], r"^https?://\S+/$")
        sets = {row[1] for row in rows}
        self.assertEqual(sets, {"mnist", "fashion-mnist", "cifar10", "cifar100"})
        self.assertEqual({row[1] for row in rows if row[0] == "from"}, sets)

    def test_fashion_mnist_s_files_are_the_ones_listed(self):
        data = pathlib.Path(os.environ.get("LOCKSTEP_TEST_DATA", ROOT.parent / "shared/data")) / "fashion-mnist"
        if not data.is_dir():
            self.skipTest(f"no {data}: name the folder of the test data in LOCKSTEP_TEST_DATA")
        with tempfile.TemporaryDirectory() as output:
            result = subprocess.run([ROOT / "launch/fetch_datasets.sh", "fashion-mnist", "--from", data, "--output", output],
                                    text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertEqual(len(list(pathlib.Path(output).glob("*.gz"))), 4)

    def test_checksums_belong_to_the_files_that_torchvision_lists(self):
        """By MD5, on the files that are there: an independent list of the same files."""
        try:
            from torchvision.datasets import FashionMNIST
        except ImportError:
            self.skipTest("torchvision is missing")
        data = pathlib.Path(os.environ.get("LOCKSTEP_TEST_DATA", ROOT.parent / "shared/data")) / "fashion-mnist"
        if not data.is_dir():
            self.skipTest(f"no {data}: name the folder of the test data in LOCKSTEP_TEST_DATA")
        table = (ROOT / "launch/datasets.txt").read_text()
        for name, md5 in FashionMNIST.resources:
            content = (data / name).read_bytes()
            self.assertEqual(hashlib.md5(content).hexdigest(), md5)
            self.assertRegex(table, rf"fashion-mnist {re.escape(name)} {len(content)} {hashlib.sha256(content).hexdigest()}\n")


if __name__ == "__main__":
    unittest.main()
