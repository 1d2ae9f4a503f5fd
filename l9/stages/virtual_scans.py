"""Yield: partial scans of a mesh, made by a virtual depth camera, each beside the complete distance field."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import Pinhole
from l9.geometry.distance_fields import KNOWN
from l9.geometry.mesh import Mesh
from l9.geometry.scene import raycasting_scene
from l9.geometry.virtual_scan import Misses, Walk, cast_depth, complete_grid, holding_radius, partial_grid
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_size, check_word
from l9.stages.published_scans import FIELD_COLUMNS
from l9.store.columns import Column, Row

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene

MOST_SCANS, MOST_VIEWS = 64, 64
TRIES = 8  # walks drawn for one scan before the object is refused: a sheet seen edge on is met by no ray
Bounds = tuple[int | float, int | float]


def _columns(
    scans: int = 6,
    views: int = 4,
    size: int = 128,
    field: int | float = 43.0,
    distances: Bounds = (0.9, 1.3),
    elevations: Bounds = (-10.0, 50.0),
    sweep: int | float = 90.0,
    misses: Misses = "unknown",
    seed: int = 0,
) -> tuple[Column, ...]:
    stage = "virtual_scans"
    check_number(stage, "scans", scans, most=MOST_SCANS)
    check_number(stage, "views", views, most=MOST_VIEWS)
    check_number(stage, "size", size, most=MAX_RESOLUTION)
    check_number(stage, "seed", seed, least=0, most=2**63 - 1)
    check_size(stage, "field", field, least=10, most=60, unit="degrees")
    check_size(stage, "sweep", sweep, least=0, most=360, unit="degrees")
    _check_bounds("distances", distances, 0.6, 3, "multiples")  # nearer, and a camera of 60 degrees stood among what it looks at
    _check_bounds("elevations", elevations, -90, 90, "degrees")
    check_word(stage, "misses", misses, get_args(Misses))
    return (*FIELD_COLUMNS, Column("cameras", "float32", (views, 4, 4), unit="box", axes="view world camera"))


@yields(columns=_columns, version=1)
def virtual_scans(
    mesh: Mesh,
    scans: int = 6,
    views: int = 4,
    size: int = 128,
    field: int | float = 43.0,
    distances: Bounds = (0.9, 1.3),
    elevations: Bounds = (-10.0, 50.0),
    sweep: int | float = 90.0,
    misses: Misses = "unknown",
    seed: int = 0,
) -> Iterator[Row]:
    """A row for each of `scans` walks around the mesh, which is expected in [-1, 1]^3; one seed, one result.

    `partial` is the field of what the cameras of the walk saw: -1 or more known, +3 free, below -1 unknown. `complete` is the unsigned
    distance to the whole surface. Both in voxels of 32^3, cut at 3. `cameras` are camera-to-world poses, OpenCV axes.

    scans       6: 3D-EPN's most
    views       cameras of a walk
    size        pixels of a picture, each way: 128 puts 3 to 4 of them on a voxel's side
    field       full opening of a picture, degrees; a Kinect's height
    distances   of the cameras, as multiples of where the whole mesh just fits: below 1 some of it is cut off, as in a hand-held scan
    elevations  of the cameras above the ground, degrees: from just below a seat or a table top to standing beside it
    sweep       degrees about `mesh.up` that a walk covers at most, so that the far side stays unseen
    misses      what rays that meet nothing say: "unknown" nothing, as in the published scans; "free" that there is nothing
    raises      RefusedObject `saw-nothing` where 8 walks for one scan met no surface within the box: a mesh outside it, or thinner
                than rays. A walk that saw everything is fine: no voxel of it is unknown
    """
    _columns(scans, views, size, field, distances, elevations, sweep, misses, seed)
    walk, camera = Walk(views, field, distances, elevations, sweep), Pinhole.of_field(size, size, field)
    complete = complete_grid(mesh.vertices, mesh.faces).astype(np.float16)
    scene, radius = raycasting_scene(mesh.vertices, mesh.faces), holding_radius(mesh.vertices, mesh.faces)
    for scan in range(scans):
        random = np.random.default_rng([seed, scan])
        tries = (_scanned(scene, camera, walk.poses(random, mesh.up, radius), misses) for _ in range(TRIES))
        found = next((one for one in tries if _saw_surface(one[0])), None)
        if found is None:
            raise RefusedObject("saw-nothing", f"scan {scan}: {TRIES} walks of {views} cameras met no surface within [-1, 1]^3")
        yield {"partial": found[0].astype(np.float16), "complete": complete, "cameras": found[1].astype(np.float32)}


def _scanned(
    scene: "RaycastingScene", camera: Pinhole, poses: Float[ndarray, "views 4 4"], misses: Misses
) -> tuple[Float32[ndarray, "32 32 32"], Float[ndarray, "views 4 4"]]:
    depths = np.stack([cast_depth(scene, camera, pose) for pose in poses])
    return partial_grid(depths, camera, poses, misses), poses


def _saw_surface(partial: Float32[ndarray, "32 32 32"]) -> bool:
    """Whether a voxel within one of a surface is known."""
    return bool(((partial >= KNOWN) & (partial <= -KNOWN)).any())


def _check_bounds(argument: str, bounds: Bounds, least: int | float, most: int | float, unit: str) -> None:
    for bound in bounds:
        check_size("virtual_scans", argument, bound, least=least, most=most, unit=unit)
    if bounds[0] > bounds[1]:
        raise UsageError(f"stage virtual_scans: {argument} is {bounds}; expected the lower one first")
