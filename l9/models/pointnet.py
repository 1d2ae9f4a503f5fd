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
        self.set_features = SharedLayers(64, 64, 128, 1024)
        self.head = nn.Sequential(
            *_layer(1024, 512), nn.Dropout(dropout), *_layer(512, 256), nn.Dropout(dropout), _linear(256, len(classes))
        )

    def forward(self, xyz_BN3: Float[Tensor, "b n 3"]) -> Float[Tensor, "b k"]:
        """Scores before the softmax."""
        return self.forward_with_transform(xyz_BN3)[0]

    def forward_with_transform(self, xyz_BN3: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b 64 64"]]:
        """Scores before the softmax, and the 64x64 transform that the regulariser holds near a rotation."""
        turned_BN3 = xyz_BN3 @ self.input_transform(xyz_BN3)
        features_BNC = self.point_features(turned_BN3)
        transform_BJJ = self.feature_transform(features_BNC)
        set_BF = self.set_features(features_BNC @ transform_BJJ).amax(dim=1)
        return self.head(set_BF), transform_BJJ


def transform_penalty(transform_BJJ: Float[Tensor, "b j j"]) -> Float[Tensor, "b"]:
    """||A A^T - I||_F^2 of each sample, in float32: 0 where A is orthogonal."""
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


class TransformNet(nn.Module):
    """T-Net: predicts a `size` x `size` matrix from the set itself, the identity before training."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.set_features = SharedLayers(size, 64, 128, 1024)
        self.head = nn.Sequential(*_layer(1024, 512), *_layer(512, 256))
        self.matrix = nn.Linear(256, size * size)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(size).flatten())

    def forward(self, x_BNJ: Float[Tensor, "b n j"]) -> Float[Tensor, "b j j"]:
        """The matrix that is multiplied from the right: x_BNJ @ transform_BJJ."""
        set_BF = self.set_features(x_BNJ).amax(dim=1)
        matrix: Tensor = self.matrix(self.head(set_BF))
        return matrix.reshape(-1, self.size, self.size)


def _layer(before: int, after: int) -> tuple[nn.Module, ...]:
    """In place: at (B * N, 1024) each copy of the features costs more memory traffic than the ReLU itself."""
    return _linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)


def _linear(before: int, after: int) -> nn.Linear:
    """A linear layer with the authors' initial weights: Glorot, biases 0."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
