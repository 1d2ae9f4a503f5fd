"""PointNet for segmentation (Qi, Su, Mo, Guibas, CVPR 2017): every point's own features beside those of its set give it a label.

B batch   N points   C channels of a point   F features   K labels   G categories   J both sides of the learned transform (64 or 128)
in  x_BNC, whose first three channels are xyz        out  scores_BNK
`PointNetSeg` is the authors' `pointnet_seg`: T-Net of 3, shared MLP 64 64, T-Net of 64, shared MLP 64 128 1024 and its maximum; the 64
transformed features beside the 1,024 of the set, 1,088 in all, then 512 256 128 128 K.
`PartSeg` is their `part_seg`: T-Net of 3, shared MLP 64 128 128, T-Net of 128, 512 2048 and its maximum; all five features of the point,
the maximum and which of 16 categories the object is of, 4,944 in all, then 256 256 128 K, with dropout of 0.2 after the first two.
Its head that guesses the category is left out: the authors' `train.py` gives its loss the weight 0.
Batch norm and ReLU after every layer but the last. The paper prints no number of parameters of either; by its widths they are 3,558,907 at
K = 50 (894,093 at K = 13, C = 9 without T-Nets) and 7,979,451 at K = 50, G = 16.
The authors' network for scenes is a third one, of 1,024 features a point beside 128 of the set; here scenes have `pointnet_seg`, whose 64
features a point cost a quarter. Theirs keeps 0.7 of the features before its last layer: `dropout=0.3`.
"""

from collections import OrderedDict

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from l9.errors import ShapeError
from l9.models.pointnet import SetFeatures, SharedLayers, TransformNet, glorot_linear

XYZ = 3


