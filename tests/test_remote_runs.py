"""`l9 prep`, `l9 run` and the verbs after them with a home on a real S3 server: the same bytes as in a folder, on any machine."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from object_store import object_store

CARD = """name: toys
what: a few procedural solids
licence: none needed
reader: l9.readers.shapes:read
source: {made: l9.readers.shapes}
shards: 4
parameters: {count_per_class: 3, seed: 1}
"""
RECIPE = '''"""toys"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.voxnet import VoxNet
from l9.stages import normalise, occupancy
from l9.tasks.classify import Classify

prep = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=32, rotations=1))
training = Training(Use(Classify, votes=1), Use(VoxNet), Schedule(epochs=2, batch=8, lr=1e-3))
pipeline = Pipeline("toys", {"toys": Set("toys.yaml", prep)}, (training,), Train(precision="float32"))
'''


@pytest.fixture(scope="module")
def server():
    with object_store() as running:
        yield running


class Machine:
    """Its own scratch; shares nothing with others but the server. No MLflow answers: work goes on all the same."""

    def __init__(self, folder, url, name):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.folder, self.scratch = folder, folder / name
        self.environment = {
            **os.environ,
            "L9_HOME": url,
            "L9_SCRATCH": str(self.scratch),
            "MLFLOW_TRACKING_URI": nobody,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "keys-never-shown",
        }

    def try_l9(self, *words, **environment):
        command = [sys.executable, "-m", "l9.cli", *map(str, words)]
        surroundings = {**self.environment, **environment}
        return subprocess.run(command, cwd=self.folder, env=surroundings, capture_output=True, text=True, timeout=400, check=False)

    def l9(self, *words, **environment):
        done = self.try_l9(*words, **environment)
        assert done.returncode == 0, done.stderr
        assert "keys-never-shown" not in done.stderr + done.stdout
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    (folder / "toys.yaml").write_text(CARD)
    (folder / "toys.py").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def ran(server, recipe):
    """One run of the recipe in a remote home by machine one, and the same in a folder."""
    one = Machine(recipe, server.url("ran"), "one")
    local = Machine(recipe, "here", "none")
    del local.environment["MLFLOW_TRACKING_URI"]
    (there,) = one.l9("run", "toys.py", "--workers", "0", "--json")
    (here,) = local.l9("run", "toys.py", "--workers", "0", "--json")
    return one, there, here


def store_files(objects):
    return {name: content for name, content in objects.items() if name.startswith("store/") and not name.endswith("timings.jsonl")}


def test_the_same_bytes_as_in_a_folder(server, recipe, ran):
    _, there, here = ran
    local = {path.relative_to(recipe / "here").as_posix(): path.read_bytes() for path in (recipe / "here").rglob("*") if path.is_file()}
    local = {name: content for name, content in store_files(local).items() if "digests" not in name}
    assert store_files(server.objects("ran")) == local and len(local) == 4 * 2 + 3
    assert there["metrics"] == here["metrics"] and there["run"] == here["run"] and there["trainings"] == here["trainings"]


def test_nothing_secret_is_kept(server, ran):
    one, _, _ = ran
    assert not any(b"keys-never-shown" in content for content in server.objects("ran").values())
    assert not any(b"keys-never-shown" in path.read_bytes() for path in one.scratch.rglob("*") if path.is_file())


def test_asked_again_anywhere_it_answers_at_once(server, recipe, ran):
    _, report, _ = ran
    two = Machine(recipe, server.url("ran"), "two")
    done = two.try_l9("run", "toys.py", "--workers", "0", "--json")
    assert "is finished: nothing to do" in done.stderr and "training" not in done.stderr
    again = json.loads(done.stdout.splitlines()[-1])
    assert (again["metrics"], again["run"]) == (report["metrics"], report["run"])
    assert list(two.scratch.rglob("*.arrow")) == list(two.scratch.rglob("index.arrow"))  # no shard had to come


def test_verbs_after_the_fact_on_a_machine_that_has_nothing(server, recipe, ran):
    _, report, _ = ran
    three = Machine(recipe, server.url("ran"), "three")
    rows = three.l9("runs", "--json")
    assert {row["run"]: row["state"] for row in rows} == dict.fromkeys([report["run"], *report["trainings"]], "finished")
    (listed,) = three.l9("store", "list", "--json")
    assert listed["store"] == os.path.basename(report["store"]) and len(listed["runs"]) == 2 and not listed["problem"]  # noqa: PTH119
    assert three.l9("store", "verify", "latest", "--json")[0]["shards"] == 4
    assert three.l9("quarantine", "latest", "--json") == []
    assert three.l9("eval", "latest", "--json")[0]["metrics"] == report["metrics"]
    shown = three.l9("data", "show", "latest", "--count", "2", "--out", "rows.png", "--json")[0]
    assert len(shown["objects"]) == 2 and (recipe / "rows.png").exists()
    (recipe / "box.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    assert len(three.l9("predict", "latest", "box.obj", "--json")[0]["answers"]) == 5
    assert three.l9("runs", "tag", "latest", "good", "--json")[0]["tags"] == ["good"]
    assert [row["tags"] for row in Machine(recipe, server.url("ran"), "four").l9("runs", "--tag", "good", "--json")] == [["good"]]


def test_what_cannot_be_is_one_line(server, recipe, ran):
    one, _, _ = ran
    for words, environment, said, code in (
        (("prep", "toys.py"), {"MLFLOW_TRACKING_URI": ""}, "name an MLflow server: --tracking http://HOST:PORT", 2),
        (("run", "toys.py"), {"MLFLOW_TRACKING_URI": "sqlite:///x.db"}, "no database can be kept there", 2),
        (("store", "gc"), {}, "store gc works on a folder", 2),
        (("runs",), {"L9_HOME": server.url("a", bucket="nobody")}, "there is no bucket 'nobody'", 1),
        (("runs",), {"L9_HOME": "s3://user:keys-never-shown@homes/a"}, "an address holds no key", 2),
        (("eval", "latest"), {"L9_SHARD_CACHE": "10kB"}, "give more with L9_SHARD_CACHE", 1),
    ):
        done = one.try_l9(*words, **environment)
        assert done.returncode == code and said in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1 and "keys-never-shown" not in done.stderr


def test_it_goes_on_after_the_scratch_folder_was_removed(server, recipe, ran):
    """A training that was stopped in the middle goes on from its checkpoint, with no shard made again, and ends in the same numbers."""
    one, report, _ = ran
    five = Machine(recipe, server.url("stopped"), "five")
    for name, content in server.objects("ran").items():  # all but what its second epoch made
        if "/result.json" not in name and "/run.json" not in name and "/outcomes" not in name:
            server.put(f"stopped/{name}", content)
    shutil.rmtree(five.scratch, ignore_errors=True)
    done = five.try_l9("run", "toys.py", "--workers", "0", "--json")
    assert done.returncode == 0 and "resuming after step" in done.stderr and "prep toys" not in done.stderr, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["metrics"] == report["metrics"]
    assert one.scratch != five.scratch


def test_shards_are_made_by_workers_and_pushed_by_them(server, recipe, ran):
    """Embedded Ray: the same bytes; and a cache that holds one shard alone is enough to prepare."""
    six = Machine(recipe, server.url("ray"), "six")
    (report,) = six.l9("prep", "toys.py", "--workers", "2", "--json", L9_SHARD_CACHE="300kB")
    assert store_files(server.objects("ray")) == store_files(server.objects("ran"))
    left = sum(path.stat().st_size for path in six.scratch.rglob("shards/*.arrow"))
    assert left <= 300_000 and report["done"] == 30


def test_a_damaged_shard_there_is_found_and_made_again(server, recipe, ran):
    one, _, _ = ran
    for name, content in server.objects("ran").items():
        server.put(f"damaged/{name}", content)
    name = next(name for name in server.objects("ran") if name.startswith("store/shards/") and name.endswith(".arrow"))
    content = bytearray(server.objects("ran")[name])
    content[len(content) // 2] ^= 1
    server.put(f"damaged/{name}", bytes(content))
    seven = Machine(recipe, server.url("damaged"), "seven")
    done = seven.try_l9("store", "verify", "latest")
    assert done.returncode == 1 and "changed since it was written" in done.stderr
    seven.l9("prep", "toys.py", "--workers", "0")
    assert store_files(server.objects("damaged")) == store_files(server.objects("ran"))
    assert seven.l9("store", "verify", "latest", "--json")[0]["shards"] == 4 and one.scratch.exists()
