"""Which shard is in whose hands: what a lost machine held is handed out again, not for ever, and an empty cluster is waited for."""

import time

import pytest

from l9.errors import L9Error
from l9.prep import on_ray
from l9.prep.on_ray import Flight, _Schedule
from l9.prep.tally import Tally


@pytest.fixture
def schedule(monkeypatch):
    """A schedule without shards, over machines that a test says; a look costs no time."""
    monkeypatch.setattr(on_ray, "LOOK_SECONDS", -1.0)
    said = []
    made = _Schedule({}, Tally(10, time.monotonic()), 4, said.append)

    def look(*names):
        monkeypatch.setattr(on_ray, "machines_there", lambda: {name: (f"host {name}", 2) for name in names})
        made._look()

    return made, look, said


def test_what_a_lost_machine_held_goes_to_the_others(schedule):
    made, look, said = schedule
    look("a", "b")
    for number, name in enumerate("aab"):
        made.flights[number] = Flight(f"key {number}", name, 3)
        made.tally.machines[name].handed += 3
    look("b")
    assert list(made.flights) == [2] and sorted(key for _, key in made.resting) == ["key 0", "key 1"]
    assert (made.tally.machines["a"].alive, made.tally.machines["a"].handed, made.tally.machines["b"].handed) == (False, 0, 3)
    assert made.tally.lost_machines == 1 and made.tally.lost_workers == 0
    assert said == ["machine host a is gone; what it had in hand goes to the others"]
    look("b")
    assert made.tally.lost_machines == 1, "counted once"


def test_a_shard_is_not_handed_out_for_ever(schedule):
    made, _, _ = schedule
    flight = Flight("key", "a", 3)
    for _ in range(on_ray.RETRIES):
        made._rest(flight, "WorkerCrashedError")
    waits = [when for when, _ in made.resting]
    assert waits == sorted(waits) and waits[-1] - waits[0] > 10, "later each time"
    with pytest.raises(L9Error, match=r"shard key lost its worker 6 times \(at last: WorkerCrashedError\)"):
        made._rest(flight, "WorkerCrashedError")


def test_an_empty_cluster_is_waited_for_since_there_was_a_machine(schedule, monkeypatch):
    """A long preparation that loses all its machines for a moment waits as one that has just begun."""
    made, look, _ = schedule
    made.seen -= 10 * on_ray.ARRIVAL_SECONDS
    look("a")
    look()
    look()
    monkeypatch.setattr(on_ray, "ARRIVAL_SECONDS", -1.0)
    with pytest.raises(L9Error, match="no machine with a processor came in"):
        look()
