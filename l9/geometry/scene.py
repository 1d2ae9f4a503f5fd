"""A mesh as the ray tracer wants it: the one place where Open3D's scene is built."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.geometry.open3d_library import open3d

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene


def raycasting_scene(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> "RaycastingScene":
    """An Open3D scene of the vertices that faces use; it works on one thread, and in float32."""
    library = open3d()
    Tensor = library.core.Tensor
    used, renumbered = np.unique(faces, return_inverse=True)
    scene = library.t.geometry.RaycastingScene(nthreads=1)
    corners = np.ascontiguousarray(vertices[used], dtype=np.float32)
    scene.add_triangles(Tensor(corners), Tensor(np.ascontiguousarray(renumbered.reshape(-1, 3), dtype=np.uint32)))
    return scene
