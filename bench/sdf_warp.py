"""Warp's mesh queries on the CPU as grids of signed distances: two kernels, apart because importing them imports Warp."""

import numpy as np
import warp as wp

wp.config.quiet = True
FAR = 1e3  # units of the box: nothing lies farther


@wp.kernel
def by_normal(mesh: wp.uint64, points: wp.array(dtype=wp.vec3), found: wp.array(dtype=float)):  # noqa: D103
    thread = wp.tid()
    query = wp.mesh_query_point_sign_normal(mesh, points[thread], FAR)
    nearest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
    found[thread] = query.sign * wp.length(nearest - points[thread])


@wp.kernel
def by_winding(mesh: wp.uint64, points: wp.array(dtype=wp.vec3), found: wp.array(dtype=float)):  # noqa: D103
    thread = wp.tid()
    query = wp.mesh_query_point_sign_winding_number(mesh, points[thread], FAR)
    nearest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
    found[thread] = query.sign * wp.length(nearest - points[thread])


def signed_distances(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, *, winding: bool) -> np.ndarray:
    """Distances of points (n, 3), negative inside; the mesh's tree is built anew."""
    corners = wp.array(vertices.astype(np.float32), dtype=wp.vec3, device="cpu")
    numbers = wp.array(faces.astype(np.int32).reshape(-1), dtype=wp.int32, device="cpu")
    mesh = wp.Mesh(points=corners, indices=numbers, support_winding_number=winding)
    asked = wp.array(points, dtype=wp.vec3, device="cpu")
    found = wp.empty(len(points), dtype=float, device="cpu")
    wp.launch(by_winding if winding else by_normal, dim=len(points), inputs=[mesh.id, asked, found], device="cpu")
    return found.numpy()
