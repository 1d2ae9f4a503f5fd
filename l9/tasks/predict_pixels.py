"""Predict each pixel from all before it: the exact likelihood of pictures, and pictures drawn from it, by a PixelCNN.

sources  van den Oord, Kalchbrenner, Kavukcuoglu, Pixel recurrent neural networks, ICML 2016 (the plain network and bits per dimension);
         van den Oord et al., Conditional image generation with PixelCNN decoders, NIPS 2016 (the gated one, and classes)
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn, as_input
from l9.tasks.averaged import Averaged
from l9.tasks.contract import Glimpse, Picture, Player, Report, Task, Turn
from l9.tasks.picture_draws import binarised, shifted
from l9.tasks.pictures import ACROSS, PAGE
from l9.tasks.pixel_judge import Judge, classes_of
from l9.tasks.pixel_pictures import glimpsed_page, inpainting_page, receptive_field, samples_page
from l9.tasks.pixel_values import check_binary, picture_nats, pixel_values
from l9.tasks.scores import best_answers, labelled
from l9.tasks.unit_pictures import COLUMN, check_pictures, picture_tiles, unit_pictures

TILE = 84  # pixels of a picture's edge


class PredictPixels(Task):
    """One player, one turn. Bytes become the network's values evenly; one of two values takes statically binarised pictures (0, 255) only.

    classes    names of the classes, in the order of the labels; of a network that is told them alone
    binarise   the training samples are grey pictures, of which each pixel is drawn black or white anew in every epoch, with a chance of
               byte / 255 (Salakhutdinov & Murray's binarisation, never the same twice). What is tested is binarised in any case
    shift      largest random shift of a training picture along each axis, pixels; zeros (black) move in
    averaging  decay of the average of the weights (l9/tasks/averaged.py), which is evaluated then and draws; 0: the weights as they are
    shown      whether `samples.png` is drawn anew at the end of each epoch: 2 s for 16 digits by 7 layers of 32, on one busy core
    augment    False: no shift, in training too; grey ones of `binarise` that are learnt are then cut at 128, tested ones too
    """

    columns = (COLUMN,)

    def __init__(
        self,
        classes: tuple[str, ...] = (),
        binarise: bool = False,
        shift: int = 0,
        averaging: float = 0.0,
        shown: bool = True,
        augment: bool = True,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        if shift < 0:
            raise TrainingError(f"PredictPixels: shift is {shift}; expected 0 or more pixels")
        self.classes, self.averaging, self.shown = classes, averaging, shown
        self.binarise, self.shift, self.augment = binarise, shift, augment
        self.optimizer, self.lr, self.weight_decay = optimizer, lr, weight_decay

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if it is no PixelCNN, or pixels are to be binarised for one of more than two values."""
        if not isinstance(model, PixelCnn | GatedPixelCnn):
            raise TrainingError("PredictPixels needs a PixelCNN; give its training a model, such as Use(GatedPixelCnn)")
        if self.binarise and model.values != 2:
            raise TrainingError(
                f"PredictPixels: binarise makes pixels of two values, and the network has values={model.values}; expected values=2"
            )
        self._network = self._judged = model
        self._average = None
        if self.averaging:
            self._average = Averaged(model, self.averaging)
            self._judged = cast(PixelCnn | GatedPixelCnn, self._average.module)
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Shape of the pictures, shares of the classes.

        raises  TrainingError before any step is made: no pictures, other channels, pictures that are not square or of several sizes, a
                pixel that a network of two values cannot take, a sample without a label where classes are told
        """
        size = samples.stores[0].column(COLUMN).shape[-1]
        check_pictures(samples, self._network.channels, size, type(self._network).__name__)
        self._shape = (self._network.channels, size, size)
        shares = np.zeros(classes_of(self._network))
        if len(shares):
            counts = np.bincount(labelled(samples, self.classes).labels, minlength=len(shares))
            shares = counts / counts.sum()
        self._judge = Judge(self._judged, shares, exact=self.augment or not self.binarise)
        if not self.binarise:
            self._check_values(samples)

    def players(self) -> dict[str, Player]:
        """The whole network."""
        return {"model": Player(list(self._network.parameters()), self.optimizer, self.lr, {"weight_decay": self.weight_decay})}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`nll`: -ln p(picture), given its class where the network is told it; nats, summed over the samples."""
        values = pixel_values(self._fed(batch), self._network.values)
        label = batch.labels if classes_of(self._network) else None
        logits = self._network(as_input(values, self._network.values), label)
        return {"nll": picture_nats(logits.float(), values).sum()}

    def observe(self, turn: Turn, terms: Mapping[str, float]) -> None:
        """After the step: the average follows."""
        if self._average is not None:
            self._average.update(self._network)

    def buffers(self) -> dict[str, Tensor]:
        """The average of the weights, where there is one."""
        return {} if self._average is None else self._average.buffers("averaged")

    def start_loss(self) -> float:
        """Every value equally likely: pixels * channels * ln V."""
        return math.prod(self._shape) * math.log(self._network.values)

    def glimpse(self, step: int, ends_epoch: bool) -> Glimpse | None:
        """At the end of an epoch 16 pictures drawn from the same random numbers each time, `samples`."""
        if not ends_epoch or not self.shown:
            return None
        return Glimpse(pictures=[glimpsed_page(self._judge, self._shape, step)])

    def check_test(self, samples: Samples) -> None:
        """TrainingError for pictures of another shape, or that are not binarised where the network has two values."""
        check_pictures(samples, *self._shape[:2], type(self._network).__name__)
        if self.augment or not self.binarise:
            self._check_values(samples)

    def evaluate(self, samples: Samples) -> Report:
        """The exact likelihood of pictures as the network's values; all in nats, positive, lower is better.

        Where the network has two values the pictures are those of `pixels(binarised=True)`: statically binarised, each pixel drawn once, by
        the stage's seed (0 unless told otherwise) and the object's id.

        metrics   nll_nats              -ln p(x) of the picture alone, mean over pictures; of a network of classes the sum over all of them
                                        (p(class) being the shares in training), so that it compares with one that is told none
                  bits_per_dim          nll_nats / (ln 2 * channels * rows * columns)
                  nll_nats_given_class  -ln p(x | its class), mean over the labelled pictures; of a network of classes alone
                  accuracy              share of the labelled pictures whose most probable class by Bayes' rule is theirs; likewise
        outcomes  object, label, nll_nats, and of a network of classes predicted, probability, nll_nats_given_class (None without a label)
        """
        check_pictures(samples, *self._shape[:2], type(self._network).__name__)
        nats = self._judge.all_nats(samples)
        marginal = self._judge.marginal(nats)
        outcomes: list[dict[str, Any]] = [
            {"object": name, "label": samples.classes[label] if label >= 0 else "", "nll_nats": float(value)}
            for name, label, value in zip(samples.objects, samples.labels, marginal, strict=True)
        ]
        mean = float(marginal.mean())
        metrics = {"nll_nats": mean, "bits_per_dim": mean / (math.log(2) * math.prod(self._shape))}
        if classes_of(self._network):
            metrics |= self._classified(samples, nats, outcomes)
        return Report(metrics, outcomes=outcomes)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`samples`, `inpainting` and `receptive_field`."""
        yield samples_page(self._judge, self._shape, self.classes)
        yield inpainting_page(self._judge, samples)
        yield receptive_field(self._judge, samples)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 24 samples of the batch, after augmentation, as the network's values."""
        shown = self._judge.shown(pixel_values(self._fed(batch)[:PAGE], self._network.values))
        names = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        title = f"what the network is fed: {len(shown):,} of {batch.total:,} samples of a batch, {self._network.values} values"
        return Picture("first_batch", sample_grid(picture_tiles(shown, TILE), names, ACROSS, title))

    def predict(self, batch: Batch) -> list[list[dict[str, Any]]]:
        """The five most probable classes of each picture, by Bayes' rule; TrainingError where the network is told no class."""
        if not classes_of(self._network):
            raise TrainingError("predict: this PixelCNN knows no classes; expected a run of GatedPixelCnn(conditional=True)")
        return best_answers(self._judge.probabilities(self._judge.nats(batch)), self.classes)

    def _fed(self, batch: Batch) -> Float[Tensor, "b c h w"]:
        """Pictures of 0..1 after augmentation. Held-out ones are binarised too; those to be learnt by heart are not, but cut at 128."""
        x = shifted(unit_pictures(batch), batch, self.shift if self.augment else 0)
        by_heart = self._network.training and not self.augment
        return binarised(x, batch) if self.binarise and not by_heart else x

    def _check_values(self, samples: Samples) -> None:
        """TrainingError for a pixel that a network of two values cannot take."""
        if self._network.values == 2:
            for batch in self._judge.batches(samples):
                check_binary(unit_pictures(batch))

    def _classified(self, samples: Samples, nats_NK: np.ndarray, outcomes: list[dict[str, Any]]) -> dict[str, float]:
        """Metrics of a network of classes; adds to the outcomes."""
        probabilities = self._judge.probabilities(nats_NK)
        answers, labels = probabilities.argmax(axis=1), samples.labels
        for number, row in enumerate(outcomes):
            given = float(nats_NK[number, labels[number]]) if labels[number] >= 0 else None
            answer = int(answers[number])
            row |= {"predicted": self.classes[answer], "probability": float(probabilities[number, answer]), "nll_nats_given_class": given}
        known = np.flatnonzero(labels >= 0)
        if not len(known):
            return {}
        right = float((answers[known] == labels[known]).mean())
        return {"nll_nats_given_class": float(nats_NK[known, labels[known]].mean()), "accuracy": right}
