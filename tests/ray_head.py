"""A real Ray head for tests: token, loopback, ports and a folder of its own, and every process of it ended afterwards."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

RAY = str(Path(sys.executable).with_name("ray"))
OBJECT_STORE = str(75 << 20)  # Ray's least
START_SECONDS = 120
MLFLOW_PASSWORD = "hunter2-Zq7-planted"  # in the environment of the tests' head, as docs say that it should; nothing may store or say it


@dataclass(frozen=True)
class Head:
    """A running head: its dashboard, its token, and the folder of its session."""

    address: str
    gcs: str
    token: str
    folder: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def ray_head(cpus: int = 2, dashboard_host: str = "127.0.0.1", **environment: str) -> Iterator[Head]:
    """A head with `cpus` processors; further variables of its environment by keyword."""
    token, port, dashboard = secrets.token_hex(32), free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="l9r", dir="/tmp"))
    command = [RAY, "start", "--head", "--block", "--num-cpus", str(cpus), "--object-store-memory", OBJECT_STORE, "--temp-dir", str(folder)]
    command += ["--port", str(port), "--dashboard-port", str(dashboard), "--dashboard-host", dashboard_host, "--disable-usage-stats"]
    command += ["--dashboard-agent-listen-port", str(free_port()), "--ray-client-server-port", str(free_port())]  # others may run Ray here
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0", **environment}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **own}, stdout=out, stderr=out, start_new_session=True)
    try:
        _wait_for(dashboard, process, folder / "out")
        yield Head(f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{port}", token, folder)
    finally:
        end_tree(process, str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], out: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, out.read_text()
        time.sleep(0.2)
    raise AssertionError(f"the head did not answer in {START_SECONDS} s: {out.read_text()}")


def end_tree(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a `ray start --block` and whatever of it was left: its children (agents name no folder), and processes that name its folder."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(3)  # for what it does not, the signal below does
    named = [one for one in psutil.process_iter(["cmdline"]) if any(mark in word for word in one.info["cmdline"] or ())]
    for one in (*children, *named):
        with contextlib.suppress(psutil.Error):
            one.kill()
    if process.poll() is None:
        process.kill()
    process.wait(20)
