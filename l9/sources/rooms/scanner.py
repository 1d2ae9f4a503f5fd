"""A camera's walk through a room: colour, depth, normals, labels and instances of every frame, by ray casting."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from l9.geometry.camera import Pinhole
from l9.geometry.scan import Frame
from l9.sources.rooms.paint import encoded
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.thing import Room
from l9.sources.rooms.traced import Hits, TracedRoom, turned

FRAMES_PER_SECOND = 30.0
KNEE = 0.7  # light up to here is shown as it is; what is brighter comes nearer and nearer to white
BRIGHTEST = 8.0  # light from which on all is white
STEPS = 1 << 16  # of the table from light to sRGB: a step is less than half of a byte's in the darkest part
BEND = 0.02  # change of depth, as a share of it, that no even surface has from pixel to pixel
ALIKE = 0.97  # cosine between the normals of neighbours whose colours are alike: 14 degrees
PARTS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))  # pixels: the four rays that an edge's colour is the mean of


@dataclass(frozen=True)
class ScannedFrame:
    """One frame with the truth behind it.

    frame      colour, and depth as the sensor gave it
    exact      depth without noise, metres along the optical axis, 0 where nothing was hit
    normals    unit length, in the camera's axes (x right, y down, z forward), of the side that is seen; zeros where nothing was hit
    labels     NYU40 ids, 0 where nothing was hit
    instances  k for things[k - 1] of the room, 0 where nothing was hit
    """

    frame: Frame
    exact: Float32[ndarray, "h w"]
    normals: Float32[ndarray, "h w 3"]
    labels: UInt8[ndarray, "h w"]
    instances: Int[ndarray, "h w"]


def scan_room(
    room: Room, camera: Pinhole, *, sensor: Sensor | None = None, seed: int = 0, smooth: bool = True, traced: TracedRoom | None = None
) -> Iterator[ScannedFrame]:
    """Every pose of a room in turn, one frame in memory; colour and depth share one camera, and 30 frames are a second.

    sensor  what is lost between a place and its depth; None: depths are exact
    seed    of the sensor's noise; a frame's noise does not depend on the frames before it
    smooth  whether colours at edges are the mean of four rays
    traced  the room's own `TracedRoom` where there is one already
    """
    traced = traced or TracedRoom(room)
    directions = camera.directions().astype(np.float32).reshape(-1, 3)
    for number, pose in enumerate(room.poses):
        random = np.random.default_rng((seed, number))
        yield _scanned(traced, camera, directions, np.asarray(pose, np.float64), number, sensor, random, smooth)


def _scanned(
    traced: TracedRoom,
    camera: Pinhole,
    directions: Float32[ndarray, "n 3"],
    pose: Float[ndarray, "4 4"],
    number: int,
    sensor: Sensor | None,
    random: np.random.Generator,
    smooth: bool,
) -> ScannedFrame:
    shape = (camera.height, camera.width)
    rays = _rays(directions, pose)
    hits = traced.hits(rays)
    facing = traced.facing(hits, rays[hits.ray, 3:])
    exact = _picture(shape, hits, hits.distance)  # a direction's z is 1 in the camera's axes: lengths along it are depths
    normals = _picture(shape, hits, turned(facing, pose[:3, :3].T))
    instances = _picture(shape, hits, traced.thing_of[hits.face] + 1)
    light = _picture(shape, hits, _light(traced, rays, hits, facing))
    if smooth:
        edges = _edges(exact, instances, normals)
        light[edges] = _mean_light(traced, camera, pose, directions[edges.reshape(-1)])
    depth = sensor.measured(exact, _cosine(normals, directions), random) if sensor else exact
    frame = Frame(number, shown(light), depth, camera, camera, pose, pose, number / FRAMES_PER_SECOND)
    labels = _picture(shape, hits, traced.label_of[traced.thing_of[hits.face]].astype(np.uint8))
    return ScannedFrame(frame, exact, normals, labels, instances)


def _rays(directions: Float32[ndarray, "n 3"], pose: Float[ndarray, "4 4"]) -> Float32[ndarray, "n 6"]:
    rays = np.empty((len(directions), 6), np.float32)
    rays[:, :3] = pose[:3, 3]
    rays[:, 3:] = turned(directions, pose[:3, :3])
    return rays


def _picture(shape: tuple[int, int], hits: Hits, values: ndarray) -> ndarray:
    """Values of the rays that met something as a picture, zeros elsewhere."""
    picture = np.zeros((shape[0] * shape[1], *values.shape[1:]), values.dtype)
    picture[hits.ray] = values
    return picture.reshape(*shape, *values.shape[1:])


def _light(traced: TracedRoom, rays: Float32[ndarray, "n 6"], hits: Hits, facing: Float32[ndarray, "m 3"]) -> Float32[ndarray, "m 3"]:
    met = rays[hits.ray]
    return traced.radiance(hits.face, hits.at, met[:, :3] + hits.distance[:, None] * met[:, 3:], facing)


def _edges(depth: Float32[ndarray, "h w"], instances: Int[ndarray, "h w"], normals: Float32[ndarray, "h w 3"]) -> Bool[ndarray, "h w"]:
    """Pixels beside one that shows another thing, another side of it, or what stands behind it."""
    edges = np.zeros(depth.shape, bool)
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differ = instances[first] != instances[second]
        differ |= np.abs(depth[first] - depth[second]) > BEND * depth[first]
        differ |= np.einsum("ijk,ijk->ij", normals[first], normals[second]) < ALIKE
        edges[first] |= differ
        edges[second] |= differ
    return edges


def _mean_light(
    traced: TracedRoom, camera: Pinhole, pose: Float[ndarray, "4 4"], directions: Float32[ndarray, "n 3"]
) -> Float32[ndarray, "n 3"]:
    """Light of pixels, of four rays each; one that meets nothing brings none."""
    shifts = np.array([[across / camera.fx, down / camera.fy, 0.0] for across, down in PARTS], np.float32)
    rays = _rays((directions[:, None] + shifts).reshape(-1, 3), pose)
    hits = traced.hits(rays)
    light = np.zeros((len(rays), 3), np.float32)
    light[hits.ray] = np.minimum(_light(traced, rays, hits, traced.facing(hits, rays[hits.ray, 3:])), 1.0)  # a lamp alone would win
    return light.reshape(-1, len(PARTS), 3).mean(axis=1)


def _cosine(normals: Float32[ndarray, "h w 3"], directions: Float32[ndarray, "n 3"]) -> Float32[ndarray, "h w"]:
    length = np.sqrt(np.einsum("ij,ij->i", directions, directions))
    along = np.einsum("ij,ij->i", normals.reshape(-1, 3), directions)
    return (-along / length).reshape(normals.shape[:2])


def shown(light: Float32[ndarray, "*n"]) -> UInt8[ndarray, "*n"]:
    """Linear light as the sRGB bytes of a picture, soft where it is brighter than white."""
    return SHOWN[np.minimum(light * np.float32((STEPS - 1) / BRIGHTEST), STEPS - 1).astype(np.int32)]


def _table() -> UInt8[ndarray, "steps"]:
    light = np.linspace(0, BRIGHTEST, STEPS, dtype=np.float32)
    soft = np.where(light <= KNEE, light, 1 - (1 - KNEE) * np.exp((KNEE - light) / (1 - KNEE)))
    return np.rint(255 * encoded(soft.astype(np.float32))).astype(np.uint8)


SHOWN = _table()
