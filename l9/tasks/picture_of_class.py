"""Answer a class with one picture: what losses make of many right answers. Least squares end at their mean, absolute errors at the median.

The lecture's "tends to average over training data" in its smallest form: a class of handwritten digits has thousands of right answers, a
network of its label can give one, and that which the loss prefers is none of them. Generators are the way out.
source  Bishop, Mixture density networks, 1994, section 1: the minimiser of the squared error is the conditional mean
"""

from collections.abc import Iterable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.models.picture_table import PictureTable
from l9.tasks.contract import Picture, Player, Report, Task, Turn
from l9.tasks.scores import labelled
from l9.tasks.unit_pictures import COLUMN, check_pictures, picture_strip, picture_tiles, stored_pictures, unit_pictures

TILE = 84  # pixels of a picture on the page
REAL = 3  # training pictures of each class on the page


class PictureOfClass(Task):
    """One player, one turn.

    classes  names of the K classes, in the order of the labels
    loss     "l2", squared errors, or "l1", absolute ones; both summed over a picture's pixels
    lr       of Adam
    """

    columns = (COLUMN,)

    def __init__(self, classes: tuple[str, ...], loss: Literal["l2", "l1"] = "l2", lr: float = 0.02) -> None:
        if loss not in ("l2", "l1"):
            raise TrainingError(f"PictureOfClass: loss is '{loss}'; expected l2 or l1")
        self.classes, self.by, self.lr = classes, loss, lr

    def bind(self, model: nn.Module | None) -> None:
        """Take the table; TrainingError for another network."""
        if not isinstance(model, PictureTable):
            raise TrainingError("PictureOfClass needs a table of pictures; give its training a model: Use(PictureTable)")
        self._table = model
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Keep what the answers should become: of each class the mean, and the median, of its training pictures."""
        check_pictures(samples, self._table.channels, self._table.size, "PictureTable")
        labels = torch.from_numpy(labelled(samples, self.classes).labels)
        pictures = stored_pictures(samples)
        members = [pictures[labels == number] for number in range(len(self.classes))]
        if lacking := [name for name, some in zip(self.classes, members, strict=True) if len(some) == 0]:
            raise TrainingError(f"no training picture of {', '.join(lacking)}; check fold, classes and labels with l9 data check")
        self._shown = [some[:REAL].clone() for some in members]
        self._lowest, self._highest = (torch.stack([self._best(some, end) for some in members]) for end in ("lower", "higher"))

    def players(self) -> dict[str, Player]:
        """The table."""
        return {"model": Player([self._table.pictures_KCSS], "adam", self.lr)}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`l2` or `l1`, summed over pixels and samples."""
        return {self.by: self._errors(unit_pictures(batch), self._table(batch.labels))}

    def check_test(self, samples: Samples) -> None:
        """TrainingError for pictures of another shape, or a sample without a label."""
        check_pictures(labelled(samples, self.classes), self._table.channels, self._table.size, "PictureTable")

    def evaluate(self, samples: Samples) -> Report:
        """Of the test pictures, each answered by its class's.

        metrics  mse        squared differences of pixels in 0..1, summed over a picture, mean over pictures
                 mae        absolute ones
                 to_centre  largest difference of any pixel of the table from the mean (l2) or the median (l1) of the training pictures; of
                            an even number of them every value between the two in the middle is a median
        """
        self.check_test(samples)
        pictures = stored_pictures(samples)
        table = self._table.pictures_KCSS.detach().cpu()
        answers = table[torch.from_numpy(samples.labels)]
        squared, absolute = ((answers - pictures).abs().pow(power).sum() / len(pictures) for power in (2, 1))
        away = (table - table.clamp(self._lowest, self._highest)).abs().max()
        return Report({"mse": float(squared), "mae": float(absolute), "to_centre": float(away)})

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`answers`: of each class what is learnt, what it should be, and training pictures; `strip`, `strip_truth`: what is learnt, and
        a training picture of each class, for the run's figure.
        """
        learnt = self._table.pictures_KCSS.detach().cpu()
        rows = [learnt, (self._lowest + self._highest) / 2]
        tiles = [picture_tiles(row, TILE) for row in rows]
        tiles += [picture_tiles(torch.stack([some[number % len(some)] for some in self._shown]), TILE) for number in range(REAL)]
        name = "mean" if self.by == "l2" else "median"
        captions = [*(f"{one}, learnt" for one in self.classes), *(f"{name} of all" for _ in self.classes), *[""] * (REAL * len(learnt))]
        title = f"what {self.by} makes of a class, the {name} of its training pictures, and some of these"
        page = sample_grid([tile for row in tiles for tile in row], captions, len(learnt), title)
        yield Picture("answers", page)
        yield Picture("strip", picture_strip(learnt))
        yield Picture("strip_truth", picture_strip(torch.stack([some[0] for some in self._shown])))

    def _best(self, pictures_NCSS: Float[Tensor, "n c s s"], end: Literal["lower", "higher"]) -> Float[Tensor, "c s s"]:
        """The picture of least loss; where there are several, of each pixel the lower or the higher end of those."""
        if self.by == "l2":
            return pictures_NCSS.mean(dim=0)
        return torch.quantile(pictures_NCSS, 0.5, dim=0, interpolation=end)

    def _errors(self, wanted: Float[Tensor, "b c s s"], answered: Float[Tensor, "b c s s"]) -> Tensor:
        difference = answered - wanted
        return difference.square().sum() if self.by == "l2" else difference.abs().sum()
