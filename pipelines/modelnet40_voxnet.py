"""Classify ModelNet40 from 30^3 occupancy with VoxNet (Maturana & Scherer, IROS 2015): 12 rotations about +Z, which vote in the test.

run     l9 run pipelines/modelnet40_voxnet.py --root ModelNet40        (the folder of the 40 classes; l9 data check modelnet40 --root ...)
takes   not measured: the data is its authors' to give
expect  the paper reports .83 accuracy averaged over the classes (`class_accuracy`), trained on the official train part of 9,843, tested
        on the 2,468 of test, 12 votes. l9 has run this on a small tree of the same layout only. Nothing is chosen on the test part:
        what is reported is the last epoch's.
Of the paper: the 30^3 grid padded to 32^3, occupied +1 and empty -1, SGD with momentum 0.9, rate 0.001, decay 0.001, batches of 32, shifts
of 2 voxels, mirrors. Not of it: surfaces are voxelised by l9, the rate falls by a cosine, and an epoch shows each object in one of its 12
rotations, where the paper's shows all: its 80 epochs are --set trainings.*.schedule.epochs=960.
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.voxnet import VoxNet
from l9.stages import normalise, occupancy, views
from l9.tasks.classify import Classify

grid = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=30, kind="surface", rotations=12), Use(views, count=2, size=96))

pipeline = Pipeline(
    name="modelnet40-voxnet",
    sets={"modelnet40": Set("modelnet40", grid, classes="modelnet40")},
    trainings=(
        Training(
            Use(Classify, votes=12, optimizer="sgd", weight_decay=1e-3),
            Use(VoxNet, resolution=30),
            Schedule(epochs=80, batch=32, lr=1e-3, curve="cosine"),
        ),
    ),
)
