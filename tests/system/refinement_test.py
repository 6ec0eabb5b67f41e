"""A run that refines another one, and the list of runs with what each brought: a chain of three, bad input, a resume."""
import json
import shutil
import signal

import support
from support import SystemTest, command, read_json, read_log

h5py = support.needed("h5py")
numpy = support.needed("numpy")
scipy_stats = support.needed("scipy.stats")
safetensors = support.needed("safetensors.numpy")


def listed(*words):
    """What lockstep runs --json says, by the name of the run's folder."""
    return {run["run"].rsplit("/", 1)[-1]: run for run in json.loads(SystemTest.done("runs", *words, "--json").stdout)}


class Chain(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=600)
        cls.runs = cls.shared / "runs"
        cls.first = cls.make_run(cls.data, cls.runs / "first", "--epochs", 2, "--lr", 0.003, "--augment", "--rotation", 5)
        cls.second, cls.third = cls.runs / "second", cls.runs / "third"
        cls.said = cls.done("train", "--from", cls.first, "--lr", 3e-4, "--run", cls.second, "--threads", 1).stderr
        cls.done("train", "--from", cls.second, "--no-augment", "--epochs", 1, "--optimiser", "sgd", "--run", cls.third,
                 "--threads", 1, ranks=2)

    def options(self, run):
        lines = (run / "config.ini").read_text().splitlines()
        return dict(line.split(" = ", 1) for line in lines if " = " in line)

    def test_a_child_has_its_parents_options_but_for_what_was_said(self):
        parent, child = self.options(self.first), self.options(self.second)
        changed = {name for name in parent | child if parent.get(name) != child.get(name)}
        self.assertEqual(changed, {"lr", "run", "weights"})
        self.assertEqual(child["lr"], "0.0003")
        self.assertEqual(child["weights"], str(self.first / "weights/best.safetensors"))

    def test_the_log_says_what_it_changes_and_what_begins_anew(self):
        for words in (str(self.first), "its best weights", "--lr 0.0003 (was 0.003)", "the optimiser and the schedule begin anew"):
            self.assertIn(words, self.said)

    def test_run_json_names_the_parent(self):
        parent = read_json(self.second / "run.json")["parent"]
        self.assertEqual((parent["run"], parent["weights"]), (str(self.first), "best"))
        self.assertRegex(parent["weights_digest"], "^[0-9a-f]{16}$")
        self.assertEqual(parent["changes"], [{"option": "lr", "before": "0.003", "now": "0.0003"}])
        self.assertNotIn("parent", read_json(self.first / "run.json"))

    def test_what_loses_its_meaning_is_not_taken_over(self):
        self.assertEqual(self.options(self.second)["rotation"], "5")
        child = self.options(self.third)
        self.assertEqual((child["augment"], child["rotation"], child["optimiser"]), ("false", "0", "sgd"))
        changes = {change["option"]: (change["before"], change["now"]) for change in read_json(self.third / "run.json")["parent"]["changes"]}
        self.assertEqual(changes, {"augment": ("true", "false"), "rotation": ("5", "0"), "epochs": ("2", "1"),
                                   "optimiser": ("adam", "sgd")})

    def child(self, parent, *words):
        """The options of a child, and what it says of itself, without training it."""
        said = self.done("train", "--from", parent, *words, "--print-config").stdout
        return dict(line.split(" = ", 1) for line in said.splitlines() if " = " in line)

    def test_print_config_shows_the_child(self):
        child, parent = self.child(self.first, "--lr", 3e-4), self.options(self.first)
        self.assertEqual((child["lr"], child["filters"], child["data"]), ("0.0003", parent["filters"], parent["data"]))

    def test_questions_that_were_settled_for_the_parent_are_settled_anew(self):
        """What is frozen and how fast the head learns are said in several ways."""
        weights = self.first / "weights/best.safetensors"
        frozen = self.make_run(self.data, self.folder / "frozen", "--weights", weights, "--freeze", "all-but-head", "--max-steps", 1,
                               "--early-stopping", 2)
        parent = self.options(frozen)
        self.assertEqual((parent["freeze"], parent["lr"], parent["head-lr"]), ("all-but-head", "0.0001", "0.001"))
        for words in (("--freeze-fraction", 0), ("--freeze-first", 0), ("--transfer", "large-different")):
            with self.subTest(words):
                self.assertFalse(self.child(frozen, *words).get("freeze"))
        self.assertEqual(self.child(frozen, "--freeze-first", 2)["freeze-first"], "2")
        self.assertEqual(self.child(frozen)["freeze"], "all-but-head")
        self.assertNotIn("head-lr", self.child(frozen, "--lr", 3e-4), "else the head would not learn as was said")
        self.assertEqual(self.child(frozen, "--head-lr", 0.01)["lr"], "0.0001")
        self.assertEqual(self.child(frozen)["early-stopping"], "2")
        self.assertFalse(self.child(frozen, "--forget", "early-stopping").get("early-stopping"))
        self.refused(2, ["--forget", "no option --eraly"], "train", "--from", frozen, "--forget", "eraly", "--run", self.folder / "x")
        self.assertEqual(self.child(self.first, "--augment=yes")["rotation"], "5", "said otherwise, but no other value")

    def test_it_starts_from_the_parents_best_weights(self):
        """With a learning rate of next to nothing, weights stay what they were."""
        run = self.folder / "still"
        self.done("train", "--from", self.first, "--lr", 1e-30, "--max-steps", 1, "--run", run, "--threads", 1)
        parent, child = (safetensors.load_file(path / "weights/best.safetensors") for path in (self.first, run))
        self.assertEqual(sorted(parent), sorted(child))
        learnt = [name for name in parent if name.endswith((".weight", ".bias"))]
        self.assertGreater(len(learnt), 5)
        for name in learnt:
            numpy.testing.assert_array_equal(parent[name], child[name], name)
        last = self.folder / "last"
        self.done("train", "--from", self.first, "--weights", "last", "--lr", 1e-30, "--max-steps", 1, "--run", last, "--threads", 1)
        self.assertEqual(read_json(last / "run.json")["parent"]["weights"], "last")
        expected, found = (safetensors.load_file(path / "weights/last.safetensors") for path in (self.first, last))
        for name in learnt:
            numpy.testing.assert_array_equal(expected[name], found[name], name)

    def test_the_list_tells_the_family(self):
        runs = listed(self.runs)
        self.assertEqual(list(runs), ["first", "second", "third"])
        self.assertEqual([runs[name].get("parent") for name in runs], [None, str(self.first), str(self.second)])
        for name, run in runs.items():
            log = read_log(self.runs / name)
            judged = [line for line in log if line["event"] == "epoch"]
            best = max(judged, key=lambda line: line["eval_accuracy"])
            self.assertEqual((run["state"], run["metric"], run["best_value"]), ("finished", "accuracy", best["eval_accuracy"]))
            self.assertEqual((run["epochs"], run["planned_epochs"]), (len(judged), len(judged)))
            self.assertEqual(run["judged_samples"], best["eval_samples"])
        gain = runs["second"]["gain"]
        self.assertAlmostEqual(gain["value"], runs["second"]["best_value"] - runs["first"]["best_value"], delta=1e-12)
        low, high = gain["interval_95"]
        self.assertTrue(low < gain["value"] < high)
        self.assertEqual(gain["significant"], low > 0 or high < 0)
        table = self.done("runs", self.runs).stdout
        for words in ("└ second", "  └ third", "changed: lr 0.003 → 0.0003", "gain: ", "finished"):
            self.assertIn(words, table)

    def test_kept_predictions_of_both_tell_chance_from_gain(self):
        runs = self.folder / "runs"
        shutil.copytree(self.first, runs / "first")
        shutil.copytree(self.second, runs / "second")
        self.assertNotIn("mcnemar_p", listed(runs)["second"]["gain"])
        for name in ("first", "second"):
            self.done("evaluate", "--run", runs / name, "--split", "validation")
        run, right = listed(runs)["second"], {}
        for name in ("first", "second"):
            with h5py.File(runs / name / "predictions.h5") as file:
                right[name] = file["validation/labels"][:] == file["validation/predicted"][:]
        gained, lost = int((right["second"] & ~right["first"]).sum()), int((right["first"] & ~right["second"]).sum())
        self.assertGreater(gained + lost, 0)
        if gained + lost < 25:
            expected = scipy_stats.binomtest(min(gained, lost), gained + lost).pvalue
        else:
            expected = scipy_stats.chi2.sf((abs(gained - lost) - 1) ** 2 / (gained + lost), 1)
        self.assertAlmostEqual(run["gain"]["mcnemar_p"], expected, delta=1e-9)
        self.assertEqual(run["gain"]["significant"], expected < 0.05)
        self.assertEqual(run["gain"]["samples"], len(right["first"]))
        self.assertAlmostEqual(run["gain"]["value"], (gained - lost) / len(right["first"]), delta=1e-12)
        low, high = run["gain"]["interval_95"]
        self.assertTrue(low <= run["gain"]["value"] <= high)
        self.assertIn("McNemar p", self.done("runs", runs).stdout)
        # The last weights' predictions stand beside them; of other weights than those that count, or damaged ones, are none.
        self.done("evaluate", "--run", runs / "second", "--split", "validation", "--weights", "last")
        self.assertEqual(listed(runs)["second"]["gain"], run["gain"])
        best = runs / "second/weights/best.safetensors"
        kept, best_bytes = (runs / "second/predictions.h5").read_bytes(), best.read_bytes()
        best.write_bytes((runs / "first/weights/best.safetensors").read_bytes())
        self.done("evaluate", "--run", runs / "second", "--split", "validation")
        self.assertNotIn("mcnemar_p", listed(runs)["second"]["gain"])
        best.write_bytes(best_bytes)
        (runs / "second/predictions.h5").write_bytes(kept)
        self.assertEqual(listed(runs)["second"]["gain"], run["gain"])
        (runs / "first/predictions.h5").write_bytes(b"damaged")
        self.assertNotIn("mcnemar_p", listed(runs)["second"]["gain"])

    def test_a_stopped_child_goes_on_and_keeps_its_parent(self):
        run = self.folder / "run"
        words = ("train", "--from", self.first, "--lr", 1e-3, "--epochs", 40, "--threads", 1)
        process = support.start(command(*words, "--run", run))
        self.addCleanup(process.stdout.close)
        self.wait_until(process, lambda: (run / "log.jsonl").exists() and '"epoch","epoch":2' in (run / "log.jsonl").read_text())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(listed(run)["run"]["state"], "stopped")
        parent = read_json(run / "run.json")["parent"]
        self.done("train", "--resume", run)
        self.assertEqual(read_json(run / "run.json")["parent"], parent)
        self.assertEqual(listed(run)["run"]["state"], "finished")
        whole = self.folder / "whole"
        self.done(*words, "--run", whole)
        expected, found = (safetensors.load_file(path / "weights/last.safetensors") for path in (whole, run))
        for name, tensor in expected.items():
            numpy.testing.assert_array_equal(tensor, found[name], name)


