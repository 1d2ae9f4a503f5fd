"""PatchNet: sizes, normalisation, descriptors; it learns to tell patches apart."""

import pytest
import torch
from descriptor_checks import check_bfloat16, check_descriptor, check_gradients

from l9.errors import ShapeError
from l9.models.patch_net import PatchNet, normalised


@pytest.fixture
def patches():
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_sizes_after_each_convolution(patches):
    model, sizes = PatchNet(), []
    for layer in model.layers:
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(tuple(output.shape[1:3])))
    model(patches)
    assert sizes == [(32, 16), (32, 16), (64, 8), (64, 8), (128, 4), (128, 4), (128, 1)]
    assert sum(parameter.numel() for parameter in model.parameters()) == 553_984


def test_descriptors(patches):
    check_descriptor(lambda: PatchNet(features=48, width=8), patches, 48)


def test_bfloat16(patches):
    check_bfloat16(lambda: PatchNet(width=8), patches)


def test_gradients_reach_every_layer(patches):
    check_gradients(lambda: PatchNet(width=8), patches)


def test_exposure_and_contrast_change_little(patches):
    """Half the contrast, 0.2 brighter: the same but for the floor under the deviation, 0.02 of about 0.29."""
    torch.manual_seed(0)
    model = PatchNet().eval()
    torch.testing.assert_close(model(patches), model(patches * 0.5 + 0.2), rtol=0, atol=0.01)


def test_normalised_patches_keep_their_hue():
    """Mean 0 over the patch, not over each channel: a red patch stays redder than it is green."""
    red = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.2
    red[:, 0] += 0.6
    found = normalised(red)
    torch.testing.assert_close(found.mean(dim=(1, 2, 3)), torch.zeros(2), rtol=0, atol=1e-5)
    assert (found[:, 0].mean(dim=(1, 2)) > found[:, 1].mean(dim=(1, 2)) + 1).all()


def test_a_blank_patch_has_a_descriptor():
    descriptor = PatchNet().eval()(torch.full((2, 3, 64, 64), 0.5))
    assert normalised(torch.full((1, 3, 64, 64), 0.5)).abs().max() < 1e-3 and descriptor.isfinite().all()


def test_patches_of_another_size_are_refused():
    with pytest.raises(ShapeError, match=r"3, 32, 32.*64, 64"):
        PatchNet()(torch.zeros(2, 3, 32, 32))


def test_pairs_of_noisy_patches_are_learnt():
    """Sixteen blurred patterns seen twice with noise: after some steps the second view is nearest to the first."""
    torch.manual_seed(0)
    model = PatchNet(width=8, dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    patterns = torch.nn.functional.interpolate(torch.rand(16, 3, 8, 8), size=64, mode="bilinear")
    losses = []
    for _ in range(15):
        first, second = model(torch.cat([patterns, patterns]) + 0.2 * torch.randn(32, 3, 64, 64)).split(16)
        loss = torch.nn.functional.cross_entropy(5 * first @ second.T, torch.arange(16))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0] and torch.equal((first @ second.T).argmax(dim=1), torch.arange(16))
