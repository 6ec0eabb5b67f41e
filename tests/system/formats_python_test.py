"""What the program writes, read by h5py, numpy, safetensors and json: data sets, weights, config and log of a run."""
import re
import shutil

import support
from support import SystemTest, read_json, read_log

h5py = support.needed("h5py")
numpy = support.needed("numpy")
safetensors = support.needed("safetensors")
safetensors_numpy = support.needed("safetensors.numpy")

STEP_FIELDS = {"event", "epoch", "step", "loss", "accuracy", "lr", "images_per_second", "wait_seconds"}
EPOCH_FIELDS = {"event", "epoch", "step", "samples", "train_loss", "train_accuracy", "lr", "train_seconds",
                "images_per_second", "wait_seconds", "eval_loss", "eval_accuracy", "best"}


class DataSet(SystemTest):
    """500 images of 48 pixels in shards of 1 MiB, which train needs three of."""

    SIDE, IMAGES = 48, 500

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", "--shard-mib", 1, images=cls.IMAGES, side=cls.SIDE)
        cls.manifest = read_json(cls.data / "manifest.json")

    def shards(self, *splits):
        for split in self.manifest["splits"]:
            if not splits or split["name"] in splits:
                for entry in split["shards"]:
                    with h5py.File(self.data / entry["file"], "r") as file:
                        yield split, entry, file

    def test_shards_are_plain_hdf5_with_the_promised_layout(self):
        names = []
        for split, entry, file in self.shards():
            names.append(entry["file"])
            n = entry["samples"]
            self.assertEqual(set(file), {"images", "labels", "ids"})
            self.assertEqual(file.attrs["format_version"], 2)
            promised = (("images", "uint8", (n, self.SIDE, self.SIDE, 3)), ("labels", "int32", (n,)), ("ids", "int64", (n,)))
            for name, dtype, shape in promised:
                self.assertEqual((file[name].dtype, file[name].shape), (numpy.dtype(dtype), shape))
                self.assertIsNone(file[name].chunks)
                self.assertIsNone(file[name].compression)
            self.assertEqual(file["images"].id.get_create_plist().get_layout(), h5py.h5d.CONTIGUOUS)
            self.assertEqual((self.data / entry["file"]).stat().st_size, entry["bytes"])
            self.assertRegex(entry["file"], rf"^shards/{split['name']}-\d{{5}}\.h5$")
        self.assertEqual(sum(name.startswith("shards/train") for name in names), 3)
        self.assertEqual(sorted(names), sorted(f"shards/{file.name}" for file in (self.data / "shards").iterdir()))

    def test_images_lie_where_hdf5_says_they_do(self):
        for _, entry, file in self.shards():
            offset, images = file["images"].id.get_offset(), file["images"][:]
            raw = (self.data / entry["file"]).read_bytes()[offset:offset + images.nbytes]
            self.assertEqual(raw, images.tobytes())
            self.assertGreater(images.std(), 10)  # pictures, not zeros

    def test_ids_are_unique_over_the_data_set_and_name_rows_of_the_table(self):
        with h5py.File(self.data / "images.h5", "r") as table:
            columns = {name: table[name][:] for name in ("path", "split", "label", "width", "height", "status", "reason")}
        self.assertEqual({len(column) for column in columns.values()}, {self.IMAGES})
        self.assertEqual(set(columns["status"]), {b"ok"})
        self.assertEqual(len(set(columns["path"])), self.IMAGES)
        self.assertTrue((columns["width"] == self.SIDE).all() and (columns["height"] == self.SIDE).all())
        seen = []
        for split, _, file in self.shards():
            ids = file["ids"][:]
            seen.extend(ids)
            self.assertTrue((columns["label"][ids] == file["labels"][:]).all())
            self.assertEqual(set(columns["split"][ids]), {split["name"].encode()})
        self.assertEqual(sorted(seen), list(range(self.IMAGES)))

    def test_counts_and_shares_of_the_splits(self):
        classes = len(self.manifest["classes"])
        for split in self.manifest["splits"]:
            labels = numpy.concatenate([file["labels"][:] for _, _, file in self.shards(split["name"])])
            self.assertEqual(numpy.bincount(labels, minlength=classes).tolist(), split["class_counts"])
            self.assertEqual(len(labels), split["samples"])
        counts = {split["name"]: split["samples"] for split in self.manifest["splits"]}
        self.assertEqual(counts, {"train": 360, "validation": 90, "test": 50})
        self.assertEqual(self.manifest["status_counts"], {"ok": self.IMAGES})
        self.assertEqual(self.manifest["classes"], sorted(self.manifest["classes"]))

    def test_mean_and_std_are_those_of_the_training_pixels(self):
        pixels = numpy.concatenate([file["images"][:].reshape(-1, 3) for _, _, file in self.shards("train")]).astype(float)
        numpy.testing.assert_allclose(self.manifest["mean"], pixels.mean(axis=0), rtol=1e-9)
        numpy.testing.assert_allclose(self.manifest["std"], pixels.std(axis=0), rtol=1e-9)

    def test_ranks_and_threads_write_the_same_bytes(self):
        words = ("preprocess", "--source", "generated", "--images", self.IMAGES, "--side", self.SIDE, "--shard-mib", 1)
        self.done(*words, "--output", self.folder / "two", ranks=2)
        self.done(*words, "--output", self.folder / "three", "--threads", 3)
        expected = {name: (self.data / name).read_bytes() for name in support.files_below(self.data)}
        for other in ("two", "three"):
            found = {name: (self.folder / other / name).read_bytes() for name in support.files_below(self.folder / other)}
            self.assertEqual(found.keys(), expected.keys())
            self.assertEqual([name for name in found if found[name] != expected[name]], [])


