"""What one machine says of itself: versions, room on its disks and in its memory, and which of Ray's ports are open to whom."""

import http.client
import importlib.metadata
import ipaddress
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from l9.cluster.findings import RAY_FOLDER
from l9.cluster.job import installed, requirements, unmet
from l9.cluster.wheels import DISTRIBUTION

ASK_SECONDS = 2.0  # of one question to a port of our own machine
CONNECT_SECONDS = 4.0  # to another machine's port
PEERS = 32  # that one machine tries to reach: the next ones in the list
CGROUP = Path("/sys/fs/cgroup")


def machine_facts(home: str | None) -> dict[str, Any]:
    """Everything of this machine that can be told without the others. Called in a worker of Ray's."""
    l9 = importlib.metadata.distribution(DISTRIBUTION)
    raylet = psutil.Process(os.getppid())
    options = dict(word[2:].split("=", 1) for word in raylet.cmdline() if word.startswith("--") and "=" in word)
    places = {"the temporary folder": tempfile.gettempdir(), RAY_FOLDER: options.get("session_dir", "")}
    return {
        "host": socket.gethostname(),
        "versions": versions(l9),
        "lacking": unmet(l9),
        "disks": {what: room for what, path in {"the home": home or "", **places}.items() if (room := disk_room(path))},
        "memory": memory_room(),
        "auth_mode": auth_mode(raylet),
        "kubernetes": "KUBERNETES_SERVICE_HOST" in os.environ,
        "listening": list(listening(options.get("session-name", ""))),
    }


def versions(l9: importlib.metadata.Distribution) -> dict[str, str | None]:
    """Of Python and of every package that l9 needs; None for one that is not there."""
    return {"python": platform.python_version(), **{wanted.name: installed(wanted.name) for wanted in requirements(l9)}}


def disk_room(path: str) -> dict[str, Any] | None:
    """Bytes free and in all where a folder lies, or would be made; None where nothing is named, or it is no folder but an address."""
    if not path or "://" in path:
        return None
    place = Path(path)
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    return {"path": path, "free": usage.free, "total": usage.total, "device": place.stat().st_dev}


def memory_room() -> dict[str, int]:
    """Bytes free and in all, of the machine or of the container it is."""
    machine = psutil.virtual_memory()
    free, total = int(machine.available), int(machine.total)
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):  # no container, or no limit ("max")
        return {"free": free, "total": total}
    return {"free": min(free, limit - used + int(cache)), "total": min(total, limit)}


def auth_mode(raylet: psutil.Process) -> str:
    """RAY_AUTH_MODE as the node's raylet was started with; of its environment nothing else is read."""
    try:
        return raylet.environ().get("RAY_AUTH_MODE", "unset")
    except psutil.Error:
        return "unknown"


def listening(session: str) -> Iterator[dict[str, Any]]:
    """Each port that Ray's processes of this session listen on: process, address, public or not, and whom it answers."""
    found = sorted({(name, *place) for name, process in _processes(session) for place in _listened(process)})
    public = [(name, host, port, not ipaddress.ip_address(host).is_loopback) for name, host, port in found]
    for name, host, port, is_public in public:
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield {"process": name, "address": shown, "public": is_public, "answers": whom(host, port) if is_public else "this machine"}


def _processes(session: str) -> Iterator[tuple[str, psutil.Process]]:
    """Ray's processes in the same network as we are, by short names. Workers are left out: there are many, all alike, and short-lived."""
    own = _network(os.getpid())
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        agent = words.startswith(("ray::DashboardAgent", "ray::RuntimeEnvAgent"))
        if not agent and (not session or session not in words):
            continue
        names = ("gcs_server", "dashboard/dashboard.py", "monitor.py", "util/client/server", "raylet")
        name = words.split()[0].removeprefix("ray::") if agent else next((name for name in names if name in words), "")
        if name and _network(process.pid) == own:
            yield {"dashboard/dashboard.py": "dashboard", "util/client/server": "client server"}.get(name, name), process


def _network(pid: int) -> int | None:
    """Which network a process is in: containers of one machine have each their own."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None


def _listened(process: psutil.Process) -> list[tuple[str, int]]:
    try:
        return [(one.laddr.ip, one.laddr.port) for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return []


def whom(host: str, port: int) -> str:
    """Whom a port answers: "token" (it asks for one), "anyone", "metrics" (numbers for Prometheus alone), "grpc" (Ray's own protocol)."""
    place = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(host, host)
    connection = http.client.HTTPConnection(place, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/l9-doctor")
        answer = connection.getresponse()
        if answer.status in (401, 403):
            return "token"
        return "metrics" if answer.status == 200 and answer.read(6) == b"# HELP" else "anyone"
    except (OSError, http.client.HTTPException):
        return "grpc"
    finally:
        connection.close()


def unreached(peers: Sequence[tuple[str, str, Sequence[int]]]) -> list[str]:
    """Names of those of the first peers (name, address, ports) that do not take a connection from here on each of their ports."""
    with ThreadPoolExecutor(PEERS) as pool:
        tried = pool.map(lambda peer: (peer[0], all(_connects(peer[1], port) for port in peer[2])), peers[:PEERS])
    return [name for name, reached in tried if not reached]


def _connects(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), CONNECT_SECONDS):
            return True
    except OSError:
        return False
