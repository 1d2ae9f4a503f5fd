import errno
import fcntl
import gc
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from store_builder import COLUMNS, row_of

from l9.errors import RefusedObject, ShapeError, StoreError, UsageError
from l9.store import shards as shards_module
from l9.store.columns import Column
from l9.store.shards import Shard, ShardWriter, read_facts, shard_done, verify

NAMES = ["o001.obj", "o002.obj", "o003.obj", "o004.obj"]


def written(folder, names=NAMES, key="k", columns=COLUMNS, compression="none", rows=2):
    with ShardWriter(folder, key, columns, compression) as writer:
        for name in names:
            writer.add(name, (row_of(name, row) for row in range(rows)))
    return writer.facts


def assert_same(row, expected):
    assert row.keys() == expected.keys()
    for name, cell in expected.items():
        assert np.array_equal(row[name], cell) and getattr(row[name], "dtype", bytes) == getattr(cell, "dtype", bytes)


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_what_is_written_is_read(tmp_path, compression):
    facts = written(tmp_path, compression=compression)
    shard = Shard.open(tmp_path, "k")
    assert (len(shard), facts.rows) == (8, 8)
    assert facts.items == {"points": [1, 1, 2, 2, 3, 3, 0, 0]}
    for number, name in enumerate(NAMES):
        for row in range(2):
            assert shard.identity(2 * number + row) == (name, row)
            assert_same(shard.row(2 * number + row), row_of(name, row))
    assert shard.columns == {column.name: column for column in COLUMNS}
    assert shard.ragged("points", 2).shape == (2, 3)
    assert shard.blob("picture", 3) == bytes([2, 1])
    verify(tmp_path, "k")


