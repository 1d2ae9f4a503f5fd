"""Models of the card `furniture`, read for benches."""

import contextlib
from pathlib import Path

from l9.geometry.mesh import Mesh
from l9.readers.contract import Found
from l9.readers.sweethome import read


def model_of(root: Path, found: Found) -> Mesh:
    """A model as its reader gives it: upright, in metres; RefusedObject where it refuses."""
    with contextlib.ExitStack() as stack:
        return read([stack.enter_context((root / file).open("rb")) for file in found.files], found, "+Y")
