"""The meshes of bench/sdf.py, kept as files that every process of it reads: furniture, soups, and damaged solids.

Furniture: the models of the card `furniture` in the order of their number of faces, every `every`-th; every third of those is held out:
nobody looks at them while tuning. All stand in the cube, longest side 1.8 in [-1, 1]^3.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from models import model_of
from numpy import ndarray
from rounds import say
from sdf_shapes import CUTS, DAMAGES, damaged_truth, shape
from sdf_soups import KINDS, SEEDS, soup

from l9.errors import RefusedObject, UsageError
from l9.geometry.normalise import normalise_cube
from l9.readers import sweethome

RESOLUTION = 64  # of the truth of damaged solids
TRUTH = 1  # version of sdf_truth.py and of the formulas in sdf_shapes.py: another makes all truths anew
HELD_OUT = 3  # every third


@dataclass(frozen=True)
class Subject:
    """A mesh as a file.

    name      "furniture/<id>", "soup/<kind> <seed>" or "damage/<solid>/<damage>"
    path      npz of `vertices` and `faces`; its name ends in the digest of both
    faces     how many
    held_out  whether nothing may be tuned on it
    """

    name: str
    path: Path
    faces: int
    held_out: bool = False

    @property
    def group(self) -> str:
        """Of what kind it is: the first part of the name."""
        return self.name.partition("/")[0]

    def truth(self, resolution: int) -> Path:
        """Where what it is judged by is kept."""
        return self.path.with_name(f"{self.path.stem}-truth{TRUTH}-{resolution}.npz")


def kept(folder: Path, name: str, vertices: ndarray, faces: ndarray, *, held_out: bool = False) -> Subject:
    """A mesh written to its file, unless it is there."""
    arrays = np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int64)
    digest = hashlib.sha256(arrays[0].tobytes() + arrays[1].tobytes()).hexdigest()[:8]
    path = folder / f"{name.replace('/', '-').replace(' ', '-').replace('%', 'percent')}-{digest}.npz"
    if not path.is_file():
        _write(path, vertices=arrays[0], faces=arrays[1])
    return Subject(name, path, len(faces), held_out)


def furniture(folder: Path, home: Path, every: int) -> list[Subject]:
    """Every `every`-th model; the counts of faces are kept, so that only the first time reads them all."""
    root = home / "raw" / "furniture"
    if not (root / "source.json").is_file():
        raise UsageError(f"{root} holds no furniture; expected what `l9 fetch furniture` brings")
    models = {found.id: found for found in sweethome.find(root)}
    listed = folder / f"furniture-{sweethome.VERSION}.json"  # the reader's version: another may make other faces
    if not listed.is_file():
        say(f"counting the faces of {len(models)} models")
        counts = {name: _faces(root, found) for name, found in models.items()}
        listed.write_text(json.dumps(sorted([count, name] for name, count in counts.items() if count)))
    found = []
    for number, (_, name) in enumerate(json.loads(listed.read_text())[::every]):
        mesh = model_of(root, models[name])
        held_out = number % HELD_OUT == HELD_OUT - 1
        found.append(kept(folder, f"furniture/{name}", normalise_cube(mesh.vertices, mesh.faces), mesh.faces, held_out=held_out))
    return found


def soups(folder: Path) -> list[Subject]:
    """All of them."""
    return [kept(folder, f"soup/{kind} {seed}", *soup(kind, seed)) for kind in sorted(KINDS) for seed in range(SEEDS)]


def damaged(folder: Path) -> list[Subject]:
    """Every solid in every damage, with its truth."""
    found = []
    for name in CUTS:
        whole = shape(name)
        for what, damage in DAMAGES.items():
            found.append(kept(folder, f"damage/{name}/{what}", *damage.mesh(whole)))
            if not found[-1].truth(RESOLUTION).is_file():
                _write(found[-1].truth(RESOLUTION), **damaged_truth(damage, whole, RESOLUTION))
    return found


def _faces(root: Path, model: Any) -> int:
    """How many; 0 for a model that is refused."""
    try:
        return len(model_of(root, model).faces)
    except RefusedObject:
        return 0


def _write(path: Path, **arrays: ndarray) -> None:
    """The file whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(stream, **arrays)
    partial.replace(path)
