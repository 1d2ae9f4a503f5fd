"""PyTorch checkpoints byte by byte: pickles by opcode, the zip around them, and the older format, sound or hostile as a test wants them."""

import io
import pickle
import struct
import zipfile

import numpy as np

NUMBERS = np.arange(6, dtype="<f4")
STORAGES = (("0", 6, NUMBERS.tobytes()),)  # key, count, bytes
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


def number(value):
    """A whole number of any size (LONG1)."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def text(value):
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def name(module, called):
    return f"c{module}\n{called}\n".encode()


def numbers(*values):
    """A tuple of whole numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(kind="FloatStorage", key="0", count=6, more=b""):
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + more + b"tQ"


def tensor(of=None, offset=0, shape=(2, 3), stride=(3, 1)):
    """A tensor, as torch._utils._rebuild_tensor_v2 is called for one."""
    hooks = name("collections", "OrderedDict") + b")R"
    view = number(offset) + numbers(*shape) + numbers(*stride)
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + (storage() if of is None else of) + view + b"\x89" + hooks + b"tR"


def pickled(**entries):
    """A dictionary of these values, each the opcodes that push it."""
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u."


def zipped(value, members=None, method=zipfile.ZIP_STORED, folder="archive"):
    """The zip around a pickle; `members` besides it, by default the storage "0" with six float32."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(f"{folder}/data.pkl", value)
        archive.writestr(f"{folder}/version", "3\n")
        for called, content in ({"data/0": NUMBERS.tobytes()} if members is None else members).items():
            archive.writestr(f"{folder}/{called}", content)
    return stream.getvalue()


def older(value, storages=STORAGES, version=1001, little=True, magic=MAGIC):
    """The format before 1.6."""
    head = [magic, pickle.dumps(version, 2), pickle.dumps({"protocol_version": version, "little_endian": little}, 2)]
    keys = pickle.dumps([key for key, _, _ in storages], 2)
    return b"".join([*head, value, keys, *(struct.pack("<q", count) + data for _, count, data in storages)])


def saved(value, **options):
    """What torch.save writes."""
    import torch  # here alone: the fuzzer does without

    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()
