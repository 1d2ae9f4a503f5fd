"""Key points of a posed RGB-D frame: where SIFT's detector finds something that could be found again, with its place in the world.

A key point keeps the frame that its detector gave it: pixel, size, angle and octave, so that any descriptor can be computed there.
sources  Lowe, Distinctive image features from scale-invariant keypoints, IJCV 2004, sections 3 to 5 (the detector);
         Chang et al., Matterport3D, 3DV 2017, section 4.1 and its MatchFinder (which key points are kept, and their normals)
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole, depth_normals, inverse_pose, lifted, moved, project
from l9.geometry.scan import Frame

MOST = 512  # key points of a frame
LEAST_RESPONSE = 0.03  # of the detector
BORDER = 50  # pixels of the picture
ERODED = 4  # pixels of depth around a key point that must be there
SMOOTHED_PIXELS, SMOOTHED_METRES = 2.0, 0.1  # deviations of the bilateral filter before normals are taken
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
    depths     float32 (n): metres along the optical axis of the colour camera
    points     float64 (n, 3): in the world, metres
    normals    float64 (n, 3): of the surface there, in the world, unit length; (0, 0, 0) where nobody knows
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
    places, depths, there = depth_at(found[:, :2], frame)
    found, places, depths = found[there][:most], places[there][:most], depths[there][:most]
    return KeyPoints(
        pixels=found[:, :2].astype(np.float32),
        sizes=found[:, 2].astype(np.float32),
        angles=found[:, 3].astype(np.float32),
        responses=found[:, 4].astype(np.float32),
        octaves=found[:, 5].astype(np.int32),
        depths=depths.astype(np.float32),
        points=moved(lifted(found[:, :2], depths, frame.colour_camera), frame.colour_pose),
        normals=_smooth_normals(frame, places),
    )


def depth_at(pixels: Float[ndarray, "n 2"], frame: Frame) -> tuple[Int[ndarray, "n 2"], Float[ndarray, "n"], ndarray]:
    """What the depth picture says of pixels of the colour picture.

    returns  columns and rows of the depth picture; metres along the colour camera's axis; and for which of them that can be trusted:
             depth is there, for 4 pixels around, and the point lies within 2 pixels of where it was looked for
    """
    assert frame.depth is not None
    seen = np.isfinite(frame.depth) & (frame.depth > 0)
    safe = _eroded(seen)
    camera, away = frame.colour_camera, inverse_pose(frame.pose) @ frame.colour_pose
    depths = np.full(len(pixels), float(np.median(frame.depth[seen])) if seen.any() else 1.0)
    together = np.allclose(away, np.eye(4), atol=1e-9)
    for _ in range(1 if together else REFINED):
        places, inside = _nearest_pixels(moved(lifted(pixels, depths, camera), away), frame.depth_camera)
        columns, rows = places.T
        there = inside & safe[rows, columns]
        points = lifted(places, np.where(there, frame.depth[rows, columns], 1.0), frame.depth_camera)
        depths = np.where(there, moved(points, inverse_pose(away))[:, 2], depths)
    missed = project(moved(points, inverse_pose(away)), camera)[:, :2] - pixels
    # a pixel of depth may cover many of colour
    slack = AGREES + 0.71 * max(1.0, camera.fx / frame.depth_camera.fx)
    with np.errstate(invalid="ignore"):
        there &= (depths > 0) & (np.linalg.norm(missed, axis=1) <= slack)
    return places, depths, there


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


def _eroded(seen: ndarray) -> ndarray:
    """Whether all pixels within 4, along rows and columns, are seen; beyond the picture nothing is."""
    import cv2

    side = 2 * ERODED + 1
    kept = cv2.erode(seen.astype(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(kept > 0)


def _nearest_pixels(points: Float[ndarray, "n 3"], camera: Pinhole) -> tuple[Int[ndarray, "n 2"], ndarray]:
    """Column and row (int64, 0 where beside the picture) on which points fall, and whether they fall on the picture."""
    places = np.nan_to_num(np.floor(project(points, camera)[:, :2] + 0.5), nan=-1.0, posinf=-1.0, neginf=-1.0)
    inside = (places >= 0).all(axis=1) & (places[:, 0] < camera.width) & (places[:, 1] < camera.height)
    return np.where(inside[:, None], places, 0).astype(np.int64), inside


def _smooth_normals(frame: Frame, places: Int[ndarray, "n 2"]) -> Float[ndarray, "n 3"]:
    """Normals at pixels of the depth picture, of bilaterally filtered depth, in the world's axes."""
    import cv2

    assert frame.depth is not None
    if not len(places):
        return np.zeros((0, 3))
    depth = np.where(np.isfinite(frame.depth), frame.depth, 0).astype(np.float32)
    across = 2 * math.ceil(2 * SMOOTHED_PIXELS) + 1
    smooth = cv2.bilateralFilter(depth, across, SMOOTHED_METRES, SMOOTHED_PIXELS)
    normals = depth_normals(np.where(depth > 0, smooth, 0), frame.depth_camera)[places[:, 1], places[:, 0]]
    return normals.astype(np.float64) @ frame.pose[:3, :3].T
