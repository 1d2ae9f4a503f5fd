"""What pre-training on digits without labels is worth where few have one, and what warping the few is worth (Kingma et al., 2014, M1).

run     l9 run pipelines/mnist_finetune.py          (seeds: --set seeds=[0,1,2])
takes   6 to 9 minutes a seed on one core of two, beside other work
expect  `accuracy` on the 1,000 test digits, 3 seeds: from scratch .771 +- .028, .924, .941, .969 with 100, 600, 1,000, 3,000 labels,
        fine-tuned .799 +- .029, .930, .944, .970; augmented, with 100 and 1,000, .927 and .983 from scratch, .929 and .981 fine-tuned: then
        pre-training adds nothing (l9 0.1.0). Which labels are drawn, by the seed, moves it by 5.5 points, pre-training by 2.8
gpu     --set trainings.ae.schedule.epochs=100 and --card mnist_idx --root DIR, the 60,000 digits of the papers; not run here
The two sides have the same network, labels and schedule.
source  the protocol: Kingma, Rezende, Mohamed, Welling, Semi-supervised learning with deep generative models, NeurIPS 2014, table 1
"""

from dataclasses import replace
from typing import Final

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.image_vae import ImageAutoencoder, ImageClassifier
from l9.stages import pixels
from l9.tasks.classify import Classify
from l9.tasks.rebuild_images import RebuildImages

ALL: Final = "train+validation/test"  # settings are chosen by "train/validation"
SIZES: Final = {"code": 64, "width": 32}  # of the encoder that both share


def classifiers(labels: int, steps: int, augment: bool = False) -> tuple[Training, Training]:
    """The same network, labels and schedule twice: from scratch, and from the encoder of the autoencoder."""
    task = Use(Classify, inputs="image", labels=labels, augment=augment)
    schedule = Schedule(steps=steps, batch=50, lr=3e-3, curve="cosine", warmup=0.1)
    name = f"{labels}{'_augmented' if augment else ''}"
    scratch = Training(task, Use(ImageClassifier, dropout=0.3, **SIZES), schedule, f"scratch_{name}", parts=ALL)
    return scratch, replace(scratch, name=f"finetuned_{name}", init="ae")


pipeline = Pipeline(
    name="mnist-finetune",
    sets={"digits": Set("mnist", Prep(Use(pixels, size=28, channels=1)))},
    trainings=(
        Training(
            Use(RebuildImages, hide=0.5, shift=2),
            Use(ImageAutoencoder, **SIZES),
            Schedule(epochs=40, batch=100, lr=3e-3, curve="cosine", warmup=0.05),
            name="ae",
            parts=ALL,
        ),
        *classifiers(100, steps=150),
        *classifiers(600, steps=400),
        *classifiers(1000, steps=600),
        *classifiers(3000, steps=1200),
        *classifiers(100, steps=600, augment=True),
        *classifiers(1000, steps=1500, augment=True),
    ),
)
