"""A folder of pictures: `<class>/<name>.png` or `.jpg`, or files directly below the root.

An object's id is its path below the root, ending included; its label is the first folder, "" directly below the root. What camera software
says of turning a picture (EXIF) is left alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.image import Image
from l9.geometry.mesh import Axis
from l9.readers.contract import REFUSE, Found
from l9.readers.files import files_below, printable
from l9.readers.pictures import KINDS, PICTURE_BYTES, whole_picture

VERSION = 1


def find(root: Path) -> Iterator[Found]:
    """Every PNG and JPEG below `root` in the order of ids, links followed, hidden files left out; UsageError where it is no folder."""
    for path in files_below(root, tuple(KINDS)):
        name = printable(str(path))
        label = printable(path.parts[0]) if len(path.parts) > 1 else ""
        strange = name != str(path)
        facts = {REFUSE: ["file-name", "it holds a character that is no printable UTF-8; rename it"]} if strange else {}
        yield Found(name, (name,), "", label, "", facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Image:
    """The picture of one file, by its ending; RefusedObject as `l9.readers.pictures.whole_picture` says."""
    del up
    return read_picture(files[0], found.files[0])


def read_picture(stream: BinaryIO, name: str, size: tuple[int, int] | None = None) -> Image:
    """The picture in a file called `name`; RefusedObject `too-large` for more than 256 MiB, else as `whole_picture`."""
    data = stream.read(PICTURE_BYTES + 1)
    if len(data) > PICTURE_BYTES:
        raise RefusedObject("too-large", f"more than {PICTURE_BYTES:,} bytes of one picture")
    if not data:
        raise RefusedObject("empty-file", "0 bytes")
    return whole_picture(data, KINDS[PurePosixPath(name).suffix.lower()], size)