class BadInput(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=90)
        cls.parent = cls.make_run(cls.data, cls.shared / "parent")

    def refine(self, *words, parent=None, run=None):
        return ("train", "--from", parent or self.parent, "--run", run or self.folder / "run", *words)

    def test_refused_before_anything_is_made(self):
        other = self.make_data(self.folder / "other", "--classes", 4)
        grey = self.make_data(self.folder / "grey", "--channels", 1)
        for code, names, words in (
                (2, ["--filters", "8,32", "network of its parent", "8,16"], self.refine("--filters", "8,32")),
                (2, ["--model", "resnet18", "network of its parent"], self.refine("--model", "resnet18")),
                (2, ["classes", "other", "--weights instead of --from"], self.refine("--data", other)),
                (2, ["channel", "grey", "--weights instead of --from"], self.refine("--data", grey)),
                (2, ["--weights", "best or last"], self.refine("--weights", "resnet50")),
                (2, ["--from", "--resume"], self.refine("--resume", self.parent)),
                (1, ["no such run", "nowhere"], self.refine(parent=self.folder / "nowhere")),
                (1, ["not a run", "data"], self.refine(parent=self.data)),
                (1, ["exists already"], self.refine(run=self.parent)),
                (2, ["--lr"], self.refine("--lr", -1)),
                (2, ["--run is missing"], ("train", "--from", self.parent)),
                (2, ["--from", "makes its runs itself"],
                 ("freeze-study", "--data", self.data, "--output", self.folder / "study", "--from", self.parent))):
            with self.subTest(names):
                self.refused(code, names, *words)
                self.assertFalse((self.folder / "run").exists())

    def test_a_parent_without_weights(self):
        parent = self.folder / "parent"
        shutil.copytree(self.parent, parent)
        (parent / "weights/best.safetensors").unlink()
        self.refused(1, ["no best weights yet", "--resume"], *self.refine(parent=parent))
        self.done(*self.refine("--weights", "last", parent=parent))
        (parent / "weights/last.safetensors").unlink()
        self.refused(1, ["no last weights yet"], *self.refine("--weights", "last", parent=parent, run=self.folder / "other"))

    def test_a_parent_that_has_not_finished_is_named(self):
        parent = self.folder / "parent"
        shutil.copytree(self.parent, parent)
        log = (parent / "log.jsonl").read_text().splitlines(keepends=True)
        (parent / "log.jsonl").write_text("".join(line for line in log if '"finished"' not in line))
        self.assertIn("has not finished", self.done(*self.refine(parent=parent)).stderr)

    def test_another_data_set_keeps_the_parents_normalisation(self):
        other = self.make_data(self.folder / "other", "--seed", 9)
        run = self.folder / "run"
        self.done(*self.refine("--data", other))
        parent, child = (read_json(path / "run.json")["input"] for path in (self.parent, run))
        numpy.testing.assert_allclose(child["mean"], parent["mean"], rtol=1e-6)
        numpy.testing.assert_allclose(child["std"], parent["std"], rtol=1e-6)
        changed = {change["option"] for change in read_json(run / "run.json")["parent"]["changes"]}
        self.assertLessEqual({"data", "normalise"}, changed)
        self.assertIsNone(listed(run)["run"]["gain"])

    def test_damaged_runs_are_listed_with_the_reason(self):
        runs = self.folder / "runs"
        for name in ("good", "torn", "strange", "bare"):
            shutil.copytree(self.parent, runs / name)
        (runs / "torn/run.json").write_text('{"format_version": 1,')
        (runs / "strange/config.ini").write_text("[training]\nlr = fast\n")
        (runs / "bare/config.ini").unlink()
        found = listed(runs)
        self.assertEqual({name: run["state"] for name, run in found.items()},
                         {"bare": "damaged", "good": "finished", "strange": "damaged", "torn": "damaged"})
        self.assertTrue(all(found[name]["reason"] for name in ("bare", "strange", "torn")))
        self.assertIn("damaged: ", self.done("runs", runs).stdout)
        self.assertEqual(self.done("runs", self.data).stdout, "no runs\n")
        self.refused(2, ["no such folder", "nowhere"], "runs", self.folder / "nowhere")
        self.refused(2, ["--folder is missing"], "runs")


if __name__ == "__main__":
    support.main()
