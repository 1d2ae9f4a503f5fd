"""A surface in small connected patches, as the segmentation that ScanNet's annotators painted on: each lies on one thing."""

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from l9.geometry.scan import Surface

PATCH = 0.5  # metres: side of the cells beyond which no patch goes


def segments(surface: Surface) -> Int[ndarray, "v"]:
    """A number for each vertex, the same within a patch: connected vertices of one thing that look along the same axis, in one cell.

    Numbers have gaps, as ScanNet's have: a patch is named by its first vertex.
    """
    count = len(surface.vertices)
    kind = _kinds(surface)
    edges = np.concatenate([surface.faces[:, [0, 1]], surface.faces[:, [1, 2]], surface.faces[:, [2, 0]]])
    edges = edges[kind[edges[:, 0]] == kind[edges[:, 1]]]
    graph = coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    patches = connected_components(graph, directed=False)[1]
    return np.unique(patches, return_index=True)[1][patches]


def _kinds(surface: Surface) -> Int[ndarray, "v"]:
    """A number for thing, axis and cell of each vertex."""
    corners = surface.vertices[surface.faces]
    of_face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack(
        [np.bincount(surface.faces.reshape(-1), np.repeat(of_face[:, axis], 3), len(surface.vertices)) for axis in range(3)], axis=1
    )
    along = np.abs(normals).argmax(axis=1)
    back = np.take_along_axis(normals, along[:, None], axis=1)[:, 0] < 0
    cells = np.floor((surface.vertices - surface.vertices.min(axis=0)) / PATCH).astype(np.int64)
    table = np.column_stack([surface.instances if surface.instances is not None else np.zeros(len(cells)), along, back, cells])
    return np.unique(table.astype(np.int64), axis=0, return_inverse=True)[1].reshape(-1)
