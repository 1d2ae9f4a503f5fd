"""Runs and stores of a home brought to this machine, as far as a verb reads them; of a local home they are there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from l9.evaluate.runs import find_run, find_training, network_of, training_facts, trainings_called, trainings_of
from l9.progress import Say, quiet
from l9.store.home import Home
from l9.store.store import Store, find_store


def brought_folder(home: Home, words: str) -> Path:
    """The folder of the run or training a person means, with its files; as `find_run` where there is none."""
    home.fetch_runs()
    folder = find_run(home.path, words)
    _bring(home, [folder])
    return folder


def brought_run(home: Home, words: str) -> Path:
    """As `brought_folder`, with the folders of its trainings, where it is finished."""
    folder = brought_folder(home, words)
    if home.url:
        _bring(home, trainings_of(folder))
    return folder


def brought_runs(home: Home, words: Sequence[str]) -> Path:
    """The working folder, with all files of these runs and their trainings; as `find_training` where there is none."""
    home.fetch_runs()
    for word in words if home.url else ():
        folder, training = find_training(home.path, word)
        _bring(home, [folder, *trainings_called(folder, training)])
    return home.path


@contextmanager
def brought_network(home: Home, words: str, say: Say = quiet) -> Iterator[Path]:
    """The working folder, with the files of the run's first network, and during the block the shards of its sets."""
    if not home.url:
        yield home.path
        return
    home.fetch_runs()
    folder = network_of(find_run(home.path, words))
    _bring(home, [folder])
    with _held_sets(home, folder, say):
        yield home.path


@contextmanager
def brought_training(home: Home, words: str, say: Say = quiet) -> Iterator[Path]:
    """The folder of the training a person means, of a whole run its first with a network; during the block the shards of its sets."""
    folder = brought_run(home, words)
    training = folder if (folder / "training.json").is_file() else network_of(folder)
    if not home.url:
        yield training
        return
    with _held_sets(home, training, say):
        yield training


@contextmanager
def _held_sets(home: Home, folder: Path, say: Say) -> Iterator[None]:
    places = [home.path / facts["store"] for facts in training_facts(folder)["sets"].values()]
    for place in places:
        home.fetch_store(place.name)
    with home.held([Store.open(place) for place in places], say):
        yield


def brought_store(home: Home, words: str) -> Store:
    """The store that a person means, without its shards; as `find_store` where there is none."""
    home.fetch_stores()
    store = find_store(home.path, words)
    if store.path.parent == home.path / "store":
        home.fetch_store(store.id)
    return Store.open(store.path)


def _bring(home: Home, folders: Sequence[Path]) -> None:
    for folder in folders:
        if folder.parent == home.path / "runs":  # not one that a person named by its path elsewhere
            home.pull_run(folder)
