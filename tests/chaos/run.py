"""Kill l9 and compare: `python -m chaos.run [--short] [--folder build/chaos] [--seed 0] [--only WORD]`.

Every case disturbs a command, gives the same command again, and compares what is there with an undisturbed run, byte for byte. Cases that
went well are kept in <folder>/tally.json and not done again; another seed adds others to them. The last line is JSON; the exit code is 1
where anything was not identical, and the folders of those cases are left for inspection.
"""

import argparse
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from chaos import faults, host_cases, order, prep_kills, ray_kills, training
from chaos.tally import Case, Outcome, Tally
from chaos.world import World

from l9.track.sender import ENVIRONMENT

TESTS = Path(__file__).parent.parent


def main() -> int:
    """Every case that is not done yet; 0 where all is identical."""
    words = _words()
    words.folder.mkdir(parents=True, exist_ok=True)
    tally = Tally(words.folder / "tally.json")
    world = World(words.folder / "world")
    if not tally.outcomes or not world.recipe.exists():
        say("making the undisturbed runs")
        world.build()
    with ray_kills.ground() as place:
        cases = [case for case in _cases(world, place, words.seed, short=words.short) if words.only in case.name]
        if not cases:
            raise SystemExit(f"no case's name holds '{words.only}'")
        waiting = [case for case in cases if not tally.well(case.name)]
        say(f"{len(cases)} cases, {len(cases) - len(waiting)} of them done before; seed {words.seed}")
        for number, case in enumerate(waiting, 1):
            outcome = _tried(case)
            tally.add(case.name, outcome)
            say(f"{number}/{len(waiting)} {case.name} {outcome.seconds:.1f} s: {'; '.join(outcome.wrong) or 'identical'}")
            if not outcome.wrong:
                world.remove(case.name)
    for left in (words.folder / "tmp").glob("l9-*"):  # what the killed had no time to remove
        shutil.rmtree(left, ignore_errors=True)
    totals = tally.totals()
    for name in (name for name, outcome in tally.outcomes.items() if outcome.wrong):
        say(f"not identical: {name}; see {world.folder / 'cases' / name}")
    print(json.dumps(totals), flush=True)
    return 0 if totals["identical"] and not totals["lost"] and not totals["duplicated"] else 1


def say(line: str) -> None:
    """One line of progress, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few of each kind, about 5 minutes on 2 cores")
    parser.add_argument("--folder", type=Path, default=Path("build/chaos"), help="where everything is kept")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn: which objects, which steps")
    parser.add_argument("--only", default="", help="cases whose name holds this word")
    return parser.parse_args()


def _cases(world: World, place: ray_kills.Ground, seed: int, *, short: bool) -> list[Case]:
    kills = [*prep_kills.cases(world, seed, short=short), *ray_kills.cases(world, place, seed, short=short)]
    others = [*training.cases(world, seed, short=short), *faults.cases(world, seed, short=short)]
    hosts = [] if short else host_cases.cases(host_cases.SMALL)
    return [Case("order", _order), *others, *kills, *hosts]


def _order() -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        count, wrong = order.compare(Path(folder))
    return Outcome(order_cases=count, wrong=wrong)


def _tried(case: Case) -> Outcome:
    start = time.monotonic()
    try:
        outcome = case.trial()
    except Exception as error:  # a case that cannot be brought to its end is not identical; the others go on
        outcome = Outcome(wrong=[f"{type(error).__name__}: {error}", traceback.format_exc()])
    outcome.seconds = time.monotonic() - start
    return outcome


def _environment(folder: Path) -> None:
    """What every process below this one needs: these modules, no telemetry, one token for Ray, and temporary folders that go with ours."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(TESTS))))
    os.environ |= ENVIRONMENT  # the fork server imports mlflow before l9 does
    os.environ["OMP_NUM_THREADS"] = "1"  # the tensors are tiny, and several threads would only wait for each other
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str((folder / "tmp").resolve())


if __name__ == "__main__":
    _environment(_words().folder)
    sys.exit(main())
