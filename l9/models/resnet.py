"""ResNet-50 (He, Zhang, Ren, Sun, CVPR 2016), and the key-point descriptor that Matterport3D makes of it (Chang et al., 3DV 2017).

B batch   S height and width of a patch   H W of an image   C channels   K classes   F features
in  patches_B3SS, RGB in 0..1        out  descriptor_BF of L2 norm 1
A patch of 64^2 is enlarged to 224^2, and its channels are normalised with the mean and deviation of Matterport3D's colours.
Sizes at 224^2: 112, maximum 56, then four stages of 3, 4, 6 and 3 bottlenecks: 56, 28, 14, 7 with 256, 512, 1,024 and 2,048 channels.
25,557,032 parameters at K = 1000; the 23,508,032 of the trunk carry torchvision's names, so that its ImageNet weights copy in.
The stride of a stage is in the 3x3 convolution of its first bottleneck, where torchvision has it (ResNet v1.5); the paper's is in the 1x1.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

SIZE = 224  # pixels that the trunk sees
MEAN, DEVIATION = (0.525, 0.510, 0.469), (0.209, 0.216, 0.242)  # of Matterport3D's R, G, B
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, bottlenecks, stride of the first
EXPANSION = 4  # channels that a bottleneck gives per unit of width
FEATURES = 2048


class ResNetDescriptor(nn.Module):
    """Patch to descriptor: ResNet-50 with Linear(2048, F) in place of its last layer, then L2 norm 1.

    features  F, 512 as published
    """

    weight_prefix = "trunk."

    mean_3: Tensor
    deviation_3: Tensor

    def __init__(self, features: int = 512) -> None:
        super().__init__()
        self.trunk = ResNetTrunk()
        self.head = nn.Linear(FEATURES, features)
        self.register_buffer("mean_3", torch.tensor(MEAN), persistent=False)
        self.register_buffer("deviation_3", torch.tensor(DEVIATION), persistent=False)

    def forward(self, patches_B3SS: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b f"]:
        """Descriptors in float32.

        Resizing is bilinear without antialiasing: from 64 to 224 pixels nothing is skipped, so that it would change no value. A patch
        larger than 224 is not meant.
        """
        enlarged = nn.functional.interpolate(patches_B3SS, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        normal = (enlarged - self.mean_3[:, None, None]) / self.deviation_3[:, None, None]
        return nn.functional.normalize(self.head(self.trunk(normal)).float(), dim=1)


class ResNetTrunk(nn.Module):
    """ResNet-50 up to its 2,048 averages, under torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        befores = (64, *(EXPANSION * width for width, _, _ in STAGES))
        for number, (before, (width, repeats, stride)) in enumerate(zip(befores, STAGES, strict=False), start=1):
            first = Bottleneck(before, width, stride)
            rest = (Bottleneck(EXPANSION * width, width) for _ in range(repeats - 1))
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
        self.apply(_initialise)

    def forward(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2048"]:
        """The mean of each channel of the last map."""
        return self.stages(image_B3HW)[-1].mean(dim=(2, 3))

    def stages(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The maps after the first pooling (stride 4) and after each of the four stages (strides 4, 8, 16, 32)."""
        maps = [self.maxpool(torch.relu(self.bn1(self.conv1(image_B3HW))))]
        for number in range(1, len(STAGES) + 1):
            maps.append(self.get_submodule(f"layer{number}")(maps[-1]))
        return maps


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to what came in, which a 1x1 convolution fits where the shapes differ."""

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        after = EXPANSION * width
        self.conv1, self.bn1 = nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x_BCHW: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """(B, before, H, W) to (B, 4 * width, H / stride, W / stride), rounded up."""
        y = torch.relu(self.bn1(self.conv1(x_BCHW)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x_BCHW if self.downsample is None else self.downsample(x_BCHW)))


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
