"""What CMake says of libraries that lockstep can't be built with: versions, another MPI, the other kind of LibTorch."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LOCKSTEP_BINARY_DIR", ROOT / "build"))


class Configure(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def cmake(self, *lines):
        """A script of CMake's; its words as one line, and whether it went through."""
        script = self.folder / "script.cmake"
        script.write_text("\n".join(('cmake_minimum_required(VERSION 3.25)', f'include("{ROOT}/cmake/requirements.cmake")', *lines)))
        result = subprocess.run(["cmake", "-P", script], text=True, capture_output=True)
        return re.sub(r"\s+", " ", result.stdout + result.stderr), result.returncode == 0

    def refused(self, words, *lines):
        said, went_through = self.cmake(*lines)
        self.assertFalse(went_through, said)
        for word in words:
            self.assertIn(word, said)

    def accepted(self, *lines):
        said, went_through = self.cmake(*lines)
        self.assertTrue(went_through, said)
        return said

    def mpi(self, text):
        (self.folder / "mpi.h").write_text(text)
        return f'set(MPI_CXX_INCLUDE_DIRS "{self.folder}")', "set(MPI_CXX_COMPILER mpicxx)", "require_open_mpi()"

    def test_open_mpi_from_4_1_on(self):
        ours = "#define OMPI_MAJOR_VERSION {}\n#define OMPI_MINOR_VERSION {}\n#define OMPI_RELEASE_VERSION 1\n"
        for version in ((4, 1), (5, 0)):
            self.assertEqual(self.accepted(*self.mpi(ours.format(*version))).strip(), "")
        self.assertIn("Open MPI 6.0 is untried", self.accepted(*self.mpi(ours.format(6, 0))))
        self.refused(["Open MPI 4.0", "too old", "4.1"], *self.mpi(ours.format(4, 0)))

    def test_another_mpi_is_named(self):
        for text, name in (('#define MPICH_VERSION "4.2.1"\n', "MPICH 4.2.1"), ('#define I_MPI_VERSION "2021.12"\n', "Intel MPI 2021.12"),
                           ('#define MVAPICH2_VERSION "2.3.7"\n', "MVAPICH2 2.3.7"), ("", "an unknown MPI")):
            self.refused([name, "lockstep runs on Open MPI", "-DMPI_CXX_COMPILER"], *self.mpi(text))
        self.accepted("set(LOCKSTEP_UNTRIED ON)", *self.mpi('#define MPICH_VERSION "4.2.1"\n'))

    def test_compilers(self):
        def compiler(name, version):
            return "set(CMAKE_CXX_COMPILER c++)", f"set(CMAKE_CXX_COMPILER_ID {name})", f"set(CMAKE_CXX_COMPILER_VERSION {version})", "require_compiler()"

        warnings_are_errors = 'message(STATUS "tried ${compiler_tried}")'
        self.assertIn("tried ON", self.accepted(*compiler("GNU", "12.2.0"), warnings_are_errors))
        self.assertIn("tried OFF", self.accepted(*compiler("GNU", "99.1"), warnings_are_errors))
        self.refused(["GNU 11.4.0", "12 is the oldest", "module"], *compiler("GNU", "11.4.0"))
        self.refused(["PGI", "GCC and Clang"], *compiler("PGI", "20"))

    def test_hdf5(self):
        self.accepted("set(HDF5_VERSION 1.10.8)", "require_hdf5()")
        self.accepted("set(HDF5_VERSION 1.14.3)", "require_hdf5()")
        self.assertIn("untried", self.accepted("set(HDF5_VERSION 2.0.0)", "require_hdf5()"))
        self.refused(["HDF5 1.10.6", "1.10.7"], "set(HDF5_VERSION 1.10.6)", "require_hdf5()")
        self.refused(["HDF5 1.12.0", "1.12.1"], "set(HDF5_VERSION 1.12.0)", "require_hdf5()")
        self.refused(["HDF5 1.8.20", "too old", "-DHDF5_ROOT"], "set(HDF5_VERSION 1.8.20)", "require_hdf5()")

    def libtorch(self, version, flags=""):
        torch = self.folder / "torch"
        for name in ("lib/libtorch_cpu.so", "include/ATen/ATen.h"):
            (torch / name).parent.mkdir(parents=True, exist_ok=True)
            (torch / name).touch()
        config = torch / "share/cmake/Torch"
        config.mkdir(parents=True, exist_ok=True)
        if version:
            (config / "TorchConfigVersion.cmake").write_text(f'set(PACKAGE_VERSION "{version}")\n')
        (config / "TorchConfig.cmake").write_text(f'set(TORCH_CXX_FLAGS "{flags}")\n')
        # What follows the checks makes targets, which a script can't.
        return (f'set(LIBTORCH "{torch}")', 'function(add_library)\nmessage(STATUS "taken")\nendfunction()',
                "function(target_compile_options)\nendfunction()", "function(target_link_libraries)\nendfunction()",
                "function(target_link_options)\nendfunction()", f'include("{ROOT}/cmake/libtorch.cmake")')

    def test_libtorch(self):
        self.refused(["does not say its version"], *self.libtorch(None))
        self.refused(["LibTorch not found in ''", "launch/setup.sh", "-DLIBTORCH="], *self.libtorch("2.9.0")[1:])
        self.refused(["LibTorch 2.5.1", "too old", "2.6"], *self.libtorch("2.5.1"))
        self.refused(["_GLIBCXX_USE_CXX11_ABI=0", "cxx11-abi"], *self.libtorch("2.6.0", "-D_GLIBCXX_USE_CXX11_ABI=0"))
        self.assertIn("taken", self.accepted(*self.libtorch("2.6.0", "-D_GLIBCXX_USE_CXX11_ABI=1")))
        self.assertIn("LibTorch 2.99.0 is untried: tests pass with", self.accepted(*self.libtorch("2.99.0")))

    def test_without_googletest_there_are_no_tests(self):
        torch = re.search(r"^LIBTORCH:PATH=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)[1]

        def configure(*words):
            return subprocess.run(["cmake", "-S", ROOT, "-B", self.folder / "build", "-G", "Ninja", f"-DLIBTORCH={torch}",
                                   "-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON", *words], text=True, capture_output=True)

        without = configure()
        self.assertEqual(without.returncode, 0, without.stderr)
        self.assertIn("No tests will be built", without.stdout)
        self.assertFalse((self.folder / "build/tests").exists())
        self.assertIn("GTest", configure("-DLOCKSTEP_TESTS=ON").stderr, "tests/run.sh asks for them")


if __name__ == "__main__":
    unittest.main(verbosity=2)
