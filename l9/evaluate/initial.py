"""Where a training's first weights come from, by what its `init` says.

The first that fits: an earlier training of the recipe, a .safetensors file, a card of weights, weights that were imported, a run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from l9.cards import load_weights_card, weights_names
from l9.config import Training
from l9.errors import UsageError
from l9.evaluate.brought import brought_run
from l9.evaluate.runs import weights_of
from l9.fingerprint import file_digest
from l9.progress import Say
from l9.sources.weights import check_fetched, fetch_weights, fetched_facts, weights_path
from l9.store.home import Home


def bring_weights(trainings: Sequence[Training], given: str | None, place: Home, say: Say) -> None:
    """Fetch the weights that trainings name by their card, where they are not there yet.

    given   what the command line says instead of every recipe's `init`
    raises  UsageError where a name is both an earlier training's and a card's: either would be meant, and the figures would not say which
    """
    for number, training in enumerate(trainings):
        name = _init_of(training, given)
        earlier = {one.name for one in trainings[:number]}
        if name in earlier and name in weights_names():
            raise UsageError(
                f"trainings.{training.name}: init '{name}' is an earlier training and a card of weights; "
                "put this training before that one, or call that one otherwise"
            )
        if name not in weights_names():
            continue
        card = load_weights_card(name)
        if not weights_path(place.path, card.name).is_file():
            say(f"init {name}: not in {place.url or place.path} yet")
            fetch_weights(card, place, say)


def initial_weights(training: Training, earlier: Mapping[str, Path], place: Home) -> tuple[str | None, str | None]:
    """The run folder or safetensors file that a training starts from, and what of it belongs in the training's key.

    earlier  name -> folder of the trainings before it: their weights are not there yet, and the folder's name holds their key
    raises   UsageError where there are no such weights; FetchError where those of a card are not what was fetched
    """
    name = training.init
    if name is None:
        return None, None
    if name in earlier:
        return str(earlier[name]), earlier[name].name
    if Path(name).suffix == ".safetensors":
        return _file(Path(name), "no such file; expected .safetensors weights, a card of weights, a training's name or a run")
    if name in weights_names():
        path = weights_path(place.path, load_weights_card(name).name)
        weights, sha256 = _file(path, f"not fetched yet; l9 fetch {name}")
        check_fetched(path, fetched_facts(path), sha256)
        return weights, sha256
    if Path(name).name == name and weights_path(place.path, name).is_file():
        return _file(weights_path(place.path, name), "")
    stored = weights_of(brought_run(place, name))
    return str(stored), file_digest(stored)


def _init_of(training: Training, given: str | None) -> str:
    return (given if given and training.model else training.init) or ""


def _file(path: Path, missing: str) -> tuple[str, str]:
    if not path.is_file():
        raise UsageError(f"init {path}: {missing}")
    return str(path.resolve()), file_digest(path)
