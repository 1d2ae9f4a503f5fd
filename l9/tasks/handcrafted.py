"""Hand-crafted descriptors as baselines of key point matching: what the stage computed at the same key points, and no network.

SURF, which the lecture's table names, is not among them: it is not free, and OpenCV's packages leave it out.
sources  Lowe, IJCV 2004 (SIFT); Arandjelović & Zisserman, CVPR 2012 (RootSIFT); Rublee et al., ICCV 2011 (ORB)
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.tasks.contract import Picture, Report, Task
from l9.tasks.descriptors import FACTS, MatchFacts, checked_matches, descriptor_report, item_of
from l9.tasks.match_pictures import match_pictures

VARIANTS = ("_exact", "")  # frames of key points as they are, and jittered


class Handcrafted(Task):
    """Compare stored descriptors.

    upright  in frames that are not turned as the detector says, but stand upright like a network's patches: better where cameras do
    kind  "sift" and "orb" as OpenCV computes them, or "rootsift": the root of each number's share of a SIFT descriptor. ORB's bits
          differ by their root's L2 distance, which orders them as Hamming's does
    """

    samples = "match_frames"

    def __init__(self, kind: Literal["sift", "rootsift", "orb"] = "rootsift", upright: bool = False) -> None:
        self.kind, self.frames = kind, slice(2, 4) if upright else slice(0, 2)
        self.columns = ("orb" if kind == "orb" else "sift",)

    def fit(self, samples: Samples) -> None:
        """Nothing is learnt. TrainingError where the set holds no matches."""
        checked_matches(samples, (*self.columns, *FACTS))

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.descriptors.descriptor_report`."""
        return descriptor_report(samples, MatchFacts.of(checked_matches(samples, (*self.columns, *FACTS))), self._all(samples), VARIANTS)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`matches`: nearest neighbours between frames, right and wrong."""
        return match_pictures(samples, self._all)

    def _all(self, samples: Samples) -> Float32[ndarray, "M 3 V F"]:
        batches = Loader(samples, self.columns, seed=0, training=False).sequential()
        return np.concatenate([described(item_of(batch, self.columns[0])[:, :, self.frames].numpy(), self.kind) for batch in batches])


def described(stored: UInt8[ndarray, "M 3 V bytes"], kind: str) -> Float32[ndarray, "M 3 V F"]:
    """Stored bytes as numbers whose L2 distance is the descriptor's own."""
    if kind == "orb":
        return np.unpackbits(stored, axis=-1).astype(np.float32)
    values = stored.astype(np.float32)
    if kind == "sift":
        return values
    return np.sqrt(values / np.maximum(values.sum(axis=-1, keepdims=True), 1))
