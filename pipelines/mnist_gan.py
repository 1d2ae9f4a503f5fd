"""Digits out of noise: a GAN (Goodfellow et al., NIPS 2014) on MNIST, of convolutions without batch norm, so that ranks agree with one.

run     l9 run pipelines/mnist_gan.py
takes   8 minutes on one core of two, beside other work
expect  `kid` 263 (x 1000, 1,000 samples against the 1,000 test digits, with lite0's features; not to be compared with Inception's),
        `precision` .70, `recall` .74, `diversity` .95, `copied` .002 (1 seed, l9 0.1.0)
two     --set train.workers=2: the same order and, to float32's rounding, the same steps as in one process
gpu     --set trainings.*.model.width=64 --set trainings.*.schedule.epochs=200; the first GAN's own networks: model
        Use(MlpGan, features=True) of l9/models/mlp_gan.py; not run here
"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.dcgan import Dcgan
from l9.stages import pixels
from l9.tasks.play_gan import PlayGan

digits = Prep(Use(pixels, size=28, channels=1))

pipeline = Pipeline(
    name="mnist-gan",
    sets={"mnist": Set("mnist", digits)},
    trainings=(
        Training(
            Use(PlayGan),
            Use(Dcgan, size=28, channels=1, width=32, norm=False, features=True),
            Schedule(epochs=40, batch=64),
            init="lite0",
            parts="train+validation/test",
        ),
    ),
    train=Train(precision="float32"),
)
