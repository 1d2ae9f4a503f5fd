"""A room as one mesh for the ray tracer: what a ray hits, and how light that place is."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene
from l9.sources.rooms._light_kernels import add_light, rays_to_lamp, turned_by
from l9.sources.rooms.paint import Paint
from l9.sources.rooms.thing import NYU40, Room

CLEAR = 2e-3  # metres that a ray of light begins before the face it leaves: float32 puts a point 5 m away 1e-6 m beside it
NEAREST = 0.1  # metres: a place nearer to a lamp is as bright as there, not without end
REFLECTED = 0.5  # mean share of light that a room's walls and furniture give back
TILT = np.array([0.06, 0.1, 0.16], np.float32)  # by how much light from all around depends on where a face looks: corners stay visible


@dataclass(frozen=True)
class Hits:
    """What rays met.

    ray       number of each ray that met something
    face      number of the face
    at        weights of the face's second and third corner
    distance  in lengths of the ray's direction
    """

    ray: Int[ndarray, "n"]
    face: Int[ndarray, "n"]
    at: Float32[ndarray, "n 2"]
    distance: Float32[ndarray, "n"]


class TracedRoom:
    """All things of a room in one scene.

    vertices  float64, metres
    faces     vertex numbers
    thing_of  the number of each face's thing, from 0
    normals   float32, unit length, of each face's front; zeros for a face without area
    label_of  the NYU40 id of each thing
    paint     colours
    """

    def __init__(self, room: Room) -> None:
        models = tuple(thing.model for thing in room.things)
        firsts = np.cumsum([0] + [len(model.vertices) for model in models])
        self.vertices = np.concatenate([model.vertices for model in models]).astype(np.float64)
        self.faces = np.concatenate([model.faces + first for model, first in zip(models, firsts, strict=False)]).astype(np.int64)
        self.thing_of = np.repeat(np.arange(len(models)), [len(model.faces) for model in models])
        self.normals = _normals(self.vertices[self.faces])
        self.label_of = np.array([NYU40[thing.label] for thing in room.things])
        self.paint = Paint(models)
        self.scene = raycasting_scene(self.vertices, self.faces)
        self._lights = [(np.asarray(light.place, np.float32), np.asarray(light.power, np.float32)) for light in room.lights]
        self._around = _light_all_around(self.vertices[self.faces.reshape(-1)], np.array([light.power for light in room.lights]))

    def hits(self, rays: Float32[ndarray, "n 6"]) -> Hits:
        """The first face that each ray meets: places and directions, metres."""
        seen = self.scene.cast_rays(open3d().core.Tensor(rays), nthreads=1)
        distance = seen["t_hit"].numpy()
        ray = np.flatnonzero(np.isfinite(distance))
        face = seen["primitive_ids"].numpy()[ray].astype(np.int64)
        return Hits(ray, face, seen["primitive_uvs"].numpy()[ray], distance[ray])

    def facing(self, hits: Hits, directions: Float32[ndarray, "n 3"]) -> Float32[ndarray, "n 3"]:
        """Normals of the sides of faces that rays met; `directions` are those of the rays that met something."""
        normals = self.normals[hits.face]
        return normals * -_signs(np.einsum("ij,ij->i", normals, directions))[:, None]

    def radiance(
        self, faces: Int[ndarray, "n"], at: Float32[ndarray, "n 2"], points: Float32[ndarray, "n 3"], normals: Float32[ndarray, "n 3"]
    ) -> Float32[ndarray, "n 3"]:
        """Light that comes back from places on faces, linear RGB, 1 for white that is lit as a `Light` says; shadows are cast.

        at       weights of the face's second and third corner
        normals  of the side that is looked at; a light behind it does not shine on it
        source   Lambert's law; light that walls give back: that of an integrating sphere of the room's surface
        """
        light = self._around * (1 + normals @ TILT)[:, None]
        for place, power in self._lights:
            rays, numbers, brightness = rays_to_lamp(points, normals, place, CLEAR, NEAREST**2)
            add_light(light, numbers, brightness, self.occluded(rays), power)
        return light * self.paint.albedo(faces, at)

    def occluded(self, rays: Float32[ndarray, "n 6"]) -> Bool[ndarray, "n"]:
        """Whether a face stands between a ray's place and the end of its direction."""
        if len(rays) == 0:
            return np.zeros(0, bool)
        return self.scene.test_occlusions(open3d().core.Tensor(rays), tnear=0.0, tfar=1.0, nthreads=1).numpy()


def _normals(corners: Float[ndarray, "f 3 3"]) -> Float32[ndarray, "f 3"]:
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0).astype(np.float32)


def turned(vectors: Float32[ndarray, "n 3"], rotation: Float[ndarray, "3 3"]) -> Float32[ndarray, "n 3"]:
    """Vectors through a rotation; a product of matrices so narrow takes many times as long."""
    return turned_by(vectors, rotation.astype(np.float32))


def _signs(values: Float32[ndarray, "n"]) -> Float32[ndarray, "n"]:
    return np.where(values < 0, np.float32(-1), np.float32(1))


def _light_all_around(points: Float[ndarray, "n 3"], powers: Float[ndarray, "lights 3"]) -> Float32[ndarray, "3"]:
    """Light that reaches every place from all around, after walls have given it back: flux * r / (surface * (1 - r))."""
    x, y, z = points.max(axis=0) - points.min(axis=0)
    surface = 2 * (x * y + y * z + z * x)
    flux = 4 * math.pi * powers.reshape(-1, 3).sum(axis=0)
    return (flux * REFLECTED / (1 - REFLECTED) / max(surface, 1.0)).astype(np.float32)
