"""The whole of l9 in minutes: furniture models become shards, the shards two small classifiers, MLflow shows both.

run     l9 run pipelines/quickstart.py          (what `make demo` runs)
takes   9 minutes on 2 CPU cores, set-up aside; 137 MB fetched, 380 MB of shards
expect  accuracy VoxNet .667, PointNet .639 on fold 0 (108 objects, 19 classes, 1 seed, l9 0.1.0): short trainings, to see that all works
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.pointnet import PointNet
from l9.models.voxnet import VoxNet
from l9.stages import normalise, occupancy, surface_points, views
from l9.tasks.classify import Classify

shapes = Prep(
    Use(normalise, kind="cube"),
    Use(occupancy, resolution=32, rotations=12),
    Use(views, count=2, size=96),
    Use(normalise, kind="sphere"),
    Use(surface_points, count=1024),
)

pipeline = Pipeline(
    name="quickstart",
    sets={"furniture": Set("furniture", shapes, classes="furniture19", fold=0)},
    trainings=(
        Training(Use(Classify, votes=12), Use(VoxNet), Schedule(epochs=60, batch=32, lr=1e-3, curve="cosine", warmup=0.05), name="voxnet"),
        Training(
            Use(Classify, inputs="points", points=512, votes=4),
            Use(PointNet),
            Schedule(epochs=20, batch=32, lr=1e-3, curve="cosine", warmup=0.05),
            name="pointnet",
        ),
    ),
)
