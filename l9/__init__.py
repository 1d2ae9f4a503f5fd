"""l9: meshes, RGB-D scans and images into training data, and training data into tracked models.

Public names are imported when first used, so that `import l9` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l9.cards import Card, load_card
    from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
    from l9.data.loader import Loader
    from l9.data.samples import Samples
    from l9.errors import L9Error
    from l9.geometry.mesh import Mesh
    from l9.pipeline import prepare, run_pipeline
    from l9.prep.sets import Options
    from l9.recipe import load_recipe
    from l9.store.store import Store, find_store
    from l9.tasks.contract import Task

__version__ = "0.1.0"

__all__ = [
    "Card",
    "L9Error",
    "Loader",
    "Mesh",
    "Options",
    "Pipeline",
    "Prep",
    "Samples",
    "Schedule",
    "Set",
    "Store",
    "Task",
    "Train",
    "Training",
    "Use",
    "find_store",
    "load_card",
    "load_recipe",
    "prepare",
    "run_pipeline",
]

_HOMES = {
    "l9.cards": ("Card", "load_card"),
    "l9.config": ("Pipeline", "Prep", "Schedule", "Set", "Train", "Training", "Use"),
    "l9.data.loader": ("Loader",),
    "l9.data.samples": ("Samples",),
    "l9.errors": ("L9Error",),
    "l9.geometry.mesh": ("Mesh",),
    "l9.pipeline": ("prepare", "run_pipeline"),
    "l9.prep.sets": ("Options",),
    "l9.recipe": ("load_recipe",),
    "l9.store.store": ("Store", "find_store"),
    "l9.tasks.contract": ("Task",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"l9 has no public name '{name}'")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
