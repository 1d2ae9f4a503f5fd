"""PixelCNN on digits, gated (van den Oord et al., NIPS 2016) and plain (ICML 2016): exact likelihoods, digits drawn pixel by pixel.

run     l9 run pipelines/mnist_pixelcnn.py
takes   16 minutes for `gated` on two cores, beside other work; by their pace 8 for `classes` and 5 for `plain`
expect  `nll_nats/gated` 89.4, `nll_nats/classes` 88.0, `nll_nats/plain` 93.3: -ln p(x), mean over the 1,000 test digits, statically
        binarised by pixels(binarised=True), seed 0; `bits_per_dim/gated` .165 (1 seed, l9 0.1.0). `gated` and `plain` are told no digit.
        `classes` is, and its nll_nats sums over the ten, so that it compares; told the right one it is `nll_nats_given_class` 85.9, and
        `accuracy` .954 is that of Bayes' rule
learns  from 9,000 grey digits (training and validation), of which each pixel is drawn black or white anew in every epoch
gpu     --set trainings.gated.model.width=128 --set trainings.gated.model.layers=15 --set trainings.gated.model.head=256
        --set trainings.gated.schedule.epochs=100: nearer to the papers' sizes; not run here
"""

from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn
from l9.stages import pixels
from l9.tasks.predict_pixels import PredictPixels

ALL: Final = "train+validation/test"  # settings were chosen by "train/validation"
task = Use(PredictPixels, binarise=True, averaging=0.995)


def learnt(name: str, model: Use, epochs: int) -> Training:
    """From grey digits, tested on binarised ones."""
    schedule = Schedule(epochs=epochs, batch=32, lr=2e-3, curve="cosine", warmup=0.02, checkpoint_every=2)
    return Training(task, model, schedule, name, sets=("grey",), test=("binary",), parts=ALL)


pipeline = Pipeline(
    name="mnist-pixelcnn",
    sets={
        "grey": Set("mnist", Prep(Use(pixels, size=28, channels=1)), classes="mnist10"),
        "binary": Set("mnist", Prep(Use(pixels, size=28, channels=1, binarised=True)), classes="mnist10"),
    },
    trainings=(
        learnt("gated", Use(GatedPixelCnn, width=32, layers=7), epochs=14),
        learnt("classes", Use(GatedPixelCnn, conditional=True, width=32, layers=7), epochs=8),
        learnt("plain", Use(PixelCnn, width=32, blocks=7), epochs=6),
    ),
    train=Train(precision="bfloat16"),  # 1.9 times as fast as float32 here; evaluation is in float32
)
