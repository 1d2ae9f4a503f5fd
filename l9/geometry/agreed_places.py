"""Where key points of a scan are, by all frames that saw them: one frame's depth is too noisy to say that two of them lie within 2 cm.

The ray of a key point is exact, its depth is not: each frame that looked at the same says by its own depth where the ray meets the
surface, and the mean of what they say is nearer to the truth than any of them. Beside an edge a plane through a window mixes two
surfaces; a smaller window does so less, and how far the two windows disagree tells how much the place is to be trusted.
source  weights by depth: Khoshelham & Elberink, Sensors 12 (2012) 1437 (noise of a structured-light camera grows with depth squared)
"""

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from l9.geometry.camera import inverse_pose, lifted, moved
from l9.geometry.key_points import KeyPoints, eroded, nearest_pixels, planes_through, windows_of
from l9.geometry.mining import SceneKeyPoints
from l9.geometry.view_graph import View, ViewGraph

FINE, COARSE = 1.0, 2.0  # pixels: deviations of the weights of the two planes
ASKED = 24  # frames that each frame's key points are looked for in: those it shares most with
AGREES = 0.04  # metres by which two frames may differ on the depth of a key point: farther off they saw another surface
DOUBTED = 0.5  # share of the difference of the two planes by which a place is in doubt
BEFORE, NOISE = 0.02, 0.004  # metres, and metres at a depth of 1 m (growing with its square), by which what hides a point stands before it


class AgreedPlaces:
    """Depths of all frames, handed over one after the other, to the places of all key points."""

    def __init__(self, scene: SceneKeyPoints, graph: ViewGraph) -> None:
        self._scene, self._views, self._asked = scene, graph.views, _asked(graph)
        self._eyes = np.array([view.colour_pose[:3, 3] for view in graph.views])[scene.views]
        self._rays = _rays(scene, graph.views)
        self._sums = np.zeros((2, 2, len(scene.views)))  # of the fine and the coarse plane: weights, and weights x depths

    def look(self, place: int, depth: Float32[ndarray, "h w"]) -> None:
        """Take the depth of the view at `place`."""
        view = self._views[place]
        chosen = np.flatnonzero(np.isin(self._scene.views, self._asked[place]))
        back = inverse_pose(view.pose)
        pixels, inside = nearest_pixels(moved(self._scene.points.points[chosen], back), view.depth_camera)
        inside &= eroded(np.isfinite(depth) & (depth > 0))[pixels[:, 1], pixels[:, 0]]
        chosen, pixels = chosen[inside], pixels[inside]
        windows = windows_of(depth, pixels)
        eyes, rays = moved(self._eyes[chosen], back), self._rays[chosen] @ back[:3, :3].T
        expected = self._scene.points.depths[chosen]
        for sums, smoothed in zip(self._sums, (FINE, COARSE), strict=True):
            planes, lowest, highest = planes_through(windows, view.depth_camera, pixels, smoothed)
            with np.errstate(divide="ignore", invalid="ignore"):
                met = (1 - (planes * eyes).sum(axis=1)) / (planes * rays).sum(axis=1)
                along = eyes[:, 2] + met * rays[:, 2]
                kept = (np.abs(met - expected) <= AGREES) & (along >= lowest) & (along <= highest)
                cosines = (planes * rays).sum(axis=1) / np.linalg.norm(planes, axis=1) / np.linalg.norm(rays, axis=1)
                weights = np.where(kept, cosines**2 / along**4, 0.0)
            sums[:, chosen] += weights, weights * np.where(kept, met, 0.0)

    def scene(self) -> SceneKeyPoints:
        """The same key points at the depths that the frames agree on; those that none could measure finely are in doubt without end."""
        with np.errstate(invalid="ignore"):
            fine, coarse = self._sums[:, 1] / self._sums[:, 0]
        known = np.isfinite(fine) & np.isfinite(coarse)
        points = self._scene.points
        depths = np.where(known, fine, points.depths)
        doubts = np.where(known, DOUBTED * np.abs(fine - coarse) * np.linalg.norm(self._rays, axis=1), np.inf)
        places = self._eyes + depths[:, None] * self._rays
        moved_points = KeyPoints(**(vars(points) | {"depths": depths.astype(np.float32), "points": places}))
        return SceneKeyPoints(moved_points, self._scene.views, doubts)


class SeenAnchors:
    """Whether the second frame of each match sees its anchor: nothing around that pixel is nearer, and all around it was measured.

    Depths of all frames are handed over one after the other.
    """

    def __init__(self, scene: SceneKeyPoints, views: list[View], matches: Int[ndarray, "m 2"]) -> None:
        self._views, self._second = views, scene.views[matches[:, 1]]
        self._anchors = scene.points.points[matches[:, 0]]
        self.seen = np.zeros(len(matches), bool)

    def look(self, place: int, depth: Float32[ndarray, "h w"]) -> None:
        """Take the depth of the view at `place`."""
        view, mine = self._views[place], np.flatnonzero(self._second == place)
        points = moved(self._anchors[mine], inverse_pose(view.pose))
        pixels, inside = nearest_pixels(points, view.depth_camera)
        nearest = windows_of(depth, pixels, around=1, nothing=0.0).min(axis=1)
        self.seen[mine] = inside & (points[:, 2] - nearest <= BEFORE + NOISE * points[:, 2] ** 2)


def _rays(scene: SceneKeyPoints, views: list[View]) -> Float[ndarray, "n 3"]:
    """The way of each key point for one metre along its camera's axis, in the world's axes."""
    rays = np.zeros((len(scene.views), 3))
    for place, view in enumerate(views):
        mine = scene.views == place
        pixels = scene.points.pixels[mine].astype(np.float64)
        rays[mine] = lifted(pixels, np.ones(len(pixels)), view.colour_camera) @ view.colour_pose[:3, :3].T
    return rays


def _asked(graph: ViewGraph) -> list[list[int]]:
    """For each view those whose key points are looked for in it: its own, and of each view that shares something the most alike."""
    asked = [[place] for place in range(len(graph.views))]
    both = np.concatenate([graph.pairs, graph.pairs[:, ::-1]])
    order = np.lexsort((both[:, 1], -np.concatenate([graph.ious, graph.ious]), both[:, 0]))
    both = both[order]
    rank = np.arange(len(both)) - np.searchsorted(both[:, 0], both[:, 0])
    for asking, place in both[rank < ASKED].tolist():
        asked[place].append(asking)
    return asked
