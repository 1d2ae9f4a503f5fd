"""What every case stands on: the files of the objects, a card, a recipe, and one undisturbed run of each command to compare with.

<folder>/objects/           the objects' files           <folder>/control/      the points (chaos.barrier)
<folder>/card.yaml          recipe.json                  <folder>/template/     a home with an empty mlflow.db, copied for each case
<folder>/reference/         the home of the undisturbed runs
<folder>/cases/<case>/      one case: home/, stdout, stderr; removed where all is well
"""

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chaos import objects
from chaos.boundaries import Boundary
from chaos.command import Command, Ended, call
from chaos.tracked import wrong_runs

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.errors import StoreError
from l9.fingerprint import digest
from l9.store.facts import read_facts
from l9.store.mapped import verify
from l9.store.publish import LEFTOVER_SECONDS, TEMPORARY
from l9.store.store import Store, list_stores, shards_folder

CARD = """name: tiny
what: objects that cost next to nothing
licence: none needed
reader: chaos.objects:read
shards: 8
parameters: {{control: {control}}}
"""
NO_RESULT = ("timings.jsonl", "digests.sqlite")  # files beside the results: times and what saves time


@dataclass
class Verdict:
    """What a home holds, compared with the undisturbed one.

    lost, duplicated  objects, of those planned
    wrong             one line each: what differs; empty where all is identical
    """

    objects: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: list[str] = field(default_factory=list)


