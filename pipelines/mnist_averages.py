"""Why generators: what losses of a picture make of many right answers, on digits (Bishop, Mixture density networks, 1994, section 1).

run     l9 run pipelines/mnist_averages.py
takes   5 minutes on one core of two, beside other work
expect  `side_by_side` of the run: told a digit, least squares answer the mean of its thousand pictures and absolute errors their median,
        blurs that nobody wrote; a variational autoencoder, told the picture by a code, blurs less; a GAN, asked for none in particular,
        draws sharp strokes, by then not all of them digits. `to_centre/l2` .005 and `to_centre/l1` .016: how far any learnt pixel is from
        that mean and median, of its range; `mse/l2` 41.8, `mse/l1` 52.4, `mse/vae` 11.4 (1 seed, l9 0.1.0)
gpu     nothing here is large; not run there
"""

from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.dcgan import Dcgan
from l9.models.image_vae import ImageAutoencoder
from l9.models.picture_table import PictureTable
from l9.stages import pixels
from l9.tasks.picture_of_class import PictureOfClass
from l9.tasks.play_gan import PlayGan
from l9.tasks.rebuild_images import RebuildImages

ALL: Final = "train+validation/test"


def answers(loss: str) -> Training:
    """One picture for each digit, learnt by that loss."""
    return Training(Use(PictureOfClass, loss=loss), Use(PictureTable), Schedule(epochs=20, batch=100, curve="cosine"), loss, parts=ALL)


pipeline = Pipeline(
    name="mnist-averages",
    sets={"mnist": Set("mnist", Prep(Use(pixels, size=28, channels=1)))},
    trainings=(
        answers("l2"),
        answers("l1"),
        Training(
            Use(RebuildImages, shift=1),
            Use(ImageAutoencoder, variational=True, kind="mlp"),
            Schedule(epochs=20, batch=100, lr=2e-3, curve="cosine", warmup=0.05),
            "vae",
            parts=ALL,
        ),
        Training(Use(PlayGan), Use(Dcgan, size=28, channels=1, width=32, norm=False), Schedule(epochs=20, batch=64), "gan", parts=ALL),
    ),
)
