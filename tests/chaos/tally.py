"""What has been seen so far: one line of facts for each case, kept in a small JSON file, so that a stopped run goes on.

Facts belong to one text of l9 and of these tests: where a line of either changes, counting begins anew.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import chaos.world

import l9.errors
from l9.store.publish import atomic_write


@dataclass
class Outcome:
    """What one case came to.

    kills           SIGKILLs that hit a preparation half way; `ray_kills` of them under Ray, `child_kills` of them sandbox children
    training_kills  SIGKILLs that hit a training half way
    faults          full disks, damaged files, two commands at once
    missed          kills whose moment never came: counted nowhere else
    objects         planned in the preparations that were disturbed
    order_cases     (ranks, resume point, cut, samples) in which the order was compared
    wrong           one line each; empty where everything is identical
    """

    kills: int = 0
    ray_kills: int = 0
    child_kills: int = 0
    training_kills: int = 0
    faults: int = 0
    missed: int = 0
    objects: int = 0
    lost: int = 0
    duplicated: int = 0
    order_cases: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One thing to try: its name, which is the folder's and the tally's, and the trial."""

    name: str
    trial: Callable[[], Outcome]


COUNTED = [one.name for one in fields(Outcome) if one.name not in ("wrong", "seconds")]


class Tally:
    """The outcomes of a folder, by case."""

    def __init__(self, path: Path) -> None:
        self.path, self.code = path, code_digest()
        self.outcomes: dict[str, Outcome] = {}
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["code"] == self.code:
                self.outcomes = {name: Outcome(**facts) for name, facts in stored["outcomes"].items()}

    def add(self, name: str, outcome: Outcome) -> None:
        """Note a case and write everything down."""
        self.outcomes[name] = outcome
        facts = {"code": self.code, "outcomes": {name: asdict(one) for name, one in self.outcomes.items()}}
        atomic_write(self.path, json.dumps(facts, indent=1).encode())

    def well(self, name: str) -> bool:
        """Has this case been tried, with everything identical?"""
        return name in self.outcomes and not self.outcomes[name].wrong

    def totals(self) -> dict[str, Any]:
        """All cases together, as the last line of a run says it."""
        everything = list(self.outcomes.values())
        sums = {name: sum(getattr(one, name) for one in everything) for name in COUNTED}
        seconds = round(sum(one.seconds for one in everything), 1)
        return {**sums, "identical": not any(one.wrong for one in everything), "cases": len(everything), "seconds": seconds}


def code_digest() -> str:
    """sha256 over every line of l9, of these tests and of what the tests share."""
    state = hashlib.sha256()
    package, tests = Path(l9.errors.__file__).parent, Path(chaos.world.__file__).parent.parent
    for top, files in ((package, package.rglob("*.py")), (tests, [*tests.glob("*.py"), *tests.glob("chaos/*.py")])):
        for path in sorted(files):
            state.update(f"{path.relative_to(top)}\0".encode() + path.read_bytes())
    return state.hexdigest()
