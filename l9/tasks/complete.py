"""Complete partial scans with a network that tells distances to the whole surface, as 3D-EPN is trained.

source  Dai, Qi, Niessner, CVPR 2017, sections 4 and 5, and its code: logarithms in training alone, smooth L1 over the whole grid, scans
        and truth moved together by up to two voxels, Adam at 1e-3
"""

from typing import Any, Literal, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.data.augment import draw_flips, draw_shifts, generators, level_axes, mirror_voxels, shift_voxels
from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.geometry.distance_fields import TRUNCATION
from l9.geometry.mesh import Axis
from l9.tasks.completion import COMPLETE, PARTIAL, CompletionTask, checked_scans, known_voxels, network_input
from l9.tasks.completion_pictures import SEEN, TRUE, fields_picture
from l9.tasks.contract import Picture, Player, Turn

PAGE, ACROSS = 8, 2  # scans on the page of a batch


@runtime_checkable
class HoldsClassifier(Protocol):
    """A network that may hold a classifier which was trained before."""

    def check_classifier(self) -> None:
        """TrainingError unless the classifier is what it should be."""
        ...


class Complete(CompletionTask):
    """One player, one turn. The network takes (B, 2, V, V, V), see `network_input`, and gives log(distance + 1), (B, V, V, V).

    shift         largest random shift of scan and truth along each axis, voxels; what comes in from outside is 3 voxels from any
                  surface, and known
    mirror        whether they are mirrored at random, each with probability 1/2, along the two axes that are not `up`; the paper does not
    masked        known voxels do not count in the loss, which stays a mean over the whole grid, as in the authors' option
    optimizer     "sgd" has no momentum; `lr` is its rate, `weight_decay` its decay
    augment       False: scans as they are
    """

    def __init__(
        self,
        up: Axis = "+Y",
        shift: int = 2,
        mirror: bool = False,
        masked: bool = False,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        augment: bool = True,
    ) -> None:
        self.up, self.shift, self.mirror, self.masked, self.augment = up, shift, mirror, masked, augment
        self.optimizer, self.lr, self.weight_decay = optimizer, lr, weight_decay

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if there is none."""
        if model is None:
            raise TrainingError("Complete needs a network; give its training a model, such as Use(EpnUnet)")
        self._network = model
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError where these are no partial scans, or of a size that the network does not take."""
        voxels = checked_scans(samples).stores[0].column(PARTIAL).shape[0]
        taken = getattr(self._network, "resolution", voxels)
        if voxels != taken:
            name = type(self._network).__name__
            raise TrainingError(
                f"scans have {voxels} voxels along each edge, and {name} takes {taken}; expected resolution={taken} in the prep"
            )

    def players(self) -> dict[str, Player]:
        """All of the network that may move."""
        parameters = [one for one in self._network.parameters() if one.requires_grad]
        return {"model": Player(parameters, self.optimizer, self.lr, {"weight_decay": self.weight_decay})}

    def initialise(self, batch: Batch) -> None:
        """TrainingError where the network's classifier did not get its weights by `init`."""
        if isinstance(self._network, HoldsClassifier):
            self._network.check_classifier()

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`smooth_l1` of log(distance + 1): means over the voxels of each scan, summed over scans."""
        partial, complete = self._moved(batch)
        found, wanted = self._network(network_input(partial)), complete.clamp_max(TRUNCATION).log1p()
        each = nn.functional.smooth_l1_loss(found, wanted, reduction="none")
        if self.masked:
            each = each * ~known_voxels(partial)
        return {"smooth_l1": each.flatten(1).mean(1).sum()}

    def answers(self, batch: Batch) -> Float[Tensor, "b v v v"]:
        """exp of what the network says less 1, by the network in evaluation mode; its mode is put back after."""
        was_training = self._network.training
        self._network.eval()
        try:
            partial = batch.fixed(PARTIAL).to(next(self._network.parameters()).device)
            return cast(Tensor, self._network(network_input(partial.float()))).float().expm1()
        finally:
            self._network.train(was_training)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first eight scans of the batch as the network is fed them, and the truth it is to tell."""
        partial, complete = (one[:PAGE] for one in self._moved(batch))
        fed = torch.where(known_voxels(partial), partial.abs(), TRUNCATION)
        tiles = [fields_picture(pair, (SEEN, TRUE), self.up) for pair in torch.stack([fed, complete], dim=1).cpu().numpy()]
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        return Picture("first_batch", sample_grid(tiles, captions, ACROSS, "what the network is fed of a scan, and the truth"))

    def _moved(self, batch: Batch) -> tuple[Float[Tensor, "b v v v"], Float[Tensor, "b v v v"]]:
        """Scan and truth, float32; moved alike. For each sample are drawn two mirrors, where there are any, then three shifts."""
        fields = (batch.fixed(PARTIAL).float(), batch.fixed(COMPLETE).float())
        if not self.augment:
            return fields
        random, device = generators(batch), fields[0].device
        flips: list[tuple[Any, int]] = [(draw_flips(random).to(device), axis) for axis in level_axes(self.up)] if self.mirror else []
        shifts = draw_shifts(random, self.shift).to(device)
        for chosen, axis in flips:
            fields = mirror_voxels(fields[0], chosen, axis), mirror_voxels(fields[1], chosen, axis)
        return shift_voxels(fields[0], shifts, TRUNCATION), shift_voxels(fields[1], shifts, TRUNCATION)
