"""Weight files as Python writes them: read, listed, converted, compared, and bit for bit the same when they come back."""
import io
import json
import os
import pickle
import struct
import zipfile

import support
from support import SystemTest, lockstep

torch = support.needed_torch("torch")
safetensors_torch = support.needed("safetensors.torch")


def assorted():
    """Tensors of every type and shape that state dicts hold; of some only a part or a turned view is saved."""
    draws = torch.Generator().manual_seed(1)
    floats = torch.randn(6, 4, 3, 3, generator=draws)
    floats[0, 0, 0] = torch.tensor([float("nan"), float("inf"), -0.0])
    whole = torch.arange(1000.0)
    shared = torch.randn(5, 7, generator=draws)
    tensors = {"conv.weight": floats, "conv.lasts": floats.contiguous(memory_format=torch.channels_last),
               "turned": torch.randn(3, 8, generator=draws).t(), "slice": whole[100:110], "row": whole.view(10, 100)[3],
               "strided": whole[::7], "scalar": torch.tensor(3.5), "count": torch.tensor(7), "empty": torch.zeros(0, 4),
               "tied.a": shared, "tied.b": shared, "tied.c": shared[1:3], "expanded": torch.tensor([2.0]).expand(3, 4),
               "half": floats.half(), "bfloat16": floats.bfloat16(), "double": floats.double(),
               "parameter": torch.nn.Parameter(torch.randn(2, 2, generator=draws)), "grün.weight": torch.ones(2)}
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        tensors[str(dtype)[6:]] = torch.randint(0, 100, (3, 5), generator=draws).to(dtype)
    tensors["bool"] = torch.tensor([True, False, True])
    return tensors


def bits(tensor):
    return tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()


