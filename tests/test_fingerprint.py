"""Canonical JSON, digests of files, and their cache."""

import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9 import fingerprint
from l9.errors import UsageError
from l9.fingerprint import DigestCache, canonical, digest, file_digest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=6))
def test_order_of_keys_changes_nothing(value):
    assert digest(value) == digest(dict(reversed(list(value.items()))))


def test_tuples_and_lists_are_one():
    assert canonical({"b": (1, 2.5), "a": None}) == '{"a":null,"b":[1,2.5]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {"a": {1, 2}}, print, b"x"])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(UsageError):
        canonical(value)


def test_the_place_is_named():
    with pytest.raises(UsageError, match=r"value\.a\[1\]"):
        canonical({"a": [1, print]})


def test_cache_reads_a_changed_file_again(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    cache = DigestCache(tmp_path / "deep" / "digests.sqlite")
    first = cache.of(path)
    assert first == file_digest(path) == cache.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert cache.of(path) == file_digest(path) != first
    cache.close()


def test_rehash_distrusts_the_file_system(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    cache = DigestCache(tmp_path / "digests.sqlite")
    old = cache.of(path)
    with path.open("r+b") as stream:
        stream.write(b"two")
    os.utime(path, ns=(1, 1))
    assert cache.of(path) == old, "same size, time and inode: the cache cannot know"
    cache.close()
    rehashing = DigestCache(tmp_path / "digests.sqlite", rehash=True)
    assert rehashing.of(path) == file_digest(path) != old
    rehashing.close()


def test_a_digest_that_is_known_need_not_be_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    with closing(DigestCache(tmp_path / "digests.sqlite")) as cache:
        assert cache.remembered(path) is None
        cache.remember(path, "0" * 64)
        assert cache.remembered(path) == cache.of(path) == "0" * 64
        path.write_bytes(b"two!")
        assert cache.remembered(path) is None and cache.of(path) == file_digest(path) == cache.remembered(path)


def _remembers(place, path):
    """Does a new cache answer from memory? The file changes in a way that its size and times do not show."""
    stamp = path.stat().st_mtime_ns
    with closing(DigestCache(place)) as cache:
        before = cache.of(path)
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(stamp, stamp))
    with closing(DigestCache(place)) as cache:
        return cache.of(path) == before


@pytest.mark.parametrize("damage", [lambda whole: b"no database" * 999, lambda whole: whole[:100] + b"\xff" * (len(whole) - 100)])
def test_a_damaged_cache_is_moved_away_and_begun_anew(tmp_path, damage):
    path, place = tmp_path / "file", tmp_path / "digests.sqlite"
    path.write_bytes(b"one")
    assert _remembers(place, path)
    damaged = damage(place.read_bytes())
    place.write_bytes(damaged)
    assert _remembers(place, path)
    assert (tmp_path / "digests.sqlite.broken").read_bytes() == damaged


def test_damage_that_shows_later_is_mended_too(tmp_path):
    path, place = tmp_path / "file", tmp_path / "digests.sqlite"
    path.write_bytes(b"one")
    with closing(DigestCache(place)) as cache:
        place.write_bytes(b"\xff" * place.stat().st_size)
        assert cache.of(path) == file_digest(path)
    assert (tmp_path / "digests.sqlite.broken").exists() and _remembers(place, path)


def test_a_locked_cache_is_done_without(tmp_path, monkeypatch):
    path, place = tmp_path / "file", tmp_path / "digests.sqlite"
    path.write_bytes(b"one")
    monkeypatch.setattr(fingerprint, "LOCK_SECONDS", 0)
    assert _remembers(place, path)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert not _remembers(place, path)
    holder.close()
    assert [one.name for one in tmp_path.glob("digests*") if "broken" in one.name] == []
    assert _remembers(place, path)


def test_a_cache_that_cannot_be_opened_is_done_without(tmp_path):
    (tmp_path / "digests.sqlite").mkdir()
    (tmp_path / "file").write_bytes(b"one")
    assert not _remembers(tmp_path / "digests.sqlite", tmp_path / "file")


def test_the_cache_needs_no_shared_memory(tmp_path):
    with closing(DigestCache(tmp_path / "digests.sqlite")):
        with sqlite3.connect(tmp_path / "digests.sqlite") as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # what a connection of its own has by default
        other.close()
