"""ScanNet's column net: sizes and parameters of the papers', and sliding over a scene is asking for each column alone."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from l9.errors import RecipeError, ShapeError
from l9.models.column_net import HEIGHT, SIDE, ColumnNet


def settled(net):
    """In evaluation mode, with running statistics as after some training."""
    torch.manual_seed(1)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.running_mean.normal_(std=0.2)
            layer.running_var.uniform_(0.5, 2)
    return net.eval()


def sizes(net):
    found = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv3d) and layer.kernel_size == (4, 3, 3):
            layer.register_forward_hook(lambda layer, fed, given: found.append(tuple(given.shape[1:])))
    given = net(torch.zeros(1, net.channels, HEIGHT, SIDE, SIDE))
    return found, tuple(given.shape)


def test_scannets_sizes_and_parameters():
    """62x31x31 -> 30x15x15 -> 14x7x7 -> 6x3x3 (6,912) -> C x 62."""
    net = ColumnNet().eval()
    assert sizes(net) == ([(32, 30, 15, 15), (64, 14, 7, 7), (128, 6, 3, 3)], (1, 42, 62))
    assert (net.hidden.in_features, net.hidden.out_features, net.last.out_features) == (6912, 1024, 42 * 62)
    # by hand: a block of a strided convolution, two of 1 x 1 x 1, three batch norms; two fully connected layers
    blocks = [(2, 32), (32, 64), (64, 128)]
    convolutions = sum(36 * before * after + 2 * after * after + 3 * after + 6 * after for before, after in blocks)
    expected = convolutions + 6912 * 1024 + 1024 + 1024 * 2604 + 2604
    assert sum(one.numel() for one in net.parameters()) == expected == 10_163_980


def test_matterports_sizes():
    net = ColumnNet(1, (16, 32, 64), 1200).eval()
    assert sizes(net) == ([(16, 30, 15, 15), (32, 14, 7, 7), (64, 6, 3, 3)], (1, 42, 62))
    assert (net.hidden.in_features, net.hidden.out_features) == (3456, 1200)


def test_first_weights_are_hes_by_outputs():
    torch.manual_seed(0)
    first = next(layer for layer in ColumnNet().modules() if isinstance(layer, nn.Conv3d))
    assert_allclose(float(first.weight.detach().std()), np.sqrt(2 / (36 * 32)), rtol=0.05)  # of 2,304 numbers
    assert not first.bias.any()


@pytest.mark.parametrize("shape", [(8, 16), (16, 8)])
def test_sliding_gives_each_column_what_it_gets_alone(shape):
    torch.manual_seed(0)
    net = settled(ColumnNet(2, (4, 6, 8), 16, labels=5))
    scene = (torch.rand(2, HEIGHT, shape[0] + 30, shape[1] + 30) < 0.05).float()
    with torch.no_grad():
        together = net.slide(scene)
        assert together.shape == (5, HEIGHT, *shape)
        for x, y in np.ndindex(*shape):
            alone = net(scene[None, :, :, x : x + SIDE, y : y + SIDE])[0]
            assert_allclose(together[:, :, x, y], alone, atol=1e-5)  # sums in another order


def test_what_does_not_fit_is_refused():
    for arguments in ({"channels": 3}, {"widths": (8, 16)}, {"hidden": 0}, {"labels": 2}):
        with pytest.raises(RecipeError, match="ColumnNet: channels"):
            ColumnNet(**arguments)
    net = ColumnNet(2, (4, 4, 4), 8)
    with pytest.raises(ShapeError, match=r"expected \(B, 2, 62, 31, 31\)"):
        net(torch.zeros(1, 1, HEIGHT, SIDE, SIDE))
    with pytest.raises(ShapeError, match="evaluation mode"):
        net.slide(torch.zeros(2, HEIGHT, 38, 38))
    with pytest.raises(ShapeError, match="multiple of 8"):
        net.eval().slide(torch.zeros(2, HEIGHT, 37, 38))
    with pytest.raises(ShapeError, match="multiple of 8"):
        net.slide(torch.zeros(2, HEIGHT, 30, 38))
