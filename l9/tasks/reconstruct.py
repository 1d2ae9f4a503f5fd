"""Rebuild occupancy grids from a code of few numbers: an autoencoder, plain or variational, and what its codes are good for.

sources  Brock, Lim, Ritchie, Weston, Generative and discriminative voxel modeling with convolutional neural networks, 2016, section 2
         (its weights and ranges of the cross-entropy by option); Kingma & Welling, Auto-encoding variational Bayes, ICLR 2014, appendix B
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy import ndarray
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.geometry.mesh import Axis
from l9.models.voxel_vae import VoxelAutoencoder, drawn_code
from l9.tasks.code_pictures import code_map
from l9.tasks.contract import Picture, Player, Report, Task, Turn
from l9.tasks.inputs import OccupancyInputs
from l9.tasks.neighbours import Nearest, code_distances, grid_distances
from l9.tasks.normal_codes import code_noise, kl_to_standard_normal
from l9.tasks.pictures import ACROSS, PAGE, TILE
from l9.tasks.reconstruction_pictures import drawn_page, morph_strip, reconstruction_page
from l9.tasks.voxel_codes import Coder, Rebuilt, batches_of
from l9.tasks.voxel_losses import stretched_cross_entropy, voxel_cross_entropy


class Reconstruct(Task):
    """One player, one turn; a variational network draws its codes in training and answers with their means in evaluation.

    up          the axis that points up
    gamma       weight of occupied voxels in the cross-entropy, of empty ones 1 - gamma, both doubled: 0.5 is the plain one; 0.97 in the
                paper
    stretched   the paper's ranges: targets -1 and 2 for 0 and 1, outputs 0.1 to 1 for 0 to 1, clipped as in the authors' code
    kl_weight   what multiplies the KL divergence (nats a sample) beside the cross-entropy, which is summed over the voxels: with 1, gamma
                0.5 and not stretched the loss is the negative evidence lower bound. Of variational networks alone
    shift       largest random shift along each axis in training, voxels
    mirror      whether grids are mirrored at random along the two axes that are not up
    augment     False: every object as it stands, in training too; evaluation sees them so in any case
    neighbours  of the nearest-neighbour classifier that judges the codes
    morph       the class of which two objects are morphed into each other in a picture; the most frequent one where there are not two
    """

    columns = ("occupancy",)

    def __init__(
        self,
        up: Axis = "+Y",
        gamma: float = 0.5,
        stretched: bool = False,
        kl_weight: float = 1.0,
        shift: int = 2,
        mirror: bool = True,
        augment: bool = True,
        neighbours: int = 5,
        morph: str = "chair",
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        if not 0 < gamma < 1 or kl_weight < 0 or neighbours < 1:
            raise TrainingError(
                f"Reconstruct: gamma is {gamma}, kl_weight {kl_weight}, neighbours {neighbours}; "
                "expected between 0 and 1, 0 or more, and 1 or more"
            )
        self.gamma, self.stretched, self.kl_weight, self.augment = gamma, stretched, kl_weight, augment
        self.neighbours, self.morph, self.up = neighbours, morph, up
        self.optimizer, self.lr, self.weight_decay = optimizer, lr, weight_decay
        self.inputs = OccupancyInputs(up, shift, mirror)

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if it is no voxel autoencoder."""
        if not isinstance(model, VoxelAutoencoder):
            raise TrainingError("Reconstruct needs an autoencoder; give its training a model, such as Use(VoxelAutoencoder)")
        self._network, self._coder = model, Coder(model, self.inputs)
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Remember which samples are learnt from: the nearest neighbours come from those with a label.

        raises  TrainingError before any step is made where there are none, or grids are not of the network's resolution
        """
        checked(samples, self._network.resolution)
        self._known = samples.subset(np.flatnonzero(samples.labels >= 0))

    def players(self) -> dict[str, Player]:
        """The whole network."""
        return {"model": Player(list(self._network.parameters()), self.optimizer, self.lr, {"weight_decay": self.weight_decay})}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`cross_entropy`, summed over voxels and samples, and of a variational network `kl`, nats, with its weight."""
        x = self.inputs.augmented(batch) if self.augment else self.inputs.plain(batch)
        mean, log_variance = self._network.encode(x)
        code = mean if log_variance is None else drawn_code(mean, log_variance, code_noise(batch, mean))
        logits = self._network.decode(code).float()
        if self.stretched:
            terms = {"cross_entropy": stretched_cross_entropy(logits, x > 0, self.gamma).sum()}
        else:
            terms = {"cross_entropy": voxel_cross_entropy(logits, x > 0, self.gamma).sum()}
        if log_variance is not None:
            terms["kl"] = self.kl_weight * kl_to_standard_normal(mean.float(), log_variance.float()).sum()
        return terms

    def evaluate(self, samples: Samples) -> Report:
        """Every object as it stands, by way of its mean code.

        metrics   iou       voxels occupied in both over those occupied in either (answer: probability above 0.5), mean over objects; 1 for
                            an empty grid answered empty
                  bce       plain binary cross-entropy, nats a voxel, mean over voxels and objects, whatever is trained
                  kl        divergence of the code from N(0, I), nats an object, mean; of a variational network alone
                  knn_accuracy         share of the labelled objects that the nearest training objects by code classify rightly
                  knn_accuracy_voxels  the same by differing voxels, without any network; both only where training objects have labels
        outcomes  object, label, iou, bce, kl, and by code `predicted`
        """
        checked(samples, self._network.resolution)
        found = self._coder.rebuilt(samples)
        metrics = {name: float(np.mean([row[name] for row in found.rows])) for name in found.rows[0]}
        classes = [samples.classes[label] if label >= 0 else "" for label in samples.labels]
        outcomes: list[dict[str, Any]] = [
            {"object": name, "label": label, **row} for name, label, row in zip(samples.objects, classes, found.rows, strict=True)
        ]
        judged = np.flatnonzero(samples.labels >= 0)
        if len(self._known) and len(judged):
            metrics |= self._judge(samples, judged, found, outcomes)
        return Report(metrics, outcomes=outcomes)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`reconstructions`, `morph`, `codes`, and `drawn` from N(0, I)."""
        yield reconstruction_page(samples, report, self._coder, self.up)
        yield morph_strip(samples, report, self.morph, self._coder, self.up)
        yield code_map(self._coder.codes(samples), samples.labels, samples.classes, _map_title(len(samples), report))
        yield drawn_page(self._coder, self.up)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 24 samples of the batch, after augmentation."""
        x = (self.inputs.augmented(batch) if self.augment else self.inputs.plain(batch))[:PAGE]
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        title = f"what the network is fed: {len(x):,} of {batch.total:,} samples of a batch"
        return Picture("first_batch", sample_grid([self.inputs.tile(one, TILE) for one in x], captions, ACROSS, title))

    def predict(self, batch: Batch) -> list[list[dict[str, Any]]]:
        """The classes of the nearest training objects by code, with their shares of the votes, as `evaluate` judges them.

        raises  TrainingError where no training object has a label
        """
        if len(self._known) == 0:
            raise TrainingError("predict: no training object of this autoencoder has a label; expected a card with labels")
        codes = np.concatenate([part.codes for part in self._coder.passed([batch])]).astype(np.float64)
        nearest = Nearest(self.neighbours)
        nearest.see(code_distances(codes, self._coder.codes(self._known)), self._known.labels)
        names = self._known.classes
        return [[{"class": names[label], "probability": share} for label, share in row] for row in nearest.ranked()]

    def _judge(self, samples: Samples, judged: ndarray, found: Rebuilt, outcomes: list[dict[str, Any]]) -> dict[str, float]:
        """Nearest neighbours by code and by voxels; adds `predicted` to the outcomes. Training grids are seen a batch at a time."""
        codes, grids = found.codes[judged].astype(np.float64), found.grids[judged]
        by_code, by_voxel = Nearest(self.neighbours), Nearest(self.neighbours)
        seen = 0
        for part in self._coder.passed(batches_of(self._known)):
            labels = self._known.labels[seen : seen + len(part.codes)]
            by_code.see(code_distances(codes, part.codes.astype(np.float64)), labels)
            by_voxel.see(grid_distances(grids, part.grids), labels)
            seen += len(labels)
        answers = [np.array([row[0][0] for row in one.ranked()]) for one in (by_code, by_voxel)]
        for number, answer in zip(judged, answers[0], strict=True):
            outcomes[number]["predicted"] = self._known.classes[answer]
        wanted = samples.labels[judged]
        return {"knn_accuracy": float((answers[0] == wanted).mean()), "knn_accuracy_voxels": float((answers[1] == wanted).mean())}


def checked(samples: Samples, resolution: int) -> None:
    """TrainingError where there is no sample, or a store's grids are not of `resolution` voxels."""
    if len(samples) == 0:
        raise TrainingError("no samples to rebuild; check fold, classes and labels with l9 data check")
    for store in samples.stores:
        side = store.column("occupancy").shape[-1]
        if side != resolution:
            raise TrainingError(
                f"store {store.id} has grids of {side} voxels and the network takes {resolution}; "
                f"expected VoxelAutoencoder(resolution={side}), or occupancy(resolution={resolution}) in the prep"
            )


def _map_title(count: int, report: Report) -> str:
    known = report.metrics.get("knn_accuracy")
    judged = "" if known is None else f"; nearest neighbours in all dimensions: {100 * known:.0f} % right"
    return f"codes of {count:,} tested objects{judged}"
