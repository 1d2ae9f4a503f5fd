"""PyTorch checkpoints of both formats as arrays; and those that a stranger wrote, each refused by name, with nothing imported or called."""

import contextlib
import io
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_bytes import NUMBERS, name, number, numbers, older, pickled, saved, storage, tensor, text, zipped

from l9.errors import RefusedObject, SandboxError
from l9.readers import plain_pickle, torch_weights
from l9.readers.plain_pickle import Maker, read_pickle
from l9.readers.torch_weights import opened_checkpoint
from l9.sandbox.weights import _weights, read_weights

FORMATS = {"zip": {}, "zip, protocol 4": {"pickle_protocol": 4}, "older": {"_use_new_zipfile_serialization": False}}
DTYPES = (torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)


def read(data):
    with opened_checkpoint(io.BytesIO(data)) as found:
        return dict(found.arrays())


def refused(data, reason, words=None):
    with pytest.raises(RefusedObject, match=words) as caught:
        read(data)
    assert caught.value.reason == reason and "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_every_kind_of_number_comes_back_as_it_was(options):
    tensors = {str(dtype): torch.tensor([[0, 1, 2], [3, 1, 0]]).to(dtype) for dtype in DTYPES}
    arrays = read(saved(tensors, **options))
    assert list(arrays) == list(tensors)
    for called, value in tensors.items():
        assert arrays[called].dtype == value.numpy().dtype
        np.testing.assert_array_equal(arrays[called], value.numpy())


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_bfloat16_becomes_float32_exactly(options):
    values = torch.tensor([0.0, -0.0, 1.0, -3.140625, 1e-40, 3e38, float("inf"), float("nan")]).bfloat16()
    (array,) = read(saved({"x": values}, **options)).values()
    assert array.dtype == np.float32
    assert array.tobytes() == values.float().numpy().tobytes()


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_views_of_one_storage_scalars_and_empty_tensors(options):
    whole = torch.arange(24.0).reshape(4, 6)
    tensors = {"whole": whole, "turned": whole.T, "part": whole[1:3, ::2], "one": whole[2, 3], "none": whole[:0], "wide": torch.zeros(0, 5)}
    arrays = read(saved(tensors, **options))
    for called, value in tensors.items():
        assert arrays[called].shape == tuple(value.shape) and arrays[called].flags.c_contiguous and arrays[called].flags.writeable
        np.testing.assert_array_equal(arrays[called], value.numpy())


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_a_state_dict_may_be_wrapped_and_the_rest_is_left_alone(options):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))  # its state dict has the attribute _metadata
    data = saved({"epoch": 3, "state_dict": model.state_dict(), "optimizer": {"lr": [0.1, None, (True, "x")]}}, **options)
    with opened_checkpoint(io.BytesIO(data)) as found:
        arrays = dict(found.arrays())
        assert found.aside == ("epoch", "optimizer")
    assert list(arrays) == list(model.state_dict())
    np.testing.assert_array_equal(arrays["1.running_var"], np.ones(3, np.float32))
    parameters = read(saved(dict(model.named_parameters()), **options))
    assert list(parameters) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    np.testing.assert_array_equal(parameters["0.weight"], model[0].weight.detach().numpy())


def test_what_is_built_by_hand_here_is_what_torch_reads():
    """The hostile files below differ from sound ones in one place each."""
    for data in (zipped(pickled(x=tensor())), older(pickled(x=tensor(storage(more=b"N"))))):
        np.testing.assert_array_equal(read(data)["x"], NUMBERS.reshape(2, 3))
        assert torch.equal(torch.load(io.BytesIO(data), weights_only=True)["x"], torch.arange(6.0).reshape(2, 3))  # of memory, made above


CALLS = {
    "os.system": name("os", "system") + b"(" + text("touch {witness}") + b"tR",
    "posix.system": name("posix", "system") + b"(" + text("touch {witness}") + b"tR",
    "builtins.eval": name("builtins", "eval") + b"(" + text("open({witness!r}, 'w')") + b"tR",
    "torch.load": name("torch", "load") + b"(" + text("x") + b"tR",
    "torch.storage._load_from_bytes": name("torch.storage", "_load_from_bytes") + b"(" + text("x") + b"tR",
    "torch.ComplexFloatStorage": storage("ComplexFloatStorage"),
    "torch.nn.modules.linear.Linear": name("torch.nn.modules.linear", "Linear") + b")\x81",
    "l9_trap.deed": text("l9_trap") + text("deed") + b"\x93",
    "collections.Counter": name("collections", "Counter") + b")R",
}


