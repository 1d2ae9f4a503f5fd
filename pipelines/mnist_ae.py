"""Digits by 30 numbers each: Hinton & Salakhutdinov's deep autoencoder (Science 2006), a convolutional one, and principal components.

run     l9 run pipelines/mnist_ae.py
takes   (to be filled from the full run)
expect  (to be filled from the full run) `mse`, the squared error summed over 28 x 28 pixels of 0..1, and accuracies of the codes: by a
        linear classifier (`probe_accuracy`) and by 10 clusters (`kmeans_accuracy`). The paper, with 60,000 digits: mse 3.00, principal
        components 13.87
gpu     --card mnist_idx --root DIR --set trainings.mlp.schedule.epochs=200: the paper's digits; not run here
"""

from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.image_vae import ImageAutoencoder
from l9.stages import pixels
from l9.tasks.principal_components import PrincipalComponents
from l9.tasks.rebuild_images import RebuildImages

ALL: Final = "train+validation/test"  # settings were chosen by "train/validation"
CODE = 30  # numbers

pipeline = Pipeline(
    name="mnist-ae",
    sets={"digits": Set("mnist", Prep(Use(pixels, size=28, channels=1)))},
    trainings=(
        Training(Use(PrincipalComponents, code=CODE), None, name="pca", parts=ALL),
        Training(
            Use(RebuildImages, loss="l2"),
            Use(ImageAutoencoder, code=CODE, kind="mlp", hidden=(1000, 500, 250)),
            Schedule(epochs=60, batch=100, lr=1e-3, curve="cosine", warmup=0.02),
            name="mlp",
            parts=ALL,
        ),
        Training(
            Use(RebuildImages, loss="l2"),
            Use(ImageAutoencoder, code=CODE, kind="convolutional", width=32),
            Schedule(epochs=20, batch=100, lr=1e-3, curve="cosine", warmup=0.02),
            name="convolutional",
            parts=ALL,
        ),
    ),
)
