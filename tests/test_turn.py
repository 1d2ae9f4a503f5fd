"""The queue on a head: first come, first served, a few at a time, and no ticket outlives its holder."""

import signal
import subprocess
import sys
import time

import pytest

from l9.cluster.turn import jobs_at_once, turn

HOLDER = """
import sys, time
from pathlib import Path
from l9.cluster.turn import turn
folder, name, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with turn(folder / "queue", 2, lambda place: print("waiting", place, flush=True)):
    with (folder / "log").open("a") as log:
        log.write(f"+{name}\\n")
    print("running", flush=True)
    time.sleep(seconds)
    with (folder / "log").open("a") as log:
        log.write(f"-{name}\\n")
"""


def _holder(folder, name, seconds):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), name, str(seconds)], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    assert first, "it ended before it had a place"
    return process, first.strip()


def test_two_run_and_the_others_wait_in_order(tmp_path):
    started = [_holder(tmp_path, name, 1.0) for name in "abcde"]
    for process, _ in started:
        process.communicate(timeout=60)
    lines = (tmp_path / "log").read_text().split()
    assert [line[1] for line in lines if line[0] == "+"] == list("abcde")
    running = 0
    for line in lines:
        running += 1 if line[0] == "+" else -1
        assert running <= 2
    assert not list((tmp_path / "queue").iterdir())


def test_a_killed_holder_gives_its_turn_to_the_next(tmp_path):
    (first, told), (second, _) = _holder(tmp_path, "a", 600), _holder(tmp_path, "b", 600)
    assert told == "running"
    third, told = _holder(tmp_path, "c", 0.0)
    assert told == "waiting 1"
    first.send_signal(signal.SIGKILL)
    out, _ = third.communicate(timeout=60)
    assert third.returncode == 0 and out.strip() == "running"
    for process in (first, second):
        process.kill()
        process.communicate()


def test_somebody_elses_folder_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "queue").symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match="belongs to somebody else"), turn(tmp_path / "queue", 1, lambda place: time.sleep(0)):
        raise AssertionError("the block must not be entered")


def test_how_many_at_once(monkeypatch):
    monkeypatch.setenv("L9_JOBS_AT_ONCE", "7")
    assert jobs_at_once() == 7
    monkeypatch.setenv("L9_JOBS_AT_ONCE", "many")
    assert jobs_at_once() >= 1
