"""Faults planted on hosts of a network of their own, each found by name: `pytest tests/chaos/doctor_faults.py`, as root, 6 minutes.

Clocks are shifted by libfaketime where it is installed (or L9_FAKETIME names it); else that fault is left out.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from chaos.hosts import DASHBOARD, possible, ray_hosts

pytestmark = [
    pytest.mark.skipif(not possible(), reason="needs root and iproute2, to make network namespaces"),
    pytest.mark.timeout(1200),
]
FAKETIME = Path(os.environ.get("L9_FAKETIME", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"))
SECONDS = 120  # within which a cut link has a name
OTHERS = {"torch": "2.12.0", "scipy": "1.2.3"}  # of which one is not what l9 needs, and the other only differs from the head's
LATE = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+90s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _within(host, script):
    """Let what is started on a host begin with a script: `ip netns exec` gives it mounts of its own, gone with it."""
    plain = host.command("sh", "-c", f'{script} && exec "$@"', "sh")
    host.command = lambda *words: [*plain, *words]


def _doctor(hosts, home, *more):
    began = time.monotonic()
    words = ["doctor", "--address", f"http://127.0.0.1:{DASHBOARD}", "--home", str(home), *more]
    done = hosts.run(sys.executable, "-m", "l9.cli", *words, "--json", timeout=400)
    assert done.stdout, done.stderr
    *rows, summary = map(json.loads, done.stdout.splitlines())
    assert done.returncode == (1 if rows else 0) and summary["findings"] == len(rows), done.stderr
    assert hosts.token not in done.stdout + done.stderr
    return rows, summary, time.monotonic() - began


def _kinds(rows):
    return sorted({(row["node"].rpartition(".")[2].strip(")"), row["kind"]) for row in rows})


@pytest.fixture(scope="module")
def lab():
    """A sound head; .2 with a late clock and other packages, .3 with another home and a small disk, .4 with a home it cannot write to."""
    with ray_hosts(nodes=0) as hosts:
        home, other, stubs = (hosts.folder / name for name in ("home", "other", "stubs"))
        home.mkdir()
        other.mkdir()
        for name, version in OTHERS.items():
            (stubs / f"{name}-{version}.dist-info").mkdir(parents=True)
            (stubs / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        late, narrow, shut = hosts.add(), hosts.add(), hosts.add()
        _within(narrow, f"mount --bind {other} {home} && mount -t tmpfs -o size=400m tmpfs {narrow.folder}")
        _within(shut, f"mount --bind {home} {home} && mount -o remount,bind,ro {home}")
        path = os.pathsep.join(filter(None, (str(stubs), os.environ.get("PYTHONPATH"))))
        hosts.environment = {"PYTHONPATH": path, **(LATE if FAKETIME.exists() else {})}
        hosts.start(late)
        hosts.environment = {}
        hosts.start(narrow)
        hosts.start(shut)
        hosts.wait_for_nodes(4)
        yield hosts, home


def test_what_is_wrong_with_each_node_is_found_and_nothing_else(lab):
    hosts, home = lab
    rows, summary, _ = _doctor(hosts, home, "--tracking", "http://127.0.0.1:9")
    planted = [("2", "package"), ("2", "versions"), ("3", "disk"), ("3", "home"), ("4", "home"), ("", "tracking-away")]
    planted += [("2", "clock")] if FAKETIME.exists() else []
    assert _kinds(rows) == sorted(planted)
    about = {(row["node"].rpartition(".")[2].strip(")"), row["kind"]): row for row in rows}
    assert about["2", "versions"]["what"].startswith("has scipy 1.2.3 (head: ")
    assert "another folder than on the head" in about["3", "home"]["what"]
    assert "Read-only file system" in about["4", "home"]["what"]
    assert not list(home.iterdir()) and len(summary["nodes"]) == 4
    if FAKETIME.exists():
        assert about["2", "clock"]["what"].startswith(("its clock is 90.", "its clock is 89.9"))


def test_two_nodes_that_do_not_reach_each_other_are_named(lab):
    """Each reaches the head, and Ray sees nothing wrong."""
    hosts, home = lab
    late, narrow = hosts.hosts[1:3]
    route = ("ip", "-n", late.name, "route")
    hosts.run(*route, "add", "blackhole", narrow.ip)
    try:
        rows, _, took = _doctor(hosts, home, "--tracking", "http://127.0.0.1:9")
    finally:
        hosts.run(*route, "del", "blackhole", narrow.ip)
    links = {row["node"].rpartition(".")[2].strip(")"): row["what"] for row in rows if row["kind"] == "link"}
    assert set(links) == {"2", "3"} and narrow.ip in links["2"] and late.ip in links["3"]
    (meeting,) = [row for row in rows if row["kind"] == "meeting"]
    assert "a sum over all nodes did not end" in meeting["what"]
    assert took < SECONDS


def test_a_node_beyond_a_cut_link_is_named_in_time(lab):
    hosts, home = lab
    narrow = hosts.hosts[2]
    hosts.cut(narrow)
    rows, _, took = _doctor(hosts, home, "--tracking", "http://127.0.0.1:9")
    (gone,) = [row for row in rows if narrow.ip in row["node"]]
    assert gone["kind"] in ("silent", "lost"), rows
    assert not [row for row in rows if row["kind"] in ("link", "meeting")], "the others meet without it"
    assert took < SECONDS
