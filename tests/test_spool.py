"""What waits on disk comes back as it was."""

import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

from l9.sandbox.spool import Spool

BUFFERS = st.one_of(
    st.binary(max_size=50), arrays(st.sampled_from(["<f4", "|u1", "<i8"]), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


@given(parts=st.lists(st.lists(BUFFERS, max_size=4), max_size=5), in_memory=st.integers(0, 200))
def test_buffers_come_back_whether_in_memory_or_on_disk(parts, in_memory):
    spool = Spool(in_memory)
    for part in parts:
        spool.take(part)
    expected = [one for part in parts for one in part]
    assert len(spool) == len(expected)
    for found, one in zip([*spool, *spool[::-1]], [*expected, *expected[::-1]], strict=True):
        assert type(found) is type(one)
        if isinstance(one, bytes):
            assert found == one
        else:
            assert found.dtype == one.dtype and found.shape == one.shape
            assert_array_equal(found, one)


def test_what_rows_share_is_written_once():
    shared = np.arange(1000, dtype=np.float64)
    spool = Spool(0)
    spool.take([shared, b"a", shared, b"b", shared])
    assert spool.bytes == 8002
    assert_array_equal(spool[4], shared)


def test_places_beyond_the_end():
    spool = Spool()
    spool.take([b"a"])
    with pytest.raises(IndexError):
        spool[1]
    assert spool[-1] == b"a"


def test_the_file_goes_with_the_spool():
    def unnamed():
        return sum(str(path.readlink()).endswith("(deleted)") for path in Path("/proc/self/fd").iterdir() if path.is_symlink())

    before = unnamed()
    spool = Spool(0)
    spool.take([b"a" * 100])
    assert unnamed() == before + 1
    del spool
    gc.collect()
    assert unnamed() == before
