"""Pictures to files."""

from io import BytesIO
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from l9.store.publish import atomic_write


def write_png(path: Path, pixels: UInt8[ndarray, "h w 3"]) -> None:
    """Write RGB pixels as a PNG file that is there whole or not at all; the same pixels always give the same bytes."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    atomic_write(path, stream.getvalue())
