"""Pure functions on arrays: meshes into grids, points, distances and pictures. No files, no Ray, no torch.

What most users want is here by name, imported when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l9.geometry.report import sdf_report
    from l9.geometry.sample import sample_surface
    from l9.geometry.sdf import dense_grid, sdf_at, sdf_band, sdf_grid
    from l9.geometry.voxels import solid_occupancy, surface_occupancy

__all__ = ["dense_grid", "sample_surface", "sdf_at", "sdf_band", "sdf_grid", "sdf_report", "solid_occupancy", "surface_occupancy"]

_HOMES = {
    "l9.geometry.report": ("sdf_report",),
    "l9.geometry.sample": ("sample_surface",),
    "l9.geometry.sdf": ("dense_grid", "sdf_at", "sdf_band", "sdf_grid"),
    "l9.geometry.voxels": ("solid_occupancy", "surface_occupancy"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"l9.geometry has no public name '{name}'")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