def test_rows_span_record_batches(tmp_path, monkeypatch):
    monkeypatch.setitem(shards_module.BATCH_BYTES, "none", 100)
    written(tmp_path, rows=5)
    shard = Shard.open(tmp_path, "k")
    assert len(shard.starts) > 4
    assert sum(len(view) for view in shard.fixed("grid")) == 20
    for number in range(20):
        assert_same(shard.row(number), row_of(NAMES[number // 5], number % 5))


def test_an_uncompressed_shard_is_mapped_not_copied(tmp_path):
    columns = (Column("big", "float32", (1 << 20,)),)
    with ShardWriter(tmp_path, "k", columns) as writer:
        writer.add("a", [{"big": np.full(1 << 20, row, np.float32)} for row in range(4)])
    before = pa.total_allocated_bytes()
    shard = Shard.open(tmp_path, "k")
    view = shard.cell("big", 3)
    assert pa.total_allocated_bytes() - before < 1 << 16
    assert not [opened for opened in Path("/proc/self/fd").iterdir() if opened.resolve().is_relative_to(tmp_path.resolve())]
    assert not view.flags.writeable and not view.flags.owndata
    del shard
    gc.collect()
    assert view[0] == 3 and view[-1] == 3


def test_a_plain_arrow_reader_opens_a_shard(tmp_path):
    written(tmp_path)
    with pa.OSFile(str(tmp_path / "k.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    assert table.column_names == ["object", "row", "grid", "points", "points_shape", "picture"]
    assert table["object"].to_pylist() == [name for name in NAMES for _ in range(2)]
    assert table["row"].to_pylist() == [0, 1] * 4
    assert table["grid"][3].as_py() == [2.25] * 8
    assert table["points"][2].as_py() == [200, 201, 202, 203, 204, 205]
    assert table["points_shape"].to_pylist()[:4] == [[1, 3], [1, 3], [2, 3], [2, 3]]
    assert table["picture"][2].as_py() == bytes([2, 0])
    assert table.schema.field("grid").metadata[b"shape"] == b"[2,2,2]"
    assert table.schema.field("grid").metadata[b"axes"] == b"x y z"


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_bytes_do_not_depend_on_the_order_of_adding(tmp_path, compression, monkeypatch):
    monkeypatch.setitem(shards_module.BATCH_BYTES, compression, 200)
    facts = []
    for number, names in enumerate([NAMES, NAMES[::-1], [*NAMES[2:], *NAMES[:2]]]):
        facts.append(written(tmp_path / str(number), names, compression=compression))
    assert facts[0] == facts[1] == facts[2]
    for ending in ("arrow", "json"):
        assert len({(tmp_path / str(number) / f"k.{ending}").read_bytes() for number in range(3)}) == 1
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["k.arrow", "k.json"]
    assert Shard.open(tmp_path / "1", "k").identity(0) == (NAMES[0], 0)


def test_an_object_refused_midway_leaves_no_row(tmp_path):
    def broken():
        yield row_of("o002.obj", 0)
        raise RefusedObject("not-finite", "vertex 3")

    with ShardWriter(tmp_path, "k", COLUMNS) as writer:
        writer.add("o001.obj", [row_of("o001.obj", 0)])
        with pytest.raises(RefusedObject):
            writer.add("o002.obj", broken())
        writer.refuse("o002.obj", "raw/o002.obj", "not-finite", "vertex 3")
        writer.add("o003.obj", [row_of("o003.obj", 0)], "2 lines left out")
    shard = Shard.open(tmp_path, "k")
    assert [shard.identity(row)[0] for row in range(len(shard))] == ["o001.obj", "o003.obj"]
    sidecar = json.loads((tmp_path / "k.json").read_text())
    assert sidecar["quarantined"] == [{"id": "o002.obj", "path": "raw/o002.obj", "reason": "not-finite", "detail": "vertex 3"}]
    assert sidecar["objects"] == [{"id": "o001.obj", "rows": 1, "notes": ""}, {"id": "o003.obj", "rows": 1, "notes": "2 lines left out"}]
    assert set(sidecar) == {"format", "rows", "objects", "quarantined", "sha256", "bytes", "items", "checksum"}
    assert read_facts(tmp_path, "k") == writer.facts


def test_large_rows_large_objects_and_no_rows_are_refused(tmp_path, monkeypatch):
    columns = (Column("values", "uint8", (4,), "ragged"),)
    monkeypatch.setattr(shards_module, "MAX_ROW_BYTES", 40)
    monkeypatch.setattr(shards_module, "MAX_OBJECT_BYTES", 100)
    row = {"values": np.zeros((10, 4), np.uint8)}
    with ShardWriter(tmp_path, "k", columns) as writer:
        with pytest.raises(RefusedObject, match="row-too-large"):
            writer.add("a", [{"values": np.zeros((11, 4), np.uint8)}])
        with pytest.raises(RefusedObject, match="object-too-large"):
            writer.add("b", [row] * 3)
        with pytest.raises(RefusedObject, match="no-rows"):
            writer.add("c", [])
        writer.add("d", [row] * 2)
    assert writer.facts.objects == (("d", 2),)


def test_cells_that_are_not_what_the_column_says_are_errors(tmp_path):
    good = row_of("o001.obj", 0)
    writer = ShardWriter(tmp_path, "k", COLUMNS)
    for wrong in ({**good, "grid": good["grid"].astype(np.float32)}, {"grid": good["grid"]}, {**good, "more": good["grid"]}):
        with pytest.raises(ShapeError):
            writer.add("o001.obj", [wrong])
    writer.add("o001.obj", [good])
    with pytest.raises(StoreError, match="stands twice"):
        writer.refuse("o001.obj", "", "again")
    writer.abort()
    assert list(tmp_path.iterdir()) == []
    for columns in (
        (COLUMNS[0], COLUMNS[0]),
        (Column("flag", "bool", (2,)),),
        (Column("row", "uint8", (2,)),),
        (Column("none", "uint8", (0,)),),
    ):
        with pytest.raises(UsageError):
            ShardWriter(tmp_path, "k", columns)


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), ShardWriter(tmp_path, "k", COLUMNS) as writer:
        writer.add("o001.obj", [row_of("o001.obj", 0)])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    assert not shard_done(tmp_path, "k")


@pytest.mark.parametrize("batch_bytes", [1, 16 << 20])
@pytest.mark.parametrize(("names", "file"), [(NAMES, 1), (NAMES[::-1], 1), (NAMES[::-1], 2)])
def test_writes_that_the_system_refuses_leave_nothing(tmp_path, monkeypatch, names, file, batch_bytes):
    """The first file, or the one that puts objects in order, lies on a full device: while rows are added, and at the end."""
    real, opened = shards_module.HashedSink, []

    def sink(stream):
        opened.append(stream)
        if len(opened) == file:
            with Path("/dev/full").open("wb") as full:
                os.dup2(full.fileno(), stream.fileno())
        return real(stream)

    monkeypatch.setattr(shards_module, "HashedSink", sink)
    monkeypatch.setitem(shards_module.BATCH_BYTES, "none", batch_bytes)
    with pytest.raises(StoreError, match="no space left"), ShardWriter(tmp_path, "k", COLUMNS) as writer:
        for name in names:
            writer.add(name, [row_of(name, 0)] * 20)
    assert len(opened) == file and all(stream.closed for stream in opened)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]])
def test_a_full_disk_while_writing_leaves_nothing(tmp_path, monkeypatch, names):
    def full(self, buffer):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreError, match="no space left"), ShardWriter(tmp_path, "k", COLUMNS) as writer:
        for name in names:
            writer.add(name, [row_of(name, 0)])
        monkeypatch.setattr(shards_module.HashedSink, "write", full)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_is_done_only_with_a_sound_sidecar_and_the_right_size(tmp_path):
    written(tmp_path)
    sidecar, arrow = (tmp_path / "k.json").read_bytes(), (tmp_path / "k.arrow").read_bytes()
    assert shard_done(tmp_path, "k") and not shard_done(tmp_path, "other")
    for wrong in (b"", b"[]", b"{", sidecar[:-9], sidecar.replace(b'"format":2', b'"format":3'), sidecar.replace(b'"rows":8', b'"rows":7')):
        (tmp_path / "k.json").write_bytes(wrong)
        assert not shard_done(tmp_path, "k")
        with pytest.raises(StoreError, match="l9 prep"):
            Shard.open(tmp_path, "k")
    (tmp_path / "k.json").write_bytes(sidecar)
    (tmp_path / "k.arrow").write_bytes(arrow[:-100])
    assert not shard_done(tmp_path, "k")
    with pytest.raises(StoreError, match="its sidecar says"):
        Shard.open(tmp_path, "k")
    (tmp_path / "k.arrow").unlink()
    assert not shard_done(tmp_path, "k")
    with pytest.raises(StoreError, match="missing"):
        Shard.open(tmp_path, "k")


