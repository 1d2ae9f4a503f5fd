"""Emoji out of noise by a DCGAN (Radford, Metz, Chintala, ICLR 2016), 32 pixels, RGB on white; beside it what simple methods give.

run     l9 run pipelines/emoji_dcgan.py
takes   50 minutes on one core of two, beside other work, 23 and 26 for the two; two quiet cores make 508 samples a second, 13 minutes each
expect  `kid` x 1000 of 968 samples against the 968 test pictures, with lite0's features: `kid/dcgan` 287, `kid/dcgan_shifted` 223; of other
        real pictures `kid/floor` -2, of pictures blurred by 3x3 `kid/blur` 164, of a Gaussian of principal components `kid/pca_gaussian`
        2,445; `copied/dcgan` .001 (1 seed, l9 0.1.0)
gpu     --set sets.emoji.prep.pixels.size=64, and of dcgan and dcgan_shifted each --set trainings.dcgan.model.size=64
        --set trainings.dcgan.schedule.epochs=400: the paper's size; two moves of the generator in
        each step, as in the code that many start from: --set trainings.dcgan.task.generator_steps=2; not run here
"""

from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.dcgan import Dcgan
from l9.models.lite_features import LiteFeatures
from l9.stages import pixels
from l9.tasks.picture_baselines import PictureBaseline
from l9.tasks.play_gan import PlayGan

ALL: Final = "train+validation/test"
small = Prep(Use(pixels, size=32, background=255))


def baseline(kind: str) -> Training:
    """Nothing learns: pictures of that kind, measured as the generator's are."""
    return Training(Use(PictureBaseline, kind=kind), Use(LiteFeatures), None, kind, parts=ALL, init="lite0")


def dcgan(name: str, shift: int) -> Training:
    """The paper's networks; with `shift` the discriminator, which soon knows so few pictures, sees them shifted."""
    task, model = Use(PlayGan, discriminator_shift=shift), Use(Dcgan, size=32, width=64, features=True)
    return Training(task, model, Schedule(epochs=60, batch=64), name, parts=ALL, init="lite0")


pipeline = Pipeline(
    name="emoji-dcgan",
    sets={"emoji": Set("emoji", small)},
    trainings=(baseline("floor"), baseline("blur"), baseline("pca_gaussian"), dcgan("dcgan", 0), dcgan("dcgan_shifted", 3)),
    train=Train(precision="bfloat16"),
)
