"""Marching cubes' table, made rather than copied: the triangles of each of the 256 ways in which a cube's corners lie in and out.

A cube's faces decide: on each, the surface's line goes from every crossed edge that leads in to the next one that leads out, so that of
two corners inside on a diagonal each is cut off by itself. Two cubes see the same corners on the face they share, and so draw the same
lines: the surface has no seams, which the table of 1987 does not promise.
source  Lorensen & Cline, Marching cubes, 1987; its holes, Duerst, 1988
"""

import functools

import numpy as np
from jaxtyping import Int8
from numpy import ndarray

# corner 4x + 2y + z; the corners of each face, counter-clockwise seen from outside
FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
EDGES = tuple((low, low | bit) for bit in (4, 2, 1) for low in range(8) if not low & bit)
"""The two corners of each edge: four along x, four along y, four along z."""
Loop = tuple[int, ...]


@functools.cache
def cube_triangles() -> tuple[Int8[ndarray, "256 edges"], Int8[ndarray, "256"]]:
    """Edges (numbers in EDGES) of each case's triangles, three for each and counter-clockwise seen from outside, and how many there are.

    Bit c of a case is set where corner c is inside.
    """
    found = [[edge for loop in _loops(case) for triangle in _fan(loop) for edge in triangle] for case in range(256)]
    table = np.zeros((256, max(map(len, found))), np.int8)
    for row, edges in zip(table, found, strict=True):
        row[: len(edges)] = edges
    return table, np.array([len(edges) // 3 for edges in found], np.int8)


def _loops(case: int) -> list[Loop]:
    """The closed lines of one case: an edge that leads out of one face's inside leads into the next face's."""
    following = {edge: after for face in FACES for edge, after in _lines(case, face)}
    loops = []
    while following:
        edge = next(iter(following))
        loop = []
        while edge in following:
            loop.append(edge)
            edge = following.pop(edge)
        loops.append(tuple(loop))
    return loops


def _lines(case: int, face: tuple[int, ...]) -> list[tuple[int, int]]:
    """The lines on one face, each from an edge that leads in to the next one that leads out."""
    inside = [bool(case >> corner & 1) for corner in face]
    lines = []
    for k in range(4):
        if inside[k] and not inside[k - 1]:
            last = next(m for m in range(k, k + 4) if not inside[(m + 1) % 4])
            lines.append((_edge(face[k - 1], face[k]), _edge(face[last % 4], face[(last + 1) % 4])))
    return lines


def _edge(one: int, other: int) -> int:
    return EDGES.index((min(one, other), max(one, other)))


def _fan(loop: Loop) -> list[Loop]:
    """A loop cut into triangles from the corner that leaves fewest cuts within a face, where a neighbour could make the same cut."""

    def cuts_in_faces(root: Loop) -> int:
        return sum(_share_a_face(root[0], other) for other in root[2:-1])

    best = min((loop[k:] + loop[:k] for k in range(len(loop))), key=cuts_in_faces)
    return [(best[0], best[k], best[k + 1]) for k in range(1, len(best) - 1)]


def _share_a_face(one: int, other: int) -> bool:
    return any(set(EDGES[one]) | set(EDGES[other]) <= set(face) for face in FACES)
