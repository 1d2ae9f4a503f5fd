"""SIGKILL of a preparation in one process: at every step by which it changes its files, in the middle of objects, several times over."""

import os
import signal
from functools import partial
from random import Random

import psutil
from chaos.barrier import arm, arrived
from chaos.boundaries import Boundary
from chaos.command import Command, wait_until
from chaos.objects import COUNT, DEADLY, object_id
from chaos.tally import Case, Outcome
from chaos.world import Verdict, World

CHAINS, LINKS = 4, 5  # chains of kills, and kills in each, on one home
CHILDREN, DRIVERS, CRASHES = 12, 12, 4  # cases of a kill in the middle of an object: of the child, of the command, by the object itself


def cases(world: World, seed: int, *, short: bool) -> list[Case]:
    """All of them; in short, every ninth step and two of each other kind."""
    random = Random(seed)
    steps = range(1, world.prep_steps() + 1)
    assert steps, "the undisturbed run was seen to write nothing"
    found = [Case(f"prep-step-{number:03}", partial(_at_step, world, number)) for number in (steps[::9] if short else steps)]
    if not short:
        for chain in range(CHAINS):
            numbers = [random.randint(1, len(steps) // LINKS) for _ in range(LINKS)]  # each link finds work enough left to die in
            found.append(Case(f"prep-chain-{seed}-{chain}", partial(_chain, world, f"prep-chain-{seed}-{chain}", numbers)))
    for what, count, trial in (("child", CHILDREN, _child), ("driver", DRIVERS, _driver), ("crash", CRASHES, _crash)):
        for place, number in enumerate(random.sample(healthy(), 2 if short else count)):
            name = f"prep-{what}-{seed}-{place:02}"
            found.append(Case(name, partial(trial, world, name, object_id(number))))
    return found


def healthy() -> list[int]:
    """Numbers of the objects that do not die by themselves: of those a second death would be told as a first."""
    return [number for number in range(COUNT) if number != DEADLY]


def outcome_of(verdict: Verdict, **counts: int) -> Outcome:
    """A verdict as an outcome."""
    facts = {"objects": verdict.objects, "lost": verdict.lost, "duplicated": verdict.duplicated}
    return Outcome(**facts, **counts, wrong=verdict.wrong)


def kill_children(world: World, command: Command, points: list[str]) -> int:
    """Kill the sandbox child that is held at each point, as they come; returns how many were hit."""
    waiting, hit = set(points), 0
    while waiting:
        wait_until(lambda: not command.running or any(arrived(world.control, one, "wait0") for one in waiting), 300, f"{waiting}")
        here = {one: pid for one in waiting if (pid := arrived(world.control, one, "wait0")) is not None}
        if not here:
            return hit
        for point, pid in here.items():
            os.kill(pid, signal.SIGKILL)
            waiting.remove(point)
            hit += 1
    return hit


def _at_step(world: World, number: int) -> Outcome:
    """The command dies at its `number`-th step."""
    outcome = _chain(world, f"prep-step-{number:03}", [number])
    if outcome.missed:
        outcome.wrong.append(f"step {number} never came, though the undisturbed run had it")
    return outcome


def _chain(world: World, case: str, numbers: list[int]) -> Outcome:
    """The command dies at a step, is given again, dies at another, ...; those that come to their end first are told as missed."""
    home = world.new_home(case)
    hit, wrong = 0, []
    for number in numbers:
        ended = world.prep(home, boundary=Boundary(home, number)).wait()
        hit += ended.killed
        if not ended.killed and ended.code != 0:
            wrong.append(f"step {number}: ended with {ended.code}: {ended.said[-300:]}")
        wrong += world.half_done(home)
    verdict, _ = world.finish(home)
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, kills=hit, missed=len(numbers) - hit)


def _child(world: World, case: str, point: str) -> Outcome:
    """The sandbox child dies over an object; the command goes on by itself."""
    home = world.new_home(case)
    arm(world.control, point, "wait0")
    command = world.prep(home)
    hit = kill_children(world, command, [point])
    return _ended_well(world, command, kills=hit, child_kills=hit, missed=1 - hit)


def _crash(world: World, case: str, point: str) -> Outcome:
    """An object kills the child that reads it, but not a second one."""
    home = world.new_home(case)
    arm(world.control, point, "die")
    command = world.prep(home)
    command.wait()
    hit = int(not list(world.control.iterdir()))
    return _ended_well(world, command, kills=hit, child_kills=hit, missed=1 - hit)


def _driver(world: World, case: str, point: str) -> Outcome:
    """The command dies while its child is at work on an object, and the child with it."""
    home = world.new_home(case)
    arm(world.control, point, "wait0")
    command = world.prep(home)
    wait_until(lambda: arrived(world.control, point, "wait0") is not None, 60, point)
    pid = arrived(world.control, point, "wait0")
    assert pid is not None and psutil.Process(pid).ppid() == command.pid
    command.kill()
    wrong = world.half_done(home)
    verdict, _ = world.finish(home)
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, kills=1)


def _ended_well(world: World, command: Command, **counts: int) -> Outcome:
    """The outcome of a command that must come through what was done to it."""
    ended = command.wait()
    home = command.home
    first = world.judge(home).wrong if ended.code == 0 else [f"ended with {ended.code}: {ended.said[-500:]}"]
    verdict, _ = world.finish(home)
    verdict.wrong = first + verdict.wrong
    return outcome_of(verdict, **counts)