class World:
    """The folder of a chaos run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.root, self.control = self.folder / "objects", self.folder / "control"
        self.reference, self.template = self.folder / "reference", self.folder / "template"
        self.recipe = self.folder / "recipe.json"

    def build(self) -> None:
        """Make everything but the cases, from nothing: the undisturbed runs too."""
        shutil.rmtree(self.folder, ignore_errors=True)
        objects.write_files(self.root)
        (self.folder / "card.yaml").write_text(CARD.format(control=self.control))
        self.recipe.write_text(json.dumps(self._pipeline().describe()))
        self.control.mkdir()
        call(_make_template, self.template)
        shutil.copytree(self.template, self.reference)
        undisturbed(self.prep(self.reference, boundary=Boundary(self.reference, 0, log=self.folder / "prep.steps")))

    def _pipeline(self) -> Pipeline:
        """One set, one classifier: 4 epochs of about 10 steps, a checkpoint after each."""
        tiny = Set(str(self.folder / "card.yaml"), Prep(Use(objects.vectors)))
        task = Use("chaos.tasks:Paced", control=str(self.control))
        training = Training(task, Use("toys:Noisy"), Schedule(epochs=4, batch=8, checkpoint_every=1))
        return Pipeline("tiny", {"tiny": tiny}, (training,), Train(precision="float32"))

    @cached_property
    def expected(self) -> dict[str, str]:
        """sha256 of every file of the undisturbed store, by its path below the home."""
        return contents(self.reference)

    def new_home(self, case: str) -> Path:
        """An empty home for a case; what was armed and taken before is forgotten."""
        shutil.rmtree(self.control, ignore_errors=True)
        self.control.mkdir()
        place = self.folder / "cases" / case
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.template, place / "home")
        return place / "home"

    def prep(self, home: Path, *more: str, boundary: Boundary | None = None, fresh: bool = False, name: str = "prep") -> Command:
        """`l9 prep` of the recipe into a home; in process unless `more` says otherwise."""
        words = ["prep", str(self.recipe), "--root", str(self.root), *(more or ("--workers", "0"))]
        return Command(words, home, home.parent / f"{home.name}-{name}", boundary=boundary, fresh=fresh)

    def prep_steps(self) -> int:
        """By how many steps an undisturbed preparation changes its files."""
        return len((self.folder / "prep.steps").read_text().splitlines())

    def train(self, home: Path, *more: str, boundary: Boundary | None = None, fresh: bool = False) -> Command:
        """`l9 run` of the recipe in a home."""
        words = ["run", str(self.recipe), "--root", str(self.root), *more]
        return Command(words, home, home.parent / f"{home.name}-train", boundary=boundary, fresh=fresh)

    def trained(self, how: tuple[str, ...]) -> Path:
        """The home of an undisturbed `l9 run` with these words, made when first asked for."""
        case = f"trained-{digest(how)[:8]}"
        home = self.folder / "cases" / case / "home"
        if not (home.parent / "steps").exists():
            home = self.prepared_home(case)
            undisturbed(self.train(home, *how, boundary=Boundary(home, 0, log=home.parent / "drawn")))
            (home.parent / "drawn").rename(home.parent / "steps")
        return home

    def training_steps(self) -> list[tuple[int, str]]:
        """Number and path of each step by which an undisturbed `l9 run` in process changes its run's files."""
        lines = [line.split(" ", 2) for line in (self.trained(("--workers", "0")).parent / "steps").read_text().splitlines()]
        return [(int(number), path) for number, _, path in lines if path.startswith("runs")]

    def prepared_home(self, case: str) -> Path:
        """A home for a case in which the store is there, but nothing has been tracked."""
        home = self.new_home(case)
        shutil.copytree(self.reference / "store", home / "store", ignore=shutil.ignore_patterns("digests.sqlite*"))
        return home

    def finish(self, home: Path, *more: str, tracked: bool = True) -> tuple[Verdict, Ended]:
        """The same command again, undisturbed, and what the home holds then; what was left behind is made to look a day old first.

        tracked  MLflow must have exactly one preparation
        """
        look_old(home)
        ended = self.prep(home, *more, name="again").wait()
        verdict = self.judge(home)
        if ended.code != 0:
            verdict.wrong.append(f"the same command ended with {ended.code}: {ended.said[-500:]}")
        verdict.wrong += [f"left behind: {path}" for path in leftovers(home)] + (wrong_runs(home, ["prep"]) if tracked else [])
        return verdict, ended

    def judge(self, home: Path) -> Verdict:
        """A home whose preparation has ended well, against the undisturbed one: every byte, and every object once."""
        verdict = Verdict(objects.COUNT, wrong=self.differences(home))
        stores = list_stores(home)
        if len(stores) != 1:
            return Verdict(objects.COUNT, lost=objects.COUNT, wrong=[*verdict.wrong, f"{len(stores)} stores"])
        store = Store.open(stores[0])
        store.verify()
        rows = list(zip(store.index["object"].to_pylist(), store.index["row"].to_pylist(), strict=True))
        ended = Counter({name for name, _ in rows}) + Counter(line["id"] for line in store.quarantine())
        planned = {objects.object_id(number) for number in range(objects.COUNT)}
        verdict.lost = len(planned - ended.keys())
        verdict.duplicated = sum(count - 1 for count in ended.values()) + len(rows) - len(set(rows))
        if store.manifest["counts"]["done"] + store.manifest["counts"]["quarantined"] != objects.COUNT or ended.keys() - planned:
            verdict.wrong.append("done + quarantined is not planned")
        return verdict

    def differences(self, home: Path) -> list[str]:
        """Every result that is not as in the undisturbed home, a line each."""
        found = contents(home)
        names = found.keys() | self.expected.keys()
        return [f"differs: {name}" for name in sorted(names) if found.get(name) != self.expected.get(name)]

    def half_done(self, home: Path) -> list[str]:
        """What is wrong with a home in which a command has just died: whatever calls itself done must be whole and identical."""
        wrong = [f"no shard: {path.name}" for path in shards_folder(home).glob("*.json") if not _sound(shards_folder(home), path.stem)]
        done = {name: sha256 for name, sha256 in contents(home).items() if name.endswith(".json")}
        wrong += [f"differs half way: {name}" for name, sha256 in done.items() if sha256 != self.expected.get(name)]
        return wrong + (self.judge(home).wrong if list_stores(home) else [])

    def remove(self, case: str) -> None:
        """Take a case away."""
        shutil.rmtree(self.folder / "cases" / case, ignore_errors=True)


def contents(home: Path) -> dict[str, str]:
    """sha256 of every result of a home's stores by its path; temporary names apart, which are nobody's result."""
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in _results(home / "store")}


def leftovers(home: Path) -> list[Path]:
    """Temporary files and folders of writers that are no more."""
    return sorted(path for path in home.rglob(f"{TEMPORARY}*") if not any(above.name.startswith(TEMPORARY) for above in path.parents))


def look_old(home: Path) -> None:
    """Make what is left behind look as if a day had gone by."""
    for path in leftovers(home):
        os.utime(path, (time.time() - 2 * LEFTOVER_SECONDS,) * 2)


def undisturbed(command: Command) -> None:
    """Wait for a command that nothing is done to."""
    ended = command.wait()
    assert ended.code == 0, f"an undisturbed l9 ended with {ended.code}: {ended.said}"


def _results(folder: Path) -> Iterable[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return (path for path in files if not path.name.startswith((*NO_RESULT, TEMPORARY)))


def _sound(folder: Path, key: str) -> bool:
    try:
        read_facts(folder, key)
        verify(folder, key)
    except StoreError:
        return False
    return True


def _make_template(home: Path) -> None:
    from l9.track.sender import Sender
    from l9.track.tracker import default_uri

    _ = Sender(home, default_uri(home, None)).client
