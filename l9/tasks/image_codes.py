"""An autoencoder of pictures in evaluation: pictures to codes, codes to pictures, and how much of a picture is lost on the way.

B pictures   Z numbers of a code   C channels   S the picture's edge, pixels
sources  Kingma & Welling, Auto-encoding variational Bayes, ICLR 2014, equation 7; Burda, Grosse, Salakhutdinov, Importance weighted
         autoencoders, ICLR 2016, equation 8
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.models.image_vae import ImageAutoencoder
from l9.models.voxel_vae import drawn_code
from l9.tasks.normal_codes import kl_to_standard_normal
from l9.tasks.unit_pictures import COLUMN, unit_pictures

AT_ONCE = 256  # pictures that go through the network together
DRAWS = 64  # codes of each picture, for the bounds
PICTURES = 16  # whose codes are drawn together: 1,024 decoded pictures
SEED = 0  # of the drawn codes
BEST_PSNR = 120.0  # dB, of pictures that are rebuilt as they are

Rows = list[dict[str, float]]
"""Of each picture its numbers by name."""


@dataclass(frozen=True)
class ImageCoder:
    """The network, in evaluation mode while it is asked; its mode is put back after each call."""

    network: ImageAutoencoder

    def codes(self, samples: Samples) -> Float64[ndarray, "n z"]:
        """Mean codes of all samples, in their order."""
        batches = Loader(samples, (COLUMN,), seed=0, training=False).sequential(AT_ONCE)
        found = [self.encoded(unit_pictures(batch)) for batch in batches]
        return np.concatenate(found) if found else np.zeros((0, self.network.code))

    @torch.no_grad()
    def encoded(self, x_BCSS: Float[Tensor, "b c s s"]) -> Float64[ndarray, "b z"]:
        """Mean codes of some pictures of 0..1."""
        with _evaluating(self.network) as device:
            return self.network.encode(x_BCSS.to(device))[0].double().cpu().numpy()

    @torch.no_grad()
    def decoded(self, codes: Float64[ndarray, "b z"]) -> Float[Tensor, "b c s s"]:
        """Means of the pixels, 0..1, of some codes, on the processor."""
        with _evaluating(self.network) as device:
            numbers = torch.from_numpy(codes.astype(np.float32)).to(device)
            parts = [numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE)]
            return torch.cat([torch.sigmoid(self.network.decode(part).float()).cpu() for part in parts])

    @torch.no_grad()
    def bounds(self, x_BCSS: Float[Tensor, "b c s s"], draws: int = DRAWS) -> Rows:
        """`elbo_nats`, `iwae_nats`, `kl` of each picture by a variational network; see `evidence_bounds`. Its codes are its number's."""
        rows: Rows = []
        with _evaluating(self.network) as device:
            for start in range(0, len(x_BCSS), PICTURES):
                x = x_BCSS[start : start + PICTURES].to(device)
                shape = (draws, self.network.code)
                noise = [np.random.default_rng((SEED, start + number)).standard_normal(shape, np.float32) for number in range(len(x))]
                rows += evidence_bounds(self.network, x, torch.from_numpy(np.stack(noise)).to(device))
        return rows


def evidence_bounds(network: ImageAutoencoder, x_BCSS: Float[Tensor, "b c s s"], noise_BDZ: Float[Tensor, "b d z"]) -> Rows:
    """How many nats a picture costs at most by a variational network, Bernoulli pixels and the prior N(0, I): lower is better.

    elbo_nats  -ELBO: cross-entropy of the pixels, mean over the drawn codes, and the divergence in closed form
    iwae_nats  -ln mean of p(x | z) p(z) / q(z | x) over the drawn codes: a tighter bound the more are drawn, the ELBO's where it is one
    kl         divergence of the code from N(0, I)

    Of grey values (not 0 or 1) both bound the mean cost over all binarisations by chance in which each pixel is 1 with that chance.
    """
    mean_BZ, log_variance_BZ = network.encode(x_BCSS)
    assert log_variance_BZ is not None
    count, draws, _ = noise_BDZ.shape
    code_BDZ = drawn_code(mean_BZ[:, None], log_variance_BZ[:, None], noise_BDZ)
    logits = network.decode(code_BDZ.flatten(0, 1)).float()
    pixels = binary_cross_entropy_with_logits(logits, x_BCSS.repeat_interleave(draws, dim=0), reduction="none")
    cost_BD = pixels.flatten(1).sum(dim=1).double().reshape(count, draws)
    prior_to_code_BD = 0.5 * (noise_BDZ.square() + log_variance_BZ[:, None] - code_BDZ.square()).double().sum(dim=2)
    iwae_B = math.log(draws) - torch.logsumexp(prior_to_code_BD - cost_BD, dim=1)
    kl_B = kl_to_standard_normal(mean_BZ.double(), log_variance_BZ.double())
    found = zip((cost_BD.mean(dim=1) + kl_B).tolist(), iwae_B.tolist(), kl_B.tolist(), strict=True)
    return [{"elbo_nats": elbo, "iwae_nats": iwae, "kl": kl} for elbo, iwae, kl in found]


def squared_errors(x_BCSS: Float[Tensor, "b c s s"], rebuilt_BCSS: Float[Tensor, "b c s s"]) -> list[float]:
    """Of each picture the sum over pixels and channels of (x - x')^2, values 0..1: the scale of Hinton & Salakhutdinov, Science 2006."""
    errors: list[float] = (x_BCSS - rebuilt_BCSS).double().square().flatten(1).sum(dim=1).tolist()
    return errors


def signal_to_noise(mse: float, numbers: int) -> float:
    """Peak signal-to-noise ratio of pictures of 0..1, dB, from their mean squared error, summed over `numbers` pixels; at most 120."""
    return -10 * math.log10(max(mse / numbers, 10 ** (-BEST_PSNR / 10)))


@contextmanager
def _evaluating(network: ImageAutoencoder) -> Iterator[torch.device]:
    """The network in evaluation mode within the block; yields where it is."""
    was_training = network.training
    network.eval()
    try:
        yield next(network.parameters()).device
    finally:
        network.train(was_training)
