"""Which frames of a scan see the same surface: pairs by an index of occupied cells, how much they share, and whether their poses agree.

What is kept of a frame is small: its cameras, its cells, some sample points. No picture stays in memory.
sources  Chang et al., Matterport3D, 3DV 2017, the task of view overlap;
         Zeng et al., 3DMatch, CVPR 2017, section 4.1 (samples of one frame that another one sees, by depth)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole, check_size
from l9.geometry.overlap import occupied_cells
from l9.geometry.scan import Frame

SAMPLES = 1024  # points of a frame by which its pose is checked
TOLERANCE = 0.03  # metres by which two frames may differ on the depth of a point: 3DMatch's
SLACK = 0.03  # share of a depth that its noise and the slope of a surface may add, in the check of poses
ASKED = 8  # frames that each frame's pose is checked against: those it shares most with,
BESIDE = 2  # and so many before and after it: one that is far off may share nothing with those that saw the same
FEWEST = 50  # points in another frame's view from which on the two can disagree
THROUGH = 0.2  # share of them that lie where the other frame saw nothing but air, from which on they do
LEFT_OUT = 0.1  # share of a scan's frames whose poses may be wrong


@dataclass(frozen=True)
class View:
    """What is kept of a frame.

    number          of the frame
    colour_camera   and
    depth_camera    as in `Frame`, and so the two poses
    cells           sorted numbers of `occupied_cells`
    points          float64 (s, 3): samples, in the world, metres
    """

    number: int
    colour_camera: Pinhole
    depth_camera: Pinhole
    pose: ndarray
    colour_pose: ndarray
    cells: ndarray
    points: ndarray

    def pixels(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 2"]:
        """Columns and rows of its colour picture on which points of the world fall; NaN behind it."""
        from l9.geometry._lift_kernels import project_points

        return project_points(np.ascontiguousarray(points), np.ascontiguousarray(self.colour_pose), _lens(self.colour_camera))[:, :2]


@dataclass(frozen=True)
class ViewGraph:
    """p pairs of views that share some of what they see; ordered by the second, then the first, which is the earlier one.

    views     in the order of the recording
    pairs     int64 (p, 2): places in `views`
    overlaps  float64 (p, 2): share of the first one's cells that the second occupies too, and of the second one's
    ious      float64 (p): shared cells over those that either occupies
    """

    views: list[View]
    pairs: ndarray
    overlaps: ndarray
    ious: ndarray

    def subset(self, chosen: Bool[ndarray, "p"]) -> "ViewGraph":
        """Of the pairs these."""
        return replace(self, pairs=self.pairs[chosen], overlaps=self.overlaps[chosen], ious=self.ious[chosen])

    def partners(self, second: int) -> Int[ndarray, "n"]:
        """Rows of the pairs whose second view this is."""
        first, last = np.searchsorted(self.pairs[:, 1], [second, second + 1])
        return np.arange(first, last)


def view_of(frame: Frame, measured: Float[ndarray, "n 3"] | None = None) -> View | None:
    """What is kept of a frame; None of one in which nothing was measured. Its samples are drawn by its number: all stages ask the same.

    measured  its `measured_points`, where they are there already
    raises    RefusedObject `not-finite` for a pose that is not, and as `occupied_cells` does
    """
    points = measured_points(frame) if measured is None else measured
    if not len(points):
        return None
    return View(
        frame.number,
        frame.colour_camera,
        frame.depth_camera,
        frame.pose,
        frame.colour_pose,
        occupied_cells(points),
        drawn_points(points, np.random.default_rng(frame.number), SAMPLES),
    )


def measured_points(frame: Frame) -> Float[ndarray, "n 3"]:
    """Every pixel that has depth as a point of the world, metres; none of a frame without depth.

    raises  RefusedObject `not-finite` for a pose that is not; ShapeError if depth and camera disagree on height and width
    """
    from l9.geometry._lift_kernels import lift_picture

    if frame.depth is None:
        return np.zeros((0, 3))
    camera = frame.depth_camera
    check_size(frame.depth, camera)
    if not (np.isfinite(frame.pose).all() and np.isfinite(frame.colour_pose).all()):
        raise RefusedObject("not-finite", f"the pose of frame {frame.number}; expected 16 numbers, camera-to-world")
    return lift_picture(np.ascontiguousarray(frame.depth), _lens(camera), np.ascontiguousarray(frame.pose))


def drawn_points(points: Float[ndarray, "n 3"], random: np.random.Generator, count: int) -> Float[ndarray, "s 3"]:
    """So many of the points, or all where there are fewer, in random order."""
    return points[random.choice(len(points), size=min(count, len(points)), replace=False)]


def view_graph(views: list[View], least: float) -> ViewGraph:
    """All pairs of views whose cells over those of either are at least `least`, and which share one.

    By one product of sparse matrices: the frames of a cell meet there, so that frames which share nothing never meet.
    """
    from scipy.sparse import csr_matrix

    nothing = ViewGraph(views, np.zeros((0, 2), np.int64), np.zeros((0, 2)), np.zeros(0))
    if not views:
        return nothing
    counts = np.array([len(view.cells) for view in views])
    named, cells = np.unique(np.concatenate([view.cells for view in views]), return_inverse=True)
    starts = np.concatenate([[0], np.cumsum(counts)])
    seen = csr_matrix((np.ones(len(cells), np.int32), cells, starts), shape=(len(views), len(named)))
    shared = (seen @ seen.T).tocoo()
    later = shared.row < shared.col
    first, second, common = shared.row[later].astype(np.int64), shared.col[later].astype(np.int64), shared.data[later]
    order = np.lexsort((first, second))
    first, second, common = first[order], second[order], common[order]
    overlaps = np.stack([common / counts[first], common / counts[second]], axis=1)
    ious = common / (counts[first] + counts[second] - common)
    graph = ViewGraph(views, np.stack([first, second], axis=1), overlaps, ious)
    return graph.subset(np.asarray(ious >= least))


def seen_samples(points: Float[ndarray, "s 3"], other: View, depth: Float32[ndarray, "h w"]) -> Bool[ndarray, "s"]:
    """Which points of the world a view sees, whose depth picture this is: as `visible_in` says, faster for few points."""
    from l9.geometry._lift_kernels import see_points

    check_size(depth, other.depth_camera)
    given = np.ascontiguousarray(points), np.ascontiguousarray(other.pose), _lens(other.depth_camera)
    return see_points(*given, np.ascontiguousarray(depth), TOLERANCE)


class PoseCheck:
    """Do the frames' poses agree? A point that one frame measured cannot lie in air that another one looked through.

    Frames are handed over once more; each is asked about samples of the frames it shares most with and of those
    recorded beside it, and these about its own.
    """

    def __init__(self, graph: ViewGraph) -> None:
        self.graph = graph
        self._asked = _asked(graph)
        self._disagree: dict[tuple[int, int], bool] = {}  # of two views that could be compared: whether either found points in its air

    def look(self, place: int, depth: Float32[ndarray, "h w"]) -> None:
        """Take the depth of the view at `place`."""
        views = self.graph.views
        for other in self._asked[place]:
            in_view, through = _in_front(views[other].points, views[place], depth)
            if in_view >= FEWEST:
                pair = (min(place, other), max(place, other))
                self._disagree[pair] = self._disagree.get(pair, False) or through > THROUGH * in_view

    def wrong(self) -> list[int]:
        """Places of views that disagree with most of those they were compared with.

        raises  RefusedObject `poses-disagree` where they are more than a tenth of all
        """
        against, judged = np.zeros((2, len(self.graph.views)), np.int64)
        for pair, disagree in self._disagree.items():
            for place in pair:
                judged[place] += 1
                against[place] += disagree
        wrong = np.flatnonzero(2 * against > judged).tolist()
        if len(wrong) > LEFT_OUT * len(self.graph.views):
            named = ", ".join(str(self.graph.views[place].number) for place in wrong[:5])
            raise RefusedObject(
                "poses-disagree",
                f"{len(wrong):,} of {len(self.graph.views):,} frames, such as {named}, measured points in air that others look through; "
                "expected camera-to-world poses in metres, and each frame's own camera",
            )
        return wrong


def without(graph: ViewGraph, wrong: list[int]) -> ViewGraph:
    """The same views; the pairs of these are left out."""
    return graph.subset(np.logical_not(np.isin(graph.pairs, wrong).any(axis=1))) if wrong else graph


def views_of(frames: Iterable[Frame]) -> list[View]:
    """Of every frame in which something was measured."""
    return [view for view in map(view_of, frames) if view is not None]


def _asked(graph: ViewGraph) -> list[list[int]]:
    """For each view the others to compare it with: those that either of the two shares most with, and those recorded beside it."""
    places = range(len(graph.views))
    chosen = {(first, second) for second in places for first in places[max(0, second - BESIDE) : second]}
    order = np.argsort(-graph.ious, kind="stable")
    count = np.zeros(len(graph.views), np.int64)
    for first, second in graph.pairs[order].tolist():
        if count[first] < ASKED or count[second] < ASKED:
            chosen.add((first, second))
            count[first] += 1
            count[second] += 1
    asked: list[list[int]] = [[] for _ in graph.views]
    for first, second in sorted(chosen):
        asked[second].append(first)
        asked[first].append(second)
    return asked


def _in_front(points: Float[ndarray, "s 3"], other: View, depth: Float32[ndarray, "h w"]) -> tuple[int, int]:
    """How many points fall on pixels that have depth, and how many of them lie well before what was measured there."""
    from l9.geometry._lift_kernels import project_points

    seen = project_points(np.ascontiguousarray(points), np.ascontiguousarray(other.pose), _lens(other.depth_camera))
    places = np.nan_to_num(np.floor(seen[:, :2] + 0.5), nan=-1.0, posinf=-1.0, neginf=-1.0)
    inside = (places >= 0).all(axis=1) & (places[:, 0] < other.depth_camera.width) & (places[:, 1] < other.depth_camera.height)
    columns, rows = places[inside].astype(np.int64).T
    measured, z = depth[rows, columns], seen[inside, 2]
    with np.errstate(invalid="ignore"):
        there = np.isfinite(measured) & (measured > 0)
        before = z < measured - TOLERANCE - SLACK * measured
    return int(there.sum()), int((there & before).sum())


def _lens(camera: Pinhole) -> Float[ndarray, "4"]:
    """Focal lengths and middle, as the kernels take them."""
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float64)
