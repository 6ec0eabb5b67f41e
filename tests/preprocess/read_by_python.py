"""What we write is read by h5py, numpy and Pillow; a linear model does not solve the generated set.

usage: read_by_python.py <lockstep-preprocess>     ends with 77 if a package is missing
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    from PIL import Image
    from sklearn.linear_model import LogisticRegression
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


def pack(program, output, *words):
    subprocess.run([program, "--output", str(output), *words], check=True)
    return json.loads((output / "manifest.json").read_text())


def read_split(data_set, manifest, name):
    """Images [n, h, w, c], labels [n] and ids [n] of a split, every shard checked against the manifest."""
    split = next(s for s in manifest["splits"] if s["name"] == name)
    parts = []
    for entry in split["shards"]:
        path = data_set / entry["file"]
        assert path.stat().st_size == entry["bytes"], path
        with h5py.File(path) as shard:
            assert shard.attrs["format_version"] == manifest["format_version"]
            images = shard["images"]
            assert images.dtype == np.uint8 and images.chunks is None and images.compression is None
            assert shard["labels"].dtype == np.int32 and shard["ids"].dtype == np.int64
            assert images.shape[0] == entry["samples"] == len(shard["labels"]) == len(shard["ids"])
            offset = images.id.get_offset()
            raw = np.fromfile(path, np.uint8, images.size, offset=offset).reshape(images.shape)
            assert (raw == images[:]).all(), "the block is not at its offset"
            parts.append((images[:], shard["labels"][:], shard["ids"][:]))
    images, labels, ids = (np.concatenate(column) for column in zip(*parts))
    assert np.bincount(labels, minlength=len(manifest["classes"])).tolist() == split["class_counts"]
    return images, labels, ids


def check_pictures(program, folder):
    """PNG files come back exactly, at their ids, with their rows in images.h5."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8)
    for i, picture in enumerate(pixels):
        path = folder / "photos" / f"class {i % 3}" / f"ü{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    (folder / "photos" / "class 1" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    data_set = folder / "packed"
    manifest = pack(program, data_set, "--source", "class-folders", "--input", str(folder / "photos"), "--side", "32")
    with h5py.File(data_set / "images.h5") as table:
        paths = table["path"].asstr()[:]
        assert sorted(table["status"].asstr()[:].tolist()).count("refused") == 1
        reasons = dict(zip(paths, table["reason"].asstr()[:]))
    assert "PNG" in reasons["class 1/broken.png"], reasons
    seen = []
    for split in manifest["splits"]:
        images, labels, ids = read_split(data_set, manifest, split["name"])
        for image, label, index in zip(images, labels, ids):
            number = int(paths[index][-6:-4])
            assert (image == pixels[number]).all() and label == number % 3
            seen.append(number)
        if split["name"] == "train":
            flat = images.reshape(-1, 3).astype(np.float64)
            assert np.allclose(flat.mean(0), manifest["mean"]) and np.allclose(flat.std(0), manifest["std"])
    assert sorted(seen) == list(range(24))


def check_linear_bound(program, folder):
    """Logistic regression on the pixels stays below 60 % on the generated set."""
    data_set = folder / "generated"
    manifest = pack(program, data_set, "--source", "generated", "--side", "32", "--images", "2000", "--test", "0.2")
    images, labels, _ = read_split(data_set, manifest, "train")
    test_images, test_labels, _ = read_split(data_set, manifest, "test")
    model = LogisticRegression(C=1e-3, max_iter=60)
    model.fit(images.reshape(len(images), -1) / 255 - 0.5, labels)
    accuracy = model.score(test_images.reshape(len(test_images), -1) / 255 - 0.5, test_labels)
    print(f"linear model: {accuracy:.1%}")
    assert accuracy < 0.6


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        check_pictures(program, pathlib.Path(folder))
        check_linear_bound(program, pathlib.Path(folder))
    print("ok")


main()
