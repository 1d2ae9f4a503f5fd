"""Rebuild pictures from a code of few numbers: an autoencoder, plain or variational, how much is lost, and what its codes are good for.

sources  Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 2006; Kingma & Welling, Auto-encoding
         variational Bayes, ICLR 2014; Burda, Grosse, Salakhutdinov, Importance weighted autoencoders, ICLR 2016; Vincent, Larochelle,
         Bengio, Manzagol, Extracting and composing robust features with denoising autoencoders, ICML 2008
"""

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.models.image_vae import ImageAutoencoder
from l9.models.voxel_vae import drawn_code
from l9.tasks.code_pictures import code_map
from l9.tasks.code_quality import LinearProbe
from l9.tasks.contract import Picture, Player, Report, Task, Turn
from l9.tasks.image_code_pictures import drawn_page, interpolation_page, manifold_axes, manifold_page, reconstruction_page, strips
from l9.tasks.image_codes import ImageCoder
from l9.tasks.normal_codes import code_noise, kl_to_standard_normal
from l9.tasks.picture_draws import binarised, hidden, shifted
from l9.tasks.pictures import ACROSS, PAGE, TILE
from l9.tasks.rebuilt_report import judgeable, map_title, rebuilt_report
from l9.tasks.scores import best_answers
from l9.tasks.unit_pictures import COLUMN, batches_of, check_pictures, is_binary, picture_tiles, stored_pictures, unit_pictures


