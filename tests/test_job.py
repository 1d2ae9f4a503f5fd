"""What runs on the head: the same command again after a death, never after an error, and what wheels need is looked for first."""

import os
import subprocess
import sys
import time

import pytest

from l9.cluster import job
from l9.cluster.client import Unreachable
from l9.cluster.follow import exit_code, follow
from l9.errors import ClusterError
from l9.progress import NOTE

DIES = """
import os, pathlib, signal, sys
count = pathlib.Path(sys.argv[1])
count.write_text(count.read_text() + "x" if count.exists() else "x")
if len(count.read_text()) <= int(sys.argv[2]):
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[3]))
"""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(job, "BACKOFF", (0.0, 0.0, 0.0))
    monkeypatch.setenv("L9_JOB", "1")


@pytest.mark.parametrize(("deaths", "code", "ended", "begun"), [(0, 0, 0, 1), (2, 0, 0, 3), (0, 1, 1, 1), (1, 2, 2, 2), (9, 0, 1, 4)])
def test_a_death_is_tried_again_and_an_error_is_not(tmp_path, quick, capfd, deaths, code, ended, begun):
    count = tmp_path / "count"
    assert job.attempts([sys.executable, "-c", DIES, str(count), str(deaths), str(code)]) == ended
    assert len(count.read_text()) == begun
    said = capfd.readouterr()
    assert said.out.count("the driver was killed (SIGKILL); what it made stays") == min(deaths, job.DEATHS)
    assert said.err.count(NOTE) == min(deaths, job.DEATHS + 1)
    assert ("l9: the driver was killed 4 times" in said.out) == (deaths > job.DEATHS)


def test_a_job_that_is_stopped_waits_for_its_command_and_is_not_tried_again(tmp_path):
    """SIGINT goes to every process of a job, as Ray sends it; the command may take its time to write a checkpoint."""
    slow = "\n".join(
        (
            "import time",
            "try:",
            "    print('up', flush=True); time.sleep(600)",
            "except KeyboardInterrupt:",
            "    time.sleep(1); print('saved', flush=True)",
        )
    )
    code = f"import sys; from l9.cluster import job; sys.exit(job.attempts([sys.executable, '-c', {slow!r}]))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout.readline().strip() == "up"
    os.killpg(process.pid, 2)
    out, _ = process.communicate(timeout=60)
    assert out.strip() == "saved" and process.returncode != 0


def test_what_a_wheel_needs_and_is_not_here(tmp_path):
    about = tmp_path / "mine-0.1.dist-info"
    about.mkdir()
    needs = ["numpy>=1", "numpy>=99", "no-such-thing", "other; extra == 'dev'", "another; python_version < '3'"]
    lines = ["Metadata-Version: 2.1", "Name: mine", "Version: 0.1", *(f"Requires-Dist: {need}" for need in needs)]
    (about / "METADATA").write_text("\n".join(lines) + "\n")
    found = job.missing_requirements([str(tmp_path), "", "/no/such/folder"])
    assert len(found) == 2
    assert "package mine needs numpy>=99, and this cluster has numpy 2" in found[0]
    assert "package mine needs no-such-thing, and this cluster has no no-such-thing; install it on every node" in found[1]


class _Away:
    """A cluster that answers, falls silent, and answers again."""

    address = "http://127.0.0.1:8265"

    def __init__(self, silent):
        self.silent = silent

    def job(self, name):
        self.silent -= 1
        if self.silent in range(3):
            raise Unreachable("http://127.0.0.1:8265: no answer")
        return {"status": "RUNNING" if self.silent > 0 else "SUCCEEDED", "driver_exit_code": 0}

    def logs(self, name):
        return f'{NOTE}{{"state": "running"}}\nfirst\n' + ("last\n" if self.silent < 0 else "")


def test_following_outlives_a_silence_and_says_each_line_once(monkeypatch):
    said = []
    assert follow(_Away(6), "job", said.append, sleep=lambda seconds: None) == (0, None)
    assert said == ["first", "last"]
    moments = iter(range(0, 10_000, 30))
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    with pytest.raises(ClusterError, match="job job goes on without us"):
        follow(_Away(3), "job", said.append, sleep=lambda seconds: None)


@pytest.mark.parametrize(
    ("job_facts", "code"),
    [
        ({"status": "RUNNING"}, None),
        ({"status": "SUCCEEDED", "driver_exit_code": 0}, 0),
        ({"status": "FAILED", "driver_exit_code": 2}, 2),
        ({"status": "FAILED", "driver_exit_code": None}, 1),
        ({"status": "STOPPED", "driver_exit_code": -2}, 1),
    ],
)
def test_a_job_ends_as_its_driver_ends(job_facts, code):
    assert exit_code(job_facts) == code
