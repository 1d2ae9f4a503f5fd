"""Jobs on a real cluster: what travels, who is let in, how a job ends; errors are one line with their cure."""

import io
import json
import os
import socket
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from l9.cli import app
from l9.cluster import client as client_module
from l9.cluster.client import Cluster, Unreachable, checked_address
from l9.cluster.follow import find_job, follow, job_row, own_jobs, read_words
from l9.cluster.submit import Request, resolved_recipe, submit
from l9.cluster.wheels import built_wheel, own_wheel, package_wheels
from l9.config import Pipeline, Prep, Set, Use
from l9.errors import ClusterError, UsageError
from l9.recipe import checked, load_recipe
from l9.stages import normalise, occupancy

BOX = """v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1
f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 3 4 8 7\nf 1 5 8 4\nf 2 3 7 6\n"""


@pytest.fixture(autouse=True)
def nothing_brought_stays(monkeypatch):
    """What `--package` puts in front of what is installed, in this process and the environment of its children, goes with its test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("PYTHONPATH", "L9_PACKAGES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.fixture
def with_token(head, monkeypatch):
    """As one who knows the token: nothing else of this process's environment says how to reach the head."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    return head


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """As one who has no token anywhere."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def boxes(tmp_path):
    """Six boxes and a file that is none."""
    for number in range(6):
        path = tmp_path / "meshes" / ("tall" if number % 2 else "wide") / f"{number}.obj"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BOX.replace("v 1", f"v {1 + number}"))
    (tmp_path / "meshes" / "tall" / "broken.obj").write_text("v 0 0\n")
    return tmp_path / "meshes"


def _pipeline(*stages):
    prep = Prep(Use(normalise, kind="cube"), *(stages or (Use(occupancy, resolution=8),)))
    return checked(Pipeline("boxes", {"boxes": Set("folder", prep)}))


def test_a_preparation_runs_there_as_it_would_here(with_token, boxes, tmp_path, monkeypatch):
    """Home and root are paths there; the working folder, which holds a secret, stays here; nothing shown holds the token."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("hunter2")
    cluster, said, sent = Cluster(with_token.address), [], []
    send = cluster.send_package
    monkeypatch.setattr(cluster, "send_package", lambda name, content: sent.append(content) or send(name, content))
    request = Request("prep", str(tmp_path / "home"), ("--root", str(boxes)))
    job = submit(cluster, _pipeline(), request, [own_wheel()])
    code, report = follow(cluster, job, said.append)
    assert code == 0, said
    assert (report["planned"], report["done"], report["quarantined"]) == (7, 6, 1)
    assert (tmp_path / "home" / "store").is_dir()
    assert any("1 quarantined" in line for line in said) and not any("runtime env" in line.lower() for line in said)
    about = cluster.job(job)
    assert with_token.token not in json.dumps(about) + cluster.logs(job) + json.dumps(report)
    travelled = [zipfile.ZipFile(io.BytesIO(content)).namelist() for content in sent]
    assert travelled[0] == ["job.json"]
    assert {name.split("/")[0] for name in travelled[1]} == {"l9", "l9_vision-0.1.0.dist-info"} and len(travelled) == 2
    row = job_row(cluster, about)
    assert (row["state"], row["exit_code"], row["recipe"], row["verb"]) == ("succeeded", 0, "boxes", "prep")
    facts = read_words(cluster.logs(job)).facts["progress"]
    assert (facts["done"], facts["quarantined"], facts["left"]) == (6, 1, 0)
    assert [(node["done"], node["quarantined"], node["left"]) for node in facts["nodes"]] == [(6, 1, 0)]