def test_any_changed_byte_of_a_sidecar_is_found(tmp_path):
    written(tmp_path)
    sidecar = (tmp_path / "k.json").read_bytes()
    for place in range(len(sidecar)):
        for bits in (1, 3):  # 3 makes of format 2 format 1, which has no checksum
            (tmp_path / "k.json").write_bytes(sidecar[:place] + bytes([sidecar[place] ^ bits]) + sidecar[place + 1 :])
            assert not shard_done(tmp_path, "k"), f"byte {place}"


def test_verify_finds_one_changed_byte_and_the_shard_is_no_longer_done(tmp_path):
    written(tmp_path)
    content = bytearray((tmp_path / "k.arrow").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "k.arrow").write_bytes(content)
    assert shard_done(tmp_path, "k")
    with pytest.raises(StoreError, match="l9 prep with the same recipe rebuilds it"):
        verify(tmp_path, "k")
    assert not shard_done(tmp_path, "k")
    written(tmp_path)
    verify(tmp_path, "k")


def test_damaged_files_are_errors_and_never_crashes(tmp_path):
    """Every eighth byte of the file turned over, one at a time: the shard opens, or says StoreError."""
    written(tmp_path, NAMES[:2], rows=1)
    content = (tmp_path / "k.arrow").read_bytes()
    broken = 0
    for place in range(0, len(content), 8):
        (tmp_path / "x.arrow").write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            shard = Shard(tmp_path / "x.arrow")
            [shard.row(row) for row in range(len(shard))]
        except StoreError:
            broken += 1
    assert broken > 10


def test_keys_cannot_lead_out_of_the_folder(tmp_path):
    for key in ("../k", "a/b", "", ".hidden"):
        with pytest.raises(StoreError):
            read_facts(tmp_path, key)
        assert not shard_done(tmp_path, key)


def test_an_empty_shard_is_a_shard(tmp_path):
    with ShardWriter(tmp_path, "k", COLUMNS) as writer:
        writer.refuse("a", "a", "no-faces")
    assert shard_done(tmp_path, "k") and len(Shard.open(tmp_path, "k")) == 0
    assert writer.facts.items == {"points": []}


def test_a_file_and_its_sidecar_are_published_by_one_writer_at_a_time(tmp_path):
    """Else one's file could come under the other's sidecar, where a limit refused an object to one of them."""
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(written, tmp_path)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        assert not (tmp_path / "k.arrow").exists()
        os.close(folder)
        waiting.result(timeout=60)
    verify(tmp_path, "k")


def test_two_writers_of_one_key_at_once_are_safe(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        facts = list(pool.map(lambda _: written(tmp_path), range(8)))
    assert all(one == facts[0] for one in facts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.arrow", "k.json"]
    verify(tmp_path, "k")
