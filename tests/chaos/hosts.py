"""Hosts on one machine: network namespaces joined by a bridge, each with a Ray node of its own, links that can be cut.

Needs root and iproute2. The hosts share the file system, which stands for the share that a cluster's nodes mount.

    hosts         10.77.0.1 the head, without processors for tasks; 10.77.0.2, .3 … a node each
    cut, mend     take a host's link down and up: what a pulled cable does
    kill          SIGKILL to every process of a host: what a spot machine taken back does
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RAY = str(Path(sys.executable).with_name("ray"))
NETWORK = "10.77.0"
GCS, DASHBOARD = 6379, 8265
STORE_BYTES = str(100 << 20)
UP_SECONDS = 120.0
OURS = f"l9h{os.getpid()}"  # what the names of this process's namespaces start with: others may stand beside them
SWITCH = f"{OURS}sw"


def possible() -> bool:
    """Whether this machine lets us make namespaces."""
    made = shutil.which("ip") is not None and os.geteuid() == 0 and _try("ip", "netns", "add", "l9probe")
    return made and _try("ip", "netns", "del", "l9probe")


@dataclass
class Host:
    """One namespace with one Ray node in it."""

    name: str
    number: int
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def ip(self) -> str:
        """Its address on the bridge."""
        return f"{NETWORK}.{self.number}"

    def command(self, *words: str) -> list[str]:
        """A command as it runs there."""
        return ["ip", "netns", "exec", self.name, *words]


@dataclass
class Hosts:
    """The head and its nodes."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    hosts: list[Host] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> Host:
        """Where jobs are sent to, and drivers run."""
        return self.hosts[0]

    def variables(self, host: Host) -> dict[str, str]:
        """The environment of what runs on a host."""
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token, "RAY_USAGE_STATS_ENABLED": "0", "TMPDIR": str(host.folder)}
        own["L9_SCRATCH"] = str(self.scratch(host))
        fast = {"RAY_health_check_period_ms": "2000", "RAY_health_check_timeout_ms": "5000", "RAY_health_check_failure_threshold": "3"}
        return {**os.environ, **own, **fast, "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": STORE_BYTES, **self.environment}

    def scratch(self, host: Host) -> Path:
        """What a host has for itself of a home in an object store."""
        return host.folder / "scratch"

    def add(self) -> Host:
        """One more host on the bridge, without a node yet."""
        number = len(self.hosts) + 1
        host = Host(f"{OURS}n{number}", number, self.folder / f"h{number}")
        host.folder.mkdir()
        _must("ip", "netns", "add", host.name)
        _must("ip", "-n", host.name, "link", "set", "lo", "up")
        _must("ip", "link", "add", _cable(number), "type", "veth", "peer", "name", "eth0", "netns", host.name)
        self._plug(number)
        _must("ip", "-n", host.name, "addr", "add", f"{host.ip}/24", "dev", "eth0")
        _must("ip", "-n", host.name, "link", "set", "eth0", "up")
        self.hosts.append(host)
        return host

    def _plug(self, number: int) -> None:
        """Into the bridge, which has a namespace of its own, so that this machine's own network is left alone."""
        _must("ip", "link", "set", _cable(number), "netns", SWITCH)
        _must("ip", "-n", SWITCH, "link", "set", _cable(number), "master", "br0", "up")

    def start(self, host: Host, cpus: int = 1) -> None:
        """Start its Ray node: the head's with the dashboard on loopback, the others' joined to it."""
        words = [RAY, "start", "--block", "--node-ip-address", host.ip, "--num-cpus", str(cpus), "--object-store-memory", STORE_BYTES]
        words += ["--temp-dir", str(host.folder), "--disable-usage-stats"]
        if host is self.head:
            words += ["--head", "--port", str(GCS), "--dashboard-host", "127.0.0.1", "--dashboard-port", str(DASHBOARD)]
        else:
            words += ["--address", f"{self.head.ip}:{GCS}"]
        with (host.folder / "out").open("ab") as out:
            host.process = subprocess.Popen(
                host.command(*words), env=self.variables(host), cwd=host.folder, stdout=out, stderr=out, start_new_session=True
            )

    def kill(self, host: Host) -> None:
        """SIGKILL to everything on a host."""
        for pid in processes_in(host.name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if host.process is not None:
            host.process.wait(30)

    def cut(self, host: Host) -> None:
        """Pull the cable."""
        _must("ip", "-n", SWITCH, "link", "set", _cable(host.number), "down")

    def mend(self, host: Host) -> None:
        """Plug it in again."""
        _must("ip", "-n", SWITCH, "link", "set", _cable(host.number), "up")

    def run(self, *words: str, timeout: float = 600.0) -> "subprocess.CompletedProcess[str]":
        """A command on the head, to its end."""
        return subprocess.run(
            self.head.command(*words), env=self.variables(self.head), capture_output=True, text=True, timeout=timeout, check=False
        )

    def begin(self, *words: str, out: Path) -> "subprocess.Popen[bytes]":
        """A command on the head, in the background; what it says goes into a file."""
        with out.open("wb") as stream:
            return subprocess.Popen(self.head.command(*words), env=self.variables(self.head), stdout=stream, stderr=stream)

    def wait_for_nodes(self, count: int) -> None:
        """Until so many nodes are alive."""
        code = "import ray, sys; ray.init('auto', log_to_driver=False); print(sum(node['Alive'] for node in ray.nodes()))"
        end = time.monotonic() + UP_SECONDS
        said = ""
        while time.monotonic() < end:
            done = subprocess.run(
                self.head.command(sys.executable, "-c", code),
                env={**self.variables(self.head), "RAY_ADDRESS": f"{self.head.ip}:{GCS}"},
                capture_output=True,
                text=True,
                timeout=UP_SECONDS,
                check=False,
            )
            said = done.stdout + done.stderr[-500:]
            if done.stdout.strip().endswith(str(count)):
                return
            time.sleep(1)
        raise AssertionError(f"not {count} nodes in {UP_SECONDS} s: {said}")


@contextlib.contextmanager
def ray_hosts(nodes: int = 2, **environment: str) -> Iterator[Hosts]:
    """A head and `nodes` nodes of one processor each, up; everything gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="l9h", dir="/tmp"))
    hosts = Hosts(folder, environment=environment)
    try:
        clear()
        _must("ip", "netns", "add", SWITCH)
        _must("ip", "-n", SWITCH, "link", "add", "br0", "type", "bridge")
        _must("ip", "-n", SWITCH, "link", "set", "br0", "up")
        for _ in range(nodes + 1):
            hosts.add()
        hosts.start(hosts.head, cpus=0)
        _wait_for_head(hosts)
        for host in hosts.hosts[1:]:
            hosts.start(host)
        hosts.wait_for_nodes(nodes + 1)
        yield hosts
    finally:
        for host in reversed(hosts.hosts):
            hosts.kill(host)
        clear()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_head(hosts: Hosts) -> None:
    end = time.monotonic() + UP_SECONDS
    probe = f"import socket; socket.create_connection(('127.0.0.1', {DASHBOARD}), 1).close()"
    while not _try(*hosts.head.command(sys.executable, "-c", probe)):
        assert time.monotonic() < end, (hosts.head.folder / "out").read_text()
        time.sleep(0.5)


def processes_in(name: str) -> list[int]:
    """Ids of the processes of a namespace."""
    done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]


def clear() -> None:
    """Remove the namespaces of this process, and those of processes that are no more."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name in (line.split()[0] for line in listed.splitlines()):
        owner = re.fullmatch(r"l9h(\d+)(sw|n\d+)", name)
        if owner and (int(owner[1]) == os.getpid() or not Path(f"/proc/{owner[1]}").exists()):
            for pid in processes_in(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _must("ip", "netns", "del", name)


def _cable(number: int) -> str:
    """The name of a host's link at the bridge: at most 15 letters, as the kernel has it."""
    return f"l9v{os.getpid() % 10**6}n{number}"


def _must(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _try(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
