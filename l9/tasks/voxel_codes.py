"""A voxel autoencoder in evaluation: samples to codes, codes to probabilities of occupancy, and how well the two agree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.models.voxel_vae import VoxelAutoencoder
from l9.tasks.inputs import OccupancyInputs
from l9.tasks.normal_codes import kl_to_standard_normal
from l9.tasks.voxel_losses import voxel_cross_entropy

AT_ONCE = 32  # grids that go through the network together


@dataclass
class Rebuilt:
    """Some samples after the network.

    codes  float32 (n, Z), the means
    grids  uint8 (n, R^3) of 0 and 1: what was fed
    rows   of each sample `iou`, `bce` and, of a variational network, `kl`; see `Reconstruct.evaluate`
    """

    codes: ndarray
    grids: ndarray
    rows: list[dict[str, float]]


@dataclass(frozen=True)
class Coder:
    """The network and how it is fed. Its mode is put back after each call."""

    network: VoxelAutoencoder
    inputs: OccupancyInputs

    def passed(self, batches: Iterable[Batch]) -> Iterator[Rebuilt]:
        """Each batch as it stands, by way of its mean codes."""
        for batch in batches:
            yield self._passed(batch)

    def rebuilt(self, samples: Samples) -> Rebuilt:
        """All samples, in their order."""
        parts = list(self.passed(batches_of(samples)))
        rows = [row for part in parts for row in part.rows]
        return Rebuilt(np.concatenate([part.codes for part in parts]), np.concatenate([part.grids for part in parts]), rows)

    def codes(self, samples: Samples) -> ndarray:
        """Mean codes, float64 (n, Z)."""
        return np.concatenate([part.codes for part in self.passed(batches_of(samples))]).astype(np.float64)

    def fields(self, samples: Samples) -> tuple[ndarray, ndarray]:
        """Occupancy of a few samples and its probabilities by way of their codes, float32 (n, R, R, R)."""
        found, side = self.rebuilt(samples), self.network.resolution
        return found.grids.reshape(-1, side, side, side).astype(np.float32), self.decoded(found.codes)

    @torch.no_grad()
    def decoded(self, codes: ndarray) -> ndarray:
        """Probabilities of occupancy of a few codes (n, Z), float32 (n, R, R, R)."""
        network = self.network
        was_training, device = network.training, next(network.parameters()).device
        network.eval()
        try:
            logits = network.decode(torch.from_numpy(codes.astype(np.float32)).to(device))
            return torch.sigmoid(logits.float())[:, 0].cpu().numpy()
        finally:
            network.train(was_training)

    @torch.no_grad()
    def _passed(self, batch: Batch) -> Rebuilt:
        network = self.network
        was_training, device = network.training, next(network.parameters()).device
        network.eval()
        try:
            x = self.inputs.plain(batch.to(device))
            mean, log_variance = network.encode(x)
            rows = rebuilt_rows(network.decode(mean).float(), x > 0)
            if log_variance is not None:
                divergence = kl_to_standard_normal(mean.float(), log_variance.float()).tolist()
                rows = [{**row, "kl": value} for row, value in zip(rows, divergence, strict=True)]
        finally:
            network.train(was_training)
        return Rebuilt(mean.float().cpu().numpy(), (x > 0).flatten(1).to(torch.uint8).cpu().numpy(), rows)


def batches_of(samples: Samples) -> Iterator[Batch]:
    """Grids of all samples in their own order."""
    return Loader(samples, ("occupancy",), seed=0, training=False).sequential(AT_ONCE)


def rebuilt_rows(logits: Tensor, occupied: Tensor) -> list[dict[str, float]]:
    """`iou` and `bce` of each sample; logits float32 and occupied bool, both (B, 1, R, R, R)."""
    answered = (logits > 0).flatten(1)
    wanted = occupied.flatten(1)
    either = (answered | wanted).sum(dim=1)
    both = (answered & wanted).sum(dim=1)
    iou = torch.where(either > 0, both / either.clamp_min(1), torch.ones(len(both), device=both.device))
    bce = voxel_cross_entropy(logits, occupied, 0.5) / wanted.shape[1]
    return [{"iou": one, "bce": other} for one, other in zip(iou.tolist(), bce.tolist(), strict=True)]
