"""Classify furniture from 32^3 occupancy with VoxNet (Maturana & Scherer, IROS 2015), beside a random forest on the same objects.

run     l9 run pipelines/furniture_voxnet.py
takes   10 minutes on 2 CPU cores; 370 MB of shards
expect  accuracy .694 at seed 0 (.685, .676 at 1 and 2), the forest beside it .648
        (fold 0: 108 objects, trained on the 293 of folds 2-4; 1 seed, l9 0.1.0)
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
