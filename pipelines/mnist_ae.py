"""Digits by 30 numbers each: Hinton & Salakhutdinov's deep autoencoder (Science 2006), a convolutional one, and principal components.

run     l9 run pipelines/mnist_ae.py
takes   5 minutes on one core of two, beside other work
expect  `mse/mlp` 4.77, `mse/convolutional` 5.13, `mse/pca` 14.07: squared error summed over 28 x 28 pixels of 0..1, mean of the 1,000 test
        digits; codes by a linear classifier, `probe_accuracy`, .916, .952, .883, and by 10 clusters, `kmeans_accuracy`, .598, .678, .583
        (1 seed, l9 0.1.0; 9,000 digits to learn from). The paper, with 60,000 digits: 3.00, principal components 13.87
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
            Use(RebuildImages, shift=1),
            Use(ImageAutoencoder, code=CODE, kind="mlp", hidden=(1000, 500, 250)),
            Schedule(epochs=60, batch=100, lr=2e-3, curve="cosine", warmup=0.05),
            name="mlp",
            parts=ALL,
        ),
        Training(
            Use(RebuildImages, shift=1),
            Use(ImageAutoencoder, code=CODE, kind="convolutional", width=32),
            Schedule(epochs=20, batch=100, lr=4e-3, curve="cosine", warmup=0.05),
            name="convolutional",
            parts=ALL,
        ),
    ),
)
