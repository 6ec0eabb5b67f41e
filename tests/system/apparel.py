"""Fashion-MNIST as people meet apparel data: a folder of PNG files and a table for training, unlabelled images to be named.

write(idx, folder) makes, of all images or the first so many,
  folder/train/*.png, folder/train/train.csv (id,label)    60,000 images
  folder/test/*.png, folder/test/test.csv (id)             10,000 images, whose labels are in
  folder/held/labels.csv (id,label)                        to be looked at afterwards
from the IDX files (.gz) in the folder `idx`.
"""
import csv
import gzip
import struct
import zlib


def read_idx(path):
    """Bytes of every record."""
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    sizes = struct.unpack(f">{dimensions}I", data[4:4 + 4 * dimensions])
    record = 1
    for size in sizes[1:]:
        record *= size
    values = data[4 + 4 * dimensions:]
    return [values[i * record:(i + 1) * record] for i in range(sizes[0])]


def png(pixels, side=28):
    """A grey PNG file (RFC 2083): every row behind a 0, for no filter."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + pixels[y * side:(y + 1) * side] for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def write_table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_split(idx, name, folder, first, most):
    """The images, and their (id, label)s."""
    folder.mkdir(parents=True)
    rows = []
    images, labels = read_idx(idx / f"{name}-images-idx3-ubyte.gz"), read_idx(idx / f"{name}-labels-idx1-ubyte.gz")
    for i, (image, label) in enumerate(zip(images[:most], labels[:most], strict=True)):
        (folder / f"{first + i}.png").write_bytes(png(image))
        rows.append((first + i, label[0]))
    return rows


def write(idx, folder, most_trained=None, most_held=None):
    trained = write_split(idx, "train", folder / "train", 1, most_trained)
    write_table(folder / "train/train.csv", ("id", "label"), trained)
    held = write_split(idx, "t10k", folder / "test", len(trained) + 1, most_held)
    write_table(folder / "test/test.csv", ("id",), [(name,) for name, _ in held])
    write_table(folder / "held/labels.csv", ("id", "label"), held)
