"""A submission from tables of pictures to the comparison: some of Fashion-MNIST as PNG files, packed, trained on, named.

acceptance.py does the same with all of it.
"""
import apparel
import support
from support import SystemTest, read_json


class Apparel(SystemTest):
    def test_from_pictures_and_tables_to_the_comparison(self):
        tables, data, run = self.folder / "tables", self.folder / "data", self.folder / "run"
        apparel.write(support.test_data("fashion-mnist"), tables, 3000, 500)
        self.done("preprocess", "--source", "csv", "--input", tables, "--output", data, "--side", 28, "--channels", 1,
                  "--validation", 0.1)
        self.done("train", "--config", support.ROOT / "configs/fashion_mnist.ini", "--data", data, "--run", run,
                  "--epochs", 4, "--batch", 64, ranks=2)
        submission, again = self.folder / "submission.csv", self.folder / "again.csv"
        self.done("predict", "--run", run, "--images", data, "--output", submission, ranks=2)
        self.done("predict", "--run", run, "--images", tables / "test", "--output", again)
        self.assertEqual(submission.read_bytes(), again.read_bytes(), "packed with the run's data, or by predict")
        rows, held = ([line.split(",") for line in path.read_text().splitlines()[1:]]
                      for path in (submission, tables / "held/labels.csv"))
        self.assertEqual([name for name, _ in rows], [name for name, _ in held])
        right = sum(mine == theirs for mine, theirs in zip(rows, held)) / len(held)
        self.done("evaluate", "--predictions", submission, "--labels", tables / "held/labels.csv", "--output",
                  self.folder / "m.json")
        self.assertEqual(read_json(self.folder / "m.json")["accuracy"], right)
        self.assertGreater(right, 0.6)


if __name__ == "__main__":
    support.main()
