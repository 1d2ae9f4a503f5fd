"""A room of six walls with a cube and a picture in it, made by hand: every depth and colour in it can be told."""

import numpy as np

from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.model import Material, Model
from l9.sources.rooms.thing import Light, Room, Thing

SIDES = np.array([4.0, 5.0, 3.0])  # metres
CAMERA = Pinhole.of_field(80, 60, 60.0)
QUARTERS = np.kron([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.ones((16, 16, 1))).astype(
    np.uint8
)  # red and green above blue and yellow
UP = np.array([0.0, 0.0, 1.0])


def quad(corners, material):
    """Four corners, counter-clockwise from the lower left of its picture."""
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 1]])[faces]
    return Model(np.array(corners, float), faces, (material,), np.zeros(2, int), uv)


def box(low, high, material, inside=False):
    """Six quads, seen from outside, or from inside."""
    places = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    rings = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    rings = rings[:, ::-1] if inside else rings
    faces = np.concatenate([rings[:, [0, 1, 2]], rings[:, [0, 2, 3]]])
    return Model(low + places * (np.array(high) - low), faces, (material,), np.zeros(12, int), np.zeros((12, 3, 2)))


def room():
    """Walls from 0 to SIDES; a cube of 0.5 m on the floor; a picture of four quarters, 1 m wide, 1 cm before the wall y = 5."""
    x, y, _ = SIDES
    floor = quad([(0, 0, 0), (x, 0, 0), (x, y, 0), (0, y, 0)], Material((0.5, 0.5, 0.5)))
    shell = box(np.zeros(3), SIDES, Material((0.8, 0.8, 0.8)), inside=True)
    walls = Model(shell.vertices, shell.faces[[0, 1, 2, 3, 5, 6, 7, 8, 9, 11]], shell.materials, np.zeros(10, int), np.zeros((10, 3, 2)))
    cube = box(np.array([1.75, 2.25, 0.0]), (2.25, 2.75, 0.5), Material((0.9, 0.1, 0.1)))
    picture = quad([(1.5, 4.99, 1), (2.5, 4.99, 1), (2.5, 4.99, 2), (1.5, 4.99, 2)], Material((1.0, 1.0, 1.0), QUARTERS))
    things = (
        Thing(floor, "floor", "floor"),
        Thing(walls, "wall", "wall"),
        Thing(cube, "chair", "cube seat"),
        Thing(picture, "picture", "art"),
    )
    light = Light(np.array([1.0, 2.5, 2.5]), (2.0, 2.0, 2.0))
    straight = looking_at(np.array([2.0, 2.99, 1.5]), np.array([2.0, 4.99, 1.5]), UP)
    down = looking_at(np.array([0.5, 0.5, 2.0]), np.array([2.0, 2.5, 0.2]), UP)
    aside = looking_at(np.array([3.5, 2.5, 1.5]), np.array([0.0, 2.5, 1.5]), UP)
    return Room(things, (light,), np.stack([straight, down, aside]))
