"""Who has done how much: per machine and in all, and who is slower than the others."""

import pytest

from l9.prep.tally import Machine, Tally


def _machine(name, pace, shards=5, **more):
    return Machine(name, 4, objects=100, quarantined=2, shards=shards, seconds=100 / pace, **more)


def _tally(*machines, total=1000):
    return Tally(total, began=10.0, machines={one.name: one for one in machines})


def test_a_machine_at_less_than_half_the_others_pace_is_slow():
    quick, other, slow = _machine("a", 8.0), _machine("b", 10.0), _machine("c", 3.9)
    assert [one.name for one in _tally(quick, other, slow).slow()] == ["c"]
    assert not _tally(quick, other, _machine("c", 4.6)).slow()
    assert not _tally(quick, other, _machine("c", 3.9, shards=2)).slow(), "two shards say nothing yet"
    assert not _tally(slow).slow(), "alone, nobody is slow"


def test_the_view_adds_up():
    view = _tally(_machine("a", 8.0, handed=30), _machine("b", 2.0, alive=False), _machine("c", 8.0)).describe(now=60.0)
    assert (view["done"], view["quarantined"], view["left"]) == (294, 6, 700)
    assert view["objects_per_second"] == pytest.approx(300 / 50)
    assert view["seconds_left"] == pytest.approx(700 / 6, abs=0.1)
    assert [(node["node"], node["state"], node["left"]) for node in view["nodes"]] == [("a", "ok", 30), ("b", "lost", 0), ("c", "ok", 0)]
    assert view["text"].startswith("300 of 1,000 objects, 6 quarantined, 6.0/s, 1 min 57 s left")


def test_before_anything_is_done_no_rate_is_invented():
    view = Tally(10, began=0.0).describe(now=0.0)
    assert (view["done"], view["left"], view["seconds_left"], view["nodes"]) == (0, 10, None, [])
