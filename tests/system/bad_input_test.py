"""Data sets, runs, configs and command lines that can't be used: each is refused in one sentence of what, where and how.

A command that was refused leaves nothing behind that stands in the way of the corrected one, or that a later command takes
for whole.
"""
import json
import shutil

import support
from support import PROGRAM, SystemTest, read_json, samples_of, write_ppm

WRONG_NUMBERS = {
    "--epochs": ["0", "-1", "3.5", "99999999999999999999", ""], "--batch": ["0"], "--seed": ["-1"], "--timeout": ["0"],
    "--lr": ["nan", "inf", "-inf", "0", "-0.1", "1e-3x", "1e999"], "--label-smoothing": ["1"], "--flip": ["2"],
    "--dropout-conv": ["1.5"], "--dropout-dense": ["nan"], "--filters": ["8,0", "8,,16", "8,nan"], "--kernels": ["3,3,3"],
    "--crop-scale": ["0.5", "1,0.5"], "--batch-norm-stats": ["group:0", "groups"],
}
SMALL = {"--filters": "4", "--dense": 8, "--epochs": 1}


class Case(SystemTest):
    """One data set of 84 images of 4 classes at side 16 and one run on it, for all tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", "--classes", 4, images=84)
        cls.run_folder = cls.make_run(cls.data, cls.shared / "run")

    def setUp(self):
        super().setUp()
        self.run_path = self.folder / "run"

    def copy(self, folder):
        return shutil.copytree(folder, self.folder / f"copy of {folder.name}")

    def train_words(self, *words, data=None):
        return ("train", "--data", data or self.data, "--run", self.run_path, "--threads", 1, *self.small(words), *words)

    @staticmethod
    def small(words):
        """A small network and one epoch, where the words say nothing else."""
        said = {str(word).split("=")[0] for word in words}
        return [word for name, value in SMALL.items() if name not in said for word in (name, value)]

    def refused_training(self, code, names, *words, data=None, ranks=0):
        """Training is refused, leaves no weights, and the folder's name stays free for the corrected command."""
        if ranks:
            self.refused_by_ranks(ranks, code, names, *self.train_words(*words, data=data))
        else:
            self.refused(code, names, *self.train_words(*words, data=data))
        self.assertEqual(list(self.run_path.rglob("*.safetensors")), [])
        self.assertFalse(self.run_path.exists(), "a refused training left its folder: the corrected command is refused too")


class CommandLine(Case):
    def test_not_a_command(self):
        self.refused(2, ["'trian'", "lockstep --help"], "trian")

    def test_no_command_shows_what_there_is(self):
        result = support.lockstep()
        self.assertEqual(result.returncode, 2)
        for command in ("preprocess", "train", "evaluate"):
            self.assertIn(command, result.stderr)

    def test_missing_options_are_named(self):
        self.refused(2, ["--run"], "train", "--data", self.data)
        self.refused(2, ["--data"], "train", "--run", self.run_path)
        self.refused(2, ["--run"], "evaluate")
        self.refused(2, ["--output"], "preprocess", "--source", "generated")
        self.refused(2, ["--source"], "preprocess", "--output", self.folder / "data")

    def test_misspelt_options_are_named_with_the_right_one(self):
        self.refused_training(2, ["--epohcs", "epochs"], "--epohcs", 3)
        self.refused_training(2, ["--leraning-rate", "--help"], "--leraning-rate", 3)
        self.refused_training(2, ["--epoch", "epochs"], "--epoch", 3)  # an abbreviation is not guessed
        self.refused(2, ["--ouptut", "output"], "preprocess", "--source", "generated", "--ouptut", self.folder / "data")

    def test_words_and_values_that_belong_nowhere(self):
        self.refused_training(2, ["--help"], "stray")
        self.refused_training(2, ["epochs", "more than once"], "--epochs", 2, "--epochs", 3)
        self.refused_training(2, ["--augment", "maybe", "true or false"], "--augment=maybe")
        self.refused_training(2, ["lion", "adam|adamw|sgd"], "--optimiser", "lion")

    def test_numbers_out_of_range_or_none(self):
        for name, values in WRONG_NUMBERS.items():
            for value in values:
                with self.subTest(f"{name} {value}"):
                    self.refused_training(2, [name], f"{name}={value}")

    def test_numbers_of_other_commands(self):
        output = self.folder / "data"
        for name, value in [("--side", 20000), ("--side", "nan"), ("--validation", 1), ("--validation", "nan"), ("--test", -0.1),
                            ("--channels", 2), ("--shard-mib", 0), ("--images", 3), ("--classes", 11)]:
            with self.subTest(f"{name} {value}"):
                self.refused(2, [name], "preprocess", "--source", "generated", "--output", output, f"{name}={value}")
        self.assertFalse(output.exists())
        self.refused(2, ["--threads"], "evaluate", "--run", self.run_folder, "--threads", -1)

    def test_ranks_speak_with_one_voice_about_a_wrong_command_line(self):
        self.refused_training(2, ["--epohcs", "epochs"], "--epohcs", 3, ranks=3)
        self.refused_training(2, ["--lr"], "--lr", "nan", ranks=3)
        pack = ("preprocess", "--source", "generated", "--output", self.folder / "data")
        self.refused_by_ranks(3, 2, ["--side"], *pack, "--side", 20000)


