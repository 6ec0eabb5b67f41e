"""A run judged on another data set: one with the same classes is taken, whatever its size; any other is refused."""
import support
from support import SystemTest, read_json


class OtherData(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=300)
        cls.run_folder = cls.make_run(cls.data, cls.shared / "run", "--epochs", 2)

    def evaluate(self, data):
        return self.done("evaluate", "--run", self.run_folder, "--data", data, "--split", "test")

    def test_same_classes_at_another_side_are_judged_beside_the_runs_own(self):
        other = self.make_data(self.folder / "other", "--seed", 5, images=200, side=24)
        own = self.done("evaluate", "--run", self.run_folder, "--split", "test")
        before = read_json(self.run_folder / "metrics.json")["splits"]
        said = self.evaluate(other).stderr
        self.assertIn("not the data set the run was trained on", said)
        after = read_json(self.run_folder / "metrics.json")["splits"]
        self.assertEqual(own.returncode, 0)
        name = f"test of {other}"
        self.assertEqual(set(after) - set(before), {name})
        self.assertEqual({key: after[key] for key in before}, before)
        self.assertEqual(after[name]["samples"], support.samples_of(read_json(other / "manifest.json"), "test"))

    def test_other_classes_and_channels_are_refused(self):
        fewer = self.make_data(self.folder / "fewer", "--classes", 7, images=200)
        self.refused(1, ["7 classes", "10", "--data"], "evaluate", "--run", self.run_folder, "--data", fewer)
        grey = self.make_data(self.folder / "grey", "--channels", 1, images=200)
        self.refused(1, ["1 channel,", "3"], "evaluate", "--run", self.run_folder, "--data", grey)
        renamed = self.make_data(self.folder / "renamed", images=300)
        manifest = (renamed / "manifest.json").read_text(encoding="utf-8")
        third = read_json(renamed / "manifest.json")["classes"][2]
        (renamed / "manifest.json").write_text(manifest.replace(f'"{third}"', '"something else"'), encoding="utf-8")
        self.refused(1, ["something else", third, "class 2"], "evaluate", "--run", self.run_folder, "--data", renamed)
        self.refused_by_ranks(2, 1, ["something else", third], "evaluate", "--run", self.run_folder, "--data", renamed)


if __name__ == "__main__":
    support.main()
