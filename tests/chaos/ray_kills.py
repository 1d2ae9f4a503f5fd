"""SIGKILL of a preparation on Ray: of workers, of the sandbox children below them, of whole raylets, and of the command itself.

A cluster of one head without processors and two nodes with one each stands on this machine for all cases that join one; the head is
killed by nobody, as Ray itself cannot do without. Where the command brings its own embedded Ray, that must go with the command.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil
from chaos.barrier import arm, arrived
from chaos.command import AGENTS, Command, alive, wait_until
from chaos.objects import object_id
from chaos.prep_kills import healthy, kill_children, outcome_of
from chaos.tally import Case, Outcome
from chaos.world import World

from l9.session import LOOPBACK

WORKERS, CHILDREN, RAYLETS, DRIVERS = 8, 2, 6, 6  # cases
POINTS, RAYLET_POINTS = 4, 2  # kills in a case: of workers or children, of raylets
STORE_BYTES = 100 << 20  # of each node's object store; only small answers pass through it
BELOW_RAYLET = 2  # steps up from a sandbox child: its worker, the worker's raylet


class Ground:
    """A Ray cluster on this machine, up when it is first asked for."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._folder = Path()

    @property
    def address(self) -> str:
        """HOST:PORT, as `--address` takes it."""
        return str(self.cluster.address)

    @property
    def cluster(self) -> Any:
        """Head and nodes, each killed one replaced."""
        if self._cluster is None:
            self._folder = Path(tempfile.mkdtemp(prefix="l9c-", dir="/tmp"))  # its sockets have paths under 107 bytes
            os.environ["RAY_TMPDIR"] = str(self._folder)
            from ray.cluster_utils import Cluster

            common = {"node_ip_address": LOOPBACK, "include_dashboard": False, "object_store_memory": STORE_BYTES}
            self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **common})
            for _ in range(2):
                self.add_node()
        return self._cluster

    def add_node(self) -> None:
        """One more node with one processor."""
        self._cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK, object_store_memory=STORE_BYTES)

    def kill_raylet(self, pid: int) -> None:
        """SIGKILL a node's raylet, see that the rest of the node goes, and put another node in its place."""
        nodes = [node for node in self.cluster.worker_nodes if node.all_processes["raylet"][0].process.pid == pid]
        assert len(nodes) == 1, f"{pid} is no raylet of a node"
        below = [one for one in psutil.Process(pid).children(recursive=True) if one.name() not in AGENTS]
        os.kill(pid, signal.SIGKILL)
        nodes[0].all_processes["raylet"][0].process.wait()  # buried, or its workers take it for alive
        wait_until(lambda: not any(alive(one) for one in below), 60, f"the workers of raylet {pid}")
        self.cluster.remove_node(nodes[0], allow_graceful=False)
        self.add_node()

    def close(self) -> None:
        """End everything, and take the temporary folder away."""
        if self._cluster is not None:
            self._cluster.shutdown()
            shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def ground() -> Iterator[Ground]:
    """A place for Ray that is cleared at the end."""
    place = Ground()
    try:
        yield place
    finally:
        place.close()


def cases(world: World, place: Ground, seed: int, *, short: bool) -> list[Case]:
    """All of them; in short, one of workers, one of raylets with one kill, one of the command."""
    random = Random(seed)
    found = []
    trials: tuple[tuple[str, int, int, Callable[..., Outcome]], ...] = (
        ("worker", 1 if short else WORKERS, POINTS, partial(_on_cluster, world, place, _kill_worker)),
        ("child", 0 if short else CHILDREN, POINTS, partial(_on_cluster, world, place, None)),
        ("raylet", 1 if short else RAYLETS, 1 if short else RAYLET_POINTS, partial(_on_cluster, world, place, _kill_raylet)),
        ("driver", 1 if short else DRIVERS, 1, partial(_embedded, world)),
    )
    for what, count, points, trial in trials:
        for number in range(count):
            name = f"ray-{what}-{seed}-{number}"
            found.append(Case(name, partial(trial, name, [object_id(one) for one in random.sample(healthy(), points)])))
    return found


def _on_cluster(world: World, place: Ground, kill: Callable[[Ground, int], None] | None, case: str, points: list[str]) -> Outcome:
    """A preparation on the cluster goes through every kill by itself; asked again it answers. `kill` None: the sandbox children."""
    home = world.new_home(case)
    for point in points:
        arm(world.control, point, "wait0")
    command = world.prep(home, "--address", place.address)
    hit = kill_children(world, command, points) if kill is None else _kill_above(world, place, command, points, kill)
    ended = command.wait()
    wrong = world.judge(home).wrong if ended.code == 0 else [f"ended with {ended.code}: {ended.said[-500:]}"]
    if kill is not None and ended.said.count("a worker was lost") < hit:
        wrong.append(f"{hit} kills, told of {ended.said.count('a worker was lost')} lost workers")
    verdict, _ = world.finish(home, "--address", place.address)
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, kills=hit, ray_kills=hit, child_kills=hit if kill is None else 0, missed=len(points) - hit)


def _kill_above(world: World, place: Ground, command: Command, points: list[str], kill: Callable[[Ground, int], None]) -> int:
    waiting, hit = set(points), 0
    while waiting:
        wait_until(lambda: not command.running or any(arrived(world.control, one, "wait0") for one in waiting), 300, f"{waiting}")
        here = {one: pid for one in waiting if (pid := arrived(world.control, one, "wait0")) is not None}
        if not here:
            return hit
        for point, pid in here.items():
            waiting.remove(point)
            if psutil.pid_exists(pid):  # two held on one node go with one kill
                kill(place, pid)
                hit += 1
    return hit


def _kill_worker(place: Ground, pid: int) -> None:
    worker = psutil.Process(pid).parent()
    assert worker is not None and "ray" in " ".join(worker.cmdline()), f"{worker} is no Ray worker"
    os.kill(worker.pid, signal.SIGKILL)


def _kill_raylet(place: Ground, pid: int) -> None:
    raylet = psutil.Process(pid).parents()[BELOW_RAYLET - 1]
    assert raylet.name() == "raylet", f"{raylet} is no raylet"
    place.kill_raylet(raylet.pid)


def _embedded(world: World, case: str, points: list[str]) -> Outcome:
    """`l9 prep --workers 2`, started as a person starts it, dies in the middle of an object, and its Ray with it."""
    home = world.new_home(case)
    arm(world.control, points[0], "wait0")
    command = world.prep(home, "--workers", "2", fresh=True)
    wait_until(lambda: not command.running or arrived(world.control, points[0], "wait0") is not None, 180, points[0])
    assert command.running, command.wait().said
    command.kill()
    wrong = world.half_done(home)
    verdict, _ = world.finish(home, "--workers", "2")
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, kills=1, ray_kills=1)
