"""lockstep bench loader: figures that fit each other, for raw and JPEG data sets, one rank and two."""
import json

import support
from support import SystemTest

SIDE = 24
BATCH = 12


class BenchLoader(SystemTest):
    def bench(self, data, *words, ranks=0):
        """What is printed, and the JSON."""
        file = self.folder / "figures.json"
        done = self.done("bench", "loader", "--data", data, "--batch", BATCH, "--seconds", 0.5, "--json", file, *words, ranks=ranks)
        return done.stdout, json.loads(file.read_text())

    def expect_sound(self, figures, stored_bytes):
        """`stored_bytes`: least and most that an image may have read."""
        shares = [figures[stage]["share"] for stage in ("read", "decode", "transform")] + [figures["waiting_share"]]
        self.assertAlmostEqual(sum(shares), 1, delta=0.01)
        self.assertAlmostEqual(figures["images_per_second"], figures["images"] / figures["seconds"], delta=1e-6)
        self.assertGreater(figures["images"], BATCH)
        self.assertEqual(figures["transform"]["bytes_per_image"], 4 * 3 * SIDE * SIDE)
        self.assertGreaterEqual(figures["read"]["bytes_per_image"], stored_bytes[0])
        self.assertLessEqual(figures["read"]["bytes_per_image"], stored_bytes[1])

    def test_raw_and_jpeg_on_one_rank_and_two(self):
        raw = self.make_data(self.folder / "raw", side=SIDE)
        jpeg = self.make_data(self.folder / "jpeg", "--store", "jpeg", side=SIDE)
        for ranks in (0, 2):
            table, figures = self.bench(raw, ranks=ranks)
            self.expect_sound(figures, (3 * SIDE * SIDE, 3 * SIDE * SIDE))
            self.assertEqual(figures["decode"]["seconds_per_image"], 0)
            self.assertEqual(figures["ranks"], max(ranks, 1))
            self.assertRegex(table, r"images/s +\d+ on ")
            self.assertEqual(table.count("limit "), 1)
            _, figures = self.bench(jpeg, ranks=ranks)
            self.expect_sound(figures, (100, 3 * SIDE * SIDE))
            self.assertGreater(figures["decode"]["seconds_per_image"], 0)

    def test_a_crop_reads_its_rows_alone(self):
        raw = self.make_data(self.folder / "raw", side=SIDE)
        _, figures = self.bench(raw, "--augment", "--crop-scale", "0.1,0.2")
        self.expect_sound(figures, (1, 3 * SIDE * SIDE * 0.8))

    def test_wrong_words_are_refused(self):
        raw = self.make_data(self.folder / "raw", side=SIDE)
        self.refused(2, ["bench of what", "bench loader --help"], "bench")
        self.refused(2, ["'unicorns'", "bench loader --help"], "bench", "unicorns")
        self.refused(2, ["--data"], "bench", "loader")
        self.refused(2, ["--flip", "--augment"], "bench", "loader", "--data", raw, "--flip", 0.3)
        self.refused(1, ["nowhere"], "bench", "loader", "--data", self.folder / "nowhere")


if __name__ == "__main__":
    support.main()
