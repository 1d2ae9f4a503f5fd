import errno
import os
import time
from pathlib import Path

import pytest

from l9.errors import StoreError
from l9.store.publish import TEMPORARY, atomic_write, publish, remove_leftovers, temporary_name, writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bytes_and_callbacks_arrive_whole(tmp_path):
    atomic_write(tmp_path / "new" / "a", b"one")
    atomic_write(tmp_path / "new" / "a", lambda stream: stream.write(b"two") and None)
    assert (tmp_path / "new" / "a").read_bytes() == b"two"
    assert names(tmp_path / "new") == ["a"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    atomic_write(tmp_path / "a", b"old")

    def half(stream):
        stream.write(b"new")
        raise error

    with pytest.raises(type(error)):
        atomic_write(tmp_path / "a", half)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_nobody_sees_the_file_before_it_is_whole(tmp_path):
    with writing(tmp_path / "a") as stream:
        stream.write(b"x")
        assert not (tmp_path / "a").exists()
        assert [name.startswith(TEMPORARY) for name in names(tmp_path)] == [True]
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_one_line_with_the_folder_and_the_bytes(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError) as caught:
        atomic_write(tmp_path / "a", b"x" * 1234)
    assert str(tmp_path) in str(caught.value) and "no space left" in str(caught.value) and "\n" not in str(caught.value)
    assert names(tmp_path) == []
    with pytest.raises(StoreError, match="1,234 bytes were to be written"), writing(tmp_path / "a", 1234):
        full(0)
    assert names(tmp_path) == []


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_a_write_that_the_system_refuses_leaves_the_old_file(tmp_path, size):
    """The stream's descriptor is a full device: bytes are refused when they are written, or when the stream is closed."""
    atomic_write(tmp_path / "a", b"old")

    def written(stream):
        with Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), stream.fileno())
        stream.write(b"x" * size)

    with pytest.raises(StoreError, match="no space left"):
        atomic_write(tmp_path / "a", written)
    assert (tmp_path / "a").read_bytes() == b"old" and names(tmp_path) == ["a"]


def test_other_trouble_of_the_system_keeps_its_own_name(tmp_path):
    with pytest.raises(PermissionError), writing(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "denied")


def test_a_file_is_synced_before_it_is_renamed_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), real_sync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("rename"), real_replace(a, b))[1])
    atomic_write(tmp_path / "a", b"x")
    assert calls == ["sync", "rename", "sync"]


def test_folders_are_published_too(tmp_path):
    temporary = temporary_name(tmp_path / "done")
    temporary.mkdir()
    publish(temporary, tmp_path / "done")
    assert names(tmp_path) == ["done"]


def test_leftovers_go_when_they_are_old_and_young_ones_stay(tmp_path):
    old, young, folder, other = (tmp_path / name for name in (".tmp-1-a", ".tmp-2-b", ".tmp-3-c", "kept"))
    for path in (old, young, other):
        path.write_bytes(b"x")
    (folder / "inside").mkdir(parents=True)
    for path in (old, folder, other):
        os.utime(path, (time.time() - 7200,) * 2)
    assert remove_leftovers(tmp_path, 3600) == [old, folder]
    assert names(tmp_path) == [".tmp-2-b", "kept"]
