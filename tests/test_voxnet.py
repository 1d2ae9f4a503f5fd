"""VoxNet against its paper: layer sizes, parameters, padding."""

import pytest
import torch

from l9.errors import RecipeError, ShapeError
from l9.models.voxnet import Convolution, VoxNet

FORTY = tuple(f"class {number}" for number in range(40))


def test_parameters_at_forty_classes():
    assert sum(parameter.numel() for parameter in VoxNet(FORTY).parameters()) == 921_736


def test_grid_sizes_after_each_layer():
    model, sizes = VoxNet(FORTY), []
    for layer in model.convolutions:
        layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(output.shape[-1]))
    model(torch.zeros(1, 1, 32, 32, 32))
    assert sizes == [14, 14, 14, 12, 12, 6, 6]
    assert model.head[0].in_features == 6912


def test_dropout_and_slopes_of_the_paper():
    model = VoxNet(FORTY)
    layers = [*model.convolutions, *model.head]
    assert [layer.p for layer in layers if isinstance(layer, torch.nn.Dropout)] == [0.2, 0.3, 0.4]
    assert {layer.negative_slope for layer in layers if isinstance(layer, torch.nn.LeakyReLU)} == {0.1}


def test_thirty_voxels_are_padded_with_empty_ones():
    """A 30^3 grid gives what the same weights give for it inside an otherwise empty 32^3 grid."""
    small, large = VoxNet(FORTY, resolution=30).eval(), VoxNet(FORTY).eval()
    large.load_state_dict(small.state_dict())
    x = torch.randint(0, 2, (2, 1, 30, 30, 30), generator=torch.Generator().manual_seed(0)).float() * 2 - 1
    padded = torch.full((2, 1, 32, 32, 32), -1.0)
    padded[:, :, 1:-1, 1:-1, 1:-1] = x
    torch.testing.assert_close(small(x), large(padded), rtol=0, atol=0)


def test_start_is_close_to_knowing_nothing():
    """Small first weights of the head: every class about equally likely before training, whatever the grid."""
    torch.manual_seed(0)
    grids = torch.where(torch.rand(8, 1, 32, 32, 32) < 0.05, 1.0, -1.0)
    probabilities = VoxNet(FORTY).eval()(grids).softmax(1)
    assert probabilities.min() > 0.5 / 40 and probabilities.max() < 2 / 40


def test_grids_of_another_size_are_refused():
    with pytest.raises(ShapeError, match=r"resolution=32.*24, 24, 24"):
        VoxNet(FORTY)(torch.zeros(1, 1, 24, 24, 24))


def test_grids_too_small_for_the_convolutions_are_refused():
    with pytest.raises(RecipeError, match="at least 11"):
        VoxNet(FORTY, resolution=10)
    assert VoxNet(FORTY, resolution=11)(torch.zeros(1, 1, 11, 11, 11)).shape == (1, 40)


def test_extra_numbers_join_the_hidden_ones():
    torch.manual_seed(0)
    model = VoxNet(FORTY, extra=3).eval()
    grids = torch.full((2, 1, 32, 32, 32), -1.0)
    small, large = model(grids, torch.tensor([[0.0, 0.0, 0.0], [2.0, -1.0, 0.5]]))
    assert model(grids, torch.zeros(2, 3)).shape == (2, 40) and not torch.equal(small, large)
    assert set(VoxNet(FORTY).state_dict()) < set(model.state_dict())


def test_extra_numbers_are_given_if_and_only_if_it_was_built_for_them():
    grids = torch.zeros(1, 1, 32, 32, 32)
    with pytest.raises(ShapeError, match="extra numbers: False; expected: True"):
        VoxNet(FORTY, extra=3)(grids)
    with pytest.raises(ShapeError, match="extra numbers: True; expected: False"):
        VoxNet(FORTY)(grids, torch.zeros(1, 3))


@pytest.mark.parametrize("mixed", [False, True])
def test_a_convolution_is_that_of_torch(mixed, monkeypatch):
    """Values and gradients, in float32 to rounding (sums of 864 products); with bfloat16 the very same, never channels last."""
    layouts, convolve = [], torch.nn.functional.conv3d

    def watched(x, weight, *others):
        layouts.append(weight.is_contiguous(memory_format=torch.channels_last_3d))
        return convolve(x, weight, *others)

    monkeypatch.setattr(torch.nn.functional, "conv3d", watched)
    torch.manual_seed(0)
    mine = Convolution(32, 8, 3, stride=2)
    plain = torch.nn.Conv3d(32, 8, 3, stride=2)
    plain.load_state_dict(mine.state_dict())
    x = torch.randn(2, 32, 9, 9, 9, requires_grad=True)
    found = []
    for layer in (mine, plain):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            y = layer(x)
        found.append((y, *torch.autograd.grad(y.float().square().sum(), [x, *layer.parameters()])))
    assert layouts == [not mixed, False]
    for one, other in zip(*found, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=0 if mixed else 1e-4, atol=0 if mixed else 1e-4)
