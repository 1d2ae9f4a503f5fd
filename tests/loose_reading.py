"""How tests read loose frames: the objects that a reader finds, and the frames of one of them."""

import contextlib
import importlib
from pathlib import Path

import pytest

from l9.errors import RefusedObject
from l9.prep.plan import refuse_known


def found_in(module, root, **parameters):
    return {one.id: one for one in importlib.import_module(f"l9.readers.{module}").find(Path(root), **parameters)}


def read_one(module, root, name, wanted=(True, True), **parameters):
    """The frames and notes of one object; raises what refuses it."""
    found = found_in(module, root, **parameters)[name]
    refuse_known(found, {})
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((root / file).open("rb")) for file in found.files]
        scan = importlib.import_module(f"l9.readers.{module}").read(files, found, "+Z", **parameters)
        return list(scan.frames(*wanted)), scan.notes


def refused(reason, words, module, root, name, **parameters):
    with pytest.raises(RefusedObject, match=words) as caught:
        read_one(module, root, name, **parameters)
    assert caught.value.reason == reason