class Config(Case):
    def refused_config(self, names, text):
        config = self.folder / "config.ini"
        config.write_text(text, encoding="utf-8")
        self.refused_training(2, names, "--config", config)

    def test_unknown_and_misspelt_keys_are_named_with_their_line(self):
        self.refused_config(["config.ini:3", "lerning-rate"], "[training]\nlr = 0.1\nlerning-rate = 0.1\n")
        self.refused_config(["config.ini:2", "epohcs", "epochs"], "[training]\nepohcs = 3\n")
        self.refused_config(["config.ini:1", "side-of-the-moon"], "side-of-the-moon = dark\n")

    def test_wrong_values_are_named_with_their_line(self):
        self.refused_config(["config.ini:2", "--lr", "nan"], "[training]\nlr = nan\n")
        self.refused_config(["config.ini:2", "--momentum"], "[training]\nmomentum = 1.5\n")
        self.refused_config(["config.ini:1", "--nesterov"], "nesterov = perhaps\n")
        self.refused_config(["config.ini:1", "--weight-decay"], "weight-decay =\n")

    def test_lines_that_are_none_keys_twice_and_wrong_sections(self):
        self.refused_config(["config.ini:2", "key = value"], "# a comment\nlr 0.1\n")
        self.refused_config(["config.ini:2", "lr", "twice"], "lr = 0.1\nlr = 0.2\n")
        self.refused_config(["config.ini:2", "[model]", "[training]"], "[model]\nlr = 0.1\n")
        self.refused_config(["config.ini:1", "print-model"], "print-model = true\n")

    def test_a_missing_config(self):
        self.refused_training(1, [self.folder / "none.ini"], "--config", self.folder / "none.ini")


