"""What each pixel of a scan's frames truly shows, as zip files of PNGs in ScanNet's way: labels, instances, and normals beside them.

`label/7.png`     16 bits: the `id` of the thing's name in the table of labels, 0 where nothing was hit
`instance/7.png`  8 bits: k for object k - 1 of the aggregation, 0 where nothing was hit
`normal/7.png`    3 x 8 bits: round(128 + 127 n) of x, y, z in the camera's axes (x right, y down, z forward), towards the camera;
                  0 0 0 where nothing was hit; exact along axes, elsewhere within 0.4 degrees
"""

import io
import zipfile
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float32, UInt, UInt8
from numpy import ndarray
from PIL import Image

from l9.sources.rooms.scanner import ScannedFrame

LEVEL = 6  # of zlib in PNGs: half as long again as 3, for a sixth less of normals and nearly half less of labels
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name: the same room gives the same bytes
KINDS = ("label", "instance", "normal")


class TruthFiles:
    """`<name>_2d-label.zip`, `-instance` and `-normal`, open for writing; a context manager.

    raw_ids  of each thing, the `id` of its name
    """

    def __init__(self, folder: Path, name: str, raw_ids: list[int]) -> None:
        self._raw_ids = np.array([0, *raw_ids], np.uint16)
        self._files = {kind: zipfile.ZipFile(folder / f"{name}_2d-{kind}.zip", "w") for kind in KINDS}

    def __enter__(self) -> "TruthFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def write(self, scanned: ScannedFrame) -> None:
        """The three pictures of one frame."""
        number = scanned.frame.number
        self._add("label", number, self._raw_ids[scanned.instances])
        self._add("instance", number, scanned.instances.astype(np.uint8))
        self._add("normal", number, coded_normals(scanned.normals))

    def _add(self, kind: str, number: int, picture: UInt[ndarray, "h w *c"]) -> None:
        png = io.BytesIO()
        Image.fromarray(picture).save(png, "PNG", compress_level=LEVEL)
        self._files[kind].writestr(zipfile.ZipInfo(f"{kind}/{number}.png", EPOCH), png.getvalue())


def coded_normals(normals: Float32[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    """Normals of unit length as bytes: (value - 128) / 127 gives them back; zeros, which have no direction, as 0 0 0."""
    coded = np.rint(128 + 127 * normals).astype(np.uint8)
    coded[~normals.any(axis=-1)] = 0
    return coded
