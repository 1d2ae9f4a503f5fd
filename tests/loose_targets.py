"""What the sandbox runs in tests of loose frames."""

import importlib
from pathlib import Path

from l9.readers.contract import Found


def read_twice(files, module, found, parameters):
    """All frames of an object, read two times; what the second reading gave, and how many files were open before it and after."""
    found = Found.from_plain(found)
    scan = importlib.import_module(f"l9.readers.{module}").read(files, found, "+Z", **parameters)
    counted = sum(1 for _ in scan.frames(True, False))
    before = len(list(Path("/proc/self/fd").iterdir()))
    frames = [(float(one.pose[0, 3]), float(one.depth[5, 5])) for one in scan.frames(True, True)]
    after = len(list(Path("/proc/self/fd").iterdir()))
    return {
        "frames": [counted, len(frames)],
        "x": [place for place, _ in frames],
        "depth": [depth for _, depth in frames],
        "open before": before,
        "open": after,
    }
