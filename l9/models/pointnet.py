"""PointNet (Qi, Su, Mo, Guibas, CVPR 2017): a function of a set, by a shared MLP and a maximum.

B batch   N points   C channels   F features   K classes   J both sides of the learned transform (3 or 64)
in  xyz_BN3 in the unit sphere        out  logits_BK
Layers as in the authors' classification code: T-Net of 3, shared MLP 64 64, T-Net of 64, shared MLP 64 128 1024, maximum over the
points, then 512 256 K; batch norm and ReLU after every layer but the last; dropout of 0.3 after both hidden layers of the head.
Shared layers are `nn.Linear` over (B * N, C): a point-wise Conv1d is the same function and slow on processors.
Batch norm keeps torch's momentum of 0.1 throughout (0.9 in TensorFlow's words); the authors raise theirs from 0.5 to 0.99.
The regulariser is 0.0005 * sum over the batch of ||A A^T - I||_F^2 on the 64x64 transform, the authors' convention: their weight of
0.001 multiplies tf.nn.l2_loss, which halves the sum and does not divide by the batch. `transform_penalty` gives each sample's norm.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

PENALTY_WEIGHT = 0.0005  # of the sum over the whole batch; see above
MOMENTUM = 0.1  # of the running statistics, as torch counts


class PointNet(nn.Module):
    """Point set to class scores, the same for every order of the points.

    classes  names of the K classes; only their number matters here
    dropout  share of features set to 0 after each hidden layer of the head
    """

    def __init__(self, classes: tuple[str, ...], dropout: float = 0.3) -> None:
        super().__init__()
        self.input_transform = TransformNet(3)
        self.point_features = SharedLayers(3, 64, 64)
        self.feature_transform = TransformNet(64)
        self.set_features = SetFeatures(64, 64, 128, 1024)
        self.head = nn.Sequential(
            *_layer(1024, 512), nn.Dropout(dropout), *_layer(512, 256), nn.Dropout(dropout), glorot_linear(256, len(classes))
        )

    def forward(self, xyz_BN3: Float[Tensor, "b n 3"]) -> Float[Tensor, "b k"]:
        """Scores before the softmax."""
        return self.forward_with_transform(xyz_BN3)[0]

    def forward_with_transform(self, xyz_BN3: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b 64 64"]]:
        """Scores before the softmax, and the 64x64 transform that the regulariser holds near a rotation."""
        turned_BN3 = xyz_BN3 @ self.input_transform(xyz_BN3)
        features_BNC = self.point_features(turned_BN3)
        transform_BJJ = self.feature_transform(features_BNC)
        set_BF = self.set_features(features_BNC @ transform_BJJ)
        return self.head(set_BF), transform_BJJ


def transform_penalty(transform_BJJ: Float[Tensor, "b j j"]) -> Float[Tensor, "b"]:
    """||A A^T - I||_F^2 of each sample, in float32 whatever the layers compute in: 0 where A is orthogonal."""
    with torch.autocast(transform_BJJ.device.type, enabled=False):
        transform_BJJ = transform_BJJ.float()
        identity_JJ = torch.eye(transform_BJJ.shape[-1], device=transform_BJJ.device)
        return (transform_BJJ @ transform_BJJ.transpose(1, 2) - identity_JJ).square().sum(dim=(1, 2))


class SharedLayers(nn.Module):
    """The same layers for every point: (B, N, widths[0]) to (B, N, widths[-1])."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        layers = [part for before, after in pairwise(widths) for part in _layer(before, after)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x_BNC: Float[Tensor, "b n c"]) -> Float[Tensor, "b n f"]:
        """Batch norm sees all points of all samples alike."""
        batch, points, channels = x_BNC.shape
        features: Tensor = self.layers(x_BNC.reshape(batch * points, channels))
        return features.reshape(batch, points, -1)


