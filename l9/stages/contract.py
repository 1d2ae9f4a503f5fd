"""What a stage is: a pure, versioned function that changes an object, or yields rows of columns from it.

    @changes(version=1)
    def normalise(mesh: Mesh, kind: Literal["cube", "sphere"] = "cube") -> Mesh: ...

    @yields(columns=_occupancy_columns, version=1)
    def occupancy(mesh: Mesh, resolution: int = 32, ...) -> Iterator[Row]: ...

The first argument is the object, and its type says which kinds a stage takes: a cloud is refused where a mesh is wanted. All others
have plain values, so that a recipe can name them. `columns` is a function of those
same arguments, so that a store's schema is known before any object is read. A stage that needs randomness takes `seed: int`;
`run_stages` mixes the object's id into it, so that two objects never share draws and one object always repeats its own.
Raise `version` whenever the bytes a stage makes change: a golden test watches.
"""

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, Union, cast

from l9.errors import RefusedObject
from l9.fingerprint import digest
from l9.geometry.cloud import PointCloud
from l9.geometry.mesh import Mesh
from l9.store.columns import Column, Row

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class StageInfo:
    """What a decorated stage function carries as `function.stage`."""

    version: int
    columns: Callable[..., tuple[Column, ...]] | None  # None: the stage changes the object and yields nothing


def changes(*, version: int) -> Callable[[Function], Function]:
    """Mark a function `object -> object` as a stage."""

    def mark(function: Function) -> Function:
        function.stage = StageInfo(version, None)  # type: ignore[attr-defined]
        return function

    return mark


def yields(*, columns: Callable[..., tuple[Column, ...]], version: int) -> Callable[[Function], Function]:
    """Mark a function `object -> rows` as a stage; `columns(**arguments)` names what each row holds."""

    def mark(function: Function) -> Function:
        function.stage = StageInfo(version, columns)  # type: ignore[attr-defined]
        return function

    return mark


Step = tuple[Callable[..., Any], Mapping[str, Any]]
"""A stage function with the arguments a recipe gives it."""


def stage_info(function: Callable[..., Any]) -> StageInfo | None:
    """What `changes` or `yields` left on the function; None if it is no stage."""
    info = getattr(function, "stage", None)
    return info if isinstance(info, StageInfo) else None


def columns_of(steps: Sequence[Step]) -> tuple[Column, ...]:
    """Every column that these stages yield, in order; RefusedObject never: recipes are checked before."""
    found: list[Column] = []
    for function, arguments in steps:
        info = stage_info(function)
        if info is not None and info.columns is not None:
            found.extend(info.columns(**arguments))
    return tuple(found)


def run_stages(subject: Any, steps: Sequence[Step], *, object_id: str) -> Iterator[Row]:
    """Rows of one object, as they are made: changes applied in order, yields joined side by side, none of them ahead of the others.

    An object has 1 row or the same n from every yield; single rows are repeated (without copying).
    raises  RefusedObject `stage-rows` when two yields give different counts above 1, `no-faces` or `wrong-kind` where a stage does not
            take this kind of object, or a stage's own refusal
    """
    parts: list[Iterator[Row]] = []
    for function, arguments in steps:
        _check_kind(function, subject)
        seeded = _with_object_seed(arguments, object_id)
        info = stage_info(function)
        if info is None or info.columns is None:
            subject = function(subject, **seeded)
        else:
            parts.append(_checked_rows(function(subject, **seeded), info.columns(**arguments)))
    return _joined(parts)


def _check_kind(function: Callable[..., Any], subject: Any) -> None:
    kinds = _kinds(inspect.unwrap(function))
    if kinds and not isinstance(subject, kinds):
        reason = "no-faces" if Mesh in kinds and isinstance(subject, PointCloud) else "wrong-kind"
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise RefusedObject(reason, f"stage {function.__name__} takes a {wanted}; this object is a {type(subject).__name__}")


@lru_cache(256)
def _kinds(function: Callable[..., Any]) -> tuple[type, ...]:
    """The classes that the type of a stage's first argument names; none where it names anything else."""
    first = next(iter(inspect.signature(function).parameters), "")
    hint = typing.get_type_hints(function).get(first)
    named = typing.get_args(hint) if typing.get_origin(hint) in (Union, UnionType) else (hint,)
    return named if all(inspect.isclass(kind) for kind in named) else ()


def _with_object_seed(arguments: Mapping[str, Any], object_id: str) -> dict[str, Any]:
    if "seed" not in arguments:
        return dict(arguments)
    return {**arguments, "seed": int(digest([arguments["seed"], object_id])[:12], 16)}


def _checked_rows(rows: Iterable[Row], columns: tuple[Column, ...]) -> Iterator[Row]:
    for row in rows:
        yield {column.name: column.checked(row[column.name]) for column in columns}


def _joined(parts: list[Iterator[Row]]) -> Iterator[Row]:
    """Rows of all parts side by side; a part of one row gives it to every row."""
    if not parts:
        yield {}
        return
    firsts = [next(part, None) for part in parts]
    seconds = [next(part, None) for part in parts]
    many = [place for place, row in enumerate(seconds) if row is not None]
    if None in firsts:
        if many:
            raise _uneven("0")
        return
    kept = cast(list[Row], firsts)
    yield _merged(kept)
    rows, count = seconds, 1
    while many and any(rows[place] is not None for place in many):
        if any(rows[place] is None for place in many):
            raise _uneven(f"{count:,}")
        count += 1
        yield _merged([cast(Row, rows[place]) if place in many else kept[place] for place in range(len(parts))])
        rows = [next(parts[place], None) if place in many else None for place in range(len(parts))]


def _uneven(count: str) -> RefusedObject:
    return RefusedObject("stage-rows", f"one stage gave {count} rows for one object, another more; expected 1 or the same n")


def _merged(rows: Iterable[Row]) -> Row:
    merged: Row = {}
    for row in rows:
        merged.update(row)
    return merged
