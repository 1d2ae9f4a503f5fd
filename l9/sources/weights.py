"""Pretrained weights in a home: `<home>/weights/NAME.safetensors`, converted once from a PyTorch checkpoint, by hand or of a card.

The same checkpoint gives the same bytes. Beside weights of a card stands `NAME.json`, written last: package, version, licence, and sha256
of the archive and of both files. What was brought lies in `<home>/raw/weights/NAME`.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from l9.cards import NAME, WeightsCard
from l9.errors import FetchError, UsageError
from l9.fingerprint import file_digest
from l9.sandbox.weights import read_weights
from l9.sources.client import Say
from l9.sources.fetch import bring
from l9.sources.kept import MANIFEST
from l9.store.home import Home
from l9.store.lock import locked
from l9.store.publish import atomic_write

OTHERS_SECONDS = 600.0  # waited for another process of this machine that fetches the same weights


@dataclass(frozen=True)
class Imported:
    """Weights as they were converted.

    parameters  numbers in all tensors, running statistics among them: a file does not say which is which
    bytes       of the safetensors file, `sha256` being its digest
    """

    tensors: int
    parameters: int
    bytes: int
    sha256: str


def weights_path(home: Path, name: str) -> Path:
    """Where the weights of that name stand in a home."""
    return home / "weights" / f"{name}.safetensors"


def import_weights(file: Path, home: Path, name: str, say: Say) -> Imported:
    """Convert a PyTorch checkpoint to `<home>/weights/<name>.safetensors`; nothing is written where the same bytes are there.

    raises  UsageError for a name that cannot be one, a file that is not there, or other weights under that name;
            RefusedObject or SandboxError where the file cannot be used
    """
    from safetensors.numpy import save

    if not re.fullmatch(NAME, name):
        raise UsageError(f"'{name}' cannot be a name of weights; expected letters, digits, '.', '_' and '-': give one with --name")
    if not file.is_file():
        raise UsageError(f"{file}: {'is no file' if file.exists() else 'no such file'}; expected what torch.save writes (.pth, .pt)")
    read = read_weights(file.resolve())
    if read.aside:
        say(f"{file.name}: beside its state_dict, left alone: {', '.join(read.aside)}")
    content = save(read.arrays)
    sha256 = hashlib.sha256(content).hexdigest()
    target = weights_path(home, name)
    if not target.is_file():
        atomic_write(target, content)
    elif file_digest(target) != sha256:
        raise UsageError(f"{target} holds other weights; give these another --name, or remove that file")
    else:
        say(f"{target} holds these weights already: nothing to do")
    return Imported(len(read.arrays), sum(array.size for array in read.arrays.values()), len(content), sha256)


def fetch_weights(card: WeightsCard, place: Home, say: Say) -> dict[str, Any]:
    """The facts in `<home>/weights/<card>.json`, after bringing and converting what is not there yet.

    raises  FetchError in one line, as `fetch`, or where the weights are not those that were fetched; as `import_weights`
    """
    target = weights_path(place.path, card.name)
    with locked(target.with_name(f".{card.name}.lock"), OTHERS_SECONDS) as mine:
        if not mine:
            raise FetchError(f"{target}: another l9 has been fetching it for {OTHERS_SECONDS:.0f} s; stop that one, then again")
        facts = fetched_facts(target) if target.is_file() else None
        check_fetched(target, facts, "" if facts is None else file_digest(target))
        return _fetched(card, target, place, say) if facts is None else facts


def _fetched(card: WeightsCard, target: Path, place: Home, say: Say) -> dict[str, Any]:
    """Bring, convert, and say what it was; the facts last."""
    raw = f"weights/{card.name}"
    root = place.path / "raw" / raw
    place.pull_raw(raw)
    bring(card.name, card.source, root, say, f"bring the file yourself: l9 import-weights FILE.pth --name {card.name}")
    place.push_raw(raw)
    brought = json.loads((root / MANIFEST).read_bytes())
    if card.file not in brought["files"]:
        raise FetchError(f"card {card.name}: file is {card.file!r}; source.keep keeps {', '.join(sorted(brought['files']))[:200]}")
    imported = import_weights(root / card.file, place.path, card.name, say)
    read = {"name": card.file, "sha256": brought["files"][card.file]}
    facts = {"card": card.name, "licence": card.licence, "packages": brought["packages"], "file": read, **asdict(imported)}
    atomic_write(_facts_path(target), json.dumps(facts, indent=1, sort_keys=True).encode())
    say(f"{card.name}: ready in {target}")
    return facts


def fetched_facts(weights: Path) -> dict[str, Any] | None:
    """What stands beside weights that were fetched; None beside others. FetchError where it is damaged."""
    path = _facts_path(weights)
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_bytes())
        if isinstance(facts, dict) and isinstance(facts["sha256"], str):
            return facts
    except (ValueError, KeyError, RecursionError):
        pass
    raise FetchError(f"{path}: not the facts of fetched weights; remove it, then l9 fetch {weights.stem}")


def check_fetched(weights: Path, facts: dict[str, Any] | None, sha256: str) -> None:
    """FetchError where weights of this digest are not those that the facts beside them are of."""
    if facts is not None and facts["sha256"] != sha256:
        raise FetchError(f"{weights} is not what was fetched (its sha256 differs); remove it and {weights.stem}.json, then l9 fetch again")


def _facts_path(weights: Path) -> Path:
    return weights.with_suffix(".json")
