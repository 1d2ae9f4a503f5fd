"""Homes and the verbs that keep a remote one in step: stores, runs and raw data, against a real server."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from object_store import object_store
from store_builder import built, planned

from l9.errors import StoreError, UsageError
from l9.store.facts import arrow_path
from l9.store.home import Home, ScratchHome, open_home
from l9.store.store import Store, find_store, list_stores


@pytest.fixture(scope="module")
def server():
    with object_store() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "scratch"))


@pytest.fixture
def machines(server, tmp_path, monkeypatch):
    """The same home on two machines, which share nothing but the server."""
    homes = []
    for name in ("one", "two"):
        monkeypatch.setenv("L9_SCRATCH", str(tmp_path / name))
        homes.append(open_home(server.url(tmp_path.name)))
    return homes


def published(home, name="toy", count=40):
    store = built(home.path, planned(count), name=name)
    for line in store.manifest["shards"]:
        home.publish_shard(line["key"])
    home.publish_store(store.id)
    return store


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def texts(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_is_a_local_home_and_its_verbs_do_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home = open_home("there")
    assert type(home) is Home and home.path == tmp_path / "there" and home.remote is None and home.url == ""
    store = built(home.path)
    home.publish_store(store.id)
    home.fetch_stores()
    with home.held([store]), home.pinned(store) as here:
        assert here
    home.verify_store(store)


def test_the_scratch_folder_says_whose_it_is(server, tmp_path):
    home = open_home(server.url("a"))
    assert isinstance(home, ScratchHome) and home.path.parent == tmp_path / "scratch"
    assert json.loads((home.path / "home.json").read_text()) == {"home": home.url}
    assert open_home(server.url("b")).path != home.path and open_home(server.url("a/")).path == home.path


def test_the_scratch_folder_is_below_the_users_cache(server, tmp_path, monkeypatch):
    monkeypatch.delenv("L9_SCRATCH")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert open_home(server.url("a")).path.parent == tmp_path / "cache" / "l9"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "file" / "below"))
    with pytest.raises(UsageError, match=r"cannot be made .*L9_SCRATCH=FOLDER"):
        open_home(server.url("a"))


def test_a_home_that_does_not_answer_is_said_when_it_is_opened(server):
    with pytest.raises(StoreError, match="there is no bucket 'nobody'"):
        open_home(server.url("a", bucket="nobody"))


def test_a_store_goes_and_comes_with_the_same_bytes(machines):
    one, two = machines
    store = published(one)
    two.fetch_stores()
    found = find_store(two.path, "latest")
    assert found.digest == store.digest
    two.fetch_store(found.id)
    assert found.index.equals(store.index) and list(found.quarantine()) == list(store.quarantine())
    with two.pinned(found) as here:
        assert not here
    with two.held([found]), two.pinned(found) as here:
        assert here
        found.verify()
        assert [len(shard) for shard in found.shards] == [len(shard) for shard in store.shards]
    two.verify_store(found)


def test_latest_is_what_was_last_published(machines):
    one, two = machines
    published(one, "chairs", 30)
    time.sleep(1.1)  # the server's clock counts seconds
    late = published(one, "tables", 20)
    two.fetch_stores()
    assert [path.name for path in list_stores(two.path)][-1] == late.id and len(list_stores(two.path)) == 2


def test_a_store_that_is_gone_there_goes_here(machines):
    one, two = machines
    store = published(one)
    two.fetch_stores()
    one.remote.remove(f"store/{store.id}/manifest.json")
    os.utime(two.path / "store" / store.id / "manifest.json", (0, 0))
    two.fetch_stores()
    assert list_stores(two.path) == []
    with pytest.raises(StoreError, match=f"store {store.id} is not there; l9 prep with the same recipe"):
        two.fetch_store(store.id)


def test_a_changed_part_there_is_found(machines, server, tmp_path):
    one, two = machines
    store = published(one)
    server.put(f"{tmp_path.name}/store/{store.id}/index.arrow", b"another")
    with pytest.raises(StoreError, match=r"index.arrow is not what was written \(its sha256 differs\); l9 prep with the same recipe"):
        two.fetch_store(store.id)
    assert list_stores(two.path) == []
    one.publish_store(store.id)  # what the next prep does
    two.fetch_store(store.id)
    server.put(f"{tmp_path.name}/store/{store.id}/index.arrow", b"another")
    with pytest.raises(StoreError, match=r"index.arrow changed since it was written"):
        one.verify_store(store)
    one.publish_store(store.id)
    one.verify_store(store)


def test_a_flipped_byte_there_is_found_by_verify_and_the_shard_is_no_longer_done(machines, server, tmp_path):
    one, _ = machines
    store = published(one)
    key = store.manifest["shards"][1]["key"]
    content = bytearray(server.objects(tmp_path.name)[f"store/shards/{key}.arrow"])
    content[-100] ^= 1
    server.put(f"{tmp_path.name}/store/shards/{key}.arrow", bytes(content))
    assert key in one.stores.facts([key])
    with pytest.raises(StoreError, match=f"shard {key} changed since it was written"):
        one.verify_store(store)
    assert key not in one.stores.facts([key])


def test_facts_of_what_is_half_there_are_none(machines, server, tmp_path):
    one, two = machines
    store = published(one)
    keys = [line["key"] for line in store.manifest["shards"]]
    server.put(f"{tmp_path.name}/store/shards/{keys[0]}.json", b"{}")
    server.put(f"{tmp_path.name}/store/shards/{keys[1]}.arrow", b"short")
    one.remote.remove(f"store/shards/{keys[2]}.arrow")
    assert list(two.stores.facts([*keys, "none"])) == keys[3:]


PUBLISHER = """
import sys
from pathlib import Path
from l9.store.home import open_home
home = open_home(sys.argv[1])
real = home.remote.push
def slow(local, name):
    print(name, flush=True)
    sys.stdin.readline()
    real(local, name)
