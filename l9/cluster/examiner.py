"""What the head asks of every node: an actor pinned to each, every answer waited for with a time-out, so that a silent node has a name.

An actor rather than tasks: its process is warm when the clock is read, and a node that cannot be reached never gives one.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

CLOCK_READINGS = 5  # of which the one with the shortest way there and back counts


class Examiner:
    """Runs on one node; every method answers in plain JSON."""

    def __init__(self, address: str) -> None:
        self.door = socket.create_server((address, 0))  # a port like those a training uses; it takes connections and reads nothing

    def facts(self, home: str | None) -> dict[str, Any]:
        """What the machine says of itself, and the port on which we can be reached."""
        from l9.cluster.machine import machine_facts

        return {**machine_facts(home), "door": self.door.getsockname()[1]}

    def unreached(self, peers: list[tuple[str, str, list[int]]]) -> list[str]:
        """Which of the other nodes do not take a connection from this one."""
        from l9.cluster.machine import unreached

        return unreached(peers)

    def share(self, home: str, folder: str, word: str, name: str) -> dict[str, Any] | None:
        """Read what the head wrote, and write our own."""
        from l9.cluster.shared import share

        return share(home, folder, word, name)

    def meet(self, host: str, port: int, rank: int, size: int, address: str) -> dict[str, Any]:
        """Take part in a sum over all nodes."""
        from l9.train.meeting import take_part

        return take_part(host, port, rank, size, address)

    def clock(self) -> float:
        """This machine's clock, in seconds."""
        return time.time()


Examiners = Mapping[str, Any]
"""Ray's id of a node -> the actor on it."""


@contextlib.contextmanager
def examiners(nodes: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """An actor on each node (Ray's id -> its address), or soon: whether it comes is seen by whether it answers. Gone after the block."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    sent = {}
    for node, address in nodes.items():
        pinned = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        sent[node] = ray.remote(Examiner).options(num_cpus=0, scheduling_strategy=pinned, max_restarts=0).remote(address)
    try:
        yield sent
    finally:
        for actor in sent.values():
            ray.kill(actor)


def asked(actors: Examiners, question: Callable[[str, Any], Any], seconds: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Ask all at once: the answers, and why others gave none, by node.

    question  (node, actor) -> the reference of the answer
    seconds   for all of them together
    """
    import ray

    sent = {question(node, actor): node for node, actor in actors.items()}
    answers, silent = {}, {}
    ready, late = ray.wait(list(sent), num_returns=len(sent), timeout=seconds) if sent else ([], [])
    for reference in ready:
        try:
            answers[sent[reference]] = ray.get(reference, timeout=seconds)
        except Exception as error:  # of Ray, or what the node itself ran into: either way the node gave no answer
            silent[sent[reference]] = f"gave no answer ({type(error).__name__}: {_last_line(error)})"
    for reference in late:
        ray.cancel(reference)
        silent[sent[reference]] = f"gave no answer in {seconds:.0f} s"
    return answers, silent


def clock(actor: Any, seconds: float) -> dict[str, float] | None:
    """How far an actor's clock is ahead of ours, and within what, in seconds: it was read half-way between asking and hearing."""
    import ray

    best: dict[str, float] | None = None
    for _ in range(CLOCK_READINGS):
        wall, start = time.time(), time.monotonic()
        try:
            theirs = ray.get(actor.clock.remote(), timeout=seconds)
        except Exception:  # it answered before and does not now: that is told elsewhere
            return best
        took = time.monotonic() - start
        if best is None or took / 2 < best["within"]:
            best = {"skew": theirs - (wall + took / 2), "within": took / 2}
    return best


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "without a word"
