"""Tests of launch/setup.sh with packages, package servers and disks of our own: nothing is fetched from anywhere.

dpkg-query and apt-get are replaced by scripts earlier in PATH, and pip finds tiny wheels in a folder instead of an index.
"""
import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOBODY = 65534

# Says "installed" for every package asked for, except those in $MISSING.
FAKE_DPKG_QUERY = r"""#!/bin/bash
for package in "${@:4}"; do
  [[ " $MISSING " == *" $package "* ]] || echo "installed $package"
done
"""
# Finds that $PROBED neither compile nor link.
FAKE_CMAKE = r"""#!/bin/bash
if [[ $1 == --version ]]; then echo "cmake version ${CMAKE_IS-3.25.1}"; exit; fi
[[ $1 == -S && $2 == */cmake/probe && $3 == -B ]] || exit 1
tr ' ' '\n' <<<"$PROBED" >"$4/missing.txt"
"""
FAKE_APT_GET = '#!/bin/bash\necho "apt-get $*" >>"$APT_LOG"\n[[ $* != *"$APT_FAILS_AT"* ]]\n'


def make_wheel(folder, name, version, requires=(), extras=(), content=b"", tag="py3-none-any"):
    """A wheel with one file, name/content, that pip installs like any other."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {r}" for r in requires]
    files = {f"{name}/content": content, f"{info}/METADATA": "\n".join(metadata).encode() + b"\n",
             f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()}
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


def make_torch_wheels(folder, content=b"tensors"):
    """The shape of the real ones: LibTorch needs a toolkit whose extras name the single libraries."""
    make_wheel(folder, "torch", "2.11.0", content=content,
               requires=['cuda-toolkit[cublas,cudart,cupti]==13.0.2; platform_system == "Linux"', "sympy>=1.13"])
    make_wheel(folder, "cuda_toolkit", "13.0.2", extras=["cublas", "cudart", "cupti"],
               requires=['nvidia-cuda-runtime==13.0.*; extra == "cudart"', 'nvidia-cuda-cupti==13.0.*; extra == "cupti"',
                         'nvidia-cublas==13.0.*; extra == "cublas"'])
    for library in ("nvidia_cuda_runtime", "nvidia_cuda_cupti", "nvidia_cublas"):
        make_wheel(folder, library, "13.0.7")


class SetupTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.folder.chmod(0o755)  # the user nobody runs the scripts, too
        for folder in ("launch", "cmake"):
            shutil.copytree(ROOT / folder, self.folder / "checkout" / folder)
        self.build = self.folder / "build"
        self.wheels = self.folder / "index"
        self.bin = self.folder / "bin"
        for folder in (self.wheels, self.bin):
            folder.mkdir()
        self.add_program("dpkg-query", FAKE_DPKG_QUERY)
        self.add_program("apt-get", FAKE_APT_GET)
        self.apt_log = self.folder / "apt.log"
        self.environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8", "MISSING": "",
            "APT_LOG": str(self.apt_log), "APT_FAILS_AT": "nowhere", "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_NO_CACHE_DIR": "1",
        }

    def add_program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run_setup(self, *words, user=None, build=None, **environment):
        command = [self.folder / "checkout/launch/setup.sh", "--build-dir", build or self.build, *words]
        return subprocess.run(command, env=self.environment | environment, user=user, cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)

    def assert_done(self, result, last_line="set-up: done"):
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(result.stdout.splitlines()[-1], last_line)

    def assert_error(self, result, *words):
        """Exit code 1, and a last line that says what, where and how, with these words in it."""
        self.assertEqual(result.returncode, 1, result.stdout)
        last = result.stdout.splitlines()[-1]
        self.assertTrue(last.startswith("error: "), result.stdout)
        self.assertEqual(last.count(" · "), 2, last)
        for word in words:
            self.assertIn(word, last)

    def site_packages(self):
        return next(self.build.glob("python/lib/python3*/site-packages"))

    def installed(self):
        return {path.parent.name for path in self.site_packages().glob("*/content")}


class DebianPackages(SetupTest):
    def without_root(self, *words, **environment):
        """On a machine where programs with $PROBED neither compile nor link."""
        self.add_program("sudo", "#!/bin/bash\nexit 1\n")  # asks for a password
        self.add_program("cmake", FAKE_CMAKE)
        return self.run_setup(*words, user=NOBODY if os.geteuid() == 0 else None, **environment)

    def test_without_root_it_names_what_is_missing_and_the_ways_to_it(self):
        result = self.without_root(MISSING="libhdf5-dev ccache libgtest-dev", PROBED="hdf5 turbojpeg")
        self.assertEqual(result.returncode, 1, result.stdout)
        for words in ("  HDF5 1.10.7 or later, not 1.12.0\n", "  libjpeg-turbo with its TurboJPEG interface\n", "module avail", "launch/site.example.sh",
                      "launch/spack.yaml", "launch/lockstep.def"):
            self.assertIn(words, result.stdout)
        self.assertNotIn("GoogleTest", result.stdout)
        self.assertEqual(result.stdout.splitlines()[-1].strip(), "sudo sh -c 'apt-get update && apt-get install -y "
                         "--no-install-recommends libhdf5-dev libturbojpeg0-dev libjpeg-dev'")
        self.assertFalse(self.build.exists())
        self.assertFalse(self.apt_log.exists())

    def test_libraries_from_elsewhere_are_as_good(self):
        """Packages are not installed, but what needs them compiles: modules are loaded, or an administrator did it by hand."""
        make_torch_wheels(self.wheels)
        self.folder.chmod(0o777)
        self.assert_done(self.without_root(MISSING="libhdf5-dev libopenmpi-dev", PROBED=""))

    def test_too_old_is_as_good_as_missing(self):
        result = self.without_root(MISSING="cmake libhdf5-dev", PROBED="", CMAKE_IS="3.22.1")
        self.assertEqual(result.returncode, 1, result.stdout)
        missing, untried = result.stdout.split("These can't be tried before CMake, Ninja and a compiler are there:\n")
        self.assertIn("  CMake 3.25 or later\n", missing)
        self.assertNotIn("GCC", missing)
        self.assertTrue(untried.startswith("  GCC 12 or later"), untried)
        self.assertIn("  HDF5 1.10.7 or later, not 1.12.0\n", untried)
        self.assertNotIn("GoogleTest", untried)
        self.assertTrue(untried.strip().endswith("--no-install-recommends cmake libhdf5-dev'"), untried)

    def test_another_system_is_not_asked_for_its_packages(self):
        make_torch_wheels(self.wheels)
        tools = self.folder / "tools"  # all there is, but for dpkg-query and apt-get
        tools.mkdir()
        for folder in ("/usr/bin", "/bin"):
            for program in pathlib.Path(folder).iterdir():
                if not program.name.startswith(("dpkg", "apt")) and not (tools / program.name).exists():
                    (tools / program.name).symlink_to(program)
        for name in ("dpkg-query", "apt-get"):
            (self.bin / name).unlink()
        self.add_program("cmake", FAKE_CMAKE)
        path = f"{self.bin}:{tools}"
        result = self.run_setup(PATH=path, PROBED="mpi")
        self.assertEqual(result.returncode, 1)
        self.assertIn("  Open MPI 4.1 or later\n", result.stdout)
        self.assertNotIn("apt-get", result.stdout)
        self.assert_done(self.run_setup(PATH=path, PROBED=""))

    def test_the_probe_finds_what_is_here_and_what_is_not(self):
        """The real one, of CMake's own."""
        def missing(*words):
            folder = self.folder / f"probe{len(words)}"
            result = subprocess.run(["cmake", "-S", ROOT / "cmake/probe", "-B", folder, *words], text=True, capture_output=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            return (folder / "missing.txt").read_text().split()

        self.assertEqual(missing("-DPROBE_TESTS=ON"), [])
        without = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in ("MPI", "HDF5", "Boost", "fmt", "ZLIB")]
        self.assertEqual(missing(*without), ["mpi", "hdf5", "zlib", "png", "boost", "spdlog", "fmt"], "libpng needs zlib, spdlog fmt")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_as_root_it_installs_just_what_is_missing(self):
        make_torch_wheels(self.wheels)
        self.assert_done(self.run_setup(MISSING="libhdf5-dev ccache"))
        update, install = self.apt_log.read_text().splitlines()
        self.assertTrue(update.endswith(" update"), update)
        self.assertTrue(install.endswith(" install -y --no-install-recommends libhdf5-dev ccache"), install)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_a_failing_apt_get_is_named(self):
        self.assert_error(self.run_setup(MISSING="ccache", APT_FAILS_AT=" update"), "apt-get update failed", "network")
        self.assert_error(self.run_setup(MISSING="ccache", APT_FAILS_AT=" install"), "apt-get install failed")

    def test_check_only_lists_and_changes_nothing(self):
        result = self.run_setup("--check-only", "--tests", MISSING="ccache")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout.splitlines(), ["missing: ccache", "missing: LibTorch (torch==2.11.0, cpu)",
                                                      "missing: the tests' Python packages"])
        self.assertFalse(self.build.exists())

    def test_slurm_is_for_the_tests_alone_and_not_needed(self):
        result = self.run_setup("--check-only", "--tests", MISSING="slurmctld munge")
        self.assertEqual(result.stdout.splitlines()[:2], ["missing: munge", "missing: slurmctld"])
        self.assertNotIn("slurm", self.run_setup("--check-only", MISSING="slurmctld munge").stdout)
        self.add_program("sudo", "#!/bin/bash\nexit 1\n")
        result = self.run_setup("--tests", user=NOBODY if os.geteuid() == 0 else None, MISSING="slurmctld", build="/proc/none")
        self.assertIn("The tests of Slurm will be skipped: installing it (slurmctld)", result.stdout)
        self.assertFalse(self.apt_log.exists())

    def test_a_wrong_command_line_is_a_usage_error(self):
        for words in (["--gpu"], ["--build-dir"]):
            self.assertEqual(self.run_setup(*words).returncode, 2)


