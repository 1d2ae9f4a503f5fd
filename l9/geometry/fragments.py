"""Fragments of a scan: a few consecutive depth frames fused to a surface, and places that two fragments saw from elsewhere.

What two fragments saw of a place differs in noise, in what stood before it, and in what neither looked at: a pair of labels for free.
source  Zeng et al., 3DMatch, CVPR 2017, section 4
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from numpy import ndarray
from scipy.spatial import cKDTree

from l9.geometry.camera import Pinhole, inverse_pose, lifted, moved
from l9.geometry.fused_surface import fused_surface
from l9.geometry.fusion import Fusion
from l9.geometry.overlap import visible_in
from l9.geometry.scan import Frame

ROLES = 3  # anchor, the same place in a later fragment, another place


@dataclass(frozen=True)
class Fragment:
    """What consecutive frames saw. Its axes are those of its first camera: two fragments are turned against each other as their cameras.

    number    of its first frame in the recording
    pose      camera-to-world of its first frame
    vertices  of the fused surface, metres, its own axes
    faces     counter-clockwise, seen from where the cameras were
    depth     of its middle frame, metres, with
    camera    that frame's camera, and
    eye       its camera-to-world pose: places are found in this picture
    """

    number: int
    pose: Float[ndarray, "4 4"]
    vertices: Float32[ndarray, "v 3"]
    faces: Int32[ndarray, "f 3"]
    depth: Float32[ndarray, "h w"]
    camera: Pinhole
    eye: Float[ndarray, "4 4"]

    def own(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """Points of the world in the fragment's axes."""
        return moved(points, inverse_pose(self.pose))

    def holds(self, points: Float[ndarray, "n 3"], within: float) -> Bool[ndarray, "n"]:
        """Whether its surface has a vertex so near (metres) to each point of the world: pixels that flew were not fused."""
        return np.isfinite(self._tree.query(self.own(points), distance_upper_bound=within)[0])

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.vertices, compact_nodes=False, balanced_tree=False)  # built once, asked little


@dataclass(frozen=True)
class Places:
    """Random places of fragments' surfaces. fragment: by place in their list; points: metres, the world's axes."""

    fragment: Int[ndarray, "n"]
    points: Float[ndarray, "n 3"]


@dataclass(frozen=True)
class FragmentMatches:
    """Places with a role each, sorted by the fragments of anchor and same place. Both are measured: each lies on its own surface.

    fragments  by place in their list
    points     metres, the world's axes
    """

    fragments: Int[ndarray, "m 3"]
    points: Float[ndarray, "m 3 3"]


def fused_fragment(frames: Sequence[Frame], voxel: float, band: int) -> Fragment | None:
    """The fragment of these frames, which have depth; None where no surface comes of them.

    voxel  metres of the fusion; band  voxels on each side of the surface
    """
    first, middle = frames[0], frames[len(frames) // 2]
    to_own, fusion = inverse_pose(first.pose), Fusion(voxel, band * voxel)
    for frame in frames:
        assert frame.depth is not None
        fusion.add(frame.depth, frame.depth_camera, to_own @ frame.pose)
    if fusion.extent() is None:
        return None
    vertices, faces = fused_surface(fusion)
    assert middle.depth is not None
    return Fragment(first.number, first.pose, vertices, faces, middle.depth, middle.depth_camera, middle.pose) if len(faces) else None


def random_places(fragments: Sequence[Fragment], count: int, within: float, random: np.random.Generator) -> Places:
    """Of each fragment up to `count` random pixels of its middle frame, without those off its surface by more than `within` metres."""
    numbers, points = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
    for number, fragment in enumerate(fragments):
        row, column = np.nonzero(np.isfinite(fragment.depth) & (fragment.depth > 0))
        drawn = random.choice(len(row), min(count, len(row)), replace=False)
        pixels = np.stack([column[drawn], row[drawn]], axis=1)
        found = _points(fragment, pixels)
        found = found[fragment.holds(found, within)]
        points.append(found)
        numbers.append(np.full(len(found), number))
    return Places(np.concatenate(numbers), np.concatenate(points))


def seen_twice(fragments: Sequence[Fragment], places: Places, within: float) -> FragmentMatches:
    """Each place with each later fragment whose middle frame saw it, without another place: that is fragment -1, at 0.

    within  metres between the depth that a place would have in that frame and the one that stands there; 3DMatch has 3 cm. The same place
            is then where that frame's own pixel says, if that lies on its surface
    """
    pairs, points = [np.zeros((0, ROLES), np.int64)], [np.zeros((0, ROLES, 3))]
    for first in range(len(fragments)):
        anchors = places.points[places.fragment == first]
        for second in range(first + 1, len(fragments)):
            later = fragments[second]
            visible, seen = visible_in(anchors, later.depth, later.camera, later.eye, within)
            pixels = np.floor(seen[visible] + 0.5).astype(np.int64)
            same = _points(later, pixels)
            held = later.holds(same, within)
            both = np.stack([anchors[visible][held], same[held], np.zeros((int(held.sum()), 3))], axis=1)
            points.append(both)
            pairs.append(np.tile(np.array([first, second, -1]), (len(both), 1)))
    return FragmentMatches(np.concatenate(pairs), np.concatenate(points))


def with_other_places(twice: FragmentMatches, places: Places, most: int, apart: float, random: np.random.Generator) -> FragmentMatches:
    """At most `most` random ones of these matches, each with a random place of another fragment than the anchor's.

    apart  metres from the anchor beyond which it is another place; a match that has none is left out
    """
    kept = np.sort(random.choice(len(twice.points), min(most, len(twice.points)), replace=False))
    fragments, points, complete = twice.fragments[kept], twice.points[kept], np.zeros(len(kept), np.bool_)
    for match, (anchor, fragment) in enumerate(zip(points[:, 0], fragments[:, 0], strict=True)):
        allowed = np.flatnonzero((places.fragment != fragment) & (np.linalg.norm(places.points - anchor, axis=1) > apart))
        if len(allowed):
            other = random.choice(allowed)
            fragments[match, 2], points[match, 2], complete[match] = places.fragment[other], places.points[other], True
    return FragmentMatches(fragments[complete], points[complete])


def _points(fragment: Fragment, pixels: Int[ndarray, "n 2"]) -> Float[ndarray, "n 3"]:
    """Points in the world of pixels (column, row) of a fragment's middle frame."""
    depths = fragment.depth[pixels[:, 1], pixels[:, 0]]
    return moved(lifted(pixels, depths, fragment.camera), fragment.eye)