class WeightFormats(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tensors = assorted()

    def assert_same(self, found, expected=None):
        expected = self.tensors if expected is None else expected
        self.assertEqual(set(found), set(expected))
        for name, tensor in expected.items():
            self.assertEqual(found[name].dtype, tensor.dtype, name)
            self.assertEqual(found[name].shape, tensor.shape, name)
            self.assertEqual(bits(found[name]), bits(tensor), name)

    def round_trips(self, file, expected=None):
        """Through both formats that are written, and from one of them to the other. Returns what the first said."""
        said = self.done("weights", "convert", file, self.folder / "a.safetensors").stdout
        self.assert_same(safetensors_torch.load_file(self.folder / "a.safetensors"), expected)
        self.done("weights", "convert", file, self.folder / "b.pth")
        self.assert_same(torch.load(self.folder / "b.pth", weights_only=True), expected)
        self.done("weights", "convert", self.folder / "a.safetensors", self.folder / "c.pt")
        self.assert_same(torch.load(self.folder / "c.pt", weights_only=True, mmap=True), expected)
        self.done("weights", "convert", self.folder / "c.pt", self.folder / "d.safetensors")
        self.assertEqual((self.folder / "a.safetensors").read_bytes(), (self.folder / "d.safetensors").read_bytes())
        self.done("weights", "compare", file, self.folder / "b.pth")
        return said

    def save(self, content, name="w.pth", **options):
        torch.save(content, self.folder / name, **options)
        return self.folder / name

    def test_zip_files_of_every_protocol_come_back_bit_for_bit(self):
        for protocol in (2, 3, 4, 5):
            with self.subTest(protocol):
                self.round_trips(self.save(self.tensors, pickle_protocol=protocol))

    def test_the_older_format_of_every_protocol_comes_back_bit_for_bit(self):
        for protocol in (2, 3, 4, 5):
            with self.subTest(protocol):
                self.round_trips(self.save(self.tensors, pickle_protocol=protocol, _use_new_zipfile_serialization=False))

    def test_safetensors_come_back_bit_for_bit(self):
        own = {name: tensor.detach().clone().contiguous() for name, tensor in self.tensors.items()}
        safetensors_torch.save_file(own, self.folder / "w.safetensors", metadata={"epoch": "3"})
        said = self.round_trips(self.folder / "w.safetensors", own)
        self.assertIn("epoch = 3", said)

    def test_metadata_survive_the_way_through_a_pth(self):
        safetensors_torch.save_file({"a": torch.ones(2)}, self.folder / "w.safetensors",
                                    metadata={"input_mean": "0.5", "note": "ä \"b\"\n"})
        self.done("weights", "convert", self.folder / "w.safetensors", self.folder / "w.pth")
        self.done("weights", "convert", self.folder / "w.pth", self.folder / "back.safetensors")
        from safetensors import safe_open
        with safe_open(self.folder / "back.safetensors", "pt") as file:
            self.assertEqual(file.metadata(), {"input_mean": "0.5", "note": "ä \"b\"\n"})

    def test_a_modules_state_dict_with_its_attributes(self):
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Linear(8, 2))
        for options in ({}, {"_use_new_zipfile_serialization": False}):
            self.round_trips(self.save(model.state_dict(), **options), model.state_dict())

    def test_checkpoints_give_their_weights_and_name_what_they_leave(self):
        model = torch.nn.Linear(4, 3)
        optimiser = torch.optim.Adam(model.parameters())
        model(torch.ones(2, 4)).sum().backward()
        optimiser.step()
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 5])
        wrapped = {"module." + name: tensor for name, tensor in model.state_dict().items()}
        for key in ("state_dict", "model", "model_state_dict"):
            for zipped in (True, False):
                file = self.save({"epoch": 3, "arch": "linear", "best": 0.75, key: wrapped, "big": 2 ** 100,
                                  "optimizer": optimiser.state_dict(), "schedule": schedule.state_dict(),
                                  "rng": torch.get_rng_state(), "shape": torch.Size([1, 2]), "device": torch.device("cpu"),
                                  "dtype": torch.float32, "set": {1, 2}},
                                 _use_new_zipfile_serialization=zipped)
                said = self.round_trips(file, model.state_dict())
                self.assertIn(f"the weights lie under '{key}'", said)
                self.assertIn("left out, no weights: epoch, arch, best", said)
                self.assertIn("'module.' was taken off all names", said)

    def test_entries_of_a_state_dict_that_are_no_tensors_are_left_out(self):
        said = self.round_trips(self.save({"a": torch.ones(3), "_extra_state": None, "version": 3}), {"a": torch.ones(3)})
        self.assertIn("left out, no weights: _extra_state, version", said)

    def test_archives_that_other_programs_packed(self):
        file = self.save({"a": torch.arange(5000.0), "b": torch.zeros(40000)})
        expected = torch.load(file)
        with zipfile.ZipFile(file) as old:
            content = {name: old.read(name) for name in old.namelist()}
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with zipfile.ZipFile(self.folder / "packed.pth", "w", compression) as new:
                for name, data in content.items():
                    with new.open(name, "w", force_zip64=True) as entry:
                        entry.write(data)
            self.round_trips(self.folder / "packed.pth", expected)
        with zipfile.ZipFile(self.folder / "packed.pth", "w", zipfile.ZIP_LZMA) as new:
            for name, data in content.items():
                new.writestr(name, data)
        self.refused(1, ["packed by method 14"], "weights", "list", self.folder / "packed.pth")

    def test_a_file_without_checksums_is_read_and_says_so(self):
        torch.serialization.set_crc32_options(False)
        try:
            file = self.save({"a": torch.arange(5.0)})
        finally:
            torch.serialization.set_crc32_options(True)
        self.assertIn("saved without checksums", self.round_trips(file, {"a": torch.arange(5.0)}))

    def test_what_is_written_lies_as_pytorchs_does(self):
        safetensors_torch.save_file({f"t{i}": torch.full((i,), float(i)) for i in range(1, 20)}, self.folder / "w.safetensors")
        self.done("weights", "convert", self.folder / "w.safetensors", self.folder / "w.pth")
        with zipfile.ZipFile(self.folder / "w.pth") as archive:
            self.assertIsNone(archive.testzip())
            whole = (self.folder / "w.pth").read_bytes()
            for entry in archive.infolist():
                name, extra = struct.unpack_from("<HH", whole, entry.header_offset + 26)
                self.assertEqual((entry.header_offset + 30 + name + extra) % 64, 0, entry.filename)
                self.assertEqual(entry.compress_type, zipfile.ZIP_STORED)

    def test_the_list(self):
        file = self.save({"conv.weight": torch.zeros(4, 3, 2, 2), "count": torch.tensor(7)})
        said = self.done("weights", "list", file).stdout
        self.assertIn("4×3×2×2", said)
        self.assertIn("2 tensors, 49 values", said)
        described = json.loads(self.done("weights", "list", "--file", file, "--json").stdout)
        self.assertEqual(described["tensors"], [{"name": "conv.weight", "dtype": "float32", "shape": [4, 3, 2, 2]},
                                                {"name": "count", "dtype": "int64", "shape": []}])
        self.assertEqual((described["values"], described["bytes"], described["format"]), (49, 200, "PyTorch, zip"))

    def test_the_comparison(self):
        first = self.save({"a": torch.zeros(3), "b": torch.ones(2), "c": torch.ones(1)}, "1.pth")
        second = self.save({"a": torch.tensor([0, 0.25, 0]), "b": torch.ones(3), "d": torch.ones(1)}, "2.pth",
                           _use_new_zipfile_serialization=False)
        result = lockstep("weights", "compare", first, second)
        self.assertEqual(result.returncode, 1)
        for words in (f"only in {first}: c", f"only in {second}: d", "a: by up to 0.25", "b: [2] and [3]", "0 tensors are equal"):
            self.assertIn(words, result.stdout)
        self.assertEqual(lockstep("weights", "compare", first, first).returncode, 0)
        close = self.save({"a": torch.full((3,), 0.1), "b": torch.ones(2), "c": torch.ones(1)}, "3.pth")
        self.assertEqual(lockstep("weights", "compare", first, close, "--tolerance", 0.11).returncode, 0)

    def test_usage(self):
        file = self.save({"a": torch.ones(1)})
        self.refused(2, ["what to do"], "weights")
        self.refused(2, ["no 'weights lsit'"], "weights", "lsit")
        self.refused(2, ["--file is missing"], "weights", "list")
        self.refused(2, ["belongs to no option"], "weights", "list", file, file)
        self.refused(2, [".safetensors, .pth or .pt"], "weights", "convert", file, self.folder / "w.bin")
        for what in ("list", "convert", "compare"):
            said = self.done("weights", what, "--help").stdout
            self.assertIn(f"example: lockstep weights {what} ", said)


