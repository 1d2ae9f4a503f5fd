"""Who is measured by bench/sdf.py: l9 and named peers, each as a function from a mesh to a grid.

A grid is [x, y, z], negative inside, sampled at the voxel centres of [-1, 1]^3; making the peer's tree or scene and its query points
is part of the call. A peer whose import fails is left out and named with the reason. pysdf comes as source that needs Eigen's headers
(Debian's libeigen3-dev) and a compiler, so it is not in the extra `bench`; where it is installed it takes part.
"""

import functools
import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

import l9
from l9 import __version__
from l9.fingerprint import digest
from l9.geometry.grid import grid_centres

Grid = Callable[[ndarray, ndarray, int], ndarray]
"""Vertices (float64), faces (int64), resolution -> distances [x, y, z]."""


@dataclass(frozen=True)
class Contestant:
    """One way of making a grid.

    load     imports what it needs and gives the function that is timed
    package  the distribution whose version counts
    threads  how many cores it is given
    """

    load: Callable[[], Grid]
    package: str
    threads: int = 1

    def version(self) -> str | None:
        """Of its package, None where that is not installed; l9's also tells its code, which changes between releases."""
        if self.package == "l9-vision":
            return f"{__version__}+{code_of('l9.geometry.sdf')}"
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


@functools.cache
def code_of(module: str) -> str:
    """Eight digits that change with the code of a module or of anything in l9.geometry that it imports."""
    texts: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = (Path(l9.__path__[0]).parent / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
            waiting += re.findall(r"^ *from (l9\.geometry\.\w+) import", texts[name], re.MULTILINE)
    return digest(texts)[:8]


def points_of(resolution: int, dtype: Any) -> ndarray:
    """Every voxel centre, (r^3, 3), z fastest."""
    return np.stack(np.meshgrid(*[grid_centres(resolution).astype(dtype)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def _cube(values: ndarray, resolution: int) -> ndarray:
    return values.astype(np.float32).reshape((resolution,) * 3)


def _l9(sign: str = "auto", threads: int = 1) -> Grid:
    from l9.geometry.sdf import sdf_grid

    return partial(sdf_grid, sign=sign, threads=threads)


def _open3d() -> Grid:
    from l9.geometry.open3d_library import open3d

    library = open3d()

    def grid(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
        scene = library.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(library.core.Tensor(vertices.astype(np.float32)), library.core.Tensor(faces.astype(np.uint32)))
        return _cube(scene.compute_signed_distance(library.core.Tensor(points_of(resolution, np.float32)), nthreads=1).numpy(), resolution)

    return grid


def _warp(*, winding: bool) -> Grid:
    from sdf_warp import signed_distances

    def grid(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
        return _cube(signed_distances(vertices, faces, points_of(resolution, np.float32), winding=winding), resolution)

    return grid


def _libigl(kind: str) -> Grid:
    import igl

    sign = getattr(igl, f"SIGNED_DISTANCE_TYPE_{kind}")

    def grid(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
        return _cube(igl.signed_distance(points_of(resolution, np.float64), vertices, faces, sign)[0], resolution)

    return grid


def _point_cloud_utils() -> Grid:
    from point_cloud_utils import signed_distance_to_mesh

    def grid(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
        return _cube(signed_distance_to_mesh(points_of(resolution, np.float64), vertices, faces)[0], resolution)

    return grid


def _mesh2sdf() -> Grid:
    import mesh2sdf

    def grid(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
        half_voxel = 1 / resolution  # its samples begin at -1, ours half a voxel later
        return np.asarray(mesh2sdf.compute(vertices - half_voxel, faces, resolution))

    return grid


def _pysdf() -> Grid:
    from pysdf import SDF

    def grid(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
        return -_cube(SDF(vertices.astype(np.float32), faces.astype(np.uint32))(points_of(resolution, np.float32)), resolution)

    return grid


CONTESTANTS = {
    "l9": Contestant(_l9, "l9-vision"),
    "l9, 2 threads": Contestant(partial(_l9, threads=2), "l9-vision", threads=2),
    "l9 winding": Contestant(partial(_l9, "winding"), "l9-vision"),
    "l9 parity": Contestant(partial(_l9, "parity"), "l9-vision"),
    "Open3D": Contestant(_open3d, "open3d-cpu"),
    "warp normal": Contestant(partial(_warp, winding=False), "warp-lang"),
    "warp winding": Contestant(partial(_warp, winding=True), "warp-lang"),
    "libigl pseudonormal": Contestant(partial(_libigl, "PSEUDONORMAL"), "libigl"),
    "libigl FWN": Contestant(partial(_libigl, "FAST_WINDING_NUMBER"), "libigl"),
    "point-cloud-utils": Contestant(_point_cloud_utils, "point-cloud-utils"),
    "mesh2sdf": Contestant(_mesh2sdf, "mesh2sdf"),
    "pysdf": Contestant(_pysdf, "pysdf"),
}
