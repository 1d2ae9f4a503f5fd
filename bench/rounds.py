"""Measuring side by side: every contestant once a round, round after round, so that a machine whose speed drifts is fair to all.

A bench prints a table for people on stderr, and one JSON object as stdout's last line. What counts are ratios within one run.
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from l9 import __version__


def options(what: str, **more: Any) -> argparse.Namespace:
    """The options all benches share: where to work, how many rounds; `more` is name -> keyword arguments of `add_argument`."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="folder for what is measured on; kept for the next time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    for name, arguments in more.items():
        parser.add_argument(f"--{name}", **arguments)
    return parser.parse_args()


def round_robin(contestants: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, list[float]]:
    """What each contestant measured in each round, one figure a round; `contestant(round)` does the work and returns its figure."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, measure in contestants.items():
            figures[name].append(measure(number))
            say(f"round {number + 1}/{rounds}  {name:36} {figures[name][-1]:,.4g}")
    return figures


def medians(figures: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each contestant's rounds."""
    return {name: statistics.median(values) for name, values in figures.items()}


def ratio(figures: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median over rounds of one / other, round by round: what drifts between rounds cancels."""
    return statistics.median(a / b for a, b in zip(figures[one], figures[other], strict=True))


def difference(figures: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median over rounds of one - other, round by round."""
    return statistics.median(a - b for a, b in zip(figures[one], figures[other], strict=True))


def say(line: str) -> None:
    """A line for people."""
    print(line, file=sys.stderr, flush=True)


def report(value: dict[str, Any]) -> None:
    """The last line: what was measured, where, and with which version."""
    machine = {"cores": psutil.cpu_count(), "load": round(psutil.getloadavg()[0], 2), "python": platform.python_version()}
    print(json.dumps({"l9": __version__, "machine": machine, **value}, sort_keys=True))
