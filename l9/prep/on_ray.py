"""Shards made on the machines of a Ray cluster, each of which is handed work of its own: so it is known what is lost with a machine.

A machine that is gone, or that the cluster cannot reach any more, loses what it had in hand to the others at the next look; work whose
worker died is handed out again, later each time and not for ever. What fails by its data never comes back here: it is in quarantine.
"""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from l9.errors import L9Error
from l9.prep.tally import Machine, Tally
from l9.prep.work import ShardTiming, ShardWork, make_shard_remotely
from l9.progress import Say, note
from l9.session import ray_session

RETRIES = 5  # times one shard may lose its worker before the run gives up
WINDOW = 4  # shards in hand for each processor: enough to keep it busy, few enough that the driver stays small
WAIT_SECONDS = 2.0  # of one wait for Ray: Ctrl-C is heard no later than that
LOOK_SECONDS = 2.0  # between two looks at which machines there are
NOTE_SECONDS = 5.0  # between two notes of how far it is
GET_SECONDS = 60.0  # for an answer that is there: on a cut link it may never come
ARRIVAL_SECONDS = 1800.0  # without any machine, at the start or after all are lost: a cloud takes minutes to give one


@dataclass(frozen=True)
class Flight:
    """One shard in a machine's hands."""

    key: str
    machine: str
    objects: int


Works = Mapping[str, Callable[[], ShardWork]]
"""Key of a shard -> what says the work on it, called when the work is handed out: so the driver holds the words of few shards at once."""


def made_on_ray(works: Works, tally: Tally, workers: int, address: str | None, say: Say) -> Iterator[ShardTiming]:
    """Make every shard; yields what each cost as it is done.

    tally    of no machine yet; filled while the work goes on, with what was lost
    workers  processors of the embedded Ray; at an `address`: at most so many, 0 for as many as there are shards
    raises   L9Error where one shard loses its worker again and again, no machine comes, or a worker fails by a fault of the machine
    """
    with ray_session(address, cpus=workers):
        limit = workers or len(works)
        with _demand(limit if address else 0):
            yield from _Schedule(works, tally, limit, say).run()


