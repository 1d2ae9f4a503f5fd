"""Classify furniture from 1,024 surface points with PointNet (Qi, Su, Mo, Guibas, CVPR 2017).

run     l9 run pipelines/furniture_pointnet.py
takes   14 seconds an epoch of 303 objects on one CPU core (22 samples/s, measured on the network alone); tests and pictures aside
expect  not seen to the end as it stands; bench/classify.py's 40 epochs on four folds reach .628 +- .031 over 5 folds (1 seed, l9 0.1.0)
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.pointnet import PointNet
from l9.stages import normalise, surface_points, views
from l9.tasks.classify import Classify

cloud = Prep(Use(normalise, kind="sphere"), Use(surface_points, count=2048), Use(views, count=2, size=96))

pipeline = Pipeline(
    name="furniture-pointnet",
    sets={"furniture": Set("furniture", cloud, classes="furniture19", fold=0)},
    trainings=(
        Training(
            Use(Classify, inputs="points", points=1024, votes=12),
            Use(PointNet),
            Schedule(epochs=60, batch=32, lr=1e-3, curve="cosine", warmup=0.02),
        ),
    ),
)