@pytest.mark.parametrize("called", CALLS)
@pytest.mark.parametrize("form", [zipped, older], ids=["zip", "older"])
def test_what_a_pickle_would_call_is_named_and_neither_imported_nor_called(tmp_path, monkeypatch, called, form):
    (tmp_path / "l9_trap.py").write_text("open('imported', 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    refused(form(pickled(x=CALLS[called].replace(b"{witness}", b"ran"))), "forbidden-name", called)
    assert [path.name for path in tmp_path.iterdir()] == ["l9_trap.py"] and "l9_trap" not in sys.modules


def test_a_name_is_taken_as_it_stands():
    """Escapes in it mean nothing to Python's unpickler, but something to pickletools (found by the fuzzer)."""
    refused(zipped(b"\x80\x02c\\x74orch\nFloat\\Storage\n."), "forbidden-name", r"names \\x74orch\.Float\\Storage")


def test_reduce_of_a_class_that_python_itself_pickled(tmp_path):
    class Deed:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    for protocol in range(2, 6):
        refused(zipped(pickle.dumps({"x": Deed()}, protocol)), "forbidden-name", "system")
    assert not (tmp_path / "ran").exists()


OPCODES = {
    "INST": b"ios\nsystem\n",
    "OBJ": b"(" + name("collections", "OrderedDict") + text("x") + b"o",
    "NEWOBJ": name("collections", "OrderedDict") + b")\x81",
    "NEWOBJ_EX": name("collections", "OrderedDict") + b")}\x92",
    "EXT1": b"\x82\x01",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 1 << 60),
    "NEXT_BUFFER": b"\x97",
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 1 << 60),
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 1 << 60),
    "LONG4": b"\x8b" + struct.pack("<i", 1 << 30),
    "LONG": b"L" + b"9" * 100_000 + b"L\n",
    "PERSID": b"P0\n",
    "DUP": b"N2",
    "EMPTY_SET": b"\x8f",
    "no opcode": b"\xff",
}


@pytest.mark.parametrize("opcode", OPCODES)
def test_an_opcode_that_is_not_on_the_list_is_refused_before_its_argument_is_read(opcode):
    refused(zipped(pickled(x=OPCODES[opcode])), "forbidden-opcode", opcode)


CALLED = {  # names on the list, called as torch never does
    "a storage's class": (name("torch", "FloatStorage") + b")R", "forbidden-name"),
    "a number": (b"K\x01)R", "forbidden-name"),
    "arguments that are no tuple": (name("collections", "OrderedDict") + b"]R", "forbidden-name"),
    "an OrderedDict of something": (name("collections", "OrderedDict") + b"(K\x01tR", "unreadable"),
    "a tensor of nothing": (name("torch._utils", "_rebuild_tensor_v2") + b")R", "bad-tensor"),
    "a tensor of a number": (tensor(b"K\x01"), "bad-tensor"),
    "a parameter of a number": (name("torch._utils", "_rebuild_parameter") + b"(K\x01\x88]tR", "bad-tensor"),
    "a parameter of nothing": (name("torch._utils", "_rebuild_parameter") + b")R", "bad-tensor"),
    "a persistent id that is text": (text("0") + b"Q", "unreadable"),
    "a persistent module": (b"(" + text("module") + b"NNNNtQ", "unreadable"),
    "a view of a storage": (tensor(storage(more=b"(" + text("1") + number(0) + number(2) + b"t")), "unreadable"),
    "a storage of minus one": (tensor(storage(count=-1)), "unreadable"),
    "a storage of true": (b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + b"\x88tQ", "unreadable"),
    "no tensor": (b"K\x01", "not-weights"),
    "a dictionary in a dictionary": (b"}", "not-weights"),
}