class _Schedule:
    """Which shard is where."""

    def __init__(self, works: Works, tally: Tally, limit: int, say: Say) -> None:
        self.works, self.tally, self.limit, self.say = works, tally, limit, say
        self.waiting = deque(works)
        self.resting: list[tuple[float, str]] = []  # (when it may be handed out again, key)
        self.lost: Counter[str] = Counter()
        self.flights: dict[Any, Flight] = {}
        self.looked = self.noted = float("-inf")
        self.seen = time.monotonic()  # the last moment at which there was a machine
        self.told_slow: set[str] = set()

    def run(self) -> Iterator[ShardTiming]:
        try:
            while self.waiting or self.resting or self.flights:
                self._look()
                self._hand_out()
                yield from self._landed()
                self._tell()
        finally:
            self.noted = float("-inf")
            self._tell()

    def _look(self) -> None:
        """Machines that came, and what those that went had in hand."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        there = machines_there()
        for name, (label, cpus) in there.items():
            self.tally.machines.setdefault(name, Machine(label, cpus)).alive = True
        for name, machine in self.tally.machines.items():
            if machine.alive and name not in there:
                self._machine_is_gone(name, machine)
        if there:
            self.seen = now
        elif now - self.seen > ARRIVAL_SECONDS:
            raise L9Error(f"no machine with a processor came in {ARRIVAL_SECONDS / 60:.0f} minutes; see ray status")

    def _machine_is_gone(self, name: str, machine: Machine) -> None:
        machine.alive = False
        self.tally.lost_machines += 1
        taken = [reference for reference, flight in self.flights.items() if flight.machine == name]
        self.say(f"machine {machine.name} is gone; what it had in hand goes to the others")
        for reference in taken:
            self._rest(self._take(reference), "its machine went away")

    def _hand_out(self) -> None:
        """Fill every machine's hands, the emptiest first."""
        now = time.monotonic()
        self.waiting.extend(key for when, key in self.resting if when <= now)
        self.resting = [(when, key) for when, key in self.resting if when > now]
        held = Counter(flight.machine for flight in self.flights.values())
        alive = {name: one for name, one in self.tally.machines.items() if one.alive}
        while self.waiting and alive and len(self.flights) < WINDOW * self.limit:
            name = min(alive, key=lambda name: held[name] / alive[name].cpus)
            if held[name] >= WINDOW * alive[name].cpus:
                return
            self._send(self.waiting.popleft(), name)
            held[name] += 1

    def _send(self, key: str, name: str) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        work = self.works[key]()
        pinned = NodeAffinitySchedulingStrategy(node_id=name, soft=False)
        remote = ray.remote(make_shard_remotely).options(max_retries=0, num_cpus=1, scheduling_strategy=pinned)
        self.flights[remote.remote(vars(work))] = Flight(key, name, len(work.objects))
        self.tally.machines[name].handed += len(work.objects)

    def _landed(self) -> Iterator[ShardTiming]:
        import ray

        if not self.flights:
            time.sleep(min(WAIT_SECONDS, 0.2 if self.resting else WAIT_SECONDS))
            return
        ready, _ = ray.wait(list(self.flights), timeout=WAIT_SECONDS)
        if ready:
            ready, _ = ray.wait(list(self.flights), num_returns=len(self.flights), timeout=0)
        for reference in ready:
            if reference not in self.flights:
                continue  # taken from a machine that went away a moment ago
            flight = self._take(reference)
            try:
                timing = ShardTiming(**ray.get(reference, timeout=GET_SECONDS))
            except ray.exceptions.RayTaskError as error:
                raise _cause_of(error) from None
            except ray.exceptions.RayError as error:
                self._lose(flight, type(error).__name__)
                continue
            self._count(flight, timing)
            yield timing

    def _lose(self, flight: Flight, why: str) -> None:
        """A worker died, alone or with its machine."""
        self.looked = float("-inf")
        self._look()
        if self.tally.machines[flight.machine].alive:
            self.tally.lost_workers += 1
            self.say(f"a worker was lost ({why}); its shard is made again")
        self._rest(flight, why)

    def _take(self, reference: Any) -> Flight:
        """A shard out of a machine's hands."""
        flight = self.flights.pop(reference)
        self.tally.machines[flight.machine].handed -= flight.objects
        return flight

    def _rest(self, flight: Flight, why: str) -> None:
        """Hand a lost shard out again, later each time; L9Error where it was lost too often."""
        self.lost[flight.key] += 1
        if self.lost[flight.key] > RETRIES:
            raise L9Error(f"shard {flight.key[:12]} lost its worker {self.lost[flight.key]} times (at last: {why}); see the Ray logs")
        self.resting.append((time.monotonic() + 2.0 ** (self.lost[flight.key] - 1) - 1.0, flight.key))

    def _count(self, flight: Flight, timing: ShardTiming) -> None:
        machine = self.tally.machines[flight.machine]
        machine.objects += timing.objects
        machine.quarantined += timing.quarantined
        machine.shards += 1
        machine.seconds += timing.seconds

    def _tell(self) -> None:
        """How far it is, for the one who follows; and once of each machine that is slower than the others."""
        now = time.monotonic()
        if now - self.noted < NOTE_SECONDS:
            return
        self.noted = now
        note(progress=self.tally.describe(now))
        for machine in self.tally.slow():
            if machine.name not in self.told_slow:
                self.told_slow.add(machine.name)
                others = ", ".join(f"{one.name} {one.pace:.2f}" for one in self.tally.machines.values() if one is not machine)
                self.say(f"machine {machine.name} is slow: {machine.pace:.2f} objects/s a processor; the others: {others}")


def machines_there() -> dict[str, tuple[str, int]]:
    """Ray's id of every living machine that takes tasks -> its name for people, and its processors."""
    import ray

    found = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    hosts = Counter(node["NodeManagerHostname"] for node in found)
    machines = {}
    for node in found:
        host = node["NodeManagerHostname"]
        name = host if hosts[host] == 1 else f"{host} ({node['NodeManagerAddress']})"
        machines[node["NodeID"]] = name, int(node["Resources"]["CPU"])
    return machines


@contextlib.contextmanager
def _demand(processors: int) -> Iterator[None]:
    """Tell a cluster that grows by itself how many processors would be used: work that is pinned to machines it does not see."""
    if not processors:
        yield
        return
    from ray.autoscaler.sdk import request_resources

    request_resources(num_cpus=processors)
    try:
        yield
    finally:
        request_resources(num_cpus=0)


def _cause_of(error: Any) -> Exception:
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, L9Error | OSError) else L9Error(f"a worker failed: {str(error).strip().splitlines()[-1]}")
