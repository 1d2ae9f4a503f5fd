"""A process that dies, or finds the disk full, at each step of publishing a file: the old bytes or the new ones, never a part of them."""

import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from chaos.boundaries import Boundary, watch
from l9.errors import StoreError
from l9.store.publish import atomic_write
folder, number, act, log = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
watch(Boundary(folder, number, act, log))
try:
    atomic_write(folder / "file", b"new" * 10000)
except StoreError as error:
    sys.exit(str(error))
"""
STEPS = ["open", "write", "fsync", "rename", "fsync"]
OLD, NEW = b"old", b"new" * 10000


def _published(folder, number, act="kill"):
    log = folder.with_name("log")
    log.unlink(missing_ok=True)
    (folder / "file").write_bytes(OLD)
    words = [sys.executable, "-c", PROGRAM, str(folder), str(number), act, str(log)]
    environment = {"PYTHONPATH": f"{Path(__file__).parent.parent}:{Path(__file__).parent.parent.parent}"}
    ended = subprocess.run(words, env=environment, capture_output=True, text=True)
    return ended, [line.split()[1] for line in log.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(folder):
    for number in count(1):
        ended, steps = _published(folder, number)
        if number > len(STEPS):
            break
        assert ended.returncode == -signal.SIGKILL and steps == STEPS[:number], ended.stderr
        assert (folder / "file").read_bytes() == (NEW if number == 5 else OLD)
        torn = [path.stat().st_size for path in folder.glob(".tmp-*")]
        assert torn == {1: [], 2: [len(NEW) // 2], 3: [len(NEW)], 4: [len(NEW)], 5: []}[number], "the kill was elsewhere"
        for path in folder.glob(".tmp-*"):
            path.unlink()
    assert ended.returncode == 0 and steps == STEPS and (folder / "file").read_bytes() == NEW


def test_a_full_disk_at_any_step_is_one_line_and_leaves_no_temporary_file(folder):
    for number, _ in enumerate(STEPS, 1):
        ended, _ = _published(folder, number, "full")
        assert ended.returncode == 1 and ended.stderr.count("\n") == 1 and "no space left" in ended.stderr, ended.stderr
        assert (folder / "file").read_bytes() == (NEW if number >= 4 else OLD), "a full disk renames, but cannot flush the folder"
        assert [path.name for path in folder.iterdir()] == ["file"]