class Call:
    """What a hostile file does: unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class BadWeights(SystemTest):
    def refused_file(self, content, *words, name="w.pth"):
        (self.folder / name).write_bytes(content)
        return self.refused(1, [self.folder / name, *words], "weights", "list", self.folder / name)

    def saved(self, content, **options):
        buffer = io.BytesIO()
        torch.save(content, buffer, **options)
        return buffer.getvalue()

    def test_files_that_would_run_code_name_what_they_would_call(self):
        mark = self.folder / "mark"
        for zipped in (True, False):
            for payload, name in ((Call(os.system, f"touch {mark}"), "posix.system"), (Call(eval, "1"), ".eval"),
                                  (Call(torch.nn.Linear, 2, 2), "torch.nn.modules.linear.Linear")):
                for content in (payload, {"state_dict": {"a": torch.ones(1)}, "args": payload}):
                    bytes_ = self.saved(content, _use_new_zipfile_serialization=zipped)
                    self.refused_file(bytes_, name, "nothing was executed", "state_dict()")
        self.refused_file(self.saved(torch.nn.Linear(2, 2)), "torch.nn.modules.linear.Linear")
        self.assertFalse(mark.exists())

    def test_files_that_are_cut_short_anywhere(self):
        tensors = {"a": torch.arange(40.0), "b": torch.ones(3, 5)}
        for zipped in (True, False):
            whole = self.saved(tensors, _use_new_zipfile_serialization=zipped)
            for size in {1, 2, 3, 10, 15, 16, 30, 100, 200, *range(0, len(whole), 61), len(whole) - 1}:
                self.refused_file(whole[:size], name="cut.pth")

    def test_changed_bytes_are_found_by_their_checksum(self):
        whole = bytearray(self.saved({"a": torch.arange(40.0)}))
        place = whole.index(struct.pack("<3f", 3, 4, 5))
        whole[place] ^= 1
        self.refused_file(whole, "data/0 does not have its checksum")

    def test_pickles_that_lie(self):
        def archive(objects, *, data=b"\0" * 16, **records):
            class Writer(pickle.Pickler):
                def persistent_id(self, value):
                    return value.identity if isinstance(value, Stored) else None
            text = io.BytesIO()
            Writer(text, protocol=2).dump(objects)
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as file:
                file.writestr("archive/data.pkl", text.getvalue())
                file.writestr("archive/data/0", data)
                for name, content in records.items():
                    file.writestr("archive/" + name, content)
            return buffer.getvalue()

        class Stored:
            def __init__(self, elements, type_=torch.FloatStorage, key="0"):
                self.identity = ("storage", type_, key, "cpu", elements)

        def tensor(elements=4, offset=0, size=(4,), stride=(1,), **options):
            return Call(torch._utils._rebuild_tensor_v2, Stored(elements, **options), offset, size, stride, False, {})

        self.assertEqual(self.listed(archive({"a": tensor()})), 1)
        self.refused_file(archive({"a": tensor(elements=5)}), "data/0 has 16 bytes, 20 by the pickle")
        self.refused_file(archive({"a": tensor(key="1")}), "no entry archive/data/1")
        self.refused_file(archive({"a": tensor(offset=1)}), "tensor a reaches to element 4 of a storage of 4")
        self.refused_file(archive({"a": tensor(stride=(2,))}), "reaches to element 6")
        self.refused_file(archive({"a": tensor(size=(2, 2))}), "2 sizes and 1 strides")
        self.refused_file(archive({"a": tensor(offset=-1)}), "a count that is none")
        self.refused_file(archive({"a": tensor(size=(-4,))}), "a count that is none")
        self.refused_file(archive({"a": tensor(size=(2 ** 40, 2 ** 40), stride=(2 ** 40, 1))}), "impossible shape")
        self.refused_file(archive({"a": tensor(size=(2 ** 40,), stride=(0,))}), "makes 1099511627776 elements")
        self.refused_file(archive({"a": tensor(elements=2 ** 60)}), "impossible size")
        self.refused_file(archive({"a": Call(torch._utils._rebuild_tensor_v2)}), "too few arguments")
        self.refused_file(archive({"a": 3}), "no state dict in the file; left out, no weights: a")
        self.refused_file(archive([1, 2]), "no state dict in the file")
        self.refused_file(archive({"a": tensor()}, byteorder=b"big"), "big-endian")
        self.refused_file(archive({"a" * 300: tensor()}), "not UTF-8, or too long")

    def listed(self, content):
        (self.folder / "w.pth").write_bytes(content)
        return len(json.loads(self.done("weights", "list", self.folder / "w.pth", "--json").stdout)["tensors"])

    def test_safetensors_that_lie(self):
        def file(header, data=b"\0" * 8, length=None):
            text = json.dumps(header).encode()
            return struct.pack("<Q", len(text) if length is None else length) + text + data
        entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
        second = {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}
        self.refused_file(file({"a": entry, "b": entry}), "starts at byte 0, expected 4", name="w.safetensors")
        self.refused_file(file({"a": entry, "b": dict(second, data_offsets=[8, 12])}), "starts at byte 8", name="w.safetensors")
        self.refused_file(file({"a": entry, "b": second}, b"\0" * 4), "4 bytes of data, 8 by the header", name="w.safetensors")
        self.refused_file(file({"a": entry}, length=2 ** 60), "a header of 1152921504606846976 bytes", name="w.safetensors")
        self.refused_file(file({"a": dict(entry, shape=[2 ** 62, 2 ** 62])}), "impossible shape", name="w.safetensors")

    def test_other_files_are_refused_by_name(self):
        with zipfile.ZipFile(self.folder / "w.npz", "w") as archive:
            archive.writestr("a.npy", b"")
        self.refused(1, ["NumPy"], "weights", "list", self.folder / "w.npz")
        with zipfile.ZipFile(self.folder / "w.keras", "w") as archive:
            archive.writestr("config.json", b"{}")
            archive.writestr("model.weights.h5", b"")
        self.refused(1, [".keras archive", "model.save"], "weights", "list", self.folder / "w.keras")
        script = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
        script.save(self.folder / "w.pt")
        self.refused(1, ["TorchScript", "state_dict()"], "weights", "list", self.folder / "w.pt")
        self.refused_file(pickle.dumps({"a": 1}), "torch.save did not write")
        self.refused_file(b"", "0 bytes")
        self.refused_file(b"hello, this is a text", "no weight file")
        self.refused_file(b"\0" * 257 + b"ustar" + b"\0" * 300, "tar format")
        self.refused(1, [self.folder / "none.pth"], "weights", "list", self.folder / "none.pth")

    def test_training_refuses_weights_that_are_not_numbers(self):
        data = self.make_data(self.folder / "data", images=40)
        run = self.make_run(data, self.folder / "run")
        weights = safetensors_torch.load_file(run / "weights/last.safetensors")
        name = next(name for name in weights if name.endswith("weight"))
        weights[name].view(-1)[3] = float("inf")
        torch.save(weights, self.folder / "bad.pth")
        self.refused(1, [f"tensor {name} has 1 values that are NaN or infinite", self.folder / "bad.pth"], "train", "--data", data,
                     "--run", self.folder / "other", "--filters", "8,16", "--dense", 16, "--weights", self.folder / "bad.pth")


if __name__ == "__main__":
    support.main()
