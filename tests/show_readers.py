"""A reader of odd objects for tests that show a dataset: a chair-like mesh, clouds, a refused one, and one that ends the child."""

import os

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud
from l9.geometry.mesh import Mesh, axis_vector
from l9.readers.contract import REFUSE, Found

VERSION = 1
NAMES = ("cloud", "deadly", "known", "listed", "mesh", "plain_cloud", "refused", "talkative")


def find(root):
    for name in NAMES:
        facts = {REFUSE: ["file-name", "a name that is none"]} if name == "listed" else {}
        yield Found(id=f"odd/{name}", files=(), label="cloud" if "cloud" in name else "", facts=facts)


def tower(up):
    """A slab of 2 x 2 on the ground and a thin post of height 4, along `up`, as vertices and faces; the post leans to no side."""
    ground, post = box((-1, -1, 0), (1, 1, 0.5)), box((-0.1, -0.1, 0.5), (0.1, 0.1, 4))
    vertices, faces = np.concatenate([ground[0], post[0]]), np.concatenate([ground[1], post[1] + 8])
    axis = "XYZ".index(up[1])
    turned = np.roll(vertices, axis - 2, axis=1) * (1 if up[0] == "+" else -1)
    return turned, faces if up[0] == "+" else faces[:, ::-1]


def box(low, high):
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])], np.float64)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))], np.int64)


def read(files, found, up):
    name = found.id.removeprefix("odd/")
    if name == "refused":
        raise RefusedObject("no-faces", "0 faces")
    if name == "deadly":
        os._exit(3)
    if "cloud" in name:
        points = np.random.default_rng(0).normal(size=(500, 3)) * [1, 3, 1]
        if name == "plain_cloud":
            return PointCloud(points, up=up)
        directions = points / np.linalg.norm(points, axis=1, keepdims=True)
        return PointCloud(points, directions, (points[:, 1] > 0).astype(np.int64), up)
    if name.startswith("nose"):
        way = axis_vector(name[4:])
        (post, faces), (nose, more) = box((-0.3, -1, -0.3), (0.3, 1, 0.3)), box((-0.2, 0.3, -0.2), (0.2, 0.7, 0.2))
        return Mesh(np.concatenate([post, nose + 0.5 * way]), np.concatenate([faces, more + 8]), up)
    vertices, faces = tower(up)
    return Mesh(vertices, faces, up, ("a note\x1b[31m " + "x" * 1000,) * 20 if name == "talkative" else ())
