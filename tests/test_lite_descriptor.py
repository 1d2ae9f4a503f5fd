"""A descriptor from the middle of EfficientNet-lite0: the cut, the pooling, weights by name."""

import pytest
import torch
from descriptor_checks import check_bfloat16, check_descriptor, check_gradients

from l9.errors import RecipeError
from l9.models.efficientnet_lite import BLOCKS, EfficientNetLite0
from l9.models.lite_descriptor import LiteDescriptor


@pytest.fixture
def patches():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("features", "expected"), [(0, 112 * 16), (32, 32)])
def test_descriptors(features, expected, patches):
    check_descriptor(lambda: LiteDescriptor(features), patches, expected)


def test_bfloat16(patches):
    check_bfloat16(lambda: LiteDescriptor(32, block=5), patches)


def test_gradients_reach_every_layer(patches):
    check_gradients(lambda: LiteDescriptor(32, block=5), patches)


def test_weights_of_the_whole_network_copy_into_the_trunk_by_name(patches):
    """Names of lite0 after `weight_prefix` are the trunk's; all of the trunk is filled, and the frozen descriptor is lite0's own map."""
    torch.manual_seed(0)
    whole, model = EfficientNetLite0().eval(), LiteDescriptor(0).eval()
    weights = {LiteDescriptor.weight_prefix + name: tensor for name, tensor in whole.state_dict().items()}
    found = model.load_state_dict(weights, strict=False)
    assert not found.missing_keys and all(
        name.removeprefix("trunk.").split(".")[0] in {"_blocks", "_conv_head", "_bn1", "_fc"} for name in found.unexpected_keys
    )
    map_BCHW = whole.stages((patches * 255 - 127) / 128)[9]
    assert map_BCHW.shape == (2, 112, 4, 4)
    torch.testing.assert_close(model(patches), torch.nn.functional.normalize(map_BCHW.flatten(1), dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("block", [0, 4, 8, 15])
def test_only_blocks_up_to_the_cut_are_built(block):
    model = LiteDescriptor(0, block=block, cells=2)
    assert len(model.trunk._blocks) == block + 1
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, BLOCKS[block].after * 4)


def test_patches_may_be_enlarged_first(patches):
    torch.manual_seed(0)
    model, sizes = LiteDescriptor(16, resize=96), []
    model.trunk.register_forward_hook(lambda _layer, inputs, output: sizes.append((inputs[0].shape[-1], output.shape[-1])))
    assert model(patches).shape == (2, 16) and sizes == [(96, 6)]


def test_a_block_that_is_not_there_is_refused():
    with pytest.raises(RecipeError, match="1 to 16"):
        LiteDescriptor(block=16)


def test_what_is_kept_neither_moves_nor_counts():
    """Weights and statistics of the first blocks stay bit for bit; the rest learns."""
    torch.manual_seed(0)
    model = LiteDescriptor(features=8, block=3, kept=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=0.1)
    model.train()
    (model(torch.rand(4, 3, 64, 64)) * torch.randn(4, 8)).sum().backward()
    optimizer.step()
    kept = ("trunk._conv_stem", "trunk._bn0", "trunk._blocks.0.", "trunk._blocks.1.")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith(kept), name
    with pytest.raises(RecipeError, match="5 of its first blocks; expected 0 to the 4"):
        LiteDescriptor(block=3, kept=5)
