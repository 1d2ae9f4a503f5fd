"""A variational autoencoder of binary digits (Kingma & Welling, ICLR 2014), a plain one beside it, and one with a code of two numbers.

run     l9 run pipelines/mnist_vae.py
takes   12 minutes on one core of two, beside other work; 8 of them for `vae`
expect  `elbo_nats/vae` 97.6, -ELBO in nats a picture of the 1,000 test digits, statically binarised by pixels(binarised=True), seed 0;
        `iwae_nats/vae` 93.5 by 64 codes, `bits_per_dim/vae` .180; with a code of two numbers `elbo_nats/vae_2d` 151.5 (1 seed, l9 0.1.0).
        It learns from 9,000 grey digits, moved by a pixel at most, of which each pixel is drawn black or white anew at each visit
gpu     --set trainings.vae.model.hidden=[2000,2000] --set trainings.vae.schedule.epochs=500: a larger network; not run here
"""

from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.image_vae import ImageAutoencoder
from l9.stages import pixels
from l9.tasks.rebuild_images import RebuildImages

ALL: Final = "train+validation/test"  # settings were chosen by "train/validation"


def coder(name: str, code: int, variational: bool, epochs: int) -> Training:
    """Learns from grey digits, moved by a pixel at most and drawn anew at each visit; tested on those that were drawn once."""
    model = Use(ImageAutoencoder, code=code, variational=variational, kind="mlp", hidden=(500, 500))
    schedule = Schedule(epochs=epochs, batch=100, lr=2e-3, curve="cosine", warmup=0.05)
    task = Use(RebuildImages, binarise=True, shift=1)
    return Training(task, model, schedule, name, sets=("grey",), test=("binary",), parts=ALL)


pipeline = Pipeline(
    name="mnist-vae",
    sets={
        "grey": Set("mnist", Prep(Use(pixels, size=28, channels=1))),
        "binary": Set("mnist", Prep(Use(pixels, size=28, channels=1, binarised=True))),
    },
    trainings=(
        coder("ae", 20, variational=False, epochs=30),
        coder("vae", 20, variational=True, epochs=120),
        coder("vae_2d", 2, variational=True, epochs=50),
    ),
)
