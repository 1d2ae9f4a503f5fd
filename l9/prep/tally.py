"""What each machine of a preparation has done, how fast, and which is slower than the others. Plain numbers: no Ray, no clock."""

import statistics
from dataclasses import dataclass, field
from typing import Any

from l9.progress import duration

SLOW = 0.5  # of the median pace of the other machines: slower than this is worth a person's look
ENOUGH = 3  # shards a machine must have finished before its pace says anything


@dataclass
class Machine:
    """One machine's share.

    cpus      processors it offers
    handed    objects handed out to it and not finished
    seconds   its processors spent on finished shards
    """

    name: str
    cpus: int
    alive: bool = True
    handed: int = 0
    objects: int = 0
    quarantined: int = 0
    shards: int = 0
    seconds: float = 0.0

    @property
    def pace(self) -> float:
        """Objects a second of one processor at work."""
        return self.objects / self.seconds if self.seconds else 0.0


@dataclass
class Tally:
    """All machines of a preparation of `total` objects that began at `began` (seconds of any clock that only goes on).

    machines       by whatever names the scheduler knows them
    lost_workers   that died, with the shard in their hands; lost_machines: that went away, with all of theirs
    """

    total: int
    began: float
    machines: dict[str, Machine] = field(default_factory=dict)
    lost_workers: int = 0
    lost_machines: int = 0

    def slow(self) -> list[Machine]:
        """Machines whose processors work at less than half the median pace of all the others."""
        known = [one for one in self.machines.values() if one.shards >= ENOUGH]
        if len(known) < 2:
            return []
        return [one for one in known if one.pace < SLOW * statistics.median(other.pace for other in known if other is not one)]

    def describe(self, now: float) -> dict[str, Any]:
        """The whole as plain JSON, for a job's notes and for MLflow; `text` of the whole and of each machine for people."""
        done = sum(one.objects for one in self.machines.values())
        quarantined = sum(one.quarantined for one in self.machines.values())
        rate = done / max(now - self.began, 1e-9)
        left = self.total - done
        slow = {one.name for one in self.slow()}
        rest = f", {duration(left / rate)} left" if rate and left else ""
        return {
            "done": done - quarantined,
            "quarantined": quarantined,
            "left": left,
            "objects_per_second": round(rate, 3),
            "seconds_left": round(left / rate, 1) if rate else None,
            "nodes": [_described(one, one.name in slow) for one in self.machines.values()],
            "text": f"{done:,} of {self.total:,} objects, {quarantined:,} quarantined, {rate:,.1f}/s{rest}",
        }


def _described(one: Machine, slow: bool) -> dict[str, Any]:
    state = "lost" if not one.alive else "slow" if slow else "ok"
    text = f"{one.name:24} {one.objects:>9,} done {one.quarantined:>6,} quarantined {one.handed:>6,} at hand {one.pace:8.2f}/s a processor"
    return {
        "node": one.name,
        "state": state,
        "cpus": one.cpus,
        "done": one.objects - one.quarantined,
        "quarantined": one.quarantined,
        "left": one.handed,
        "objects_per_second": round(one.pace, 3),
        "text": text + (f"  {state}" if state != "ok" else ""),
    }
