"""3DMatch against its paper: sizes, widths, length of the descriptor."""

import pytest
import torch
from descriptor_checks import check_bfloat16, check_descriptor, check_gradients, lengths

from l9.errors import ShapeError
from l9.models.match3d import Match3D


@pytest.fixture
def volumes():
    return torch.rand(2, 1, 30, 30, 30, generator=torch.Generator().manual_seed(1))


def test_sizes_and_channels_of_the_paper(volumes):
    model, sizes, channels = Match3D(width=64), [], []
    for layer in model.convolutions:
        if isinstance(layer, torch.nn.Conv3d | torch.nn.MaxPool3d):
            layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(output.shape[-1]))
            layer.register_forward_hook(lambda _layer, _inputs, output: channels.append(output.shape[1]))
    with torch.no_grad():
        assert model(volumes[:1]).shape == (1, 512)
    assert sizes == [28, 26, 13, 11, 9, 7, 5, 3, 1]
    assert channels == [64, 64, 64, 128, 128, 256, 256, 512, 512]
    assert sum(parameter.numel() for parameter in model.parameters()) == 14_311_488


def test_descriptors(volumes):
    check_descriptor(lambda: Match3D(width=4), volumes, 32)
    check_descriptor(lambda: Match3D(features=10, width=4), volumes, 10)


def test_bfloat16(volumes):
    check_bfloat16(lambda: Match3D(width=4), volumes)


def test_gradients_reach_every_layer(volumes):
    check_gradients(lambda: Match3D(width=4), volumes)


def test_descriptors_may_keep_their_length(volumes):
    """The same direction with and without."""
    torch.manual_seed(0)
    unit, free = Match3D(width=4), Match3D(width=4, normalised=False)
    free.load_state_dict(unit.state_dict())
    found = free(volumes)
    assert (lengths(found) - 1).abs().min() > 0.01
    torch.testing.assert_close(found / lengths(found)[:, None], unit(volumes), rtol=0, atol=1e-5)


def test_volumes_of_another_size_are_refused():
    with pytest.raises(ShapeError, match=r"32, 32, 32.*30, 30, 30"):
        Match3D(width=4)(torch.zeros(1, 1, 32, 32, 32))
