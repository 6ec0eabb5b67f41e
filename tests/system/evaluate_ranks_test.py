"""lockstep evaluate under mpirun: metrics.json has the same bytes for any ranks and threads, each sample counted once."""
import support
from support import SystemTest, read_json, samples_of, write_ppm


class EvaluateRanks(SystemTest):
    """Sizes that divide by nothing: 67 test samples, 7 classes, blocks of 32, 20 pixels."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", "--classes", 7, "--test", 0.2, images=333, side=20)
        cls.run_folder = cls.make_run(cls.data, cls.shared / "run", "--filters", "8,12")
        cls.manifest = read_json(cls.data / "manifest.json")

    def evaluate(self, ranks, *words, run=None):
        """The bytes of metrics.json, made anew."""
        metrics = (run or self.run_folder) / "metrics.json"
        metrics.unlink(missing_ok=True)
        self.done("evaluate", "--run", run or self.run_folder, *words, ranks=ranks)
        return metrics.read_bytes()

    def assert_each_counted_once(self, metrics, split):
        entry = next(entry for entry in self.manifest["splits"] if entry["name"] == split)
        found = metrics["splits"][split]
        self.assertEqual(found["samples"], entry["samples"])
        self.assertEqual([sum(row) for row in found["confusion_matrix"]], entry["class_counts"])
        self.assertEqual([row["support"] for row in found["classes"]], entry["class_counts"])

    def test_the_same_bytes_for_any_ranks_and_threads(self):
        self.assertEqual(samples_of(self.manifest, "test"), 67)
        expected = self.evaluate(0, "--split", "test", "--threads", 1)
        self.assert_each_counted_once(read_json(self.run_folder / "metrics.json"), "test")
        for ranks in (1, 2, 3, 4):
            for threads in (1, 2):
                with self.subTest(ranks=ranks, threads=threads):
                    self.assertEqual(self.evaluate(ranks, "--split", "test", "--threads", threads), expected)

    def test_every_split_is_counted_and_splits_stand_side_by_side(self):
        self.evaluate(0, "--split", "test")
        for split in ("validation", "train"):
            self.done("evaluate", "--run", self.run_folder, "--split", split, ranks=3)
        metrics = read_json(self.run_folder / "metrics.json")
        self.assertEqual(set(metrics["splits"]), {"train", "validation", "test"})
        for split in metrics["splits"]:
            self.assert_each_counted_once(metrics, split)

    def test_a_second_evaluation_replaces_the_first(self):
        self.evaluate(0, "--split", "test", "--weights", "last")
        once = (self.run_folder / "metrics.json").read_bytes()
        self.done("evaluate", "--run", self.run_folder, "--split", "test", "--weights", "last")
        self.assertEqual((self.run_folder / "metrics.json").read_bytes(), once)

    def test_fewer_samples_than_ranks(self):
        for number in range(4):
            for name, colour in (("apple", (250, 10 * number, 0)), ("pear", (0, 10 * number, 250))):
                write_ppm(self.folder / f"images/train/{name}/{number}.ppm", 16, 16, colour)
        write_ppm(self.folder / "images/test/pear/only.ppm", 16, 16, (0, 15, 250))
        data = self.pack_folders(self.folder / "images", self.folder / "data")
        run = self.make_run(data, self.folder / "run")
        expected = self.evaluate(0, "--split", "test", run=run)
        self.assertEqual(self.evaluate(4, "--split", "test", run=run), expected)
        metrics = read_json(run / "metrics.json")["splits"]["test"]
        self.assertEqual((metrics["samples"], metrics["classes"][0]["support"], metrics["classes"][1]["support"]), (1, 0, 1))

    def test_a_run_of_several_ranks_is_evaluated_by_any_number(self):
        run = self.make_run(self.data, self.folder / "run", ranks=2)
        expected = self.evaluate(0, "--split", "validation", run=run)
        self.assertEqual(self.evaluate(3, "--split", "validation", run=run), expected)


if __name__ == "__main__":
    support.main()
