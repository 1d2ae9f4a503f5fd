"""The node-local cache of a remote home's shards, against a real server and real processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from object_store import object_store
from store_builder import built

from l9.errors import StoreError, UsageError
from l9.store.facts import arrow_path, sidecar_path
from l9.store.remote import RemoteHome
from l9.store.shard_cache import ShardCache, Wanted, shard_name, sidecar_name


@pytest.fixture(scope="module")
def server():
    with object_store() as running:
        yield running


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")


@pytest.fixture
def remote(server, tmp_path):
    return RemoteHome(server.url(tmp_path.name))


@pytest.fixture
def shards(remote, tmp_path):
    """Four shards that are in the remote home and not here."""
    store = built(tmp_path / "made")
    wanted = [Wanted(line["key"], line["sha256"], line["bytes"]) for line in store.manifest["shards"]]
    for one in wanted:
        remote.push(arrow_path(store.shards_folder, one.key), shard_name(one.key))
        remote.push(sidecar_path(store.shards_folder, one.key), sidecar_name(one.key))
    return wanted


def here(cache):
    return sorted(path.stem for path in cache.folder.glob("*.arrow"))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_shard_is_pulled_once_and_then_found(home, remote, shards, server):
    cache = ShardCache(home, remote, 1 << 30)
    path = cache.shard(shards[0].key, shards[0].sha256)
    assert path.stat().st_size == shards[0].bytes and sidecar_path(cache.folder, shards[0].key).exists()
    stamp = path.stat().st_mtime_ns, path.stat().st_ino
    remote.remove(shard_name(shards[0].key))  # whoever asked there again would find nothing
    assert cache.shard(shards[0].key, shards[0].sha256) == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp
    assert cache.has(shards[0]) and not cache.has(shards[1])


def test_the_longest_unused_go_when_the_limit_is_passed(home, remote, shards):
    three = sum(one.bytes for one in shards) - min(one.bytes for one in shards)
    cache = ShardCache(home, remote, three)
    for one in shards[:3]:
        cache.shard(one.key, one.sha256, one.bytes)
    cache.shard(shards[0].key, shards[0].sha256)  # used again: the second is now the longest unused
    cache.shard(shards[3].key, shards[3].sha256)
    assert shards[1].key not in here(cache) and {shards[0].key, shards[3].key} <= set(here(cache))
    assert sum(path.stat().st_size for path in cache.folder.glob("*.arrow")) <= three


def test_what_is_pinned_stays_and_what_does_not_fit_beside_it_is_an_error(home, remote, shards):
    cache = ShardCache(home, remote, sum(one.bytes for one in shards[:2]))
    with cache.held(shards[:2]):
        with pytest.raises(StoreError, match=r"bytes do not fit beside what processes at work have pinned.*L9_SHARD_CACHE=") as caught:
            cache.shard(shards[2].key, shards[2].sha256)
        assert "\n" not in str(caught.value)
        assert here(cache) == sorted(one.key for one in shards[:2])
    cache.shard(shards[2].key, shards[2].sha256)
    assert shards[2].key in here(cache) and len(here(cache)) < 3


HOLDER = """
import sys
from pathlib import Path
from l9.store.remote import RemoteHome
from l9.store.shard_cache import ShardCache, Wanted
home, url, limit, *keys = sys.argv[1:]
cache = ShardCache(Path(home), RemoteHome(url), int(limit))
with cache.pinned(keys):
    print("pinned", flush=True)
    sys.stdin.read()
"""


def test_pins_of_another_process_hold_until_it_dies(home, remote, shards):
    limit = sum(one.bytes for one in shards[:2])
    cache = ShardCache(home, remote, limit)
    for one in shards[:2]:
        cache.shard(one.key, one.sha256)
    command = [sys.executable, "-c", HOLDER, str(home), remote.url, str(limit), *(one.key for one in shards[:2])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "pinned\n"
        with pytest.raises(StoreError, match="do not fit beside"):
            cache.shard(shards[2].key, shards[2].sha256)
        holder.kill()
    cache.shard(shards[2].key, shards[2].sha256)
    assert shards[2].key in here(cache)
    assert list((home / "cache" / "pins").iterdir()) == []


@pytest.mark.parametrize("limit", [0, 100])
def test_a_shard_larger_than_the_limit_names_the_setting(home, remote, shards, limit):
    cache = ShardCache(home, remote, limit)
    with pytest.raises(StoreError, match=rf"has {shards[0].bytes:,} bytes, and the limit is {limit}; give more with L9_SHARD_CACHE=200GB"):
        cache.shard(shards[0].key, shards[0].sha256)
    with pytest.raises(StoreError, match="bytes of shards are needed at once, and the limit is"), cache.held(shards):
        pass
    assert here(cache) == []


def test_the_setting(home, remote, shards, monkeypatch):
    for words, found in (("1000", 1000), ("2.5kB", 2500), ("3 GB", 3 * 10**9), ("1T", 10**12)):
        monkeypatch.setenv("L9_SHARD_CACHE", words)
        assert ShardCache(home, remote).limit == found
    for words in ("lots", "-1", "5%", "1e9"):
        monkeypatch.setenv("L9_SHARD_CACHE", words)
        with pytest.raises(UsageError, match=f"L9_SHARD_CACHE={words}: expected a number of bytes, such as 200GB"):
            ShardCache(home, remote)
    monkeypatch.delenv("L9_SHARD_CACHE")
    assert ShardCache(home, remote).limit > shards[0].bytes  # half of what is free on the disk


PULLER = """
import sys, time
from pathlib import Path
from l9.store.remote import RemoteHome
from l9.store.shard_cache import ShardCache
home, url, key, sha256 = sys.argv[1:]
pulled = []
class Counting(RemoteHome):
    def pull(self, name, local, sha256=None):
        pulled.append(name)
        time.sleep(0.5)
        super().pull(name, local, sha256)
