"""PixelCNN on digits, gated (van den Oord et al., NIPS 2016) and plain (ICML 2016): exact likelihoods, digits drawn pixel by pixel.

run     l9 run pipelines/mnist_pixelcnn.py
takes   (to be filled from the full run)
expect  (to be filled from the full run) on the 1,000 test digits, statically binarised by pixels(binarised=True), seed 0: `nll_nats/gated`,
        `nll_nats/plain`; neither network is told the digit
learns  from 9,000 grey digits (training and validation), of which each pixel is drawn black or white anew in every epoch
classes --set trainings.gated.model.conditional=true: told the digit; `nll_nats` is then still -ln p(x), summed over the ten, and
        `accuracy` that of Bayes' rule
gpu     --set trainings.gated.model.width=128 --set trainings.gated.model.layers=15 --set trainings.gated.model.head=256: nearer to the
        papers' sizes; not run here
"""

from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn
from l9.stages import pixels
from l9.tasks.predict_pixels import PredictPixels

ALL: Final = "train+validation/test"  # settings are chosen by "train/validation"
task = Use(PredictPixels, drawn=True, averaging=0.99)


def learnt(name: str, model: Use, epochs: int) -> Training:
    """From grey digits, tested on binarised ones."""
    schedule = Schedule(epochs=epochs, batch=32, lr=2e-3, curve="cosine", warmup=0.02)
    return Training(task, model, schedule, name, sets=("grey",), test=("digits",), parts=ALL)


pipeline = Pipeline(
    name="mnist-pixelcnn",
    sets={
        "grey": Set("mnist", Prep(Use(pixels, size=28, channels=1)), classes="mnist10"),
        "digits": Set("mnist", Prep(Use(pixels, size=28, channels=1, binarised=True)), classes="mnist10"),
    },
    trainings=(
        learnt("gated", Use(GatedPixelCnn, width=32, layers=7), epochs=12),
        learnt("plain", Use(PixelCnn, width=32, blocks=7), epochs=8),
    ),
    train=Train(precision="bfloat16"),
)
