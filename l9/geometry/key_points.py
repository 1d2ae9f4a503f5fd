"""Key points of a posed RGB-D frame: where SIFT's detector finds something that could be found again, with its place in the world.

A key point keeps the frame that its detector gave it: pixel, size, angle and octave, so that any descriptor can be computed there.
sources  Lowe, Distinctive image features from scale-invariant keypoints, IJCV 2004, sections 3 to 5 (the detector);
         Chang et al., Matterport3D, 3DV 2017, section 4.1 and its MatchFinder (which key points are kept, and how depth is smoothed);
         Tomasi & Manduchi, Bilateral filtering for gray and color images, ICCV 1998 (its weights)
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole, inverse_pose, lifted, moved, project
from l9.geometry.scan import Frame

MOST = 512  # key points of a frame
LEAST_RESPONSE = 0.03  # of the detector
BORDER = 50  # pixels of the picture
ERODED = 4  # pixels of depth around a key point that must be there
SMOOTHED_PIXELS, SMOOTHED_METRES = 2.0, 0.1  # deviations of the weights, across the picture and in depth, by which depth is smoothed
RIDGE = 1e-6  # square pixels: keeps a plane level where a single pixel has weight
REFINED = 3  # times that the pixel of the depth picture is looked up, where the two cameras stand apart
AGREES = 2.0  # pixels of the picture by which the point found may miss the key point: half a pixel of depth, and the edge of a thing


@dataclass(frozen=True)
class KeyPoints:
    """n key points of one frame, the strongest first.

    pixels     float32 (n, 2): column and row in the colour picture, the centre of pixel (u, v) being (u, v)
    sizes      float32 (n): diameter of the neighbourhood that counts, pixels
    angles     float32 (n): degrees, clockwise from the picture's x axis
    responses  float32 (n): of the detector
    octaves    int32 (n): octave, layer and offset, packed as OpenCV does
    depths     float32 (n): metres along the colour camera's axis, by `depth_at`, or as several frames agree (`agreed_places`)
    points     float64 (n, 3): in the world, metres
    normals    float64 (n, 3): of the surface there, in the world, unit length, towards the camera
    """

    pixels: ndarray
    sizes: ndarray
    angles: ndarray
    responses: ndarray
    octaves: ndarray
    depths: ndarray
    points: ndarray
    normals: ndarray

    def __len__(self) -> int:
        """Key points."""
        return len(self.pixels)

    def subset(self, chosen: ndarray) -> "KeyPoints":
        """These, by number or by a mask, in that order."""
        return KeyPoints(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @staticmethod
    def concat(parts: list["KeyPoints"]) -> "KeyPoints":
        """One behind the other; at least one part."""
        return KeyPoints(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(KeyPoints)))


def key_points(frame: Frame, *, most: int = MOST, least_response: float = LEAST_RESPONSE, border: int = BORDER) -> KeyPoints:
    """The strongest key points of a frame that have depth, at most `most`, one a pixel.

    frame           with colour and depth
    least_response  of the detector: weaker ones do not count
    border          pixels at the picture's edge where none counts
    returns         those of equal strength in the order of rows, columns, sizes and angles: one frame, one result
    raises          RefusedObject `no-colour` or `no-depth` for a frame without
    """
    if frame.colour is None:
        raise RefusedObject("no-colour", f"frame {frame.number} has depth alone; expected a colour picture to find key points in")
    if frame.depth is None:
        raise RefusedObject("no-depth", f"frame {frame.number} has colour alone; expected depth to tell where its key points are")
    found = _detected(frame.colour, least_response)
    height, width = frame.colour.shape[:2]
    column, row = found[:, 0], found[:, 1]
    within = (column >= border) & (column <= width - 1 - border) & (row >= border) & (row <= height - 1 - border)
    found = _one_a_pixel(found[within])
    depths, normals, there = depth_at(found[:, :2], frame)
    found, depths, normals = found[there][:most], depths[there][:most], normals[there][:most]
    return KeyPoints(
        pixels=found[:, :2].astype(np.float32),
        sizes=found[:, 2].astype(np.float32),
        angles=found[:, 3].astype(np.float32),
        responses=found[:, 4].astype(np.float32),
        octaves=found[:, 5].astype(np.int32),
        depths=depths.astype(np.float32),
        points=moved(lifted(found[:, :2], depths, frame.colour_camera), frame.colour_pose),
        normals=normals,
    )


def depth_at(pixels: Float[ndarray, "n 2"], frame: Frame) -> tuple[Float[ndarray, "n"], Float[ndarray, "n 3"], Bool[ndarray, "n"]]:
    """What the depth picture says of pixels of the colour picture: where the ray of each meets the plane through the depths around it.

    A plane is one of least squares in 1 / depth, which is linear across the picture of a plane, and whose noise does not grow with
    depth in structured-light and stereo cameras; weights are those of a bilateral filter.
    returns  metres along the colour camera's axis; unit normals in the world, towards the depth camera; and for which pixels both can be
             trusted: depth is there, for 4 pixels around, and the point lies within 2 pixels of where it was looked for. The others
             have numbers without meaning
    """
    assert frame.depth is not None
    camera, away = frame.depth_camera, inverse_pose(frame.pose) @ frame.colour_pose
    places, there = _depth_pixels(pixels, frame, away)
    planes, lowest, highest = planes_through(windows_of(frame.depth, np.where(there[:, None], places, 0)), camera, places)
    towards = lifted(pixels, np.ones(len(pixels)), frame.colour_camera) @ away[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        depths = (1 - planes @ away[:3, 3]) / (planes * towards).sum(axis=1)
        along = depths * towards[:, 2] + away[2, 3]
        there &= (depths > 0) & (along >= lowest) & (along <= highest)
    normals = -planes / np.linalg.norm(planes, axis=1, keepdims=True)
    return np.where(there, depths, 1.0), normals @ frame.pose[:3, :3].T, there


def _depth_pixels(
    pixels: Float[ndarray, "n 2"], frame: Frame, away: Float[ndarray, "4 4"]
) -> tuple[Int[ndarray, "n 2"], Bool[ndarray, "n"]]:
    """Column and row of the depth picture that shows what each pixel of the colour picture shows, and whether there is such a one.

    away  colour camera to depth camera
    """
    assert frame.depth is not None
    seen = np.isfinite(frame.depth) & (frame.depth > 0)
    safe = eroded(seen)
    camera, back = frame.colour_camera, inverse_pose(away)
    depths = np.full(len(pixels), float(np.median(frame.depth[seen])) if seen.any() else 1.0)
    together = np.allclose(away, np.eye(4), atol=1e-9)
    for _ in range(1 if together else REFINED):
        places, inside = nearest_pixels(moved(lifted(pixels, depths, camera), away), frame.depth_camera)
        columns, rows = places.T
        there = inside & safe[rows, columns]
        points = moved(lifted(places, np.where(there, frame.depth[rows, columns], 1.0), frame.depth_camera), back)
        depths = np.where(there, points[:, 2], depths)
    missed = project(points, camera)[:, :2] - pixels
    # a pixel of depth may cover many of colour
    slack = AGREES + 0.71 * max(1.0, camera.fx / frame.depth_camera.fx)
    with np.errstate(invalid="ignore"):
        there &= (depths > 0) & (np.linalg.norm(missed, axis=1) <= slack)
    return places, there


def windows_of(
    depth: Float[ndarray, "h w"], places: Int[ndarray, "n 2"], around: int = ERODED, nothing: float = 1.0
) -> Float[ndarray, "n k"]:
    """Depths (metres, float64) of the pixels around each of these, row by row; `nothing` beyond the picture and where there is none.

    around  pixels to each side: 4 make 81
    """
    side = 2 * around + 1
    padded = np.pad(np.where(np.isfinite(depth) & (depth > 0), depth, nothing), around, constant_values=nothing)
    views = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return views[places[:, 1], places[:, 0]].reshape(len(places), side**2).astype(np.float64)


def planes_through(
    windows: Float[ndarray, "n k"], camera: Pinhole, places: Int[ndarray, "n 2"], smoothed: float = SMOOTHED_PIXELS
) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"], Float[ndarray, "n"]]:
    """The plane m . x = 1 (the depth camera's axes) through each window, and the least and the most depth in it, a thousandth more.

    windows   of 81 depths, as `windows_of` gives them
    smoothed  pixels: deviation of the weights across the picture
    """
    across = np.arange(-ERODED, ERODED + 1.0)
    right, down = np.tile(across, len(across)), np.repeat(across, len(across))
    terms = np.stack([right, down, np.ones_like(right)], axis=1)
    middle = np.median(windows[:, (np.abs(right) <= 1) & (np.abs(down) <= 1)], axis=1, keepdims=True)
    weights = np.exp(-((windows - middle) ** 2) / (2 * SMOOTHED_METRES**2) - (right**2 + down**2) / (2 * smoothed**2))
    products = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), 9)
    squares = (weights @ products).reshape(-1, 3, 3) + np.diag([RIDGE, RIDGE, 0.0])
    x, y, one = np.linalg.solve(squares, ((weights / windows) @ terms)[:, :, None])[:, :, 0].T
    one = one - x * places[:, 0] - y * places[:, 1]  # at the picture's corner
    planes = np.stack([x * camera.fx, y * camera.fy, x * camera.cx + y * camera.cy + one], axis=1)
    return planes, windows.min(axis=1) * 0.999, windows.max(axis=1) * 1.001


def _detected(colour: UInt8[ndarray, "h w 3"], least_response: float) -> Float[ndarray, "n 6"]:
    """Column, row, size, angle, response and packed octave of SIFT's key points, float64, the strongest first."""
    import cv2

    # twice the size in exact steps: otherwise every key point is found a quarter of a pixel off
    detector = cv2.SIFT.create(enable_precise_upscale=True)
    points: Any = detector.detect(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), None)
    rows = [(*one.pt, one.size, one.angle, one.response, one.octave) for one in points if one.response >= least_response]
    found = np.array(rows, np.float64).reshape(-1, 6)
    return found[np.lexsort((found[:, 3], found[:, 2], found[:, 0], found[:, 1], -found[:, 4]))]


def _one_a_pixel(found: Float[ndarray, "n 6"]) -> Float[ndarray, "m 6"]:
    """Of those that round to one pixel the first."""
    _, first = np.unique(np.floor(found[:, :2] + 0.5), axis=0, return_index=True)
    return found[np.sort(first)]


def eroded(seen: ndarray) -> ndarray:
    """Whether all pixels within 4, along rows and columns, are seen; beyond the picture nothing is."""
    import cv2

    side = 2 * ERODED + 1
    kept = cv2.erode(seen.astype(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(kept > 0)


def nearest_pixels(points: Float[ndarray, "n 3"], camera: Pinhole) -> tuple[Int[ndarray, "n 2"], ndarray]:
    """Column and row (int64, 0 where beside the picture) on which points fall, and whether they fall on the picture."""
    places = np.nan_to_num(np.floor(project(points, camera)[:, :2] + 0.5), nan=-1.0, posinf=-1.0, neginf=-1.0)
    inside = (places >= 0).all(axis=1) & (places[:, 0] < camera.width) & (places[:, 1] < camera.height)
    return np.where(inside[:, None], places, 0).astype(np.int64), inside
