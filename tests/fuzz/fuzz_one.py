"""One target under the fuzzer, in a process of its own: `python fuzz_one.py TARGET SLOWEST [libFuzzer's options] CORPUS`.

SLOWEST  a file in which the seconds of the slowest execution are kept
`tests` and `tests/fuzz` are importable, as fuzz_run.py has it.
"""

import contextlib
import sys
import time
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["l9.readers"]):
    from fuzz_targets import TARGETS

    import l9.readers.cifar10
    import l9.readers.cnncomplete
    import l9.readers.cnncomplete_h5
    import l9.readers.coloured
    import l9.readers.disparity
    import l9.readers.folder
    import l9.readers.images
    import l9.readers.match_lists
    import l9.readers.matterport3d
    import l9.readers.middlebury
    import l9.readers.mnist
    import l9.readers.modelnet_h5
    import l9.readers.modelnet_resampled
    import l9.readers.s3dis
    import l9.readers.scannet_labels
    import l9.readers.sens
    import l9.readers.seven_scenes
    import l9.readers.shapenetpart
    import l9.readers.sun3d
    import l9.readers.sweethome
    import l9.readers.threedmatch
    import l9.readers.torch_weights
    import l9.readers.tum_rgbd  # noqa: F401

from l9.errors import RefusedObject, UsageError


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    target, slowest_file = TARGETS[sys.argv[1]], Path(sys.argv[2])
    slowest = 0.01  # seconds; what is quicker is not worth writing down
    warnings.simplefilter("error")

    def test_one_input(data: bytes) -> None:
        nonlocal slowest
        start = time.perf_counter()
        with contextlib.suppress(RefusedObject, UsageError):
            target.run(data)
        if (spent := time.perf_counter() - start) > slowest:
            slowest = spent
            slowest_file.write_text(f"{spent:.3f}")

    atheris.Setup([sys.argv[0], *sys.argv[3:]], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
