"""Tests of the project's own shape: the rules hold, and a breach of each rule is found."""
import pathlib
import tempfile
import unittest

import file_rules
import include_direction

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTRACT = "// A header.\n// It has a contract.\n#pragma once\n"


class Tree:
    """A small project in a temporary folder."""

    def __init__(self, case, **files):
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in files.items():
            self.add(name, text)

    def add(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return self


class IncludeDirection(unittest.TestCase):
    def findings(self, *files):
        tree = Tree(self)
        for name, text in files:
            tree.add(name, text)
        return include_direction.check(tree.root)

    def assert_only_finding(self, findings, start, words):
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(start), findings[0])
        self.assertIn(words, findings[0])

    def test_the_project_keeps_the_order(self):
        findings = include_direction.check(ROOT)
        self.assertEqual(findings, [], "\n" + "\n".join(findings))

    def test_the_project_is_seen_at_all(self):
        self.assertGreater(len(list(include_direction.sources(ROOT))), 20)

    def test_downwards_is_right(self):
        self.assertEqual(self.findings(
            ("include/lockstep/core/error.hpp", "#include <string>\n"),
            ("src/train/loop.cpp", '#include "lockstep/train/loop.hpp"\n#include "lockstep/core/error.hpp"\n'
                                   '#include "train/private.hpp"\n#include <ATen/ATen.h>\n'),
            ("preprocess/pack.cpp", '#include "lockstep/comm/world.hpp"\n#include "lockstep/data/shard.hpp"\n'
                                    "#include <opencv2/imgproc.hpp>\n")), [])

    def test_upwards_is_found_with_file_and_line(self):
        found = self.findings(("src/optim/sgd.cpp", '#include <vector>\n\n#include "lockstep/train/loop.hpp"\n'))
        self.assert_only_finding(found, "src/optim/sgd.cpp:3: ", "built upon it")

    def test_siblings_are_kept_apart(self):
        found = self.findings(("include/lockstep/model/cnn.hpp", '  #  include "lockstep/comm/world.hpp"\n'))
        self.assert_only_finding(found, "include/lockstep/model/cnn.hpp:1: ", "sibling")

    def test_private_headers_stay_in_their_folder(self):
        found = self.findings(("src/train/loop.cpp", '#include "comm/mpi_calls.hpp"\n'))
        self.assert_only_finding(found, "src/train/loop.cpp:1: ", "private to comm/")

    def test_a_folder_without_a_place_is_found(self):
        found = self.findings(("src/helpers/misc.cpp", "int x;\n"))
        self.assert_only_finding(found, "src/helpers/misc.cpp:1: ", "no place in the order")

    def test_preprocess_sees_only_what_it_may(self):
        found = self.findings(("preprocess/pack.cpp", '#include "lockstep/comm/mpi.hpp"\n'))
        self.assert_only_finding(found, "preprocess/pack.cpp:1: ", "of comm what has no tensors only")

    def test_tensors_that_reach_preprocess_through_another_header_are_found(self):
        found = self.findings(("preprocess/pack.cpp", '#include "lockstep/data/loader.hpp"\n'),
                              ("include/lockstep/data/loader.hpp", '#include "lockstep/data/batch.hpp"\n'),
                              ("include/lockstep/data/batch.hpp", "\n#include <ATen/core/Tensor.h>\n"))
        self.assert_only_finding(found, "include/lockstep/data/batch.hpp:2: ", "via preprocess/pack.cpp:1 > include/")

    def test_opencv_stays_in_preprocess(self):
        found = self.findings(("src/data/resize.cpp", "#include <opencv2/imgproc.hpp>\n"))
        self.assert_only_finding(found, "src/data/resize.cpp:1: ", "outside preprocess/")


class FileRules(unittest.TestCase):
    def findings(self, name, text):
        return file_rules.check(Tree(self).add(name, text).root)

    def test_the_project_keeps_the_rules(self):
        findings = file_rules.check(ROOT)
        self.assertEqual(findings, [], "\n" + "\n".join(findings))

    def test_a_good_header_passes(self):
        self.assertEqual(self.findings("include/lockstep/core/good.hpp", CONTRACT + "int f();  // see a/home/b\n"), [])

    def test_each_breach_is_found(self):
        breaches = {
            "include/lockstep/core/a.hpp": ("#pragma once\n", ":1: the header opens without a contract"),
            "include/lockstep/core/b.hpp": ("// one\n// two\n", ":1: no #pragma once"),
            "src/core/c.cpp": ("int a;\n\tint b;\n", ":2: a tab"),
            "src/core/d.cpp": ("int a;  // TO" + "DO later\n", ":1: TO" + "DO"),
            "src/core/e.cpp": ('open("' + "/" + 'home/me/data");\n', ":1: /" + "home/m"),
            "src/core/f.cpp": ("int a;\n" * 451, ":451: 451 lines, at most 450"),
        }
        for name, (text, expected) in breaches.items():
            with self.subTest(name):
                found = self.findings(name, text)
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(name + expected), found[0])


if __name__ == "__main__":
    unittest.main()