@pytest.mark.parametrize("verb", ["status", "logs"])
def test_a_stranger_is_turned_away_in_one_line(head, nobody, verb, monkeypatch):
    words = [verb, "--address", head.address] + (["latest"] if verb == "logs" else [])
    with pytest.raises(UsageError, match="no Ray token; expected it in RAY_AUTH_TOKEN"):
        CliRunner().invoke(app, words, catch_exceptions=False, standalone_mode=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(UsageError, match="does not take this token") as refusal:
        CliRunner().invoke(app, words, catch_exceptions=False, standalone_mode=False)
    assert "0" * 64 not in str(refusal.value)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(UsageError, match="asks for a token, and RAY_AUTH_MODE=disabled"):
        Cluster(head.address)


def test_a_job_stopped_ends_and_is_not_stopped_twice(with_token, boxes, tmp_path):
    cluster = Cluster(with_token.address)
    job = submit(cluster, _pipeline(), Request("prep", str(tmp_path / "home"), ("--root", str(boxes))), [own_wheel()])
    while cluster.job(job)["status"] == "PENDING":
        time.sleep(0.1)
    words = ["stop", job[:-2], "--address", cluster.address]
    assert CliRunner().invoke(app, words, catch_exceptions=False, standalone_mode=False).exit_code == 0
    code, _ = follow(cluster, job, lambda line: None)
    assert code == 1 and job_row(cluster, cluster.job(job))["state"] == "stopped"
    with pytest.raises(UsageError, match=r"has ended already \(stopped\); nothing to stop"):
        CliRunner().invoke(app, words, catch_exceptions=False, standalone_mode=False)


def test_an_error_of_the_job_is_told_and_its_exit_code_is_ours(with_token, tmp_path):
    cluster, said = Cluster(with_token.address), []
    job = submit(cluster, _pipeline(), Request("prep", str(tmp_path / "home"), ("--root", "/no/such/folder")), [own_wheel()])
    code, report = follow(cluster, job, said.append)
    assert (code, report) == (2, None)
    assert said[-1].startswith("l9: --root /no/such/folder: no such folder")
    assert find_job(cluster, "latest") == job and own_jobs(cluster)[0]["submission_id"] == job
    with pytest.raises(UsageError, match=f"no job 'boxxes-1' on {cluster.address}; near: "):
        find_job(cluster, "boxxes-1")


PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "0.3"
dependencies = [{needs}]
[tool.hatch.build.targets.wheel]
packages = ["{name}"]
"""
PRIVATE_STAGE = """
import numpy as np
from l9.geometry.mesh import Mesh
from l9.stages.contract import yields
from l9.store.columns import Column


def _columns():
    return (Column("heights", "float32", (2,), unit="metre"),)


@yields(columns=_columns, version=1)
def heights(mesh: Mesh):
    yield {"heights": np.array([mesh.vertices[:, 1].min(), mesh.vertices[:, 1].max()], np.float32)}
"""
PRIVATE_RECIPE = """
from l9.config import Pipeline, Prep, Set, Use
pipeline = Pipeline("private", {"boxes": Set("folder", Prep(Use("{name}.stages:heights")))})
"""


def _project(folder, name, needs=""):
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Mine."""\n')
    (package / "stages.py").write_text(PRIVATE_STAGE)
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, needs=needs))
    (folder / "notes.txt").write_text("not for others")
    (folder / "recipe.py").write_text(PRIVATE_RECIPE.replace("{name}", name))
    return folder


