"""A training in a remote home: what was done elsewhere is brought before, its shards are here meanwhile, what it makes is pushed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from l9.errors import StoreError
from l9.progress import Say
from l9.store.home import Home
from l9.store.store import Store
from l9.train.result import RESULT


@contextmanager
def in_step(home: Home, folder: Path, stores: list[str], *, fresh: bool, say: Say) -> Iterator[Callable[[Path], None]]:
    """Bring a training's folder and hold the shards of its sets; yields what pushes the folder at a checkpoint. The end is pushed too.

    stores  their folders, relative to the home
    fresh   it is trained again even where its result is there
    raises  StoreError where it cannot be pushed at the end; at a checkpoint that is said, and the next one tries again

    However the block ends, what is there is pushed: another machine can go on with it.
    """
    home.pull_run(folder)
    needed = [] if (folder / RESULT).is_file() and not fresh else stores
    with home.held([Store.open(home.path / name) for name in needed], say), pushed(home, folder, say) as push:
        yield push


@contextmanager
def pushed(home: Home, folder: Path, say: Say) -> Iterator[Callable[[Path], None]]:
    """What is in a run's folder at the end of the block is pushed, however it ends; yields what pushes at a checkpoint."""
    try:
        yield lambda run_dir: _push_or_say(home, run_dir, say)
    except BaseException:
        _push_or_say(home, folder, say)
        raise
    home.push_run(folder)


def _push_or_say(home: Home, folder: Path, say: Say) -> None:
    try:
        home.push_run(folder)
    except (StoreError, OSError) as error:
        say(f"{folder.name}: not pushed ({error}); work goes on, and it is pushed with the next checkpoint")
