"""Weights of a checkpoint read in the child, and the named arrays that the parent makes of its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from numpy import ndarray

from l9.errors import RefusedObject, SandboxError
from l9.fingerprint import Json
from l9.readers.torch_weights import opened_checkpoint
from l9.sandbox.contract import Stream
from l9.sandbox.parent import Sandbox


@dataclass(frozen=True)
class Weights:
    """Arrays by name, and what else the file holds: names of entries beside its `state_dict`."""

    arrays: dict[str, ndarray]
    aside: tuple[str, ...]


def tensors_of(files: Sequence[BinaryIO]) -> Stream:
    """In the child: one buffer for each tensor, sent as it is read; their names at the end."""
    names: list[Json] = []
    aside: list[Json] = []

    def parts() -> Iterator[list[ndarray | bytes]]:
        with opened_checkpoint(files[0]) as found:
            aside.extend(found.aside)
            for name, values in found.arrays():
                names.append(name)
                yield [values]

    return Stream(parts(), lambda: {"names": names, "aside": aside})


def read_weights(file: Path) -> Weights:
    """In the parent: the tensors of a PyTorch checkpoint.

    raises  RefusedObject and SandboxError as `Sandbox.call`, naming the file
    """
    try:
        with Sandbox(imports=("l9.sandbox.weights",)) as sandbox:
            answer = sandbox.call("l9.sandbox.weights:tensors_of", {}, [file])
            return _weights(answer.value, list(answer.buffers))
    except (RefusedObject, SandboxError) as refusal:
        raise type(refusal)(refusal.reason, f"{file.name}: {refusal.detail}") from refusal


def _weights(said: Json, arrays: list[ndarray | bytes]) -> Weights:
    """The child's answer, checked: it read a stranger's bytes."""
    told = said if isinstance(said, dict) else {}
    names, aside = _names(told.get("names")), _names(told.get("aside"))
    named = {name: array for name, array in zip(names, arrays, strict=False) if isinstance(array, ndarray)}
    if not len(named) == len(names) == len(arrays):
        raise SandboxError("died", "an answer that is no list of tensors")
    return Weights(named, aside)


def _names(value: Json) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [None]
    names = tuple(name for name in listed if isinstance(name, str) and name.isprintable())
    if len(names) != len(listed):
        raise SandboxError("died", "an answer whose names are no names")
    return names
