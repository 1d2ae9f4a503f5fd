"""Two networks at play: a generator makes pictures out of noise, a discriminator tells them from real ones.

sources  Goodfellow et al., Generative adversarial networks, NIPS 2014 (the loss that does not saturate); Radford, Metz, Chintala, DCGAN,
         ICLR 2016 (optimizers); Salimans et al., Improved techniques for training GANs, NIPS 2016, section 3.4 (smoothing of one side);
         Zhao et al., Differentiable augmentation for data-efficient GAN training, NeurIPS 2020 (its translation, by option)
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.dcgan import Gan
from l9.tasks.averaged import Averaged
from l9.tasks.contract import Glimpse, Picture, Player, Report, Task, Turn
from l9.tasks.gan_health import GanHealth, mean_distance, share_right
from l9.tasks.gan_pictures import ACROSS, development_page, page_of_feed, sample_page, walk_page
from l9.tasks.generated_measures import Measures, compared_tests, compared_training, measured
from l9.tasks.nearest_training import memorisation_page
from l9.tasks.unit_pictures import COLUMN, check_pictures, picture_strip, stored_pictures, unit_pictures

STRIP = 10  # samples in the run's figure
SHOWN = 64  # noises that are drawn again and again
STREAM = 10  # of random numbers: the discriminator's noise; the generator's moves have the next ones
SHIFTED = 1000  # of random numbers: how real pictures are shifted; generated ones have the next ones
FIXED = 1  # a stream of the run's seed: the noises that are shown
EVALUATED = 0  # the seed of the noise that is evaluated, whatever the run's
AT_ONCE = 256  # noises that go through the generator together
SNAPSHOTS = (0, *(25 * 2**number for number in range(13)))  # steps made when pictures are kept: 25, 50, 100 ... 102,400


class PlayGan(Task):
    """Two players: at each step the discriminator moves once, then the generator `generator_steps` times.

    Pictures of 0..1 become -1..1. The discriminator sees real and generated ones in batches of their own, whose statistics are their own.
    What is shown and evaluated is the generator with averaged weights.

    noise             "normal": N(0, 1); "uniform": between -1 and 1
    generator_steps   1, or more where the discriminator learns too fast: 2 in the code that many start from (carpedm20's)
    discriminator_lr, generator_lr  rates of Adam with betas (.5, .999): 2e-4 in DCGAN
    smoothing         the discriminator's target for real pictures is 1 - smoothing, for generated ones 0
    discriminator_shift  pixels by which each picture, real or generated, is shifted at most before the discriminator sees it, edges
                      repeated, the generator's gradient passing through: for few pictures, which it would learn by heart. 0 in DCGAN
    decay             of the averaged weights at each of the generator's moves (l9/tasks/averaged.py); 0: the last ones
    """

    columns = (COLUMN,)

    def __init__(
        self,
        noise: Literal["normal", "uniform"] = "normal",
        generator_steps: int = 1,
        discriminator_lr: float = 2e-4,
        generator_lr: float = 2e-4,
        smoothing: float = 0.0,
        discriminator_shift: int = 0,
        decay: float = 0.999,
    ) -> None:
        if generator_steps < 1 or not 0 <= smoothing < 0.5 or discriminator_shift < 0:
            given = f"generator_steps is {generator_steps}, smoothing {smoothing}, discriminator_shift {discriminator_shift}"
            raise TrainingError(f"PlayGan: {given}; expected at least 1, 0 to below 0.5, and 0 or more")
        self.shift = discriminator_shift
        self.noise, self.generator_steps, self.smoothing, self.decay = noise, generator_steps, smoothing, decay
        self.rates = {"discriminator": discriminator_lr, "generator": generator_lr}
        self._turns = [Turn("discriminator"), *(Turn("generator", number) for number in range(generator_steps))]
        self._seed, self._step = 0, -1
        self._health = GanHealth(smoothing)
        self._measures: Measures | None = None

    def bind(self, model: nn.Module | None) -> None:
        """Take the two networks; TrainingError if there are none."""
        if not isinstance(model, Gan):
            raise TrainingError("PlayGan needs a generator and a discriminator; give its training a model, such as Use(Dcgan)")
        self._networks = model
        self._averaged = Averaged(model.generator, self.decay)
        super().bind(model)

    def learnt(self, samples: Samples, seed: int) -> Samples:
        """All of them; the seed is that of the noises that are shown."""
        self._seed = seed
        return samples

    def fit(self, samples: Samples) -> None:
        """See how far training pictures are apart; draw the noises that are shown.

        raises  TrainingError where there are no pictures, or of another size than the networks'
        """
        check_pictures(samples, self._networks.channels, self._networks.size, type(self._networks).__name__)
        self._samples = samples
        spread = np.unique(np.linspace(0, len(samples) - 1, SHOWN).astype(np.int64))
        self._real = stored_pictures(samples.subset(spread)).to(self._device)
        self._fixed = self._drawn(SHOWN, (self._seed, FIXED))
        shape = (len(SNAPSHOTS), ACROSS, self._networks.channels, self._networks.size, self._networks.size)
        self._snapshots = torch.zeros(shape, dtype=torch.uint8)
        self._snapshot_steps = torch.full((len(SNAPSHOTS),), -1)
        self._made = torch.zeros((), dtype=torch.int64)

    def players(self) -> dict[str, Player]:
        """`discriminator` and `generator`; features, where the networks have them, are nobody's."""
        networks = {"discriminator": self._networks.discriminator, "generator": self._networks.generator}
        return {
            name: Player(list(network.parameters()), "adam", self.rates[name], {"betas": (0.5, 0.999)})
            for name, network in networks.items()
        }

    def turns(self, step: int) -> Sequence[Turn]:
        """The discriminator, then the generator."""
        self._step = step
        return self._turns

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropies in nats, summed over the samples: the discriminator's `real` and `made`, the generator's `fool`."""
        if turn.player == "generator":
            made = self._networks.generate(self._noises(batch, STREAM + 1 + turn.number))
            return {"fool": _cross_entropy(self._judged(made, batch, SHIFTED + 2 + turn.number), 1.0)}
        with torch.no_grad():
            made = self._networks.generate(self._noises(batch, STREAM))
        real = self._judged(2 * unit_pictures(batch) - 1, batch, SHIFTED)
        return {"real": _cross_entropy(real, 1 - self.smoothing), "made": _cross_entropy(self._judged(made, batch, SHIFTED + 1), 0.0)}

    def observe(self, turn: Turn, terms: Mapping[str, float]) -> None:
        """After the generator's moves: average its weights; after a step: keep snapshots, look after its health."""
        self._health.hear(("discriminator", "generator").index(turn.player), sum(terms.values()))
        if turn.player != "generator":
            return
        self._averaged.update(self._networks.generator)
        if turn.number + 1 == self.generator_steps:
            self._made.fill_(self._step + 1)
            self._keep_snapshot(self._step + 1)
            if self._health.is_due(self._step) and mean_distance(self._real):  # of one training picture samples should be alike
                self._health.check(self._step, self._diversity(self._generated(self._fixed)))

    def initialise(self, batch: Batch) -> None:
        """Before the first step, after `init`: the averaged weights are those there are; TrainingError where features were not loaded."""
        if self._networks.features is not None:
            self._networks.features.check_loaded()
        self._averaged.module.load_state_dict(self._networks.generator.state_dict())
        self._keep_snapshot(0)

    def glimpse(self, step: int, ends_epoch: bool) -> Glimpse | None:
        """At an epoch's end `samples` of the averaged generator, and metrics; whenever something is found wrong, a line.

        metrics  diversity               mean L2 distance between 64 samples, over that between 64 training pictures
                 discriminator_accuracy  its share of right answers on these (statistics of each kind's own): 1 where it knows all, .5 none
        """
        said = self._health.lines(step)
        if not ends_epoch:
            return Glimpse(said=said) if said else None
        made = self._generated(self._fixed)
        metrics = {"diversity": self._diversity(made), "discriminator_accuracy": self._accuracy(made)}
        return Glimpse(metrics, [sample_page(made, f"after {step + 1:,} steps: averaged generator, noises of the run's seed")], said)

    def buffers(self) -> dict[str, Tensor]:
        """Averaged weights, the noises that are shown, snapshots, and the state of health."""
        own = {"fixed_noise": self._fixed, "snapshots": self._snapshots, "snapshot_steps": self._snapshot_steps, "steps_made": self._made}
        return {**self._averaged.buffers("averaged"), **own, **self._health.buffers()}

    def check_test(self, samples: Samples) -> None:
        """TrainingError for pictures of another size than the networks'."""
        check_pictures(samples, self._networks.channels, self._networks.size, type(self._networks).__name__)

    def evaluate(self, samples: Samples) -> Report:
        """As many samples of the averaged generator as there are test pictures (at most 5,000), the same noises each time.

        metrics  diversity  mean L2 distance between 64 samples of the run's noises, over that between 64 training pictures
                 and, of two test pictures or more, where the networks have `features` those of l9/tasks/generated_measures.py, `kid` first
        """
        self.check_test(samples)
        test = compared_tests(samples)
        metrics, self._measures = {"diversity": self._diversity(self._generated(self._fixed))}, None
        if self._networks.features is not None and len(test) > 1:
            made = self._generated(self._drawn(len(test), (EVALUATED,)))
            self._compared = made.cpu(), compared_training(self._samples)
            self._measures = measured(self._compared[0], test, self._compared[1], self._networks.features, EVALUATED)
            metrics |= self._measures.metrics
        return Report(metrics)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`samples`, `over_time`, `interpolation`, with features `memorisation`, and the strip of the run's figure: the first samples."""
        made, steps = self._generated(self._fixed), int(self._made)
        yield Picture("strip", picture_strip(made[:STRIP]))
        yield sample_page(made, f"after {steps:,} steps: averaged generator, noises of the run's seed")
        yield development_page(self._snapshots, self._snapshot_steps.tolist(), made[:ACROSS].cpu(), steps)
        yield walk_page(self._fixed, self.noise == "normal", self._generated)
        if self._measures is not None:
            yield memorisation_page(self._measures.nearest, *self._compared)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 64 real pictures of the batch."""
        shown = unit_pictures(batch)[:SHOWN]
        captions = [samples.objects[int(number)] for number in batch.samples[:SHOWN]]
        title = f"what the discriminator is fed as real: {len(shown):,} of {batch.total:,} samples of a batch"
        return Picture("first_batch", page_of_feed(shown, captions, title))

    @property
    def _device(self) -> torch.device:
        return next(self._networks.generator.parameters()).device

    def _judged(self, x_BCSS: Tensor, batch: Batch, stream: int) -> Tensor:
        """Logits of pictures, each shifted by whole pixels of its own where that is wanted."""
        if self.shift:
            keys = [(batch.seed, batch.epoch, int(position), stream) for position in batch.positions]
            drawn = [np.random.default_rng(key).integers(-self.shift, self.shift + 1, 2) for key in keys]
            x_BCSS = shifted(x_BCSS, torch.from_numpy(np.array(drawn, np.int64).reshape(-1, 2)).to(x_BCSS.device))
        return self._networks.judge(x_BCSS)

    def _noises(self, batch: Batch, stream: int) -> Tensor:
        """Noise of each sample's own, by (seed, epoch, position, stream): the same however a batch is split over ranks."""
        keys = [(batch.seed, batch.epoch, int(position), stream) for position in batch.positions]
        drawn = [self._numbers(np.random.default_rng(key), 1) for key in keys]
        return torch.from_numpy(np.concatenate([np.zeros((0, self._networks.noise), np.float32), *drawn])).to(self._device)

    def _drawn(self, count: int, key: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(self._numbers(np.random.default_rng(key), count)).to(self._device)

    def _numbers(self, random: np.random.Generator, count: int) -> np.ndarray:
        shape = (count, self._networks.noise)
        return random.standard_normal(shape, np.float32) if self.noise == "normal" else 2 * random.random(shape, np.float32) - 1

    @torch.no_grad()
    def _generated(self, z: Tensor) -> Tensor:
        """Pictures of 0..1 by the averaged generator."""
        return torch.cat([(self._averaged.module(part).float() + 1) / 2 for part in torch.split(z, AT_ONCE)])

    def _diversity(self, made: Tensor) -> float:
        """0 where training pictures are all alike."""
        known = mean_distance(self._real)
        return mean_distance(made) / known if known else 0.0

    @torch.no_grad()
    def _accuracy(self, made: Tensor) -> float:
        """Of the discriminator on the remembered training pictures and as many samples, batch norm as in training, no dropout."""
        judge = copy.deepcopy(self._networks.discriminator).eval()
        for layer in judge.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.train()
        return share_right(judge(2 * self._real - 1), judge(2 * made[: len(self._real)] - 1))

    def _keep_snapshot(self, steps: int) -> None:
        if steps not in SNAPSHOTS:
            return
        number = SNAPSHOTS.index(steps)
        self._snapshots[number] = (self._generated(self._fixed[:ACROSS]).clamp(0, 1) * 255).round().to("cpu", torch.uint8)
        self._snapshot_steps[number] = steps


def shifted(x_BCSS: Float[Tensor, "b c s s"], pixels_B2: Int[Tensor, "b 2"]) -> Float[Tensor, "b c s s"]:
    """Each picture moved down and right by its own pixels; the rows and columns at the edge are repeated. Gradients pass."""
    size = x_BCSS.shape[-1]
    places = (torch.arange(size, device=x_BCSS.device) - pixels_B2[..., None]).clamp(0, size - 1)
    rows, columns = places.unbind(1)
    moved = x_BCSS.gather(2, rows[:, None, :, None].expand_as(x_BCSS))
    return moved.gather(3, columns[:, None, None, :].expand_as(x_BCSS))


def _cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Summed over the samples, in float32."""
    found = logits.float()
    return nn.functional.binary_cross_entropy_with_logits(found, torch.full_like(found, target), reduction="sum")