class DataSet(Case):
    def change_manifest(self, **fields):
        data = self.copy(self.data)
        manifest = read_json(data / "manifest.json")
        (data / "manifest.json").write_text(json.dumps(manifest | fields), encoding="utf-8")
        return data

    def test_a_missing_folder_and_folders_that_are_no_data_set(self):
        missing = self.folder / "missing"
        self.refused_training(1, ["no such data set", missing], data=missing)
        self.refused_training(1, ["no manifest.json", self.folder], data=self.folder)
        self.refused_training(1, ["not a folder", PROGRAM], data=PROGRAM)

    def test_another_format_version(self):
        data = self.change_manifest(format_version=3)
        self.refused_training(1, ["version 3", "1 to 2", data / "manifest.json", "pack"], data=data)
        self.refused(1, ["version 3", data / "manifest.json"], "evaluate", "--run", self.run_folder, "--data", data)

    def test_a_manifest_cut_short_or_without_a_field(self):
        data = self.copy(self.data)
        text = (data / "manifest.json").read_text(encoding="utf-8")
        (data / "manifest.json").write_text(text[:len(text) // 2], encoding="utf-8")
        self.refused_training(1, ["not JSON", data / "manifest.json"], data=data)
        (data / "manifest.json").write_text("{}", encoding="utf-8")
        self.refused_training(1, ["format_version", data / "manifest.json"], data=data)

    def test_shards_cut_in_half_or_missing(self):
        data = self.copy(self.data)
        run = self.copy(self.run_folder)
        evaluate = ("evaluate", "--run", run, "--data", data, "--split", "test")
        for split, words in (("train", self.train_words(data=data)), ("test", evaluate)):
            with self.subTest(split):
                shard = data / f"shards/{split}-00000.h5"
                content = shard.read_bytes()
                shard.write_bytes(content[:len(content) // 2])
                self.refused(1, [shard, "cut short", len(content), len(content) // 2], *words)
                shard.unlink()
                self.refused(1, [shard], *words)
                shard.write_bytes(content)
                self.done(*words)

    def test_a_shard_of_another_data_set(self):
        data = self.copy(self.data)
        other = self.make_data(self.folder / "other", images=60)
        shutil.copy(other / "shards/train-00000.h5", data / "shards/train-00000.h5")
        self.refused_training(1, [data / "shards/train-00000.h5", "manifest"], data=data)

    def test_unknown_splits(self):
        names = ["'nonsense'", "train, validation, test"]
        self.refused(1, names, "evaluate", "--run", self.run_folder, "--split", "nonsense")
        self.refused_training(1, ["'trian'", "train, validation, test"], "--train-split", "trian")

    def test_more_ranks_than_samples(self):
        for name in ("apple", "pear"):
            write_ppm(self.folder / "images/train" / name / "only.ppm", 16, 16)
        data = self.pack_folders(self.folder / "images", self.folder / "two")
        self.assertEqual(samples_of(read_json(data / "manifest.json"), "train"), 2)
        self.refused_training(2, ["3 ranks", "2"], data=data, ranks=3)
        self.refused_training(2, ["3 ranks", "--batch"], "--batch", 2, ranks=3)
        self.done(*self.train_words("--batch-norm=false", data=data), ranks=2)

    def test_an_image_too_small_for_the_pools(self):
        self.refused_training(2, ["16", "32"], "--filters", "4,4,4,4,4")


class Run(Case):
    def test_a_run_folder_that_exists(self):
        before = (self.run_folder / "log.jsonl").read_bytes()
        taken = ("train", "--data", self.data, "--run", self.run_folder)
        self.refused(1, ["exists", self.run_folder, "--run"], *taken)
        self.assertEqual((self.run_folder / "log.jsonl").read_bytes(), before)
        self.refused_by_ranks(2, 1, ["exists", self.run_folder], *taken)
        self.run_path.write_text("a file")
        self.refused(1, ["exists", self.run_path], *self.train_words())
        self.assertEqual(self.run_path.read_text(), "a file")

    def test_folders_that_are_no_run(self):
        self.refused(1, ["no such run", self.folder / "none", "--run"], "evaluate", "--run", self.folder / "none")
        self.refused(1, ["not a run", self.data], "evaluate", "--run", self.data)

    def test_a_data_set_that_has_moved(self):
        run = self.copy(self.run_folder)
        record = read_json(run / "run.json")
        record["data"]["folder"] = str(self.folder / "gone")
        (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
        names = ["no such data set", self.folder / "gone", "--data"]
        self.refused(1, names, "evaluate", "--run", run)
        self.refused_by_ranks(2, 1, names, "evaluate", "--run", run)
        self.assertIn("--data", self.done("evaluate", "--help").stdout)
        self.refused(1, ["no such data set", self.folder / "none"], "evaluate", "--run", run, "--data", self.folder / "none")
        self.done("evaluate", "--run", run, "--data", self.data)

    def test_damaged_weights(self):
        whole = (self.run_folder / "weights/best.safetensors").read_bytes()
        lengths = (whole[:len(whole) // 2], whole[:-1], whole + b"\0", b"")
        headers = (b"\xff" * 8 + whole[8:], whole[:8] + b"!" + whole[9:])
        for damaged in (*lengths, *headers):
            run = self.copy(self.run_folder)
            weights = run / "weights/best.safetensors"
            weights.write_bytes(damaged)
            with self.subTest(f"{len(damaged)} bytes, {damaged[:9]}"):
                self.refused(1, [weights], "evaluate", "--run", run)
                self.assertFalse((run / "metrics.json").exists())
                self.done("evaluate", "--run", run, "--weights", "last")
            shutil.rmtree(run)

    def test_weights_of_another_model(self):
        other = self.make_run(self.data, self.folder / "other", "--filters", "4,8")
        run = self.copy(self.run_folder)
        weights = run / "weights/best.safetensors"
        shutil.copy(other / "weights/best.safetensors", weights)
        self.refused(1, ["another model", weights], "evaluate", "--run", run)

    def test_a_damaged_record(self):
        run = self.copy(self.run_folder)
        (run / "run.json").write_text("{\"format_version\": 7}")
        self.refused(1, ["version 7", run / "run.json"], "evaluate", "--run", run)
        (run / "run.json").write_text("{")
        self.refused(1, [run / "run.json"], "evaluate", "--run", run)
        shutil.copy(self.run_folder / "run.json", run)
        (run / "config.ini").write_text("[model]\nfliters = 8\n")
        self.refused(2, ["fliters", "filters", run / "config.ini"], "evaluate", "--run", run)


del Case  # a base, no test of its own
if __name__ == "__main__":
    support.main()
