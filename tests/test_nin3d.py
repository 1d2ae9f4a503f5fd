"""3D-NIN against its paper's code: sizes, widths, parameters, and the class list that its weights carry."""

import pytest
import torch

from l9.errors import RecipeError, ShapeError
from l9.models.nin3d import Nin3d, class_input, class_list

CLASSES = tuple(f"class {number}" for number in range(55))


def test_parameters_as_published():
    assert sum(one.numel() for one in Nin3d(CLASSES).parameters()) == 4_602_951


@pytest.mark.parametrize(("resolution", "expected"), [(30, [13, 5, 2]), (32, [14, 5, 2])])
def test_both_sizes_come_to_the_same_cells(resolution, expected):
    model, sizes, channels = Nin3d(CLASSES, resolution=resolution, width=6), [], []
    for layer in model.trunk:
        if isinstance(layer, torch.nn.Dropout):
            layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(output.shape[-1]))
            layer.register_forward_hook(lambda _layer, _inputs, output: channels.append(output.shape[1]))
    assert model(torch.zeros(2, 2, *[resolution] * 3)).shape == (2, 55)
    assert sizes == expected and channels == [6, 12, 64]


def test_layers_of_the_paper():
    model = Nin3d(CLASSES)
    convolutions = [layer for layer in model.trunk if isinstance(layer, torch.nn.Conv3d)]
    assert [(one.out_channels, one.kernel_size[0], one.stride[0]) for one in convolutions] == [
        (48, 6, 2),
        *[(48, 1, 1)] * 2,
        (96, 5, 2),
        *[(96, 1, 1)] * 2,
        (512, 3, 2),
        *[(512, 1, 1)] * 2,
    ]
    assert [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)] == [0.2, 0.2, 0.2, 0.5]
    assert model.head[0].in_features == 4096 and model.head[0].out_features == 512


def test_gradients_reach_every_layer():
    torch.manual_seed(0)
    model = Nin3d(CLASSES, width=6)
    model(torch.rand(4, 2, 32, 32, 32)).logsumexp(1).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name


def test_the_class_list_is_kept_with_the_weights():
    one = Nin3d(("a", "b"), width=6)
    assert torch.equal(one.state_dict()["class_list"], class_list(("a", "b")))
    assert not torch.equal(class_list(("a", "b")), class_list(("b", "a")))


def test_input_of_the_classifier():
    """Distances 0, 1, 1.5 known, and 0.5 unknown: within a voxel of the surface, and known."""
    partial = torch.tensor([[0.0, 1.0, 1.5, 0.5], [1.0, 1.0, 1.0, -1.0]]).reshape(1, 2, 4, 1, 1)
    assert class_input(partial).flatten().tolist() == [1, 1, 0, 1, 1, 1, 1, 0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"\(1, 1, 32, 32, 32\); expected \(B, 2, 32, 32, 32\)"):
        Nin3d(CLASSES, width=6)(torch.zeros(1, 1, 32, 32, 32))
    with pytest.raises(RecipeError, match="resolution is 24; expected 32, or 30"):
        Nin3d(CLASSES, resolution=24)
    with pytest.raises(RecipeError, match="width is 16; expected a multiple of 3"):
        Nin3d(CLASSES, width=16)
