"""A training in a remote home: pushed at each checkpoint, gone on with elsewhere, bit-equal to one that nobody disturbed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from object_store import object_store
from toys import published_toys, toy_facts, toy_store

from l9.errors import StoreError
from l9.progress import quiet
from l9.store.home import Home, open_home, scratch_home
from l9.store.remote import Patience, RemoteHome
from l9.train.checkpoints import latest
from l9.train.fit import fit
from l9.train.in_step import in_step

SCHEDULE = {"epochs": 4, "batch": 8, "checkpoint_every": 2}
TRAINER = """
import json, sys
from pathlib import Path
from l9.progress import quiet
from l9.store.home import open_home
from l9.train.fit import fit
from l9.train.in_step import in_step
home = open_home(sys.argv[1])
folder = home.path / "runs" / "toy"
facts = json.loads(sys.argv[2])
home.fetch_store(facts["sets"]["toys"]["store"].split("/")[1])
with in_step(home, folder, [facts["sets"]["toys"]["store"]], fresh=False, say=print) as push:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training.json").write_text(json.dumps(facts))
    fit(folder, place=home, say=print, on_checkpoint=push)
"""


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")


@pytest.fixture(scope="module")
def server():
    with object_store() as running:
        yield running


@pytest.fixture
def home(server, tmp_path, monkeypatch):
    """A remote home that has the toy store."""
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "first"))
    return published_toys(open_home(server.url(tmp_path.name)))


def _outcome(folder):
    checkpoint = latest(folder).folder
    files = [folder / name for name in ("metrics.jsonl", "outcomes.jsonl", "result.json")]
    return [path.read_bytes() for path in [*files, *sorted(checkpoint.glob("*.safetensors"))]]


def _trained(home, facts, say=quiet, fresh=False):
    folder = home.path / "runs" / "toy"
    with in_step(home, folder, [facts["sets"]["toys"]["store"]], fresh=fresh, say=say) as push:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "training.json").write_text(json.dumps(facts))
        fit(folder, place=home, say=say, fresh=fresh, on_checkpoint=push)
    return folder


def test_killed_here_it_goes_on_there(home, server, tmp_path, monkeypatch):
    facts = toy_facts(home.store, home.path, "Label", "Noisy", schedule=SCHEDULE)
    whole = tmp_path / "whole"
    toy_store(whole)
    undisturbed = _outcome(_trained(Home(whole), facts))

    (tmp_path / "kill").touch()
    facts["training"]["task"]["arguments"] = {"kill": str(tmp_path / "kill")}
    command = [sys.executable, "-c", TRAINER, home.url, json.dumps(facts)]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}  # for its tasks and models
    killed = subprocess.run(command, env=here, capture_output=True, text=True, timeout=200, check=False)
    assert killed.returncode == -9, killed.stderr
    there = server.objects(f"{tmp_path.name}/runs/toy")
    assert "result.json" not in there and any(name.endswith("/state.json") for name in there)

    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "second"))
    second = subprocess.run(command, env=here, capture_output=True, text=True, timeout=200, check=True)
    assert "resuming after step" in second.stdout
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "third"))
    third = open_home(home.url)
    third.pull_run(third.path / "runs" / "toy")
    assert _outcome(third.path / "runs" / "toy") == undisturbed


def test_what_is_finished_needs_no_shard(home, tmp_path, monkeypatch):
    facts = toy_facts(home.store, home.path, "Label", "Noisy", schedule=SCHEDULE)
    first = _trained(home, facts)
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "second"))
    second = open_home(home.url)
    assert _outcome(_trained(second, facts)) == _outcome(first)
    assert list(second.path.rglob("shards/*")) == []


def test_a_store_that_is_away_for_a_while_stops_no_training_and_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "scratch"))
    with object_store() as leaving:
        remote = RemoteHome(leaving.url("a"), Patience(connect=1, request=1, attempts=1, silence=3))
        home, said = published_toys(scratch_home(remote)), []
        facts = toy_facts(home.store, home.path, "Label", "Noisy", schedule=SCHEDULE)

        def say(line):
            said.append(line)
            if line.startswith("evaluating"):
                leaving.go_on()

        leaving_at = []

        def push_real(run_dir, real=home.push_run):
            if not leaving_at:
                leaving_at.append(run_dir)
                leaving.stop()
            real(run_dir)

        monkeypatch.setattr(home, "push_run", push_real)
        _trained(home, facts, say)
        assert any("not pushed" in line and "did not answer within" in line and "\n" not in line for line in said)
        assert "runs/toy/result.json" in leaving.objects("a")


def test_a_store_that_stays_away_is_an_error_at_the_end_and_nothing_is_lost_here(tmp_path, monkeypatch):
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "scratch"))
    with object_store() as leaving:
        home = published_toys(scratch_home(RemoteHome(leaving.url("a"), Patience(connect=1, request=1, attempts=1, silence=3))))
        facts = toy_facts(home.store, home.path, "Label", "Noisy", schedule=SCHEDULE)
        with pytest.raises(StoreError, match="did not answer within"):
            _trained(home, facts, lambda line: leaving.process.kill() if line.startswith("evaluating") else None)
        assert (home.path / "runs" / "toy" / "result.json").exists()
