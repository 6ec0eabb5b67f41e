"""What the tests of lockstep predict share: three small runs, images to name, and reading what was written."""
import csv
import random

import support
from support import SystemTest

numpy = support.needed("numpy")
h5py = support.needed("h5py")

CLASSES = ("fig", "kiwi, ripe", 'the "plum"')


def write_noise(path, seed, kind):
    """A picture of its own size, noise around the colour of a class."""
    draw = random.Random(seed)
    width, height = draw.randint(14, 40), draw.randint(14, 40)
    base = [[200, 80, 60], [70, 190, 80], [90, 60, 190]][kind]
    pixels = bytes(min(255, max(0, base[c] + draw.randint(-90, 90))) for _ in range(width * height) for c in range(3))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"P6 {width} {height} 255\n".encode() + pixels)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def probabilities_of(rows):
    return numpy.array([[float(row[name]) for name in CLASSES] for row in rows])


class PredictTest(SystemTest):
    """Three small runs on images of three classes, and 37 further images to name: numbers that divide by nothing."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.photos, cls.images = cls.shared / "photos", cls.shared / "images"
        for number in range(150):
            kind = number % 3
            split = "val" if number % 5 == 0 else "train"
            write_noise(cls.photos / split / CLASSES[kind] / f"{number}.ppm", number, kind)
        for number in range(37):
            write_noise(cls.images / ("deep" if number % 4 == 0 else ".") / f"i{number:02}.ppm", 1000 + number, number % 3)
        cls.data = cls.shared / "data"
        cls.pack(cls.data, "--source", "class-folders", "--input", cls.photos)
        network = ("--side", 16, "--eval-resize", 18, "--filters", "6,8", "--batch", 24)
        cls.a = cls.make_run(cls.data, cls.shared / "a", *network, "--seed", 1)
        cls.b = cls.make_run(cls.data, cls.shared / "b", *network, "--seed", 2, "--epochs", 3)
        cls.other = cls.make_run(cls.data, cls.shared / "other", "--filters", "5", "--normalise", "unit", "--batch", 24)
        cls.runs = (cls.a, cls.b, cls.other)

    @classmethod
    def pack(cls, output, *words):
        cls.done("preprocess", *words, "--output", output, "--side", 20, "--resize", "pad")
        return output

    def predict(self, *words, images=None, name="p.csv", ranks=0):
        self.said = self.done("predict", *words, "--images", images or self.images, "--output", self.folder / name,
                              ranks=ranks)
        return self.folder / name

    def of_runs(self, *words, **options):
        """The rows of an ensemble of all runs with probabilities."""
        runs = [word for run in self.runs for word in ("--run", run)]
        return rows_of(self.predict(*runs, "--probabilities", *words, **options))

    def truth(self, split):
        """The label of each image of a split, by its path."""
        with h5py.File(self.data / "images.h5") as table:
            return {path.decode(): CLASSES[label] for path, name, label in
                    zip(table["path"][:], table["split"][:], table["label"][:]) if name.decode() == split}

    def members(self, **options):
        """[run, image, class]"""
        return numpy.array([probabilities_of(rows_of(self.predict("--run", run, "--probabilities", **options)))
                            for run in self.runs])