@pytest.mark.parametrize("called", CALLED)
def test_what_is_no_tensor_is_refused(called):
    value, reason = CALLED[called]
    refused(zipped(pickled(x=value)), reason)


VIEWS = {
    "one number too many": {"shape": (7,), "stride": (1,)},
    "an offset beyond": {"offset": 1},
    "an offset far beyond": {"offset": 1 << 62},
    "an offset before": {"offset": -1},
    "a negative size": {"shape": (-2, -3)},
    "a negative stride": {"stride": (3, -1)},
    "a stride beyond": {"stride": (6, 1)},
    "a stride far beyond": {"stride": (1 << 2000, 1)},
    "a size that overflows": {"shape": (1 << 32, 1 << 32), "stride": (0, 0)},
    "one number shown a billion times": {"shape": (1 << 30,), "stride": (0,)},
    "overlapping rows": {"shape": (5, 2), "stride": (1, 1)},
    "sizes without strides": {"stride": (1,)},
    "seventeen axes": {"shape": (1,) * 17, "stride": (1,) * 17},
    "nothing, of sizes that no array has": {"shape": (0, 1 << 30, 1 << 30), "stride": (1, 1, 1)},
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("form", [zipped, older], ids=["zip", "older"])
def test_a_view_that_leads_out_of_its_storage_is_refused(view, form):
    refused(form(pickled(x=tensor(**VIEWS[view]))), "bad-tensor")


@given(
    offset=st.integers(0, 8),
    shape=st.lists(st.integers(0, 4), max_size=3),
    stride=st.lists(st.integers(0, 7), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_a_view_is_what_torch_makes_of_it_or_refused(offset, shape, stride):
    """Refused is what torch refuses, and what shows more numbers than the storage has."""
    data = zipped(pickled(x=tensor(offset=offset, shape=shape, stride=stride)))
    with contextlib.suppress(RefusedObject):
        found = read(data)["x"]
        if found.size:
            expected = torch.as_strided(torch.arange(6.0), shape, stride, offset)
            np.testing.assert_array_equal(found, expected.numpy())
        assert found.shape == tuple(shape)
        return
    lasts = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=False))
    assert len(shape) != len(stride) or (0 not in shape and (lasts >= 6 or np.prod(shape) > 6))


def test_bounds_hold_pickles_stacks_memos_tensors_and_bytes(monkeypatch):
    refused(zipped(b"\x80\x02" + b"N" * (plain_pickle.MOST_STACK + 1) + b"."), "too-large", "on its stack")
    refused(zipped(b"\x80\x02" + b"(" * (plain_pickle.MOST_STACK + 1) + b"."), "too-large", "marks")
    kept = b"".join(b"r" + struct.pack("<I", place) for place in range(plain_pickle.MOST_MEMO + 1))
    refused(zipped(b"\x80\x02N" + kept + b"."), "too-large", "keeps more than 1,000,000 values")
    refused(zipped(b"\x80\x02" + b" " * torch_weights.MOST_PICKLE), "too-large", "data.pkl")
    twice = zipped(pickled(x=tensor(), y=tensor()))
    monkeypatch.setattr(torch_weights, "MOST_BYTES", 47)
    refused(twice, "too-large", "more than 47 bytes")
    monkeypatch.setattr(torch_weights, "MOST_TENSORS", 1)
    refused(twice, "too-large", "2 tensors")
    monkeypatch.setattr(torch_weights, "MOST_MEMBERS", 1)
    refused(twice, "too-large", "a zip of 3 files")


def test_deep_nesting_is_let_go_of_without_a_deep_stack():
    refused(zipped(b"\x80\x02)" + b"\x85" * 2_000_000 + b"."), "not-weights")


NAMES = ["", "x\n", "__metadata__", "\ud800", "x" * 513]


@pytest.mark.parametrize("called", NAMES)
def test_a_tensor_that_cannot_be_called_so_is_refused(called):
    refused(zipped(b"\x80\x02}" + text(called) + tensor() + b"s."), "bad-name")


def test_a_name_that_is_a_number_is_refused():
    refused(zipped(b"\x80\x02}K\x01" + tensor() + b"s."), "bad-name", "called '1'")


BROKEN_PICKLES = {
    "empty": b"",
    "without an end": b"\x80\x02}",
    "end without a value": b"\x80\x02.",
    "end under a mark": b"\x80\x02}(.",
    "an unknown protocol": b"\x80\x09}.",
    "a mark that is not there": b"\x80\x02t.",
    "a key without a value": b"\x80\x02}(K\x01u.",
    "a list as key": b"\x80\x02}(]K\x01u.",
    "a tuple as key": b"\x80\x02})K\x01s.",
    "a list filled as a dictionary": b"\x80\x02](K\x01K\x01u.",
    "a dictionary filled as a list": b"\x80\x02}K\x01a.",
    "a value that was not kept": b"\x80\x02h\x07.",
    "text that is cut": b"\x80\x02X\xff\xff\x00\x00abc",
    "text that is no text": b"\x80\x02X\x01\x00\x00\x00\xff.",
    "a name without an end": b"\x80\x02cos",
    "a name of a thousand bytes": b"\x80\x02cos\n" + b"x" * 1000 + b"\n.",
    "a name that is no text": b"\x80\x04K\x01K\x02\x93.",
    "attributes of a number": b"\x80\x02K\x01}b.",
    "a frame that is cut": b"\x80\x04\x95\x00",
}


@pytest.mark.parametrize("broken", BROKEN_PICKLES)
def test_a_broken_pickle_is_refused(broken):
    refused(zipped(BROKEN_PICKLES[broken]), "unreadable")


def test_a_pickle_may_name_and_call_only_what_it_is_given():
    made = read_pickle(io.BytesIO(b"\x80\x04" + text("a") + text("b") + b"\x93" + numbers(1, 2) + b"R."), {"a b": Maker(sum)})
    assert made == 3
    with pytest.raises(RefusedObject, match="refers to values outside"):
        read_pickle(io.BytesIO(b"\x80\x02K\x01Q."))
    shared = read_pickle(io.BytesIO(b"\x80\x04]\x94(h\x00K\x05e."))
    assert shared[0] is shared and shared[1] == 5


MEMBERS = {
    "a folder above": ({"../data/0": b""}, "bad-member"),
    "a backslash": ({"data\\0": b""}, "bad-member"),
    "a storage that is missing": ({}, "missing-member"),
    "a storage that is short": ({"data/0": NUMBERS.tobytes()[:-1]}, "bad-member"),
    "a storage that is long": ({"data/0": NUMBERS.tobytes() + b"x"}, "bad-member"),
    "big-endian numbers": ({"data/0": NUMBERS.tobytes(), "byteorder": b"big"}, "unreadable"),
    "a program": ({"data/0": NUMBERS.tobytes(), "constants.pkl": b""}, "not-weights"),
}


@pytest.mark.parametrize("members", MEMBERS)
def test_a_zip_that_torch_did_not_write_is_refused(members):
    given_members, reason = MEMBERS[members]
    refused(zipped(pickled(x=tensor()), given_members), reason)


def test_zips_that_are_packed_doubled_cut_or_of_something_else():
    value = pickled(x=tensor())
    refused(zipped(value, {"data/0": bytes(1 << 20)}, zipfile.ZIP_DEFLATED), "bad-member", "compressed")
    refused(zipped(value, {"data/0": bytes(24)}, folder="/etc"), "bad-member", "outside")
    refused(zipped(value, folder="a/b"), "not-weights", "0 files FOLDER/data.pkl")
    with pytest.warns(UserWarning, match="Duplicate name"):
        doubled = io.BytesIO(zipped(value))
        with zipfile.ZipFile(doubled, "a") as archive:
            archive.writestr("archive/data/0", b"other")
    refused(doubled.getvalue(), "bad-member", "stands there twice")
    other = io.BytesIO(zipped(value))
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("other/data.pkl", value)
    refused(other.getvalue(), "not-weights", "2 files")
    sound = zipped(value)
    for length in range(len(sound)):
        with contextlib.suppress(RefusedObject):
            read(sound[:length])
            raise AssertionError(f"{length} bytes of a zip were read")
    changed = bytearray(sound)
    changed[sound.index(NUMBERS.tobytes())] ^= 1
    refused(bytes(changed), "unreadable", "CRC")


OLDER = {
    "another magic number": ({"magic": pickle.dumps(1, 2)}, "not-weights"),
    "another version": ({"version": 1000}, "unreadable"),
    "big-endian numbers": ({"little": False}, "unreadable"),
    "no storage": ({"storages": ()}, "bad-tensor"),
    "another storage": ({"storages": (("1", 6, bytes(24)),)}, "bad-tensor"),
    "a storage twice": ({"storages": (("0", 6, bytes(24)), ("0", 6, bytes(24)))}, "bad-tensor"),
    "another count": ({"storages": (("0", 5, bytes(24)),)}, "bad-tensor"),
    "a negative count": ({"storages": (("0", -1, bytes(24)),)}, "bad-tensor"),
    "numbers that are cut": ({"storages": (("0", 6, bytes(23)),)}, "unreadable"),
}


@pytest.mark.parametrize("form", OLDER)
def test_a_file_of_the_older_format_that_torch_did_not_write_is_refused(form):
    changes, reason = OLDER[form]
    refused(older(pickled(x=tensor()), **changes), reason)


def test_every_cut_of_the_older_format_is_refused():
    sound = older(pickled(x=tensor()))
    for length in range(len(sound)):
        with contextlib.suppress(RefusedObject):
            read(sound[:length])
            raise AssertionError(f"{length} bytes were read")


def test_a_storage_of_two_kinds_is_refused():
    refused(zipped(pickled(x=tensor(), y=tensor(storage("IntStorage")))), "bad-tensor", "two kinds or sizes")
    refused(zipped(pickled(x=tensor(), y=tensor(storage(count=7)))), "bad-tensor", "two kinds or sizes")


def test_what_is_no_checkpoint_says_what_was_expected():
    refused(b"", "empty-file")
    refused(b"\x93NUMPY", "unreadable", r"neither a zip nor a pickle; expected what torch.save writes: .* torch\.save\(model\.state_dict")
    refused(pickle.dumps([1, 2]), "not-weights", "not one that torch.save writes")
    refused(saved([torch.ones(2)]), "not-weights", "no dictionary of tensors")
    refused(saved({"model": {"x": torch.ones(2)}}), "not-weights", "'model' is a dict; expected tensors alone")
    refused(saved(torch.nn.Linear(2, 2)), "forbidden-name", r"torch\.nn\.modules\.linear\.Linear")
    refused(saved({"x": torch.ones(2, dtype=torch.complex64)}), "forbidden-name", "ComplexFloatStorage")


def test_weights_are_read_in_the_child_and_named_in_the_parent(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(saved({"state_dict": {"b": torch.arange(3.0), "a": torch.tensor(7)}, "epoch": 1}))
    found = read_weights(path)
    assert list(found.arrays) == ["b", "a"] and found.aside == ("epoch",)
    assert found.arrays["a"].shape == () and found.arrays["a"] == 7
    path.write_bytes(zipped(pickled(x=CALLS["os.system"].replace(b"{witness}", str(tmp_path / "ran").encode()))))
    with pytest.raises(RefusedObject, match=r"net\.pth: it names os\.system") as caught:
        read_weights(path)
    assert caught.value.reason == "forbidden-name" and not (tmp_path / "ran").exists()
    with pytest.raises(RefusedObject, match=r"missing-file: gone\.pth"):
        read_weights(Path(tmp_path / "gone.pth"))


@pytest.mark.parametrize(
    ("said", "arrays"),
    [
        (None, []),
        ({"names": ["a"], "aside": []}, []),
        ({"names": ["a", "a"], "aside": []}, [np.zeros(1), np.zeros(1)]),
        ({"names": ["a"], "aside": []}, [b"bytes"]),
        ({"names": ["a\n"], "aside": []}, [np.zeros(1)]),
        ({"names": [1], "aside": []}, [np.zeros(1)]),
        ({"names": ["a"], "aside": "x"}, [np.zeros(1)]),
    ],
)
def test_a_child_that_lies_is_not_believed(said, arrays):
    with pytest.raises(SandboxError, match="died"):
        _weights(said, arrays)