class LibTorch(SetupTest):
    """Starts from a copy of one empty environment: making one takes seconds, and FullDisk and the like do it for real."""

    @classmethod
    def setUpClass(cls):
        template = tempfile.TemporaryDirectory()
        cls.addClassCleanup(template.cleanup)
        cls.template = pathlib.Path(template.name) / "python"
        subprocess.run(["/usr/bin/python3", "-m", "venv", cls.template], check=True)

    def setUp(self):
        super().setUp()
        self.build.mkdir()
        shutil.copytree(self.template, self.build / "python", symlinks=True)

    def test_cpu_takes_the_runtime_alone_and_a_second_run_does_nothing(self):
        make_torch_wheels(self.wheels)
        self.assert_done(self.run_setup())
        self.assertEqual(self.installed(), {"torch", "cuda_toolkit", "nvidia_cuda_runtime", "nvidia_cuda_cupti"})
        self.assertFalse((self.build / "wheels").exists())
        self.wheels.rename(self.folder / "offline")  # nothing left to fetch from
        start = time.monotonic()
        self.assert_done(self.run_setup(), "set-up: nothing to do")
        self.assertLess(time.monotonic() - start, 1.0)

    def test_a_wheel_built_without_cuda_needs_nothing_beside_it(self):
        make_wheel(self.wheels, "torch", "2.11.0", requires=["sympy>=1.13"])
        self.assert_done(self.run_setup())
        self.assertEqual(self.installed(), {"torch"})

    def test_cuda_after_cpu_leaves_the_headers_alone(self):
        """Else everything that was built would be built anew."""
        make_torch_wheels(self.wheels)
        make_wheel(self.wheels, "sympy", "1.14")
        self.assert_done(self.run_setup())
        content = self.site_packages() / "torch/content"
        content.write_text("as it was")
        self.assert_done(self.run_setup("--cuda"))
        self.assertEqual(content.read_text(), "as it was")
        self.assertLess({"torch", "nvidia_cublas", "sympy"}, self.installed())

    def test_cuda_takes_everything_and_serves_a_cpu_set_up_too(self):
        make_torch_wheels(self.wheels)
        make_wheel(self.wheels, "sympy", "1.14")
        self.assert_done(self.run_setup())
        self.assert_done(self.run_setup("--cuda"))
        self.assertLess({"nvidia_cublas", "sympy"}, self.installed())
        self.assert_done(self.run_setup(), "set-up: nothing to do")

    def test_a_dead_network_is_a_clear_message_and_the_next_run_goes_on(self):
        dead = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
        self.assert_error(self.run_setup(**dead), "the download failed", "check network", "goes on from here")
        make_torch_wheels(self.wheels)
        self.assert_done(self.run_setup())

    def test_what_is_finished_stays_when_a_later_part_fails(self):
        make_torch_wheels(self.wheels)
        self.assert_error(self.run_setup("--tests"), "the download failed")
        self.assertIn("torch", self.installed())
        self.assert_done(self.run_setup(), "set-up: nothing to do")

    def test_a_wheel_cut_short_is_fetched_again(self):
        make_torch_wheels(self.wheels)
        fetched = self.build / "wheels/torch-cpu"
        fetched.mkdir(parents=True)
        whole = (self.wheels / "torch-2.11.0-py3-none-any.whl").read_bytes()
        (fetched / "torch-2.11.0-py3-none-any.whl").write_bytes(whole[: len(whole) // 2])
        self.assert_done(self.run_setup())

    def test_an_environment_left_half_unpacked_is_made_anew(self):
        make_torch_wheels(self.wheels)
        self.assert_done(self.run_setup())
        (self.build / "python/.unpacking").touch()
        (self.build / "python/.lockstep-torch").unlink()
        (self.site_packages() / "leftover").touch()
        self.assert_done(self.run_setup())
        self.assertFalse((self.site_packages() / "leftover").exists())

    def test_a_python_manager_in_front_of_path_is_passed_over(self):
        shutil.rmtree(self.build / "python")
        self.add_program("python3", "#!/bin/bash\necho 'no version is set' >&2\nexit 127\n")
        make_torch_wheels(self.wheels)
        self.assert_done(self.run_setup())


class WithoutNetwork(SetupTest):
    def test_what_was_fetched_on_one_machine_is_enough_on_another(self):
        make_torch_wheels(self.wheels)
        make_wheel(self.wheels, "sympy", "1.14")
        carried = self.folder / "carried"
        fetched = self.run_setup("--cuda", "--fetch", carried)
        self.assert_done(fetched, f"fetched; on the machine without network: launch/setup.sh --cuda --from {carried}")
        self.assertFalse(self.build.exists())
        self.wheels.rename(self.folder / "offline")
        dead = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
        before = sorted(carried.rglob("*"))
        for attempt in ("first", "second"):  # what was carried stays
            build = self.folder / attempt
            self.assert_done(self.run_setup("--cuda", "--from", carried, "--prefix", build, build=self.folder / "unused", **dead))
            installed = {path.parent.name for path in build.glob("python/lib/python3*/site-packages/*/content")}
            self.assertLess({"torch", "nvidia_cublas", "sympy"}, installed)
        self.assertEqual(sorted(carried.rglob("*")), before)
        self.assertEqual([path.name for path in carried.iterdir()], ["wheels"])
        self.assert_error(self.run_setup("--from", carried, **dead), "torch-cpu was not fetched", str(carried), "launch/setup.sh --fetch DIR")

    def test_wrong_words(self):
        for words in (("--fetch", "a", "--from", "b"), ("--from", self.folder / "none"), ("--fetch",), ("--torch", "2.6.0")):
            self.assertEqual(self.run_setup(*words).returncode, 2)

    def test_another_release_is_named_once(self):
        make_wheel(self.wheels, "torch", "2.9.1")
        fetched = self.run_setup("--torch", "2.9.1", "--fetch", self.folder / "carried")
        self.assertIn(f"--torch 2.9.1 --from {self.folder}/carried", fetched.stdout)
        self.assert_done(self.run_setup("--torch", "2.9.1"))
        self.assertEqual((self.build / "python/.lockstep-torch").read_text(), "torch==2.9.1 cpu\n")
        self.assert_done(self.run_setup(), "set-up: nothing to do")

    def test_folders_of_others_are_left_alone(self):
        make_torch_wheels(self.wheels)
        mine = self.folder / "home/python/mine"
        mine.mkdir(parents=True)
        self.assert_error(self.run_setup("--prefix", self.folder / "home"), "a folder that this script has not made", "home/python")
        self.run_setup("--fetch", self.folder / "home")
        self.assertTrue(mine.exists())


class Gpu(SetupTest):
    def set_up(self, driver, capability, **environment):
        make_torch_wheels(self.wheels)
        make_wheel(self.wheels, "sympy", "1.14")
        self.add_program("nvidia-smi", f"#!/bin/bash\necho '{driver}, {capability}'\n")
        return self.run_setup("--cuda", **environment)

    def test_an_old_driver_or_gpu_is_said_before_gigabytes_are_fetched(self):
        self.assert_error(self.set_up("535.104.05", "8.0"), "driver 535.104.05 is older than the 580", "nvidia-smi", "whl/cu126")
        self.assert_error(self.set_up("580.65.06", "7.0"), "compute capability 7.0", "whl/cu126")
        self.assertFalse(self.build.exists())

    def test_a_new_one_is_fine_and_so_is_another_index(self):
        self.assert_done(self.set_up("580.65.06", "7.5"))
        self.assert_done(self.set_up("535.1", "7.0", PIP_INDEX_URL="http://127.0.0.1:9/cu126"), "set-up: nothing to do")


@unittest.skipUnless(os.geteuid() == 0, "mounting a small disk needs root")
class FullDisk(SetupTest):
    def small_disk(self, megabytes):
        self.build.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.build],
                              capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest("a tmpfs can't be mounted here: " + made.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", self.build], check=True)

    def test_too_little_space_is_said_before_anything_is_fetched(self):
        self.small_disk(8)
        self.assert_error(self.run_setup(), "needs 2000 MB free", str(self.build), "--build-dir DIR")

    def test_a_disk_that_fills_up_on_the_way_is_a_clear_message_and_the_next_run_goes_on(self):
        make_torch_wheels(self.wheels, content=os.urandom(16 << 20))
        self.small_disk(40)  # the environment takes about 25, so the wheel fits and what it unpacks to does not
        self.add_program("df", "#!/bin/bash\nprintf 'Avail\\n999999\\n'\n")  # somebody else takes the space meanwhile
        self.assert_error(self.run_setup(), "space")
        subprocess.run(["mount", "-o", "remount,size=200m", self.build], check=True)
        self.assert_done(self.run_setup())
        self.assertIn("torch", self.installed())


class ThisBuild(unittest.TestCase):
    """The build folder these tests belong to, as set-up left it."""

    def test_its_set_up_finds_nothing_to_do(self):
        build = os.environ.get("LOCKSTEP_BINARY_DIR", "")
        if not list(pathlib.Path(build).glob("python/.lockstep-tests")):
            self.skipTest(f"'{build}' was not set up by launch/setup.sh --tests (LibTorch given by hand?)")
        start = time.monotonic()
        result = subprocess.run([ROOT / "launch/setup.sh", "--tests", "--build-dir", build], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, "set-up: nothing to do\n"), result.stderr)
        self.assertLess(time.monotonic() - start, 1.0)


if __name__ == "__main__":
    unittest.main()
