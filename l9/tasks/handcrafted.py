"""Hand-crafted descriptors as baselines of key point matching: what the stage computed at the same key points, and no network.

SURF, which the lecture's table names, is not among them: it is not free, and OpenCV's packages leave it out.
sources  Lowe, IJCV 2004 (SIFT); Arandjelović & Zisserman, CVPR 2012 (RootSIFT); Rublee et al., ICCV 2011 (ORB);
         Rusu, Blodow, Beetz, ICRA 2009 (FPFH)
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

VARIANTS = ("_exact", "")  # frames of key points as they are, and jittered; of FPFH there is one


class Handcrafted(Task):
    """Compare stored descriptors.

    upright  in frames that are not turned as the detector says, but stand upright like a network's patches: better where cameras do
    kind  "sift" and "orb" as OpenCV computes them, "fpfh" as Open3D does in the stage volume_matches. "rootsift" and "rootfpfh" are the
          roots of each number's share of a descriptor. ORB's bits differ by their root's L2 distance, which orders them as Hamming's does
    """

    samples = "match_frames"

    def __init__(self, kind: Literal["sift", "rootsift", "orb", "fpfh", "rootfpfh"] = "rootsift", upright: bool = False) -> None:
        self.kind, self.frames = kind, slice(2, 4) if upright else slice(0, 2)
        self.columns = (kind.removeprefix("root"),)
        self._of_surface = self.columns == ("fpfh",)
        self._stage = "volume_matches" if self._of_surface else "key_point_matches"
        self._variants = VARIANTS[1:] if self._of_surface else VARIANTS

    def fit(self, samples: Samples) -> None:
        """Nothing is learnt. TrainingError where the set holds no matches."""
        self._checked(samples)

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.descriptors.descriptor_report`."""
        return descriptor_report(samples, MatchFacts.of(self._checked(samples)), self._all(samples), self._variants)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`matches`: nearest neighbours between frames, right and wrong; none of FPFH, whose fragments have no picture."""
        return [] if self._of_surface else match_pictures(samples, self._all)

    def _checked(self, samples: Samples) -> Samples:
        return checked_matches(samples, (*self.columns, *FACTS), self._stage)

    def _all(self, samples: Samples) -> Float32[ndarray, "M 3 V F"]:
        batches = Loader(samples, self.columns, seed=0, training=False).sequential()
        stored = (item_of(batch, self.columns[0]).numpy() for batch in batches)
        return np.concatenate(
            [described(cells[:, :, None] if self._of_surface else cells[:, :, self.frames], self.kind) for cells in stored]
        )


def described(stored: UInt8[ndarray, "M 3 V bytes"] | Float32[ndarray, "M 3 V bins"], kind: str) -> Float32[ndarray, "M 3 V F"]:
    """Stored bytes, or bins, as numbers whose L2 distance is the descriptor's own."""
    if kind == "orb":
        return np.unpackbits(stored, axis=-1).astype(np.float32)
    values = stored.astype(np.float32)
    if not kind.startswith("root"):
        return values
    return np.sqrt(values / np.maximum(values.sum(axis=-1, keepdims=True), 1))
