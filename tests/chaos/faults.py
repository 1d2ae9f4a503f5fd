"""What is no kill: a full disk at every step, two commands at once, and damage to what was finished."""

import os
import subprocess
from functools import partial
from pathlib import Path
from random import Random

from chaos.barrier import arm, arrived, let_go
from chaos.boundaries import Boundary
from chaos.command import Ended, wait_until
from chaos.damage import DAMAGES, SILENT, Damage
from chaos.objects import object_id
from chaos.prep_kills import healthy, outcome_of
from chaos.tally import Case, Outcome
from chaos.world import World, leftovers

TOGETHER = 4  # cases of two commands at once
ROOM = (8, 24, 64, 160)  # KiB that a real small disk has left
EVERY = 2  # of the steps at which the disk is found full; in short, every 30th


def cases(world: World, seed: int, *, short: bool) -> list[Case]:
    """All of them; in short, fewer full disks and one pair of commands."""
    found = [Case(f"damage-{name}", partial(_damaged, world, f"damage-{name}", damage)) for name, damage in DAMAGES.items()]
    found.append(Case("damage-in-silence", partial(_damaged, world, "damage-in-silence", SILENT, "--rehash")))
    for number in range(1, world.prep_steps() + 1, 30 if short else EVERY):
        found.append(Case(f"full-{number:03}", partial(_full, world, f"full-{number:03}", number)))
    for size in ROOM if _may_mount(world) else ():
        found.append(Case(f"small-disk-{size}", partial(_small_disk, world, f"small-disk-{size}", size)))
    for place, number in enumerate(Random(seed).sample(healthy(), 1 if short else TOGETHER)):
        name = f"together-{seed}-{place}"
        found.append(Case(name, partial(_together, world, name, object_id(number))))
    return found


def _damaged(world: World, case: str, damage: Damage, *more: str) -> Outcome:
    """A finished store is damaged; the same command makes it whole, and a third finds nothing to do."""
    home = world.prepared_home(case)
    wrong = [] if world.prep(home).wait().code == 0 else ["it did not take the store over"]
    before = _files(home)
    damage(home)
    wrong += ["nothing was damaged"] if _files(home) == before else []
    verdict, _ = world.finish(home, "--workers", "0", *more, tracked=False)
    _, third = world.finish(home, tracked=False)
    if "prep tiny" in third.said:
        wrong.append(f"made again what was whole: {third.said}")
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, faults=1)


def _full(world: World, case: str, number: int) -> Outcome:
    """From a step on the disk is full; then there is room again."""
    home = world.new_home(case)
    ended = world.prep(home, boundary=Boundary(home, number, "full")).wait()
    wrong = _said_so(ended) + world.half_done(home) + [f"left behind at once: {path}" for path in leftovers(home)]
    verdict, _ = world.finish(home)
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, faults=1)


def _small_disk(world: World, case: str, size: int) -> Outcome:
    """A real file system with `size` KiB of room for the results, then with plenty."""
    home = world.new_home(case)
    template = home.rename(home.with_name("template"))
    home.mkdir()
    used = sum(path.stat().st_size + 4096 for path in template.rglob("*")) // 1024
    _mount(home, f"size={used + size}k")
    try:
        subprocess.run(["cp", "-r", f"{template}/.", str(home)], check=True)
        ended = world.prep(home).wait()
        wrong = _said_so(ended) + world.half_done(home) + [f"left behind at once: {path}" for path in leftovers(home)]
        _mount(home, "remount,size=64m")
        verdict, _ = world.finish(home)
        verdict.wrong = wrong + verdict.wrong
    finally:
        subprocess.run(["umount", str(home)], check=True)
    return outcome_of(verdict, faults=1)


def _together(world: World, case: str, point: str) -> Outcome:
    """Two commands are at the same object at the same time; both end well."""
    home = world.new_home(case)
    commands = []
    for number in range(2):
        arm(world.control, point, f"wait{number}")
        commands.append(world.prep(home, name=f"prep{number}"))
    acts = ("wait0", "wait1")
    wait_until(lambda: all(arrived(world.control, point, act) for act in acts), 60, f"two at {point}")
    for act in acts:
        let_go(world.control, point, act)
    wrong = [f"ended with {ended.code}: {ended.said[-500:]}" for ended in (command.wait() for command in commands) if ended.code != 0]
    wrong += world.judge(home).wrong
    verdict, _ = world.finish(home, tracked=False)
    verdict.wrong = wrong + verdict.wrong
    return outcome_of(verdict, faults=1)


def _files(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (home / "store").rglob("*") if path.is_file()}


def _said_so(ended: Ended) -> list[str]:
    """A full disk is one line and exit code 1; where only tracking found it, one line, and the work is done."""
    lines = [line for line in ended.said.splitlines() if "no space left" in line.lower() or "full" in line]
    if "Traceback" in ended.said or len(lines) != 1 or ended.code not in (0, 1):
        return [f"ended with {ended.code}, expected one line on a full disk: {ended.said[-800:]}"]
    if not lines[0].startswith("l9: " if ended.code else "tracking: "):
        return [f"ended with {ended.code} and said: {lines[0]}"]
    return []


def _may_mount(world: World) -> bool:
    """Are small file systems allowed to us?"""
    place = world.folder / "mount"
    place.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        return False
    try:
        _mount(place, "size=64k")
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", str(place)], check=True)
    return True


def _mount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True, capture_output=True)