class PointNetSeg(nn.Module):
    """Point set to scores of every point, which move with the points whatever their order.

    labels      K
    channels    C: 3, or 9 for xyz, rgb and the place within the room
    transforms  whether there are T-Nets: the authors' network for scenes has none
    dropout     share of features set to 0 before the last layer: 0 in `pointnet_seg`, 0.3 in the authors' network for scenes
    """

    def __init__(self, labels: int, channels: int = XYZ, transforms: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.channels = channels
        self.input_transform = TransformNet(XYZ) if transforms else None
        self.point_features = SharedLayers(channels, 64, 64)
        self.feature_transform = TransformNet(64) if transforms else None
        self.set_features = SetFeatures(64, 64, 128, 1024)
        self.beside = BesideSet(64, 1024, 512)
        layers = {"0": SharedLayers(512, 256, 128, 128), "dropout": nn.Dropout(dropout), "1": glorot_linear(128, labels)}
        self.head = nn.Sequential(OrderedDict(layers))  # so named, networks that were stored without dropout are read too

    def forward(self, x_BNC: Float[Tensor, "b n c"]) -> Float[Tensor, "b n k"]:
        """Scores before the softmax."""
        return self.forward_with_transform(x_BNC)[0]

    def forward_with_transform(self, x_BNC: Float[Tensor, "b n c"]) -> tuple[Float[Tensor, "b n k"], Float[Tensor, "b 64 64"] | None]:
        """Scores before the softmax, and the 64x64 transform that the regulariser holds near a rotation; None without T-Nets.

        raises  ShapeError for other channels
        """
        if x_BNC.shape[2] != self.channels:
            raise ShapeError(f"PointNetSeg got a batch of shape {tuple(x_BNC.shape)}; expected (B, points, {self.channels}): channels=…")
        transform_BJJ = None
        if self.input_transform is not None:
            x_BNC = turned_xyz(x_BNC, self.input_transform)
        features_BNF = self.point_features(x_BNC)
        if self.feature_transform is not None:
            transform_BJJ = self.feature_transform(features_BNF)
            features_BNF = features_BNF @ transform_BJJ
        set_BF = self.set_features(features_BNF)
        return self.head(self.beside(features_BNF, set_BF)), transform_BJJ


class PartSeg(nn.Module):
    """Points of an object of a known category to scores of every part of all categories.

    classes  names of the G categories; only their number matters here
    labels   K: parts of all categories
    """

    takes_category = True

    def __init__(self, classes: tuple[str, ...], labels: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.categories = len(classes)
        self.input_transform = TransformNet(XYZ, head=(128, 128))
        self.first, self.second, self.third = SharedLayers(XYZ, 64), SharedLayers(64, 128), SharedLayers(128, 128)
        self.feature_transform = TransformNet(128, shared=(256, 1024))
        self.fourth, self.fifth = SharedLayers(128, 512), SharedLayers(512, 2048)
        self.beside = BesideSet(64 + 128 + 128 + 512 + 2048, 2048 + self.categories, 256)
        self.head = nn.Sequential(
            nn.Dropout(dropout), SharedLayers(256, 256), nn.Dropout(dropout), SharedLayers(256, 128), glorot_linear(128, labels)
        )

    def forward(self, x_BN3: Float[Tensor, "b n 3"], category_B: Int[Tensor, "b"]) -> Float[Tensor, "b n k"]:
        """Scores before the softmax."""
        return self.forward_with_transform(x_BN3, category_B)[0]

    def forward_with_transform(
        self, x_BN3: Float[Tensor, "b n 3"], category_B: Int[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b n k"], Float[Tensor, "b 128 128"]]:
        """Scores before the softmax, and the 128x128 transform that the regulariser holds near a rotation."""
        first_BNF = self.first(turned_xyz(x_BN3, self.input_transform))
        second_BNF = self.second(first_BNF)
        third_BNF = self.third(second_BNF)
        transform_BJJ = self.feature_transform(third_BNF)
        fourth_BNF = self.fourth(third_BNF @ transform_BJJ)
        fifth_BNF = self.fifth(fourth_BNF)
        own = [feature.to(fifth_BNF.dtype) for feature in (first_BNF, second_BNF, third_BNF, fourth_BNF, fifth_BNF)]
        one_hot_BG = nn.functional.one_hot(category_B, self.categories).to(fifth_BNF.dtype)
        set_BF = torch.cat([fifth_BNF.amax(dim=1), one_hot_BG], dim=1)
        return self.head(self.beside(torch.cat(own, dim=2), set_BF)), transform_BJJ


class BesideSet(nn.Module):
    """One shared layer over a point's own features beside those of its set: (B, N, own) and (B, sets) to (B, N, after).

    The same function as of both in one row of own + sets; what the set adds is computed once, not for every point.
    """

    def __init__(self, own: int, sets: int, after: int) -> None:
        super().__init__()
        self.own = own
        self.linear, self.norm = glorot_linear(own + sets, after), nn.BatchNorm1d(after)

    def forward(self, own_BNC: Float[Tensor, "b n c"], set_BC: Float[Tensor, "b c2"]) -> Float[Tensor, "b n f"]:
        """Batch norm sees all points of all samples alike."""
        weight = self.linear.weight
        points_BNF = nn.functional.linear(own_BNC, weight[:, : self.own])
        sets_BF = nn.functional.linear(set_BC, weight[:, self.own :], self.linear.bias)
        both_BNF = points_BNF + sets_BF[:, None]
        features: Tensor = torch.relu(self.norm(both_BNF.flatten(0, 1)))
        return features.reshape(both_BNF.shape)


def turned_xyz(x_BNC: Float[Tensor, "b n c"], transform: TransformNet) -> Float[Tensor, "b n c"]:
    """The first three channels times the matrix that a T-Net predicts from them; the others as they are."""
    xyz_BN3 = x_BNC[..., :XYZ]
    turned_BN3 = xyz_BN3 @ transform(xyz_BN3)
    if x_BNC.shape[2] == XYZ:
        return turned_BN3
    return torch.cat([turned_BN3, x_BNC[..., XYZ:].to(turned_BN3.dtype)], dim=2)
