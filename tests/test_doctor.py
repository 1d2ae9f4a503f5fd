"""What `l9 doctor` finds: planted on a real head, on real servers of other kinds, and in facts for every kind of finding."""

import copy
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from ray_head import free_port, ray_head
from typer.testing import CliRunner

from l9.cli import app
from l9.cluster import doctor as doctor_module
from l9.cluster.doctor import report_lines, report_rows
from l9.cluster.findings import GIB, findings
from l9.cluster.machine import listening, memory_room, unreached, whom
from l9.cluster.shared import common_folder, read_back, share
from l9.cluster.tracking import tracking_facts
from l9.errors import UsageError

SECRETS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Nothing of this process's environment says how to reach a cluster or a server."""
    for name in (*SECRETS, "MLFLOW_TRACKING_TOKEN", "L9_HOME", "L9_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))


def _doctor(*words):
    """Exit code, findings by kind, summary, everything printed."""
    done = CliRunner().invoke(app, ["doctor", *map(str, words), "--json"], catch_exceptions=False)
    *rows, summary = map(json.loads, done.stdout.splitlines())
    assert summary["findings"] == len(rows)
    return done.exit_code, {row["kind"]: row for row in rows}, summary, done.output


def test_a_sound_cluster_ends_with_0_and_says_what_it_saw(head, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    home = tmp_path / "made" / "home"
    code, found, summary, output = _doctor("--address", head.address, "--home", home)
    assert (code, found) == (0, {}), output
    (node,) = summary["nodes"]
    assert node["head"] and node["auth_mode"] == "token" and abs(node["clock"]["skew"]) < 0.5
    assert {"python", "torch", "ray", "numpy"} <= set(node["versions"]) and node["versions"]["torch"]
    assert node["disks"]["the home"]["path"] == str(home) and not home.parent.exists(), "what was made is gone"
    assert head.token not in output


def test_jobs_of_the_doctor_are_none_of_the_jobs_a_person_sent(head, monkeypatch):
    from l9.cluster.client import Cluster
    from l9.cluster.follow import own_jobs

    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    before = [job["submission_id"] for job in own_jobs(Cluster(head.address))]
    _doctor("--address", head.address, "--home", "/tmp")
    assert [job["submission_id"] for job in own_jobs(Cluster(head.address))] == before


def test_a_home_that_is_no_folder_and_a_server_that_refuses_are_found(head, monkeypatch, tmp_path):
    """The head's own home, and MLflow behind 403, seen through the whole command."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    (tmp_path / "file").touch()
    with _server(lambda headers: 403) as uri:
        code, found, _, _ = _doctor("--address", head.address, "--home", tmp_path / "file" / "home", "--tracking", uri)
    assert code == 1 and set(found) == {"home", "tracking-refused"}
    assert "Not a directory" in found["home"]["what"] and "--allowed-hosts" in found["tracking-refused"]["cure"]


def test_an_address_where_nobody_answers():
    os.environ["RAY_AUTH_TOKEN"] = "1" * 64
    try:
        code, found, summary, _ = _doctor("--address", f"http://127.0.0.1:{free_port()}")
    finally:
        del os.environ["RAY_AUTH_TOKEN"]
    assert code == 1 and set(found) == {"unreachable"} and summary["nodes"] == []
    assert "Connection refused" in found["unreachable"]["what"] and "tunnel" in found["unreachable"]["cure"]


def test_no_token_and_a_wrong_one(head, monkeypatch):
    code, found, _, _ = _doctor("--address", head.address)
    assert code == 1 and found["token"]["what"] == "no Ray token"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "1" * 64)
    code, found, _, output = _doctor("--address", head.address)
    assert code == 1 and found["token"]["what"].endswith("does not take this token") and "1" * 64 not in output


def test_words_that_are_wrong_are_no_findings():
    for words, message in (
        (["--address", "127.0.0.1:8265"], "expected http://127.0.0.1:8265 through a tunnel"),
        (["--address", "http://127.0.0.1:8265", "--tracking", "http://me:hunter2@mlflow:5000"], "holds a secret"),
    ):
        with pytest.raises(UsageError, match=message) as refusal:
            CliRunner().invoke(app, ["doctor", *words], catch_exceptions=False, standalone_mode=False)
        assert "hunter2" not in str(refusal.value)


def test_a_cluster_without_tokens_and_with_a_public_dashboard(monkeypatch):
    """Planted as they are: Ray in mode `disabled`, the dashboard on every interface."""
    with ray_head(cpus=1, dashboard_host="0.0.0.0", RAY_AUTH_MODE="disabled") as open_head:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "1" * 64)
        code, found, _, _ = _doctor("--address", open_head.address)
        assert code == 1 and set(found) == {"open"} and "takes work from anyone" in found["open"]["what"]
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        code, found, summary, _ = _doctor("--address", open_head.address)
    assert code == 1 and {"open", "no-token-mode", "dashboard", "no-home"} == set(found), found.get("no-job", {}).get("what")
    assert "RAY_AUTH_MODE=disabled" in found["no-token-mode"]["what"] and "gcs_server [::]:" in found["no-token-mode"]["what"]
    assert found["dashboard"]["what"].startswith("the dashboard listens on 0.0.0.0:") and summary["nodes"][0]["auth_mode"] == "disabled"


def test_a_job_that_does_not_come_to_its_end_is_a_finding(head, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    monkeypatch.setattr(doctor_module, "entrypoint", lambda module, words: "echo no such python; exit 3")
    code, found, _, _ = _doctor("--address", head.address)
    assert code == 1 and "ended without an answer (" in found["no-job"]["what"] and "no such python" in found["no-job"]["what"]
    monkeypatch.setattr(doctor_module, "entrypoint", lambda module, words: "sleep 300")
    monkeypatch.setattr(doctor_module, "JOB_SECONDS", 3.0)
    code, found, _, _ = _doctor("--address", head.address)
    assert code == 1 and found["no-job"]["what"].endswith("did not end in 3 s")


@contextmanager
def _server(answer):
    """A server that answers each question with the status that `answer(headers)` says; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer(self.headers))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _knows(headers):
    return 200 if headers.get("Authorization") == "Basic bWU6aHVudGVyMg==" else 401


def test_what_an_mlflow_server_answers(monkeypatch, tmp_path):
    with _server(lambda headers: 200) as uri:
        assert tracking_facts(uri, None)["problem"] is None, "open, but to this machine alone"
        public = uri.replace("127.0.0.1", _own_address())
        assert tracking_facts(public, None)["problem"] == "open"
    with _server(_knows) as uri:
        public = uri.replace("127.0.0.1", _own_address())
        assert tracking_facts(uri, None) | {"uri": ""} == {"uri": "", "problem": "refused", "told": "401 (it wants a user and a password)"}
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
        assert tracking_facts(public, None)["problem"] is None
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter3")
        assert tracking_facts(public, None)["problem"] == "refused"
    assert tracking_facts(f"http://127.0.0.1:{free_port()}", None)["problem"] == "away"
    assert tracking_facts(None, "/mnt/l9") == {"uri": "sqlite in /mnt/l9", "problem": "file", "told": ""}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@mlflow:5000")
    facts = tracking_facts(None, None)
    assert facts["problem"] == "secret" and "hunter2" not in json.dumps(facts)


def _own_address():
    """An address of this machine that is not loopback."""
    found = [one.address for several in psutil.net_if_addrs().values() for one in several if one.family == socket.AF_INET]
    public = [address for address in found if not address.startswith("127.")]
    if not public:
        pytest.skip("this machine has no address but loopback")
    return public[0]


def test_whom_a_port_answers(head):
    dashboard = int(head.address.rpartition(":")[2])
    assert whom("127.0.0.1", dashboard) == "token" and whom("127.0.0.1", int(head.gcs.rpartition(":")[2])) == "grpc"
    with _server(lambda headers: 404) as uri:
        assert whom("0.0.0.0", int(uri.rpartition(":")[2])) == "anyone"
    session = next(head.folder.glob("session_2*")).name
    ports = {one["process"]: one for one in listening(session) if one["answers"] != "metrics"}
    assert ports["gcs_server"]["public"] and ports["gcs_server"]["answers"] == "grpc"
    assert not ports["dashboard"]["public"] and ports["dashboard"]["address"] == f"127.0.0.1:{dashboard}"
    assert all(one["answers"] in ("token", "grpc") for one in ports.values() if one["public"]), "Ray's own ports ask for the token"


def test_what_a_folder_on_two_machines_shows(tmp_path):
    """Two homes stand for two machines that do not share theirs."""
    home, other = tmp_path / "home", tmp_path / "other"
    other.mkdir()
    with common_folder(str(home)) as (folder, word, wrong):
        assert wrong is None
        answers = {"a": share(str(home), folder, word, "a"), "b": share(str(tmp_path / "none"), folder, word, "b")}
        answers["c"] = share(str(other), str(other / Path(folder).name), word, "c")
        (Path(folder) / "d").mkdir()
        answers["d"], answers["e"] = share(str(home), folder, word, "d"), None
        told = read_back(folder, answers)
    assert {name: answer and answer["problem"] for name, answer in told.items()} == {
        "a": None,
        "b": "missing",
        "c": "other",
        "d": "unwritable",
        "e": "other",
    }
    assert not home.exists() and list(other.iterdir()) == []


def test_peers_that_take_no_connection_are_named():
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        assert unreached([("a", "127.0.0.1", [port]), ("b", "127.0.0.1", [port, free_port()])]) == ["b"]


def test_memory_is_counted_in_bytes():
    room = memory_room()
    assert 0 < room["free"] <= room["total"]


MEET = """
import json, sys
from l9.train import meeting
meeting.MEET_SECONDS = 8.0
port, rank, size = map(int, sys.argv[1:])
print(json.dumps(meeting.take_part("127.0.0.1", port, rank, size, "127.0.0.1")))
"""


@pytest.mark.parametrize("coming", [3, 2])
def test_a_sum_over_three_of_whom_one_may_not_come(coming):
    from l9.train.meeting import Meeting

    meeting = Meeting("127.0.0.1")
    words = [sys.executable, "-c", MEET, str(meeting.port)]
    ranks = [subprocess.Popen([*words, str(rank), "3"], stdout=subprocess.PIPE, text=True) for rank in range(coming)]
    told = [json.loads(rank.communicate(timeout=120)[0].splitlines()[-1]) for rank in ranks]
    assert [one["done"] for one in told] == [coming == 3] * coming, told
    assert [meeting.came(rank) for rank in range(3)] == [rank < coming for rank in range(3)]


def _node(name="a", **other):
    disk = {"path": "/x", "free": 50 * GIB, "total": 100 * GIB, "device": 1}
    ports = [
        {"process": "gcs_server", "address": "[::]:6379", "public": True, "answers": "grpc"},
        {"process": "DashboardAgent", "address": "0.0.0.0:8080", "public": True, "answers": "metrics"},
        {"process": "DashboardAgent", "address": "10.0.0.1:52365", "public": True, "answers": "token"},
        {"process": "dashboard", "address": "127.0.0.1:8265", "public": False, "answers": "this machine"},
        {"process": "dashboard", "address": "0.0.0.0:44227", "public": True, "answers": "metrics"},
    ]
    sound = {
        "name": name,
        "head": name == "a",
        "ip": "10.0.0.1",
        "versions": {"python": "3.11.7", "torch": "2.13.0", "mlflow": None},
        "lacking": {},
        "disks": {"the home": disk, "Ray's folder": disk},
        "memory": {"free": 8 * GIB, "total": 16 * GIB},
        "auth_mode": "token",
        "kubernetes": False,
        "listening": ports,
        "clock": {"skew": 0.5, "within": 0.001},
        "unreached": [],
        "home": None,
        "meeting": {"done": True, "came": True, "told": ""},
    }
    return sound | other


def _facts(*nodes, **cluster):
    about = {"home": "/mnt/l9", "gcs": "10.0.0.1:6379", "nodes": list(nodes) or [_node()], "lost": []}
    about |= {"tracking": {"uri": "http://10.0.0.9:5000", "problem": None, "told": "200"}, **cluster}
    return {"address": "http://127.0.0.1:8265", "ray": {"here": "2.60.0", "there": "2.60.0"}, "cluster": about}


def _lists(process, address, answers):
    return [{"process": process, "address": address, "public": True, "answers": answers}]


FULL = {"path": "/home", "free": 3 * GIB // 2, "total": 100 * GIB, "device": 1}
BRIM = {"path": "/ray", "free": 40 * GIB, "total": 1000 * GIB, "device": 2}
LACKING = {"torch": "package l9-vision needs torch==2.13.0, and this cluster has no torch; install it"}
CASES = [
    (
        "unreachable",
        "",
        {"address": "http://h:1", "reach": {"problem": "unreachable", "told": "http://h:1: no answer (refused) in 10 s; x"}},
    ),
    ("token", "", {"address": "http://h:1", "reach": {"problem": "token", "told": "no Ray token; expected it in"}}),
    ("open", "", {"address": "http://h:1", "reach": {"problem": "open", "told": ""}}),
    ("ray-version", "", _facts() | {"ray": {"here": "2.60.0", "there": "2.59.1"}}),
    ("no-job", "", {"address": "http://h:1", "probe_failed": "doctor-1 did not end in 240 s"}),
    ("silent", "b", _facts(_node(), {"name": "b", "head": False, "silent": "gave no answer in 45 s"})),
    ("silent", "b", _facts(_node(unreached=["b"]), {"name": "b", "head": False, "silent": "gave no answer in 45 s"})),
    ("lost", "b (10.0.0.2)", _facts(lost=[{"name": "b (10.0.0.2)", "why": "health check failed"}])),
    ("no-token-mode", "a", _facts(_node(auth_mode="unset"))),
    ("dashboard", "a", _facts(_node(listening=_lists("dashboard", "0.0.0.0:8265", "token")))),
    ("open-port", "a", _facts(_node(listening=_lists("RuntimeEnvAgent", "10.0.0.1:999", "anyone")))),
    ("package", "b", _facts(_node(), _node("b", lacking=LACKING, versions={"python": "3.11.7", "torch": None, "mlflow": None}))),
    ("versions", "b", _facts(_node(), _node("b", versions={"python": "3.11.9", "torch": "2.13.0", "mlflow": None}))),
    ("disk", "a", _facts(_node(disks={"the home": FULL, "Ray's folder": FULL}))),
    ("disk", "a", _facts(_node(disks={"Ray's folder": BRIM}))),
    ("memory", "a", _facts(_node(memory={"free": GIB // 2, "total": 16 * GIB}))),
    ("clock", "b", _facts(_node(), _node("b", clock={"skew": -3.0, "within": 0.2}))),
    ("no-home", "", _facts(home=None)),
    ("home", "b", _facts(_node(), _node("b", home={"problem": "missing", "told": ""}))),
    ("home", "b", _facts(_node(), _node("b", home={"problem": "unwritable", "told": "Read-only file system"}))),
    ("home", "b", _facts(_node(), _node("b", home={"problem": "other", "told": "x"}))),
    ("link", "b", _facts(_node(), _node("b", unreached=["a"]))),
    ("meeting", "b", _facts(_node(), _node("b", meeting={"done": False, "came": False, "told": "timed out"}))),
    ("meeting", "", _facts(_node(), _node("b", meeting={"done": False, "came": True, "told": "timed out"}))),
    ("tracking-file", "", _facts(_node(), _node("b"), tracking={"uri": "sqlite in /mnt/l9", "problem": "file", "told": ""})),
    ("tracking-secret", "", _facts(tracking={"uri": "http://…", "problem": "secret", "told": ""})),
    ("tracking-away", "", _facts(tracking={"uri": "http://m:5000", "problem": "away", "told": "refused"})),
    ("tracking-refused", "", _facts(tracking={"uri": "http://m:5000", "problem": "refused", "told": "401 (x)"})),
    ("tracking-open", "", _facts(tracking={"uri": "http://m:5000", "problem": "open", "told": "200"})),
]


@pytest.mark.parametrize(("kind", "node", "facts"), CASES, ids=[f"{number}-{kind}" for number, (kind, _, _) in enumerate(CASES)])
def test_every_kind_of_finding(kind, node, facts):
    before = copy.deepcopy(facts)
    (one,) = findings(facts)
    assert (one.kind, one.node) == (kind, node) and one.severity in ("error", "warning")
    assert (
        all((one.what, one.expected, one.cure))
        and "\n" not in one.line
        and "; expected " in one.line
        and "; expected expected" not in one.line
    )
    assert facts == before and report_rows(facts, [one])[-1]["findings"] == 1
    assert report_lines(facts, [one])[-1].endswith("1 finding")


def test_what_is_right_is_no_finding():
    behind_a_policy = _node(kubernetes=True, listening=_lists("dashboard", "0.0.0.0:8265", "token"))
    for facts in (
        _facts(),
        _facts(_node(), _node("b")),
        _facts(behind_a_policy),
        _facts(_node(), _node("b", clock={"skew": 2.5, "within": 1.0})),  # a slow way there and back: it may be right
        _facts(tracking={"uri": "sqlite in /mnt/l9", "problem": "file", "told": ""}),  # a single node
    ):
        assert findings(facts) == []
    assert report_lines(_facts(), [])[-1] == "http://127.0.0.1:8265, 1 node, Ray 2.60.0: nothing is wrong"
