"""Classify furniture from 32^3 occupancy with VoxNet (Maturana & Scherer, IROS 2015), beside a random forest on the same objects.

run     l9 run pipelines/furniture_voxnet.py
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.voxnet import VoxNet
from l9.stages import coarse_occupancy, normalise, occupancy, views
from l9.tasks.classify import Classify
from l9.tasks.forest import Forest

grid = Prep(
    Use(normalise, kind="cube"),
    Use(occupancy, resolution=32, kind="surface", rotations=12),
    Use(coarse_occupancy),
    Use(views, count=2, size=96),
)

pipeline = Pipeline(
    name="furniture-voxnet",
    sets={"furniture": Set("furniture", grid, classes="furniture19", fold=0)},
    trainings=(
        Training(Use(Classify, votes=12), Use(VoxNet), Schedule(epochs=200, batch=32, lr=1e-3, curve="cosine", warmup=0.02)),
        Training(Use(Forest, trees=400), None, name="forest"),
    ),
)
