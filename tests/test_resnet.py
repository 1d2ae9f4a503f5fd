"""ResNet-50 against its paper and torchvision's names; Matterport3D's descriptor on top of it."""

import pytest
import torch
from descriptor_checks import check_bfloat16, check_descriptor

from l9.models.resnet import ResNetDescriptor, ResNetTrunk


@pytest.fixture(scope="module")
def patches():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_parameters():
    """25,557,032 with ImageNet's last layer of 2,048 * 1,000 + 1,000."""
    trunk = sum(parameter.numel() for parameter in ResNetTrunk().parameters())
    assert trunk == 23_508_032 and trunk + 2048 * 1000 + 1000 == 25_557_032
    assert sum(parameter.numel() for parameter in ResNetDescriptor().parameters()) == trunk + 2048 * 512 + 512


def test_maps_at_224_pixels():
    maps = ResNetTrunk().eval().stages(torch.zeros(1, 3, 224, 224))
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]


def test_names_are_those_of_torchvision():
    """As its documentation and weight files have them; only the first bottleneck of a stage fits what comes in to what goes out."""
    names = ResNetTrunk().state_dict().keys()
    expected = {
        f"{block}.{norm}" for block in ("layer1.0", "layer2.3", "layer3.5", "layer4.2") for norm in ("bn1.running_mean", "conv3.weight")
    }
    expected |= {
        "conv1.weight",
        "bn1.weight",
        "bn1.num_batches_tracked",
        "layer1.0.downsample.0.weight",
        "layer4.0.downsample.1.running_var",
    }
    assert expected <= names and len(names) == 318
    assert len([name for name in names if "downsample.0" in name]) == 4


def test_a_stage_strides_in_its_3x3_convolution():
    first = ResNetTrunk().layer2[0]
    assert (first.conv1.stride, first.conv2.stride, first.conv3.stride) == ((1, 1), (2, 2), (1, 1))


def test_descriptors(patches):
    check_descriptor(lambda: ResNetDescriptor(64).eval(), patches, 64)


def test_bfloat16(patches):
    check_bfloat16(ResNetDescriptor, patches)


def test_what_the_trunk_sees(patches):
    """224 pixels, normalised; antialiasing would change nothing where a picture is enlarged."""
    model, seen = ResNetDescriptor(8).eval(), []
    model.trunk.register_forward_hook(lambda _layer, inputs, _output: seen.append(inputs[0]))
    model(patches)
    enlarged = torch.nn.functional.interpolate(patches, size=(224, 224), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([0.525, 0.510, 0.469]), torch.tensor([0.209, 0.216, 0.242])
    torch.testing.assert_close(seen[0], (enlarged - mean.view(3, 1, 1)) / deviation.view(3, 1, 1), rtol=0, atol=1e-4)
    assert ResNetDescriptor.weight_prefix == "trunk." and not any("mean_3" in name for name in model.state_dict())


def test_a_step_lowers_the_loss_of_a_batch_of_two(patches):
    """Two different patches are pushed apart, by about what the gradient foretells: rate * ||gradient||^2.

    The rate is small since batch norm over two patches, 53 layers deep, bends the loss: at 1e-3 a step already goes too far.
    """
    torch.manual_seed(0)
    model, rate, losses, foretold = ResNetDescriptor(), 1e-5, [], []
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(2):
        first, second = model(patches)
        losses.append(first @ second)
        optimizer.zero_grad()
        losses[-1].backward()
        foretold.append(rate * sum(parameter.grad.square().sum() for parameter in model.parameters()))
        optimizer.step()
    assert 0.5 * foretold[0] < losses[0] - losses[1] < 1.5 * foretold[0]