def test_a_private_recipe_and_stage_travel_as_a_wheel(with_token, boxes, tmp_path):
    project = _project(tmp_path / "work", "my_private_shapes")
    words = ["submit", str(project / "recipe.py"), "--verb", "prep", "--package", str(project), "--home", str(tmp_path / "home")]
    words += ["--root", str(boxes), "--address", with_token.address, "--follow", "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["done"] == 6


def test_a_package_that_needs_what_the_cluster_lacks_is_told_so(with_token, boxes, tmp_path):
    project = _project(tmp_path / "work", "my_needy_shapes", needs='"no-such-distribution>=2"')
    words = ["submit", str(project / "recipe.py"), "--verb", "prep", "--package", str(project), "--home", str(tmp_path / "home")]
    done = CliRunner().invoke(app, [*words, "--address", with_token.address, "--follow"], catch_exceptions=False)
    assert done.exit_code == 2
    assert "package my_needy_shapes needs no-such-distribution>=2, and this cluster has no no-such-distribution; install" in done.output


def test_a_recipe_that_does_not_resolve_is_not_sent(with_token):
    before = len(Cluster(with_token.address).jobs())
    with pytest.raises(UsageError, match="no recipe 'furniture_voxnets'; known: furniture_voxnet"):
        CliRunner().invoke(
            app, ["submit", "furniture_voxnets", "--address", with_token.address], catch_exceptions=False, standalone_mode=False
        )
    assert len(Cluster(with_token.address).jobs()) == before


def test_an_unknown_folder_is_no_package(tmp_path):
    with pytest.raises(UsageError, match=r"no pyproject\.toml there"):
        built_wheel(tmp_path)
    (tmp_path / "x.whl").write_bytes(b"PK nothing")
    with pytest.raises(UsageError, match=r"x\.whl: cannot be read"):
        package_wheels([tmp_path / "x.whl"])


def test_equal_packages_are_equal_bytes():
    assert own_wheel() == own_wheel()


def test_the_resolved_recipe_brings_its_cards(tmp_path):
    """Read back in a process that has no datasets/ of its own, the labels are the same."""
    path = tmp_path / "job.json"
    path.write_bytes(resolved_recipe(load_recipe("furniture_voxnet")))
    value = json.loads(path.read_text())
    assert len(value["cards"]["furniture"]["tables"]["labels"]) == 911
    assert load_recipe(str(path)) == load_recipe("furniture_voxnet")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:8265", "expected http://127.0.0.1:8265 through a tunnel"),
        ("ray://127.0.0.1:10001", "expected http://127.0.0.1:8265 through a tunnel"),
        ("http://user:hunter2@127.0.0.1:8265", "holds a user or password"),
        ("http://example.org:8265", "the token would cross the network unencrypted"),
        ("http://127.0.0.1:8265/jobs", "expected http://127.0.0.1:8265 through a tunnel"),
        ("http://127.0.0.1:99999999", "expected http://127.0.0.1:8265 through a tunnel"),
    ],
)
def test_addresses_that_cannot_be_used(address, message, monkeypatch):
    monkeypatch.delenv("L9_ALLOW_PLAIN_HTTP", raising=False)
    with pytest.raises(UsageError, match=message) as refusal:
        checked_address(address)
    assert "hunter2" not in str(refusal.value)


def test_an_address_nobody_answers_at_is_told_in_time(with_token, monkeypatch):
    monkeypatch.setattr(client_module, "REACH_SECONDS", 1.0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        start = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer \(timed out\) in 1 s; expected http"):
            Cluster(f"http://127.0.0.1:{deaf.getsockname()[1]}")
    assert time.monotonic() - start < 10
    with pytest.raises(ClusterError, match=r"no answer \(\[Errno 111\] Connection refused\)"):
        Cluster("http://127.0.0.1:9")


class _Open(BaseHTTPRequestHandler):
    def do_GET(self):
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ray_version": "2.60.0"}')

    def log_message(self, *words):
        pass


def test_a_cluster_that_takes_work_from_anyone_is_refused(with_token):
    with HTTPServer(("127.0.0.1", 0), _Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(UsageError, match="takes work from anyone who reaches it; start it with RAY_AUTH_MODE=token"):
            Cluster(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_a_line_that_only_looks_like_a_note_is_a_line():
    words = read_words('INFO runtime env\nl9-job {"state": "running"}\nl9-job {nonsense\nl9-job [1]\nhello\n{"done": 3}\n')
    assert words.lines == ["l9-job {nonsense", "l9-job [1]", "hello"]
    assert words.facts == {"state": "running"} and words.report == {"done": 3}
