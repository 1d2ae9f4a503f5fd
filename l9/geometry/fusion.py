"""Depth frames with poses, fused into a truncated signed distance field (TSDF): negative behind the surface, in sparse blocks.

A pixel says how far its surface lies behind a voxel, along the camera's axis. A voxel keeps the weighted mean of all that lie within
the *band*, `truncation` on both sides; one that lies farther in front was seen free, which is kept too; of one farther behind, the frame
says nothing. So a voxel is *known* once it was seen in the band or free. Nothing of this depends on the order of frames but rounding.
sources  Curless & Levoy, A volumetric method for building complex models from range images, 1996, eqs. 1 to 4;
         Newcombe et al., KinectFusion, 2011, section 3.3 (the projective distance along z, rather than along the ray, as Open3D has it)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry._block_kernels import SIDE, Parts
from l9.geometry.blocks import Blocks
from l9.geometry.camera import Pinhole, check_size
from l9.geometry.workers import Workers

BAND = 3  # voxels the band reaches on each side: 3D-EPN's and KinectFusion's usual; less breaks on noise, more closes thin things
PARTS = 2  # of a frame's blocks for each thread: they differ in work, and each costs a call
Weighting = Literal["one", "inverse square"]


@dataclass(frozen=True)
class FusedGrid:
    """A dense region of what was fused, indexed [x, y, z].

    corner   number of its first voxel; voxel i has its centre at (i + .5) * voxel_size on each axis
    values   metres, within the truncation on both sides: +truncation where a voxel was only ever seen free, -truncation where unknown
    weights  sum of weights of the frames that had a voxel in their band (all that saw it, where carved); 0 where none did
    known    whether a voxel was seen: in a band, or free
    """

    corner: tuple[int, int, int]
    values: Float32[ndarray, "x y z"]
    weights: Float32[ndarray, "x y z"]
    known: Bool[ndarray, "x y z"]


class Fusion:
    """A field that frames are added to.

    voxel_size  metres; voxel (i, j, k) has its centre at ((i + .5) * voxel_size, ...), in the world of the poses
    truncation  metres, half the width of the band; 3 voxels where it is not given
    carve       a frame that sees a voxel free counts with +truncation in its mean, as in KinectFusion: things that moved on go away,
                but edges grow rounder; and voxels are counted free only from the frame on that first saw a surface in their block
    weighting   of a frame: 1, or 1/z^2 (metres), about the inverse variance of a structured-light sensor
    threads     that share out the blocks of a frame; the result is the same, bit by bit; on two cores a second one cost a
                fifth (bench/fusion.py)
    raises      UsageError
    """

    def __init__(
        self, voxel_size: float, truncation: float | None = None, *, carve: bool = False, weighting: Weighting = "one", threads: int = 1
    ) -> None:
        if not 0 < voxel_size < np.inf:
            raise UsageError(f"voxel_size is {voxel_size}; expected metres, above 0")
        truncation = BAND * voxel_size if truncation is None else truncation
        if not voxel_size <= truncation < np.inf:
            raise UsageError(f"truncation is {truncation} m; expected a voxel ({voxel_size} m) or more")
        if weighting not in ("one", "inverse square"):
            raise UsageError(f"weighting is '{weighting}'; expected one or inverse square")
        self.voxel_size, self.truncation, self.carve, self.weighting = voxel_size, truncation, carve, weighting
        self.threads, self.kept = threads, Blocks()
        self._workers = Workers(threads)  # kept from frame to frame: to start threads takes as long as a part of a frame

    def add(self, depth: Float32[ndarray, "h w"], camera: Pinhole, pose: Float[ndarray, "4 4"]) -> None:
        """Fuse one frame. The nearest pixel counts; one that is off from both neighbours of its row or column by a band does not.

        depth   z, metres; 0 or non-finite where nothing was measured
        pose    camera-to-world, OpenCV axes
        raises  ShapeError if depth and camera disagree; RefusedObject `not-finite` for such a pose, `too-far` for what lies beyond
                2^24 voxels from the origin
        """
        from l9.geometry.frame_view import frame_view

        check_size(depth, camera)
        if not np.isfinite(pose).all():
            raise RefusedObject("not-finite", "the frame's pose")
        view = frame_view(depth, camera, pose, self.truncation)
        found = view.blocks(self.voxel_size)
        if len(found) == 0:
            return
        numbers = self.kept.entered(np.ascontiguousarray(found[:, :3]))
        touched = self._observe(view.arrays(), found, numbers)
        if touched.any():
            self.kept.refine(numbers[touched])
            self._observe(view.arrays(), found[touched], numbers[touched])

    def blocks(self) -> Iterator[FusedGrid]:
        """The blocks of 16^3 voxels that a surface's band passes, in the order in which they were first seen."""
        kept = self.kept
        for place in kept.places[: kept.count][kept.fine[: kept.count] >= 0]:
            x, y, z = (int(number) * SIDE for number in place)
            yield self.grid_block((x, y, z), SIDE)

    def grid_block(self, corner: tuple[int, int, int], side: int) -> FusedGrid:
        """Any cube of the world: `side` voxels on each axis from voxel `corner` on, which may be negative; UsageError for no voxels."""
        from l9.geometry._fusion_kernels import fill_region

        if side < 1:
            raise UsageError(f"side is {side}; expected 1 voxel or more")
        shape = (side,) * 3
        values, weights, known = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.bool_)
        start = np.array(corner, dtype=np.int64)
        fill_region(self.kept.table(), self.kept.voxels(), start, self.truncation, values, weights, known)
        return FusedGrid(corner, values, weights, known)

    def extent(self) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
        """First voxel of, and first voxel beyond, the box of all blocks that a surface's band passes; None where there are none."""
        places = self.kept.places[: self.kept.count][self.kept.fine[: self.kept.count] >= 0] * SIDE
        if len(places) == 0:
            return None
        (a, b, c), (x, y, z) = places.min(axis=0).tolist(), (places.max(axis=0) + SIDE).tolist()
        return (a, b, c), (x, y, z)

    def _observe(self, view: Parts, found: Int32[ndarray, "n 4"], numbers: Int32[ndarray, "n"]) -> Bool[ndarray, "n"]:
        """Which of the blocks without numbers have voxels in the band; into all others the frame was added."""
        from l9.geometry._fusion_kernels import ANYWHERE, observe

        touched = np.zeros(len(found), np.bool_)
        limits = (self.truncation, ANYWHERE if self.carve else self.truncation, 0.0 if self.weighting == "one" else 1.0)
        voxels = self.kept.voxels()
        # each on its own: a part of a column that is one block long is another type to Numba, whose code may round otherwise
        places, said = np.ascontiguousarray(found[:, :3]), np.ascontiguousarray(found[:, 3])

        def work(part: slice) -> None:
            observe(places[part], said[part], numbers[part], voxels, self.voxel_size, view, limits, touched[part])

        ends = np.linspace(0, len(found), PARTS * self.threads + 1 if self.threads > 1 else 2).astype(int)
        self._workers.map(work, [slice(start, end) for start, end in pairwise(ends)])
        return touched