class SetFeatures(nn.Module):
    """Shared layers, then the maximum of each feature over the points: (B, N, widths[0]) to (B, widths[-1])."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.shared = SharedLayers(*widths[:-1])
        self.last = MaximumLayer(widths[-2], widths[-1])

    def forward(self, x_BNC: Float[Tensor, "b n c"]) -> Float[Tensor, "b f"]:
        """Batch norm sees all points of all samples alike."""
        features: Tensor = self.last(self.shared(x_BNC))
        return features


class MaximumLayer(nn.Module):
    """One shared layer (linear, batch norm, ReLU) and the maximum over the points: (B, N, before) to (B, after).

    Batch norm and ReLU are monotonic in each feature, so the maximum is taken of the linear part (the minimum where batch norm's
    weight is negative), and only the point that has it is normalised and differentiated. The statistics of W x + b over all
    points follow from those of x: mean W m + b, variance w S w^T for each row w of W, where S is the covariance of x. The same
    function with the same gradients (where points share a maximum, the first has all of it), and a whole PointNet trains about
    three times as fast on a processor as with 1,024 features of every point normalised.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.linear, self.norm = glorot_linear(before, after), nn.BatchNorm1d(after, momentum=MOMENTUM)

    def forward(self, x_BNC: Float[Tensor, "b n c"]) -> Float[Tensor, "b f"]:
        """In training the running statistics move as batch norm's do."""
        with torch.autocast(x_BNC.device.type, enabled=False):
            x_BNC = x_BNC.to(self.linear.weight.dtype)
            mean_F, variance_F = self._statistics(x_BNC)
            highest_BF = self._highest(x_BNC)
            scale_F = self.norm.weight * torch.rsqrt(variance_F + self.norm.eps)
            return torch.relu((highest_BF - mean_F) * scale_F + self.norm.bias)

    def _highest(self, x_BNC: Float[Tensor, "b n c"]) -> Float[Tensor, "b f"]:
        """W x + b of the point that is highest after batch norm, for each sample and feature."""
        batch, points, channels = x_BNC.shape
        with torch.no_grad():
            signed_FC = torch.where(self.norm.weight < 0, -1.0, 1.0)[:, None] * self.linear.weight
            chosen_BF = (signed_FC @ x_BNC.transpose(1, 2)).argmax(dim=2)
            rows_BF = chosen_BF + torch.arange(batch, device=x_BNC.device)[:, None] * points
        # an embedding, since its gradient adds rows on all cores; that of an index does not
        chosen_BFC = nn.functional.embedding(rows_BF, x_BNC.reshape(batch * points, channels))
        return (chosen_BFC * self.linear.weight).sum(dim=2) + self.linear.bias

    def _statistics(self, x_BNC: Float[Tensor, "b n c"]) -> tuple[Float[Tensor, "f"], Float[Tensor, "f"]]:
        """Mean and variance of W x + b over all points: those of the batch in training, else the running ones."""
        running_F, running_variance_F = self.norm.running_mean, self.norm.running_var
        assert running_F is not None and running_variance_F is not None and self.norm.num_batches_tracked is not None
        if not self.training:
            return running_F, running_variance_F
        x_PC = x_BNC.reshape(-1, x_BNC.shape[2])
        mean_C = x_PC.mean(dim=0)
        centred_PC = x_PC - mean_C
        covariance_CC = centred_PC.T @ centred_PC / len(x_PC)
        mean_F = self.linear(mean_C)
        variance_F = ((self.linear.weight @ covariance_CC) * self.linear.weight).sum(dim=1).clamp_min(0)  # rounding may go below
        running_F.lerp_(mean_F.detach(), MOMENTUM)
        running_variance_F.lerp_(variance_F.detach() * (len(x_PC) / (len(x_PC) - 1)), MOMENTUM)
        self.norm.num_batches_tracked.add_(1)
        return mean_F, variance_F


class TransformNet(nn.Module):
    """T-Net: predicts a `size` x `size` matrix from the set itself, the identity before training.

    shared  widths of the shared layers, the last of which the maximum is taken of
    head    widths of the two layers after it
    """

    def __init__(self, size: int, shared: tuple[int, ...] = (64, 128, 1024), head: tuple[int, int] = (512, 256)) -> None:
        super().__init__()
        self.size = size
        self.set_features = SetFeatures(size, *shared)
        self.head = nn.Sequential(*_layer(shared[-1], head[0]), *_layer(head[0], head[1]))
        self.matrix = nn.Linear(head[1], size * size)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(size).flatten())

    def forward(self, x_BNJ: Float[Tensor, "b n j"]) -> Float[Tensor, "b j j"]:
        """The matrix that is multiplied from the right: x_BNJ @ transform_BJJ."""
        matrix: Tensor = self.matrix(self.head(self.set_features(x_BNJ)))
        return matrix.reshape(-1, self.size, self.size)


def _layer(before: int, after: int) -> tuple[nn.Module, ...]:
    """In place: at (B * N, 1024) each copy of the features costs more memory traffic than the ReLU itself."""
    return glorot_linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)


def glorot_linear(before: int, after: int) -> nn.Linear:
    """A linear layer with the authors' initial weights: Glorot, biases 0."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
