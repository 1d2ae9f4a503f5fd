"""Yield: for each pair of a scan's frames random pixels that show the same point in both, by depth and poses alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.geometry.scan import Scan
from l9.stages.contract import yields
from l9.stages.limits import check_number
from l9.stages.seen_pairs import MOST_FRAMES, WIDTH, Looked, agreed_graph, check_pairs, looked_at
from l9.store.columns import Column, Row

if TYPE_CHECKING:
    from l9.geometry.view_graph import View


def _columns(
    overlap: int | float = 0.0,
    every: int = 1,
    frames: int = MOST_FRAMES,
    width: int = WIDTH,
    count: int = 64,
    samples: int = 1024,
    seed: int = 0,
) -> tuple[Column, ...]:
    check_pairs("dense_matches", overlap, every, frames, width)
    check_number("dense_matches", "count", count, most=65_536)
    check_number("dense_matches", "samples", samples, most=65_536)
    return (
        Column("dense_frames", "int32", (2,), unit="number of a frame", axes="view"),
        Column("dense_pixels", "float32", (2, 2), kind="ragged", unit="pixel", axes="match view uv"),
        Column("dense_points", "float32", (3,), kind="ragged", unit="metre", axes="match xyz"),
    )


@yields(columns=_columns, version=1)
def dense_matches(
    scan: Scan,
    overlap: int | float = 0.0,
    every: int = 1,
    frames: int = MOST_FRAMES,
    width: int = WIDTH,
    count: int = 64,
    samples: int = 1024,
    seed: int = 0,
) -> Iterator[Row]:
    """A row for each pair of frames, those of `view_pairs` and in its order: of the first frame's samples those that the second sees.

    `dense_pixels` where the two colour pictures show each point, `dense_points` the point in the world as the first frame measured it.
    Seen is what lies on the second picture and within 3 cm of the depth measured there.

    overlap, every, frames, width  as in `view_pairs`
    count    matches of a pair, at most; random ones where there are more
    samples  random pixels with depth of each frame that others are asked about
    raises   RefusedObject as `view_pairs`
    source   Zeng et al., 3DMatch, CVPR 2017, section 4.1
    """
    from l9.geometry.view_graph import seen_samples

    _columns(overlap, every, frames, width, count, samples, seed)
    looked = looked_at(scan, every, frames, width)
    views, drawn = _views_with_samples(looked, samples, seed)
    graph = agreed_graph(looked, views, overlap)
    places = {view.number: place for place, view in enumerate(graph.views)}
    for frame in looked.frames(False):
        if frame.depth is None or frame.number not in places:
            continue
        second = places[frame.number]
        for number in graph.partners(second):
            first = int(graph.pairs[number, 0])
            one, other = graph.views[first], graph.views[second]
            points = drawn[first][seen_samples(drawn[first], other, frame.depth)]
            pixels = np.stack([one.pixels(points), other.pixels(points)], axis=1)
            inside = _inside(pixels[:, 0], one.colour_camera.width, one.colour_camera.height)
            inside &= _inside(pixels[:, 1], other.colour_camera.width, other.colour_camera.height)
            yield {
                "dense_frames": np.array([one.number, other.number], np.int32),
                "dense_pixels": pixels[inside][:count].astype(np.float32),
                "dense_points": points[inside][:count].astype(np.float32),
            }


def _views_with_samples(looked: Looked, samples: int, seed: int) -> tuple[list["View"], list[Float[ndarray, "s 3"]]]:
    """Of each frame in which something was measured."""
    from l9.geometry.view_graph import drawn_points, measured_points, view_of

    views, drawn = [], []
    for frame in looked.frames(False):
        measured = measured_points(frame)
        view = view_of(frame, measured)
        if view is not None:
            views.append(view)
            drawn.append(drawn_points(measured, np.random.default_rng((seed, frame.number)), samples))
    return views, drawn


def _inside(pixels: ndarray, width: int, height: int) -> ndarray:
    return np.asarray((pixels >= -0.5).all(axis=1) & (pixels[:, 0] < width - 0.5) & (pixels[:, 1] < height - 0.5))