home.remote.push = slow
store = Path(sys.argv[2]).name
for key in sys.argv[3:]:
    home.publish_shard(key)
home.publish_store(store)
print("done", flush=True)
"""


def test_a_publisher_that_is_killed_anywhere_leaves_no_facts_without_rows_and_no_manifest(server, tmp_path):
    for kill_at in range(12):
        url = server.url(f"{tmp_path.name}/{kill_at}")
        home = open_home(url)
        store = built(home.path, planned(30))
        keys = [line["key"] for line in store.manifest["shards"]]
        command = [sys.executable, "-c", PUBLISHER, url, str(store.path), *keys]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as publisher:
            for _ in range(kill_at):
                publisher.stdout.readline()
                publisher.stdin.write("go\n")
                publisher.stdin.flush()
            last = publisher.stdout.readline()
            publisher.kill()
        there = server.objects(f"{tmp_path.name}/{kill_at}")
        assert f"store/{store.id}/manifest.json" not in there and last != "done\n"
        for name in there:
            if name.endswith(".json"):
                assert f"{name.removesuffix('.json')}.arrow" in there
        home.publish_store(store.id)
    assert len(keys) * 2 + 3 == kill_at  # the last kill came just before the manifest


def test_a_run_goes_on_on_another_machine(machines, server, tmp_path):
    one, two = machines
    run = one.path / "runs" / "toy-s0-1"
    write(run, {"training.json": "{}", "metrics.jsonl": "1\n", "checkpoints/00000010/state.json": "ten", "lock": "", ".tmp-1": "x"})
    write(run, {"checkpoints/00000010/model.safetensors": "ten", "ray/group/log": "x", "track.lock": ""})
    one.push_run(run)
    there = two.path / "runs" / "toy-s0-1"
    two.pull_run(there)
    kept = {"training.json", "metrics.jsonl", "checkpoints/00000010/state.json", "checkpoints/00000010/model.safetensors"}
    assert set(texts(there)) == kept == {name.removeprefix("runs/toy-s0-1/") for name in server.objects(tmp_path.name)}
    write(there, {"metrics.jsonl": "1\n2\n", "checkpoints/00000020/state.json": "twenty", "result.json": "{}"})
    shutil.rmtree(there / "checkpoints" / "00000010")
    two.push_run(there)
    one.pull_run(run)
    assert {name: text for name, text in texts(run).items() if name in texts(there)} == texts(there)
    assert "checkpoints/00000010/state.json" not in texts(run) and "lock" in texts(run)


def test_only_what_changed_travels(machines):
    one, _ = machines
    run, pushed = one.path / "runs" / "a", []
    write(run, {"training.json": "{}", "metrics.jsonl": "1\n", "pictures/a.png": "png"})
    one.push_run(run)
    real = one.remote.push
    one.remote.push = lambda local, name: (pushed.append(name), real(local, name))[1]
    one.push_run(run)
    assert pushed == []
    write(run, {"metrics.jsonl": "1\n2\n"})
    one.push_run(run)
    assert pushed == ["runs/a/metrics.jsonl"]


def test_checkpoints_come_before_the_file_that_names_them_and_results_last(machines):
    one, two = machines
    run, order = one.path / "runs" / "a", []
    names = ["checkpoints/00000010/state.json", "checkpoints/00000010/model.safetensors", "metrics.jsonl", "result.json", "run.json"]
    write(run, dict.fromkeys(names, "x"))

    def noted(real):
        return lambda *words: (real(*words), order.append(next(word for word in words if isinstance(word, str))))[0]

    one.remote.push = noted(one.remote.push)
    one.push_run(run)
    assert {*order[:2]} == {"runs/a/metrics.jsonl", "runs/a/checkpoints/00000010/model.safetensors"}
    assert order[2] == "runs/a/checkpoints/00000010/state.json" and {*order[3:]} == {"runs/a/result.json", "runs/a/run.json"}
    order.clear()
    two.remote.pull = noted(two.remote.pull)
    two.pull_run(two.path / "runs" / "a")
    assert order[2] == "runs/a/checkpoints/00000010/state.json" and {*order[3:]} == {"runs/a/result.json", "runs/a/run.json"}


def test_begun_anew_a_run_is_not_finished_there_before_anything_else_changes(machines):
    one, _ = machines
    run = one.path / "runs" / "a"
    write(run, {"training.json": "{}", "metrics.jsonl": "1\n", "result.json": "{}"})
    one.push_run(run)
    (run / "result.json").unlink()
    write(run, {"metrics.jsonl": ""})
    removed, real = [], one.remote.push
    real_remove = one.remote.remove
    one.remote.remove = lambda name: (removed.append(name), real_remove(name))[1]
    one.remote.push = lambda local, name: (removed.append("push"), real(local, name))[1]
    one.push_run(run)
    assert removed == ["runs/a/result.json", "push"]


def test_what_is_here_and_newer_is_kept(machines):
    """Killed between a checkpoint and its push, a training on the same machine loses no step."""
    one, _ = machines
    run = one.path / "runs" / "a"
    write(run, {"training.json": "{}", "metrics.jsonl": "1\n"})
    one.push_run(run)
    write(run, {"metrics.jsonl": "1\n2\n"})
    one.pull_run(run)
    assert (run / "metrics.jsonl").read_text() == "1\n2\n"


@pytest.fixture
def asked_and_trained(machines):
    """The driver of a training notes what MLflow was told; rank 0 elsewhere has written all the rest since, and removed a checkpoint."""
    one, two = machines
    here, there = one.path / "runs" / "a", two.path / "runs" / "a"
    write(here, {"training.json": "{}", "track.json": "", "metrics.jsonl": "1\n", "checkpoints/1/state.json": "one"})
    one.push_run(here)
    two.pull_run(there)
    write(there, {"metrics.jsonl": "1\n2\n", "outcomes.jsonl": "", "checkpoints/2/state.json": "two"})
    shutil.rmtree(there / "checkpoints" / "1")
    two.exchange_run(there, trains=True)
    return here, there


def test_who_asks_and_who_trains_take_nothing_from_each_other(machines, asked_and_trained):
    (one, two), (here, there) = machines, asked_and_trained
    write(here, {"track.json": "told"})
    one.push_run(here)
    assert (here / "metrics.jsonl").read_text() == "1\n", "a push brings nothing"
    write(here, {"track.json": "told more"})
    one.exchange_run(here, trains=False)
    two.pull_run(there)
    assert texts(here) == texts(there)
    trained = {"metrics.jsonl": "1\n2\n", "outcomes.jsonl": "", "checkpoints/2/state.json": "two"}
    assert texts(there) == {"training.json": "{}", "track.json": "told more", **trained}


def test_what_the_asking_side_writes_while_it_brings_is_kept(machines, asked_and_trained):
    (one, _), (here, _) = machines, asked_and_trained
    real = one.remote.pull

    def pull(name, local, *more):
        write(here, {"track.json": "told meanwhile", "track.pending": ""})
        real(name, local, *more)

    one.remote.pull = pull
    one.exchange_run(here, trains=False)
    assert (here / "track.json").read_text() == "told meanwhile" and (here / "track.pending").exists()
    one.push_run(here)
    assert one.remote.read("runs/a/track.json") == b"told meanwhile"


def test_a_pull_that_is_broken_off_makes_nothing_old_of_what_is_there(machines, asked_and_trained):
    """What came is no change made here: pushed back, it would undo what rank 0 wrote since."""
    (one, two), (here, there) = machines, asked_and_trained
    real = one.remote.pull

    def pull(name, local, *more):
        if name.endswith("2/state.json"):
            raise StoreError("away")
        real(name, local, *more)

    one.remote.pull = pull
    with pytest.raises(StoreError, match="away"):
        one.exchange_run(here, trains=False)
    assert (here / "metrics.jsonl").read_text() == "1\n2\n"
    write(there, {"metrics.jsonl": "1\n2\n3\n"})
    two.exchange_run(there, trains=True)
    one.push_run(here)
    assert one.remote.read("runs/a/metrics.jsonl") == b"1\n2\n3\n"
    one.remote.pull = real
    one.exchange_run(here, trains=False)
    assert texts(here) == texts(there)


def test_progress_that_could_not_be_pushed_is_kept_though_the_asking_side_went_on(machines, asked_and_trained):
    (one, two), (here, there) = machines, asked_and_trained
    write(there, {"metrics.jsonl": "1\n2\n3\n", "checkpoints/3/state.json": "three"})
    write(here, {"training.json": "{} again"})
    one.exchange_run(here, trains=False)
    two.pull_run(there)
    assert (there / "training.json").read_text() == "{} again" and (there / "checkpoints/3/state.json").exists()
    two.pull_run(there, exactly=True)
    assert (there / "metrics.jsonl").read_text() == "1\n2\n" and not (there / "checkpoints/3/state.json").exists()


def test_a_push_takes_nothing_away_that_was_never_here(machines):
    one, two = machines
    write(one.path / "runs" / "a", {"training.json": "{}", "result.json": "{}", "checkpoints/1/state.json": "x"})
    one.push_run(one.path / "runs" / "a")
    write(two.path / "runs" / "a", {"tags.json": "[]"})
    two.push_run(two.path / "runs" / "a")
    assert len(one.remote.list_files("runs/a")) == 4


def test_runs_are_listed_without_bringing_their_weights(machines):
    one, two = machines
    for name in ("a", "b"):
        run = one.path / "runs" / name
        write(
            run, {"training.json": json.dumps({"recipe": name}), "result.json": '{"metrics": {}}', "checkpoints/1/model.safetensors": "x"}
        )
        one.push_run(run)
    two.fetch_runs()
    assert set(texts(two.path / "runs")) == {f"{name}/{file}.json" for name in "ab" for file in ("training", "result")}
    two.pull_run(two.path / "runs" / "a")
    assert (two.path / "runs" / "a" / "checkpoints" / "1" / "model.safetensors").read_text() == "x"
    for file in one.remote.list_files("runs/a"):
        one.remote.remove(file.name)
    two.fetch_runs()
    assert not (two.path / "runs" / "a" / "training.json").exists() and (two.path / "runs" / "b" / "training.json").exists()


@pytest.mark.parametrize("name", ["card", "rooms/0123456789ab"])
def test_raw_data_is_fetched_once(machines, server, tmp_path, name):
    import hashlib

    one, two = machines
    one.push_raw(name)  # nothing was fetched
    two.pull_raw(name)
    assert not (two.path / "raw" / name).exists()
    sha256 = hashlib.sha256(b"chair").hexdigest()
    write(
        one.path / "raw" / name, {"usr/share/chair.sh3f": "chair", "source.json": json.dumps({"files": {"usr/share/chair.sh3f": sha256}})}
    )
    one.push_raw(name)
    two.pull_raw(name)
    assert texts(two.path / "raw" / name) == texts(one.path / "raw" / name)
    shutil.rmtree(two.path)
    server.put(f"{tmp_path.name}/raw/{name}/usr/share/chair.sh3f", b"table")
    with pytest.raises(StoreError, match=rf"raw/{name}/usr/share/chair.sh3f is not what was fetched"):
        two.pull_raw(name)
    assert list((two.path / "raw" / name).parent.iterdir()) == []


def test_two_machines_publish_one_store_at_once(machines, server, tmp_path):
    one = machines[0]
    stores = [built(home.path) for home in machines]
    command = (
        "import sys; from l9.store.home import open_home; home = open_home(sys.argv[1]); [home.publish_shard(k) for k in sys.argv[3:]]; "
    )
    command += "home.publish_store(sys.argv[2])"
    keys = [line["key"] for line in stores[0].manifest["shards"]]
    words = [sys.executable, "-c", command, one.url, stores[0].id, *keys]
    both = [subprocess.Popen(words, env={**os.environ, "L9_SCRATCH": str(home.path.parent)}) for home in machines]
    assert [process.wait() for process in both] == [0, 0]
    one.verify_store(stores[0])
    assert Store.open(stores[1].path).digest == stores[0].digest
    assert arrow_path(stores[0].shards_folder, keys[0]).read_bytes() == server.objects(tmp_path.name)[f"store/shards/{keys[0]}.arrow"]
