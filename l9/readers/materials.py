"""Material files and textures beside an OBJ: which of them belong to the object, and which are left alone.

No stage uses materials today, so no texture is opened here; `coloured.py` opens those of furniture, which rooms are made of. A material
file is an input of its object where it has the object's own name and truly lies in the object's folder: its bytes are part of the
object's key. Whatever leads elsewhere is noted and never opened.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from l9.geometry.mesh import Mesh
from l9.readers.contract import Found
from l9.readers.files import printable

NOTES = "notes"  # a fact: lines that `find` has to say of an object, which `read` passes on
MATERIAL_BYTES = 16 << 20  # the largest read here has 2 MB
NAMED = 3  # references of one file that are noted by name; the rest are counted
LIBRARY = re.compile(rb"^[ \t]*mtllib[ \t]+(.*)$", re.MULTILINE)
TEXTURE = re.compile(rb"^[ \t]*(?:map_\w+|bump|disp|decal|refl|norm)[ \t]+(.*)$", re.MULTILINE | re.IGNORECASE)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # file:, https:, and the C: of a drive


def material_file(root: Path, path: PurePosixPath) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The material file of the object at `path` below `root`, as `files` and `facts["notes"]` of its `Found` want it.

    returns  (path below the root,) and nothing to note; or () and a line that says why it is left alone; or twice () where there is none
    """
    below = path.with_suffix(".mtl")
    if path.suffix.lower() != ".obj" or not os.path.lexists(root / below):
        return (), ()
    why = _left_alone(root / below)
    return ((), (f"{below.name} {why}: not opened",)) if why else ((str(below),), ())


def _left_alone(material: Path) -> str:
    if Path(os.path.realpath(material)).parent != Path(os.path.realpath(material.parent)):
        return "leads outside the object's folder"
    try:
        about = material.stat()
    except OSError:
        return "leads nowhere"
    if not stat.S_ISREG(about.st_mode):
        return "is no regular file"
    if about.st_size > MATERIAL_BYTES:
        return f"has more than {MATERIAL_BYTES:,} bytes"
    return "" if os.access(material, os.R_OK) else "cannot be read"


def with_materials(mesh: Mesh, materials: Sequence[BinaryIO], found: Found) -> Mesh:
    """The same mesh, with what its material files and its `find` have to note."""
    notes = [line for stream in materials for line in texture_notes(stream)]
    return replace(mesh, notes=(*mesh.notes, *map(str, found.facts.get(NOTES, [])), *notes))


def library_notes(text: bytes) -> tuple[str, ...]:
    """What to note of the material files that an OBJ names; a path with blanks in it is judged, and named, word by word."""
    return outside_notes(reference for line in LIBRARY.findall(text) for reference in line.split())


def texture_notes(stream: BinaryIO) -> tuple[str, ...]:
    """What to note of the textures that a material file names, likewise."""
    text = stream.read(MATERIAL_BYTES).replace(b"\r", b"\n")
    return outside_notes(reference for line in TEXTURE.findall(text) for reference in line.split())


def outside_notes(references: Iterable[bytes | str]) -> tuple[str, ...]:
    """One line for each reference that leads out of the object's folder, the first few by name."""
    texts = (reference if isinstance(reference, str) else reference.decode("utf-8", "backslashreplace") for reference in references)
    outside = list(dict.fromkeys(text.strip().strip('"') for text in texts if leads_outside(text)))
    more = (f"and {len(outside) - NAMED:,} more references outside it",) if len(outside) > NAMED else ()
    return tuple(f"'{printable(text[:100])}' leads outside the object's folder: not opened" for text in outside[:NAMED]) + more


def leads_outside(reference: str) -> bool:
    """Whether a path written in a file is absolute, an address, or climbs above where it starts."""
    text = reference.strip().strip('"').replace("\\", "/")
    if text.startswith(("/", "~")) or SCHEME.match(text):
        return True
    depth = 0
    for part in text.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False
