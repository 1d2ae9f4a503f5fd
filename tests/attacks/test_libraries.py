"""An HDF5 file that kills libhdf5, as the fuzzer found it: the child dies, the parent says so and goes on."""

import io

import h5py
import numpy as np
import pytest
from attack_tools import LIMITS
from mesh_bytes import VERTICES

from l9.errors import RefusedObject, SandboxError
from l9.prep.work import new_sandbox
from l9.readers.contract import Found

FOUND = Found("a/00000", ("a.h5",), "0").describe()
ARGUMENTS = {"reader": "l9.readers.modelnet_h5:read", "found": FOUND, "up": "+Y", "parameters": {}, "stages": []}


def _file():
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name in ("data", "normal"):
            file.create_dataset(name, data=np.float32(VERTICES)[None], compression="lzf", shuffle=True, fletcher32=True)
    return stream.getvalue()


def test_a_chunk_of_no_bytes_ends_the_child_and_nothing_else(tmp_path):
    data = _file()
    node = data.index(b"TREE\x01")  # of the first dataset's chunks: its neighbours' addresses, then the first chunk's size in bytes
    (tmp_path / "bad.h5").write_bytes(data[: node + 17] + bytes(8) + data[node + 25 :])
    (tmp_path / "good.h5").write_bytes(data)
    with new_sandbox(LIMITS) as sandbox:
        # libhdf5 2.0.0 dies of it; one that is mended may refuse it
        with pytest.raises((SandboxError, RefusedObject), match=r"died: the child ended by SIG|unreadable"):
            sandbox.call("l9.stages.process:process_object", ARGUMENTS, [tmp_path / "bad.h5"])
        assert sandbox.call("l9.stages.process:process_object", ARGUMENTS, [tmp_path / "good.h5"]).value["rows"] == 1
