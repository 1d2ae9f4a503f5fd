"""A voxel autoencoder, plain and variational (Brock et al., 2016), and what its encoder is worth where labels are few.

run     l9 run pipelines/furniture_vae.py
takes   10 minutes on two cores after the preparation, which furniture_voxnet shares
expect  fold 0, 108 objects, seed 0: `iou` .516 plain, .469 variational; `knn_accuracy` .694 and .657 (by voxels .491); `accuracy` with 50,
        100 and all 397 labels .324, .370, .435 from scratch and .519, .593, .648 fine-tuned; 100 augmented .611 and .556 (l9 0.1.0)
"""

from dataclasses import replace
from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.voxel_vae import VoxelAutoencoder, VoxelClassifier
from l9.stages import coarse_occupancy, normalise, occupancy, views
from l9.tasks.classify import Classify
from l9.tasks.reconstruct import Reconstruct

ALL: Final = "train+validation/test"  # settings were chosen by "train/validation"
grid = Prep(
    Use(normalise, kind="cube"),
    Use(occupancy, resolution=32, kind="surface", rotations=12),
    Use(coarse_occupancy),
    Use(views, count=2, size=96),
)


def coder(name: str, variational: bool) -> Training:
    """An autoencoder of every object of the training folds, whatever its class; its codes are judged on the classes of the classifiers."""
    schedule = Schedule(epochs=20, batch=16, lr=3e-3, curve="cosine", warmup=0.05)
    model = Use(VoxelAutoencoder, variational=variational)
    task = Use(Reconstruct, gamma=0.7, augment=False)
    return Training(task, model, schedule, name, sets=("objects",), test=("furniture",), parts=ALL)


def classifiers(labels: int | None, steps: int, augment: bool = False) -> tuple[Training, Training]:
    """The same network, schedule and labels twice: from scratch, and from the encoder of the plain autoencoder."""
    task = Use(Classify, labels=labels, augment=augment)
    schedule = Schedule(steps=steps, batch=25, lr=3e-4, curve="cosine", warmup=0.1)
    name = f"{labels or 'all'}{'_augmented' if augment else ''}"
    scratch = Training(task, Use(VoxelClassifier), schedule, f"scratch_{name}", sets=("furniture",), test=("furniture",), parts=ALL)
    return scratch, replace(scratch, name=f"finetuned_{name}", init="ae")


pipeline = Pipeline(
    name="furniture-vae",
    sets={"objects": Set("furniture", grid, fold=0), "furniture": Set("furniture", grid, classes="furniture19", fold=0)},
    trainings=(
        coder("ae", variational=False),
        coder("vae", variational=True),
        *classifiers(50, steps=60),
        *classifiers(100, steps=100),
        *classifiers(None, steps=240),
        *classifiers(100, steps=240, augment=True),
    ),
)
