"""What the sandbox runs for one object: its reader, then its stages; finished rows go back."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from l9.config import Use, build_arguments
from l9.errors import L9Error, RefusedObject, UsageError
from l9.geometry.mesh import Mesh
from l9.readers.process import read_object
from l9.sandbox.contract import Stream, machine_fault
from l9.stages.contract import columns_of, run_stages, stage_info
from l9.store.cells import cell_bytes
from l9.store.columns import Cell, Row

PART_BYTES = 16 << 20  # of the rows that are sent together


def process_object(
    files: Sequence[BinaryIO],
    *,
    reader: str,
    found: dict[str, Any],
    up: str,
    parameters: dict[str, Any],
    stages: list[dict[str, Any]],
) -> Stream:
    """Rows of one object, sent while they are made.

    stages   [{"target": "module:function", "arguments": {...}}, ...] with every argument spelled out
    returns  value {"rows": n, "columns": names, "notes": lines}; buffers row by row, each in the order of the columns. A cell that
             the rows of one part share crosses the pipe once.
    raises   at once or while the parts are made: RefusedObject with the reader's or stage's own reason, or `stage-failed` naming the
             stage that raised something else; ShapeError where a stage breaks its own column; what tells of the machine
             (`machine_fault`) as it is
    """
    uses = [Use(stage["target"], **stage["arguments"]) for stage in stages]
    steps = [(use.resolve(), build_arguments(use)) for use in uses]
    subject = read_object(files, found, reader=reader, up=up, parameters=parameters)
    names = [column.name for column in columns_of(steps)]
    rows = run_stages(subject, [(_named(function), arguments) for function, arguments in steps], object_id=str(found["id"]))
    parts = _Parts(rows, names)
    return Stream(iter(parts), lambda: {"rows": parts.rows, "columns": list(names), "notes": list(getattr(subject, "notes", ()))})


class _Parts:
    """The cells of rows, so many rows at a time that they are worth a message; counts the rows."""

    def __init__(self, rows: Iterator[Row], names: list[str]) -> None:
        self.rows = 0
        self._source, self._names = rows, names

    def __iter__(self) -> Iterator[list[Cell]]:
        waiting: list[Cell] = []
        size = 0
        for row in self._source:
            self.rows += 1
            cells = [row[name] for name in self._names]
            waiting += cells
            size += sum(cell_bytes(cell) for cell in cells)
            if size >= PART_BYTES:
                yield waiting
                waiting, size = [], 0
        if waiting:
            yield waiting


def rehearse(files: Sequence[BinaryIO], *, stages: list[dict[str, Any]]) -> None:
    """Run l9's own stages once on a tetrahedron: what they import and compile, a minute the first time, is then no object's time."""
    own = [stage for stage in stages if stage["target"].startswith(("l9.stages.", "l9.stages:"))]
    uses = [Use(stage["target"], **stage["arguments"]) for stage in own]
    corners = np.array([[0.5, 0.5, 0.5], [0.5, -0.5, -0.5], [-0.5, 0.5, -0.5], [-0.5, -0.5, 0.5]])
    probe = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]))
    with contextlib.suppress(RefusedObject):  # from the first stage that takes no mesh on, the others have to do without
        for _ in run_stages(probe, [(use.resolve(), build_arguments(use)) for use in uses], object_id=""):
            pass


def _named(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same stage, whose unexpected exceptions name it."""
    info = stage_info(function)

    @functools.wraps(function)
    def change(subject: Any, **arguments: Any) -> Any:
        with _blamed(function.__name__):
            return function(subject, **arguments)

    @functools.wraps(function)
    def rows(subject: Any, **arguments: Any) -> Iterator[Row]:
        with _blamed(function.__name__):
            yield from function(subject, **arguments)

    return change if info is None or info.columns is None else rows


@contextlib.contextmanager
def _blamed(name: str) -> Iterator[None]:
    try:
        yield
    except (L9Error, MemoryError):
        raise
    except ImportError as error:  # the machine's fault, not the object's: it must not empty a dataset into quarantine
        raise UsageError(f"stage {name} cannot run here: {error}") from error
    except Exception as error:  # a stage that stumbles over one object must not end the work
        if machine_fault(error):
            raise
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise RefusedObject("stage-failed", f"{name}: {words}"[:300]) from error
