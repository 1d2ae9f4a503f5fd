"""Secrets stay where they are: in no address, no folder of a run, no job's information, no log; and strangers are turned away."""

import json
import os
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ray_head import MLFLOW_PASSWORD
from typer.testing import CliRunner

from l9.auth import holds_secret, refuse_secrets
from l9.cli import app
from l9.cluster.client import Cluster, checked_address
from l9.cluster.follow import follow
from l9.cluster.submit import Request, submit
from l9.cluster.turn import turn
from l9.cluster.wheels import own_wheel
from l9.config import Pipeline, Prep, Set, Training, Use
from l9.errors import ClusterError, UsageError
from l9.recipe import checked
from l9.stages import coarse_occupancy, normalise, occupancy
from l9.tasks.forest import Forest
from l9.track import default_uri

PASSWORD = MLFLOW_PASSWORD
CARD = """name: toys
what: a few procedural solids
licence: none needed
reader: l9.readers.shapes:read
source: {made: l9.readers.shapes}
shards: 1
parameters: {count_per_class: 3, seed: 1}
"""
SECRET = [
    "http://me:hunter2@mlflow.example:5000",
    "https://hunter2@mlflow.example",
    "postgresql://me:hunter2@db/mlflow",
    "s3://bucket/home?secret_key=hunter2",
    "s3://bucket/home?access_key=hunter2&region=x",
    "https://mlflow.example/?token=hunter2",
    "https://x.example/home?X-Amz-Signature=hunter2",
    "https://x.example/home?sv=1&sig=hunter2",
    "http://me:hunter2@[mlflow:5000",
]
PLAIN = [
    "",
    "/mnt/l9",
    "http://mlflow.example:5000",
    "s3://bucket/home?region=eu&endpoint_override=http://minio:9000",
    "me@host:/x",
    "auto",
]


@pytest.mark.parametrize("address", SECRET)
def test_an_address_with_a_secret_is_refused_and_not_repeated(address, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="holds a secret, which would be stored with the run") as refusal:
        refuse_secrets(address)
    assert "hunter2" not in str(refusal.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    for uri in (None, address):
        with pytest.raises(UsageError, match="holds a secret"):
            default_uri(tmp_path, uri)


@pytest.mark.parametrize("address", PLAIN)
def test_an_address_without_one_is_let_through(address):
    refuse_secrets(address)
    assert not holds_secret(address)


@pytest.mark.parametrize("verb", ["prep", "run"])
@pytest.mark.parametrize("way", ["--tracking", "MLFLOW_TRACKING_URI"])
def test_run_and_prep_refuse_it_before_any_work(verb, way, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = [verb, "furniture_voxnet", "--card", "shapes", "--workers", "0"]
    if way == "--tracking":
        words += ["--tracking", SECRET[0]]
    else:
        monkeypatch.setenv(way, SECRET[0])
    with pytest.raises(UsageError, match="holds a secret") as refusal:
        CliRunner().invoke(app, words, catch_exceptions=False, standalone_mode=False)
    assert "hunter2" not in str(refusal.value) and list(tmp_path.iterdir()) == []


def test_nothing_a_run_stores_or_says_holds_the_token_or_a_password(head, monkeypatch, tmp_path):
    """Shards, folders of runs, MLflow's database, what the cluster tells of the job, its log, and every log of Ray's."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    (tmp_path / "toys.yaml").write_text(CARD)
    prep, training = (
        Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=32), Use(coarse_occupancy)),
        Training(Use(Forest, trees=3), None),
    )
    pipeline = checked(Pipeline("toys", {"toys": Set(str(tmp_path / "toys.yaml"), prep)}, (training,)))
    cluster, said, home = Cluster(head.address), [], tmp_path / "home"
    job = submit(cluster, pipeline, Request("run", str(home)), [own_wheel()])
    code, report = follow(cluster, job, said.append)
    assert code == 0 and report["metrics"], said
    told = json.dumps([report, cluster.job(job), cluster.jobs()]) + cluster.logs(job)
    stored = {path: path.read_bytes() for folder in (home, head.folder) for path in folder.rglob("*") if path.is_file()}
    names = {path.name for path in stored}
    assert {"mlflow.db", "track.json", "training.json", "result.json", "manifest.json", "raylet.out"} <= names, (
        "less was stored than was meant"
    )
    for secret in (head.token, PASSWORD):
        assert secret not in told
        assert [path for path, content in stored.items() if secret.encode() in content] == []


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "GET"])
def test_a_stranger_may_not_ask_for_anything(head, method):
    """Nor a page in somebody's browser, which sends its origin: Ray once let DELETE through."""
    request = urllib.request.Request(f"{head.address}/api/jobs/some-job", method=method, headers={"Origin": "http://elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=30)
    assert refusal.value.code in (401, 403, 405) if method in ("POST", "PUT") else refusal.value.code in (401, 403)
    refusal.value.close()


def test_the_token_follows_no_redirect(head, monkeypatch):
    """Another address that the first one names gets nothing."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append((self.path, self.headers.get("Authorization")))
            first = self.headers.get("Authorization") is None and self.path == "/api/version"
            self.send_response(401 if first else 302)
            self.send_header("Location", f"http://127.0.0.2:{server.server_port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    with ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ClusterError, match="302"):
            Cluster(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert [path for path, _ in heard] == ["/api/version", "/api/version"], "the redirect was followed"


def test_a_token_is_not_sent_in_the_clear(monkeypatch):
    monkeypatch.delenv("L9_ALLOW_PLAIN_HTTP", raising=False)
    with pytest.raises(UsageError, match="the token would cross the network unencrypted"):
        checked_address("http://10.0.0.1:8265")


def test_the_queue_of_jobs_is_in_nobody_elses_folder(tmp_path):
    """In /tmp anybody may have made a folder or a link of that name before us."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="belongs to somebody else"), turn(tmp_path / "link", 1, print):
        raise AssertionError("the block must not be entered")
    with turn(tmp_path / "own", 1, print):
        assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        os.chown(tmp_path / "own", 65534, 65534)
        with pytest.raises(PermissionError, match="belongs to somebody else"), turn(tmp_path / "own", 1, print):
            raise AssertionError("the block must not be entered")
    assert not list(Path(tmp_path / "elsewhere").iterdir())
