"""How a run gets at its data set: staged, locked in memory, read block by block, checked; and how it draws samples."""
import support
from support import SystemTest, files_below, read_json, read_log


class DataAccess(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", "--shard-mib", 1, images=1500, side=32)
        cls.plain = cls.make_run(cls.data, cls.shared / "plain", "--epochs", 2, ranks=2)

    def weights(self, run):
        return (run / "weights/last.safetensors").read_bytes()

    def assert_same_as_plain(self, name, *words):
        run = self.make_run(self.data, self.folder / name, "--epochs", 2, *words, ranks=2)
        self.assertEqual(self.weights(run), self.weights(self.plain), " ".join(map(str, words)))

    def test_how_shards_are_read_changes_nothing(self):
        stage = self.folder / "stage"
        self.assert_same_as_plain("staged", "--stage", stage)
        self.assertEqual(files_below(stage), [], "a copy leaves nothing behind")
        self.assert_same_as_plain("ram", "--cache", "ram")
        self.assert_same_as_plain("none", "--cache", "none")
        self.assert_same_as_plain("unchecked", "--check-shards", "never")
        self.assert_same_as_plain("both", "--cache", "ram", "--stage", stage, "--loader-threads", 3, "--prefetch", 1)

    def test_the_run_remembers_where_the_data_set_lies_not_its_copy(self):
        run = self.make_run(self.data, self.folder / "run", "--stage", self.folder / "stage")
        self.done("evaluate", "--run", run)

    def test_a_window_gives_the_same_curve_for_every_number_of_ranks(self):
        losses = []
        for ranks in (1, 2, 3):
            run = self.make_run(self.data, self.folder / f"window{ranks}", "--shuffle-window", 300, ranks=ranks)
            losses.append([line["loss"] for line in read_log(run) if line["event"] == "step"])
        for other in losses[1:]:
            self.assertEqual(len(other), len(losses[0]))
            for a, b in zip(losses[0], other):
                self.assertAlmostEqual(a, b, delta=1e-4)

    def damaged(self):
        """A copy of the data set with one pixel of its last training shard changed."""
        copy = self.make_data(self.folder / "damaged", "--shard-mib", 1, images=1500, side=32)
        shard = sorted((copy / "shards").glob("train-*.h5"))[-1]
        content = bytearray(shard.read_bytes())
        content[-2000] ^= 1
        shard.write_bytes(content)
        return copy, shard

    def test_a_damaged_pixel_is_found_while_training(self):
        copy, shard = self.damaged()
        words = ("--data", copy, "--filters", 4, "--dense", 4, "--epochs", 10000, "--threads", 1)
        self.refused(1, [shard, "checksum"], "train", "--run", self.folder / "alone", *words)
        self.refused_by_ranks(2, 1, [shard, "checksum"], "train", "--run", self.folder / "ranks", *words)

    def test_a_damaged_shard_is_not_staged(self):
        copy, shard = self.damaged()
        self.refused(1, [shard, "checksum"], "train", "--data", copy, "--run", self.folder / "run", "--stage",
                     self.folder / "stage")
        self.assertFalse((self.folder / "run").exists())
        self.assertEqual(files_below(self.folder / "stage"), [])

    def test_a_stage_that_is_a_file_or_not_to_be_written(self):
        file = self.folder / "file"
        file.write_text("x")
        self.refused(1, [file], "train", "--data", self.data, "--run", self.folder / "run", "--stage", file / "below")
        self.refused(1, ["/proc"], "train", "--data", self.data, "--run", self.folder / "run", "--stage", "/proc/lockstep")

    def test_options_that_contradict_each_other_or_the_data_set(self):
        train = ("train", "--data", self.data, "--run", self.folder / "run")
        self.refused(2, ["--sampling weighted", "weights"], *train, "--sampling", "weighted")
        self.refused(2, ["--shuffle-window"], *train, "--sampling", "balanced", "--shuffle-window", 100)
        self.refused(2, ["--mix-probability", "--mixup"], *train, "--mix-probability", 0.5)
        self.refused(2, ["--mixup"], *train, "--mixup", -1)
        self.refused(2, ["--cache", "none|page|ram"], *train, "--cache", "all")
        self.assertFalse((self.folder / "run").exists())

    def test_sampling_and_mixing_train(self):
        for name, words in {"balanced": ("--sampling", "balanced"), "mixup": ("--mixup", 0.2, "--augment"),
                            "cutmix": ("--cutmix", 1, "--mixup", 1), "bytes": ("--loader-output", "uint8")}.items():
            run = self.make_run(self.data, self.folder / name, "--epochs", 3, *words, ranks=2)
            losses = [line["train_loss"] for line in read_log(run) if line["event"] == "epoch"]
            self.assertLess(losses[-1], losses[0], name)
            accuracy = [line["train_accuracy"] for line in read_log(run) if line["event"] == "epoch"][-1]
            self.assertTrue(0 <= accuracy <= 1)

    def test_flips_at_test_time_are_kept_beside_the_plain_figures(self):
        self.done("evaluate", "--run", self.plain, "--split", "test")
        before = read_json(self.plain / "metrics.json")["splits"]
        self.done("evaluate", "--run", self.plain, "--split", "test", "--test-time-flips", "horizontal", ranks=2)
        after = read_json(self.plain / "metrics.json")["splits"]
        name = "test, test-time flips horizontal"
        self.assertEqual(set(after) - set(before), {name})
        self.assertEqual({key: after[key] for key in before}, before)
        self.assertEqual(after[name]["samples"], before["test"]["samples"])
        self.assertNotEqual(after[name]["loss"], before["test"]["loss"])


if __name__ == "__main__":
    support.main()