class Run(SystemTest):
    """Three epochs of 216 training samples, with everything random on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.make_data(cls.shared / "data", images=300)
        cls.run_folder = cls.make_run(cls.data, cls.shared / "run", "--epochs", 3, "--log-every", 3, "--augment",
                                      "--dropout-conv", 0.1, "--dropout-dense", 0.2, "--batch", 31)

    def weights(self, name, run=None):
        return safetensors_numpy.load_file((run or self.run_folder) / f"weights/{name}.safetensors")

    def test_weights_open_as_safetensors_with_the_model_s_shapes(self):
        for name in ("best", "last"):
            tensors = self.weights(name)
            learnt = sorted(tensor.shape for tensor in tensors.values() if tensor.ndim > 1)
            self.assertEqual(learnt, sorted([(8, 3, 3, 3), (16, 8, 3, 3), (16, 256), (10, 16)]))
            for key, tensor in tensors.items():
                self.assertRegex(key, r"^[a-z0-9_.]+\.(weight|bias|running_mean|running_var|num_batches_tracked)$")
                self.assertTrue(numpy.isfinite(tensor).all(), key)

    def test_weights_tell_where_they_come_from(self):
        epochs = [line for line in read_log(self.run_folder) if line["event"] == "epoch"]
        best = max(epochs, key=lambda line: line["eval_accuracy"])
        for name, line in (("best", best), ("last", epochs[-1])):
            with safetensors.safe_open(self.run_folder / f"weights/{name}.safetensors", "numpy") as file:
                told = file.metadata()
            self.assertEqual((int(told["epoch"]), int(told["step"])), (line["epoch"], line["step"]))
            self.assertEqual(told["metric"], "accuracy")
            self.assertEqual(float(told["value"]), line["eval_accuracy"])

    def test_the_log_holds_every_epoch_with_the_promised_fields(self):
        log = read_log(self.run_folder)
        steps, epochs, checkpoints, shown = ([line for line in log if line["event"] == event]
                                             for event in ("step", "epoch", "checkpoint", "shown_images"))
        self.assertEqual(len(steps) + len(epochs) + len(checkpoints) + len(shown) + 2, len(log))
        begun, ended = log[0], log[-1]
        self.assertEqual((begun["event"], begun["epoch"], begun["step"], begun["steps"], begun["ranks"], begun["metric"]),
                         ("started", 1, 0, 21, 1, "accuracy"))
        self.assertEqual((ended["event"], ended["epoch"], ended["step"], ended["reason"]), ("finished", 3, 21, "all epochs made"))
        self.assertEqual(ended["best_value"], max(line["eval_accuracy"] for line in epochs))
        self.assertEqual(epochs[ended["best_epoch"] - 1]["eval_accuracy"], ended["best_value"])
        self.assertEqual(len(shown), 1)
        self.assertEqual([(line["epoch"], line["step"]) for line in checkpoints], [(1, 7), (2, 14), (3, 21)])
        self.assertEqual([line["epoch"] for line in epochs], [1, 2, 3])
        self.assertEqual([line["samples"] for line in epochs], [216] * 3)
        self.assertEqual([line["step"] for line in epochs], [7, 14, 21])
        self.assertEqual([line["step"] for line in steps], [3, 6, 10, 13, 17, 20])
        for fields, lines in ((STEP_FIELDS, steps), (EPOCH_FIELDS, epochs)):
            for line in lines:
                self.assertLessEqual(fields, set(line))
                self.assertTrue(all(numpy.isfinite(value) for value in line.values() if isinstance(value, (int, float))))

    def test_images_per_second_count_the_wait_for_data(self):
        for line in read_log(self.run_folder):
            if line["event"] == "epoch":
                self.assertTrue(0 <= line["wait_seconds"] <= line["train_seconds"], line)
                self.assertAlmostEqual(line["images_per_second"] * line["train_seconds"] / line["samples"], 1, delta=0.02)

    def losses(self, run):
        epochs = [line for line in read_log(run) if line["event"] == "epoch"]
        return [(line["train_loss"], line["eval_loss"], line["eval_accuracy"]) for line in epochs]

    def test_the_config_runs_again_to_the_last_digit(self):
        other = self.folder / "again"
        self.done("train", "--config", self.run_folder / "config.ini", "--run", other)
        self.assertEqual(self.losses(other), self.losses(self.run_folder))
        last = "weights/last.safetensors"
        self.assertEqual((other / last).read_bytes(), (self.run_folder / last).read_bytes())
        without_run = lambda run: re.sub(r"(?m)^run = .*$", "", (run / "config.ini").read_text(encoding="utf-8"))
        self.assertEqual(without_run(other), without_run(self.run_folder))

    def test_the_config_runs_again_from_another_folder(self):
        """As it is: where the first run was started with relative paths, too."""
        shutil.copytree(self.data, self.folder / "here/data")
        self.done("train", "--config", self.run_folder / "config.ini", "--data", "data", "--run", "run", "--epochs", 1,
                  cwd=self.folder / "here")
        self.done("evaluate", "--run", self.folder / "here/run")
        self.done("train", "--config", self.folder / "here/run/config.ini", "--run", self.folder / "again", cwd=self.folder)
        self.assertEqual(self.losses(self.folder / "again"), self.losses(self.folder / "here/run"))

    def test_another_seed_runs_otherwise(self):
        other = self.folder / "other"
        self.done("train", "--config", self.run_folder / "config.ini", "--run", other, "--seed", 1, "--epochs", 1)
        self.assertNotEqual(self.losses(other)[0], self.losses(self.run_folder)[0])


if __name__ == "__main__":
    support.main()
