"""The stages a recipe may name: pure functions, object -> object or object -> rows of columns (see `l9.stages.contract`)."""

from l9.stages.attributes import attributes
from l9.stages.box_size import box_size
from l9.stages.coarse_occupancy import coarse_occupancy
from l9.stages.dense_matches import dense_matches
from l9.stages.fused_blocks import fused_blocks
from l9.stages.fused_mesh import fused_mesh
from l9.stages.key_point_matches import key_point_matches
from l9.stages.labelled_points import labelled_points
from l9.stages.listed_matches import listed_matches
from l9.stages.normalise import normalise
from l9.stages.occupancy import occupancy
from l9.stages.pixels import pixels
from l9.stages.published_scans import published_scans
from l9.stages.scene_blocks import scene_blocks
from l9.stages.scene_columns import scene_columns
from l9.stages.scene_points import scene_points
from l9.stages.sdf import sdf, sdf_points
from l9.stages.seen_surface import seen_surface
from l9.stages.surface_points import surface_points
from l9.stages.view_pairs import view_pairs
from l9.stages.views import views
from l9.stages.virtual_scans import virtual_scans
from l9.stages.volume_matches import volume_matches

__all__ = [
    "attributes",
    "box_size",
    "coarse_occupancy",
    "dense_matches",
    "fused_blocks",
    "fused_mesh",
    "key_point_matches",
    "labelled_points",
    "listed_matches",
    "normalise",
    "occupancy",
    "pixels",
    "published_scans",
    "scene_blocks",
    "scene_columns",
    "scene_points",
    "sdf",
    "sdf_points",
    "seen_surface",
    "surface_points",
    "view_pairs",
    "views",
    "virtual_scans",
    "volume_matches",
]