class RebuildImages(Task):
    """One player, one turn; a variational network draws its codes in training and answers with their means in evaluation.

    loss        "cross_entropy": of Bernoulli pixels, nats, also of grey values; "l2": squared error of the pixels' means. Both are summed
                over pixels and channels
    kl_weight   what multiplies the KL divergence (nats a picture); with 1 and "cross_entropy" the loss is the negative evidence lower
                bound. Of variational networks alone
    binarise    in training each pixel is drawn anew at each visit, 1 with the chance of its stored value (dynamic binarisation): for
                sets of grey values. What is tested is binary already, such as a set of `pixels(binarised=True)`
    shift       in training pictures are moved at random by at most so many whole pixels along either axis, before they are binarised
    hide        share of the pixels that the encoder is shown as 0 in training, drawn anew at each visit; all are to be rebuilt: a denoising
                autoencoder, whose codes say more of what a picture shows
    augment     False: nothing is moved or hidden, in training too; grey pictures of `binarise` are cut at one half where they are learnt
    """

    columns = (COLUMN,)

    def __init__(
        self,
        loss: Literal["cross_entropy", "l2"] = "cross_entropy",
        kl_weight: float = 1.0,
        binarise: bool = False,
        shift: int = 0,
        hide: float = 0.0,
        augment: bool = True,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        if loss not in ("cross_entropy", "l2") or not (math.isfinite(kl_weight) and kl_weight >= 0) or shift < 0 or not 0 <= hide < 1:
            given = f"loss is '{loss}', kl_weight {kl_weight}, shift {shift}, hide {hide}"
            raise TrainingError(f"RebuildImages: {given}; expected cross_entropy or l2, 0 or more of the others, and hide below 1")
        self.kind, self.kl_weight, self.augment = loss, kl_weight, augment
        self.binarise, self.shift, self.hide = binarise, shift, hide
        self.optimizer, self.lr, self.weight_decay = optimizer, lr, weight_decay

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if it is no autoencoder of pictures."""
        if not isinstance(model, ImageAutoencoder):
            raise TrainingError("RebuildImages needs an autoencoder of pictures; give its training a model, such as Use(ImageAutoencoder)")
        self._network, self._coder = model, ImageCoder(model)
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Remember the training pictures, for the judges of codes; TrainingError where they do not fit the network."""
        self._check(samples)
        self._known = samples

    def check_test(self, samples: Samples) -> None:
        """TrainingError for pictures of another shape, or grey ones where binary ones are learnt."""
        self._check(samples)
        if self.binarise and self.augment and not all(map(is_binary, batches_of(samples))):
            raise TrainingError(
                "RebuildImages: binarise is on and the pictures to be tested have values between 0 and 255; "
                "expected a test set of pixels(binarised=True)"
            )

    def players(self) -> dict[str, Player]:
        """The whole network."""
        return {"model": Player(list(self._network.parameters()), self.optimizer, self.lr, {"weight_decay": self.weight_decay})}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`cross_entropy` or `l2`, summed over pixels and samples, and of a variational network `kl`, nats, with its weight."""
        x = self._wanted(batch)
        mean, log_variance = self._network.encode(self._shown(x, batch))
        code = mean if log_variance is None else drawn_code(mean, log_variance, code_noise(batch, mean))
        logits = self._network.decode(code).float()
        if self.kind == "l2":
            terms = {"l2": (torch.sigmoid(logits) - x).square().sum()}
        else:
            terms = {"cross_entropy": binary_cross_entropy_with_logits(logits, x, reduction="sum")}
        if log_variance is not None:
            terms["kl"] = self.kl_weight * kl_to_standard_normal(mean.float(), log_variance.float()).sum()
        return terms

    def evaluate(self, samples: Samples) -> Report:
        """Every picture as it is stored, by way of its mean code, and of variational networks by 64 drawn codes, the same in every run.

        metrics   mse            sum over pixels and channels of (x - x')^2, values 0..1, mean over pictures
                  psnr           10 log10(1 / mean squared error a pixel), dB
                  elbo_nats, iwae_nats, kl  see `evidence_bounds`, means over pictures; of variational networks trained by cross-entropy
                                 (kl of all variational ones). They are of the binarisation that the set holds: `pixels(binarised=True)`
                                 is a static one, drawn once by seed 0
                  bits_per_dim   elbo_nats / (ln 2 * pixels * channels); of binary pictures alone: of grey ones both bounds are those of
                                 their mean cost over all binarisations by chance, and no likelihood of what the set holds
                  probe_accuracy, kmeans_accuracy  see `judged_codes`, fitted on the codes of the training pictures as they are stored (grey
                                 ones of `binarise` too); where training and tested pictures have labels
        outcomes  object, label, the same by picture, and `predicted` by the linear probe
        """
        self._check(samples)
        x, codes = stored_pictures(samples), self._coder.codes(samples)
        bounds = self._coder.bounds(x) if self._network.variational else []
        if self.kind == "l2":  # squared errors are no likelihood
            bounds = [{"kl": row["kl"]} for row in bounds]
        report = rebuilt_report(samples, x, codes, self._coder.decoded(codes), bounds, self._known, self._coder)
        if "elbo_nats" in report.metrics and is_binary(x):
            report.metrics["bits_per_dim"] = report.metrics["elbo_nats"] / (math.log(2) * x[0].numel())
        return report

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`reconstructions`, `interpolation`, `drawn` from N(0, I), `manifold`, `codes`, and the strips of the run's figure."""
        yield reconstruction_page(samples, report, self._coder)
        yield interpolation_page(samples, self._coder)
        yield drawn_page(self._coder, self._network.code)
        axes, title = manifold_axes(self._coder.codes(self._known), self._network.variational)
        yield manifold_page(self._coder, axes, title)
        yield code_map(self._coder.codes(samples), samples.labels, samples.classes, map_title(len(samples), report))
        yield from strips(samples, self._coder)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 24 pictures of the batch, as they are fed."""
        tiles = picture_tiles(self._shown(self._wanted(batch), batch)[:PAGE], TILE)
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        title = f"what the network is fed: {len(tiles):,} of {batch.total:,} samples of a batch"
        return Picture("first_batch", sample_grid(tiles, captions, ACROSS, title))

    def predict(self, batch: Batch) -> list[list[dict[str, Any]]]:
        """The five most probable classes by the linear probe of the codes, with their probabilities.

        raises  TrainingError where the training pictures do not have labels of two classes
        """
        known = judgeable(self._known)
        if known is None:
            raise TrainingError(
                "predict: the pictures this autoencoder learnt from have no labels of two classes; expected a card with labels"
            )
        probe = LinearProbe(self._coder.codes(known), known.labels)
        codes = self._coder.encoded(unit_pictures(batch))
        return best_answers(probe.probabilities(codes, len(known.classes)), known.classes)

    def _check(self, samples: Samples) -> None:
        check_pictures(samples, self._network.channels, self._network.size, "ImageAutoencoder")

    def _wanted(self, batch: Batch) -> Float[Tensor, "b c s s"]:
        """Pictures of 0..1 as they are to be rebuilt: moved, then binarised, where that is asked for; held-out ones are binarised too."""
        x = shifted(unit_pictures(batch), batch, self.shift if self.augment else 0)
        if not self.binarise:
            return x
        by_heart = self._network.training and not self.augment
        return x.round() if by_heart else binarised(x, batch)

    def _shown(self, x: Float[Tensor, "b c s s"], batch: Batch) -> Float[Tensor, "b c s s"]:
        """What the encoder sees of them."""
        return hidden(x, batch, self.hide if self.augment else 0.0)
