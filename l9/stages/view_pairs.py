"""Yield: the pairs of a scan's frames that see the same surface, with how much they share, how they stand, and where pixels go."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from l9.geometry.camera import inverse_pose, moved
from l9.geometry.scan import Frame, Scan
from l9.stages.contract import yields
from l9.stages.limits import check_number
from l9.stages.seen_pairs import MOST_FRAMES, WIDTH, agreed_graph, check_pairs, looked_at
from l9.store.columns import Column, Row

if TYPE_CHECKING:
    from l9.geometry.view_graph import ViewGraph

WIDEST_FLOW = 640  # pixels
FARTHEST = 65_504.0  # pixels: the largest number of float16


def _columns(
    overlap: int | float = 0.0, every: int = 1, frames: int = MOST_FRAMES, width: int = WIDTH, flow: int = 0
) -> tuple[Column, ...]:
    check_pairs("view_pairs", overlap, every, frames, width)
    check_number("view_pairs", "flow", flow, least=0, most=WIDEST_FLOW)
    found = (
        Column("frames", "int32", (2,), unit="number of a frame", axes="view"),
        Column("overlaps", "float32", (2,), unit="share", axes="view"),
        Column("iou", "float32", unit="share"),
        Column("relative_pose", "float32", (4, 4), unit="metre", axes="second first"),
    )
    if not flow:
        return found
    shape = (_flow_height(flow), flow)
    return (
        *found,
        Column("flow", "float16", (*shape, 2), unit="pixel", axes="row column uv"),
        Column("flow_seen", "uint8", shape, unit="1 seen", axes="row column"),
    )


@yields(columns=_columns, version=1)
def view_pairs(
    scan: Scan, overlap: int | float = 0.0, every: int = 1, frames: int = MOST_FRAMES, width: int = WIDTH, flow: int = 0
) -> Iterator[Row]:
    """A row for each pair of frames that share surface, ordered by the second's number, then the first's, which is the earlier one.

    `frames` their numbers; `overlaps` the share of each one's occupied cells of 5 cm that the other occupies too; `iou` the cells that
    both occupy over those that either does; `relative_pose` takes points from the axes of the first colour camera to the second's.
    `flow` says for pixels of the first picture, evenly spread over it, how far they move (right, down) to where the second shows the
    same point, in pixels of that picture, to a quarter of a pixel from 256 on and half a pixel from 512 on (float16); NaN where the
    first measured no depth for 4 pixels around, or the point lies behind the second's camera; `flow_seen` says where the second sees it.

    overlap  least `iou` of a pair; 0 takes all that share a cell
    every    of how many frames one is taken; more than `frames` of them are thinned evenly
    width    pixels to which wider pictures are made smaller; 0: none is
    flow     columns of the flow's lattice, 3/4 as many rows; 0: without flow
    raises   RefusedObject `no-frames`, `no-depth`, `no-overlap`, `poses-disagree`, or as the frames' reader says
    """
    from l9.geometry.view_graph import views_of

    _columns(overlap, every, frames, width, flow)
    looked = looked_at(scan, every, frames, width)
    graph = agreed_graph(looked, views_of(looked.frames(False)), overlap)
    fields = _flows(graph, looked.frames(False), flow) if flow else None
    for number, (first, second) in enumerate(graph.pairs.tolist()):
        one, other = graph.views[first], graph.views[second]
        row: Row = {
            "frames": np.array([one.number, other.number], np.int32),
            "overlaps": graph.overlaps[number].astype(np.float32),
            "iou": np.array(graph.ious[number], np.float32),
            "relative_pose": (inverse_pose(other.colour_pose) @ one.colour_pose).astype(np.float32),
        }
        yield row if fields is None else {**row, **next(fields)}


def _flow_height(flow: int) -> int:
    return max(1, flow * 3 // 4)


def _flows(graph: "ViewGraph", frames: Iterator[Frame], flow: int) -> Iterator[Row]:
    """Flow of each pair, in the pairs' order; the lattice of every view before is kept, 12 bytes a node, but no picture."""
    from l9.geometry.view_graph import seen_samples

    places = {view.number: place for place, view in enumerate(graph.views)}
    lattices: dict[int, Float32[ndarray, "nodes 3"]] = {}
    for frame in frames:
        if frame.depth is None or frame.number not in places:
            continue
        second = places[frame.number]
        lattices[second] = _lattice(frame, flow)
        for number in graph.partners(second):
            first = int(graph.pairs[number, 0])
            points = lattices[first].astype(np.float64)
            seen = seen_samples(points, graph.views[second], frame.depth)
            camera = graph.views[first].colour_camera
            moves = graph.views[second].pixels(points) - _lattice_pixels(camera.width, camera.height, flow)
            with np.errstate(invalid="ignore"):
                moves[~(np.abs(moves) <= FARTHEST).all(axis=1)] = np.nan
            shape = (_flow_height(flow), flow)
            yield {"flow": moves.astype(np.float16).reshape(*shape, 2), "flow_seen": seen.astype(np.uint8).reshape(shape)}


def _lattice_pixels(width: int, height: int, flow: int) -> Float[ndarray, "nodes 2"]:
    """Columns and rows of a picture that the lattice's nodes stand for: the middles of equal parts."""
    columns = (np.arange(flow) + 0.5) * width / flow - 0.5
    rows = (np.arange(_flow_height(flow)) + 0.5) * height / _flow_height(flow) - 0.5
    across, down = np.meshgrid(columns, rows)
    return np.stack([across.ravel(), down.ravel()], axis=1)


def _lattice(frame: Frame, flow: int) -> Float32[ndarray, "nodes 3"]:
    """Points of the world at the lattice's nodes; NaN where depth is not known."""
    from l9.geometry.camera import lifted
    from l9.geometry.key_points import depth_at

    pixels = _lattice_pixels(frame.colour_camera.width, frame.colour_camera.height, flow)
    depths, _, there = depth_at(pixels, frame)
    points = moved(lifted(pixels, depths, frame.colour_camera), frame.colour_pose)
    return np.where(there[:, None], points, np.nan).astype(np.float32)
