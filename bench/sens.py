"""Frames/s of a `.sens` read one frame at a time, beside Pillow and zlib alone over the same bytes held in memory, and what memory does.

run     python bench/sens.py                        (make bench ONLY=sens)
file    ScanNet's sizes: 1296x968 JPEG of quality 90, 640x480 depth in zlib; soft shapes, grain in the colours, a Kinect's noise in depth
peer    Image.open, np.asarray and zlib.decompress, np.frombuffer: no file, no pose, no check, no metres
memory  peak MiB of a fresh process over all frames, and over four times as many
wanted  .9 of the bare decoding; a peak that does not grow
"""

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from rounds import medians, options, ratio, report, round_robin, say

from l9.readers.sens import read_sens

COLOUR, DEPTH = (1296, 968), (640, 480)
FRAMES, TIMES = 60, 4
READ = """
import resource, sys
from l9.readers.sens import read_sens
with open(sys.argv[1], "rb") as stream:
    print(sum(1 for _ in read_sens(stream, []).frames()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def soft(size: tuple[int, int], waves: np.ndarray, shift: float) -> np.ndarray:
    """A sum of a few waves over a picture, 0..1."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    total = sum(np.sin(2 * np.pi * (a * x + b * y) + phase + shift) for a, b, phase in waves)
    return (total / len(waves) + 1) / 2


def pictures(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Encoded colour and depth of so many frames."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(1, 12, (3, 6, 3))
    for number in range(count):
        shades = np.stack([soft(COLOUR, one, number / 30) for one in waves], axis=-1)
        grain = rng.normal(0, 4, (COLOUR[1], COLOUR[0], 1))
        out = io.BytesIO()
        Image.fromarray(np.clip(255 * shades + grain, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
        metres = 1 + 3 * soft(DEPTH, waves[0], number / 30)
        noisy = metres + rng.normal(0, 1, metres.shape) * 0.001425 * metres**2
        yield out.getvalue(), zlib.compress((1000 * noisy).astype("<u2").tobytes())


def write_sens(path: Path, encoded: list[tuple[bytes, bytes]], times: int) -> None:
    """The frames of `encoded`, repeated `times` times."""
    cameras = b"".join(np.array(matrix, "<f4").tobytes() for size in (COLOUR, DEPTH) for matrix in (intrinsics(size), np.eye(4)))
    with path.open("wb") as stream:
        stream.write(struct.pack("<IQ", 4, 5) + b"bench" + cameras)
        stream.write(struct.pack("<2i4IfQ", 2, 1, *COLOUR, *DEPTH, 1000.0, times * len(encoded)))
        for colour, depth in encoded * times:
            stream.write(np.eye(4, dtype="<f4").tobytes() + struct.pack("<4Q", 0, 0, len(colour), len(depth)) + colour + depth)


def intrinsics(size: tuple[int, int]) -> np.ndarray:
    """A camera whose focal length is nine tenths of its picture's width."""
    matrix = np.eye(4)
    matrix[0, 0] = matrix[1, 1] = 0.9 * size[0]
    matrix[0, 2], matrix[1, 2] = size[0] / 2, size[1] / 2
    return matrix


def bare(encoded: list[tuple[bytes, bytes]]) -> float:
    """Frames/s of the two decoders alone."""
    start = time.perf_counter()
    for colour, depth in encoded:
        assert np.asarray(Image.open(io.BytesIO(colour))).shape[2] == 3
        assert np.frombuffer(zlib.decompress(depth), "<u2").size == DEPTH[0] * DEPTH[1]
    return len(encoded) / (time.perf_counter() - start)


def streamed(path: Path) -> float:
    """Frames/s of l9's reader."""
    start = time.perf_counter()
    with path.open("rb") as stream:
        count = sum(1 for _ in read_sens(stream, []).frames())
    return count / (time.perf_counter() - start)


def peak(path: Path) -> int:
    """Peak MiB of a process that reads every frame."""
    done = subprocess.run([sys.executable, "-c", READ, str(path)], check=True, capture_output=True, text=True)
    count, mib = map(int, done.stdout.split())
    assert count in (FRAMES, FRAMES * TIMES), json.dumps(done.stdout)
    return mib


def main() -> None:
    """Measure and report."""
    given = options(__doc__.splitlines()[0])
    folder: Path = given.work / "sens"
    folder.mkdir(parents=True, exist_ok=True)
    encoded = list(pictures(FRAMES, given.seed))
    paths = [folder / "once.sens", folder / "often.sens"]
    for path, times in zip(paths, (1, TIMES), strict=True):
        write_sens(path, encoded, times)
    figures = round_robin({"l9": lambda _: streamed(paths[0]), "bare": lambda _: bare(encoded)}, given.rounds)
    mib = [peak(path) for path in paths]
    say(f"{ratio(figures, 'l9', 'bare'):.3f} of the bare decoding; peak {mib[0]} MiB over {FRAMES} frames, {mib[1]} over {FRAMES * TIMES}")
    found = {"frames_per_second": medians(figures), "l9_over_bare": ratio(figures, "l9", "bare"), "peak_mib": mib}
    report({"bench": "sens", "wanted": 0.9, **found})


if __name__ == "__main__":
    main()
