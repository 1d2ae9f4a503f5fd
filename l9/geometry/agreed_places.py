"""Where key points of a scan are, by the frames that saw them: one frame's depth is too noisy to say that two of them lie within 2 cm.

The ray of a key point is exact, its depth is not: each frame that looked at the same says by its own depth where the ray meets the
surface, and their mean is nearer to the truth than most of them. Beside an edge a plane through a window mixes two surfaces; a smaller
window does so less, and how far the two windows disagree shows where that happens.
source  weights by depth: Khoshelham & Elberink, Sensors 12 (2012) 1437 (noise of a structured-light camera grows with depth squared)
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from l9.geometry.camera import Pinhole, inverse_pose, lifted, moved
from l9.geometry.key_points import KeyPoints, eroded, nearest_pixels, planes_through, windows_of
from l9.geometry.mining import SceneKeyPoints
from l9.geometry.view_graph import View, ViewGraph

FINE, COARSE = 1.0, 2.0  # pixels: deviations of the weights of the two planes
PARTNERS = 24  # frames in which each frame's key points are looked for: those it shares most with
SAME_SURFACE = (0.004, 0.005, 0.04)  # metres, metres at a depth of 1 m (growing with its square), and metres at most: see `_slack`
DOUBTED = 0.5  # share of the difference of the two planes by which a place is in doubt
BEFORE = (0.02, 0.004, 0.2)  # likewise: by which what hides a point stands before it
TILTED = 0.1  # metres by which a surface may come nearer within a pixel of an anchor
CHUNK = 8192  # key points that are looked at together: 30 MiB


class AgreedPlaces:
    """Depths of all frames, handed over one after the other, to the places of all key points."""

    def __init__(self, scene: SceneKeyPoints, graph: ViewGraph) -> None:
        self._scene, self._views, self._asking = scene, graph.views, _asking(graph)
        self._eyes = np.array([view.colour_pose[:3, 3] for view in graph.views])[scene.views]
        self._rays = _rays(scene, graph.views)
        self._sums = np.zeros((2, 2, len(scene.views)))  # of the fine and the coarse plane: weights, and weights x depths

    def look(self, place: int, depth: Float32[ndarray, "h w"]) -> None:
        """Take the depth of the view at `place`, as its camera measured it."""
        safe = eroded(np.isfinite(depth) & (depth > 0))
        asking = np.flatnonzero(np.isin(self._scene.views, self._asking[place]))
        for start in range(0, len(asking), CHUNK):
            self._look(asking[start : start + CHUNK], self._views[place], depth, safe)

    def _look(self, chosen: Int[ndarray, "n"], view: View, depth: Float32[ndarray, "h w"], safe: Bool[ndarray, "h w"]) -> None:
        """What a view says of these key points."""
        back = inverse_pose(view.pose)
        pixels, inside = nearest_pixels(moved(self._scene.points.points[chosen], back), view.depth_camera)
        inside &= safe[pixels[:, 1], pixels[:, 0]]
        chosen, pixels = chosen[inside], pixels[inside]
        windows = windows_of(depth, pixels)
        eyes, rays = moved(self._eyes[chosen], back), self._rays[chosen] @ back[:3, :3].T
        expected, normals = self._scene.points.depths[chosen], self._scene.points.normals[chosen] @ back[:3, :3].T
        for sums, smoothed in zip(self._sums, (FINE, COARSE), strict=True):
            planes, lowest, highest = planes_through(windows, view.depth_camera, pixels, smoothed)
            facing = (planes * normals).sum(axis=1) <= 0  # a plane's own normal points away from its camera
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                met = (1 - (planes * eyes).sum(axis=1)) / (planes * rays).sum(axis=1)
                along = eyes[:, 2] + met * rays[:, 2]
                same = np.abs(met - expected) <= _slack(SAME_SURFACE, np.maximum(met, along))
                kept = facing & same & (along >= lowest) & (along <= highest)
                weights = np.where(kept, along**-4.0, 0.0)
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
    """Whether the second frame of each match sees its anchor: at one of the nine pixels around it the surface is measured there, at none
    is anything nearer, and all have depth. A surface that is turned away is as near as the anchor's own plane says.

    Depths of all frames are handed over one after the other.
    """

    def __init__(self, scene: SceneKeyPoints, views: list[View], matches: Int[ndarray, "m 2"]) -> None:
        self._views, self._second = views, scene.views[matches[:, 1]]
        self._anchors, self._normals = scene.points.points[matches[:, 0]], scene.points.normals[matches[:, 0]]
        self.seen = np.zeros(len(matches), bool)

    def look(self, place: int, depth: Float32[ndarray, "h w"]) -> None:
        """Take the depth of the view at `place`."""
        view, mine = self._views[place], np.flatnonzero(self._second == place)
        back = inverse_pose(view.pose)
        points, normals = moved(self._anchors[mine], back), self._normals[mine] @ back[:3, :3].T
        pixels, inside = nearest_pixels(points, view.depth_camera)
        measured = windows_of(depth, pixels, around=1, nothing=0.0)
        nearer = (_expected(points, normals, pixels, view.depth_camera) - measured).max(axis=1)
        self.seen[mine] = inside & (measured > 0).all(axis=1) & (np.abs(nearer) <= _slack(BEFORE, points[:, 2]))


def _expected(
    points: Float[ndarray, "m 3"], normals: Float[ndarray, "m 3"], pixels: Int[ndarray, "m 2"], camera: Pinhole
) -> Float[ndarray, "m 9"]:
    """Depths of the surface through each point at the nine pixels around: on its plane where that is nearer, else the point's."""
    across = np.arange(-1, 2)
    columns, rows = pixels[:, :1] + np.tile(across, 3), pixels[:, 1:] + np.repeat(across, 3)
    along = normals[:, :1] * ((columns - camera.cx) / camera.fx) + normals[:, 1:2] * ((rows - camera.cy) / camera.fy) + normals[:, 2:]
    own = points[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        plane = (normals * points).sum(axis=1, keepdims=True) / along
    return np.where((plane < own) & (plane > 0), np.maximum(plane, own - TILTED), own)


def _slack(limits: tuple[float, float, float], depths: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Metres: a part that is always there, one that grows with the square of depth as noise does, and no more than the last."""
    least, noise, most = limits
    return np.minimum(most, least + noise * depths**2)


def _rays(scene: SceneKeyPoints, views: list[View]) -> Float[ndarray, "n 3"]:
    """The way of each key point for one metre along its camera's axis, in the world's axes."""
    rays = np.zeros((len(scene.views), 3))
    for place, view in enumerate(views):
        mine = scene.views == place
        pixels = scene.points.pixels[mine].astype(np.float64)
        rays[mine] = lifted(pixels, np.ones(len(pixels)), view.colour_camera) @ view.colour_pose[:3, :3].T
    return rays


def _asking(graph: ViewGraph) -> list[list[int]]:
    """For each view those whose key points are looked for in it: its own, and of each view that shares something the most alike."""
    asking = [[place] for place in range(len(graph.views))]
    both = np.concatenate([graph.pairs, graph.pairs[:, ::-1]])
    order = np.lexsort((both[:, 1], -np.concatenate([graph.ious, graph.ious]), both[:, 0]))
    both = both[order]
    rank = np.arange(len(both)) - np.searchsorted(both[:, 0], both[:, 0])
    for one, partner in both[rank < PARTNERS].tolist():
        asking[partner].append(one)
    return asking