cache = ShardCache(Path(home), Counting(url), 1 << 30)
print("ready", flush=True)
sys.stdin.readline()
cache.shard(key, sha256)
print(len(pulled), flush=True)
"""


def test_two_processes_that_want_one_shard_pull_it_once(home, remote, shards):
    command = [sys.executable, "-c", PULLER, str(home), remote.url, shards[0].key, shards[0].sha256]
    pullers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for puller in pullers:
        assert puller.stdout.readline() == "ready\n"
    answers = [puller.communicate("go\n")[0] for puller in pullers]
    assert sorted(answers) == ["0\n", "0\n", "2\n"]  # rows and facts, by one of them


def test_a_puller_that_is_killed_leaves_nothing_that_counts(home, remote, shards):
    command = [sys.executable, "-c", PULLER, str(home), remote.url, shards[0].key, shards[0].sha256]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as puller:
        puller.stdout.readline()
        puller.stdin.write("go\n")
        puller.stdin.flush()
        time.sleep(0.8)  # the rows are here, the facts are not
        puller.kill()
    cache = ShardCache(home, remote, 1 << 30)
    assert not cache.has(shards[0])
    cache.shard(shards[0].key, shards[0].sha256)
    assert cache.has(shards[0])


def test_a_flipped_byte_here_is_found_and_the_shard_pulled_again(home, remote, shards):
    cache = ShardCache(home, remote, 1 << 30)
    path = cache.shard(shards[0].key, shards[0].sha256)
    sound = path.read_bytes()
    flip(path)
    assert cache.shard(shards[0].key, shards[0].sha256).read_bytes() == sound


def test_a_cut_shard_here_is_pulled_again(home, remote, shards):
    cache = ShardCache(home, remote, 1 << 30)
    path = cache.shard(shards[0].key, shards[0].sha256)
    os.truncate(path, 100)
    assert cache.shard(shards[0].key, shards[0].sha256).stat().st_size == shards[0].bytes


def test_a_flipped_byte_there_is_found_and_the_shard_is_no_longer_done(home, remote, shards, server, tmp_path):
    name = f"{tmp_path.name}/{shard_name(shards[0].key)}"
    content = bytearray(server.objects(tmp_path.name)[shard_name(shards[0].key)])
    content[len(content) // 2] ^= 1
    server.put(name, bytes(content))
    cache = ShardCache(home, remote, 1 << 30)
    with pytest.raises(StoreError, match=r"\.arrow is not what was written \(its sha256 differs\); l9 prep with the same recipe") as caught:
        cache.shard(shards[0].key, shards[0].sha256)
    assert "\n" not in str(caught.value)
    assert here(cache) == [] and not remote.exists(sidecar_name(shards[0].key))


def test_a_shard_that_was_made_again_with_other_rows_is_not_taken(home, remote, shards):
    with pytest.raises(StoreError, match="is not what was written"):
        ShardCache(home, remote, 1 << 30).shard(shards[0].key, shards[1].sha256)


@pytest.mark.parametrize("key", ["../escape", "a/b", "", "a b"])
def test_a_key_that_leads_out_is_refused(home, remote, key):
    with pytest.raises(StoreError, match="is no shard's key"):
        ShardCache(home, remote, 1 << 30).shard(key, "0" * 64)


def test_the_folder_may_be_removed(home, remote, shards):
    import shutil

    cache = ShardCache(home, remote, 1 << 30)
    with cache.held(shards):
        pass
    shutil.rmtree(home)
    with cache.held(shards):
        assert len(here(cache)) == 4 and isinstance(cache.folder, Path)
