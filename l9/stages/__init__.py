"""The stages a recipe may name: pure functions, object -> object or object -> rows of columns (see `l9.stages.contract`)."""

from l9.stages.coarse_occupancy import coarse_occupancy
from l9.stages.normalise import normalise
from l9.stages.occupancy import occupancy
from l9.stages.sdf import sdf
from l9.stages.surface_points import surface_points
from l9.stages.views import views

__all__ = ["coarse_occupancy", "normalise", "occupancy", "sdf", "surface_points", "views"]
