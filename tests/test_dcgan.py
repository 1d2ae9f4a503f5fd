"""DCGAN against its paper: sizes, where batch norm is and is not, first weights, parameters, what is refused; the fully connected pair."""

import pytest
import torch
from torch import nn

from l9.errors import RecipeError, ShapeError
from l9.models.dcgan import Dcgan, Gan
from l9.models.mlp_gan import Maxout, MlpGan
from l9.train.checkpoints import copy_by_name

NORMS = nn.BatchNorm2d | nn.BatchNorm1d


pytestmark = pytest.mark.usefixtures("one_thread")


def shapes_of(layers):
    """(channels, edge) after each convolution when something passes."""
    found = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: found.append((output.shape[1], output.shape[-1])))
    return found


@pytest.mark.parametrize(
    ("size", "maps"),
    [(64, [(64, 32), (32, 16), (16, 8), (8, 4)]), (32, [(32, 16), (16, 8), (8, 4)][::-1]), (28, [(16, 14), (8, 7)])],
)
def test_sizes_after_each_layer(size, maps):
    """f = 8: the generator's edges 4, 8, 16, 32 (7, 14) with channels halved each time; the discriminator's the same back."""
    edges = sorted({edge for _, edge in maps})
    widths = [8 * 2**number for number in range(len(edges))]
    model = Dcgan(size=size, width=8)
    up, down = shapes_of(model.generator), shapes_of(model.discriminator)
    x = model(torch.randn(2, 100))
    assert x.shape == (2, 3, size, size) and x.abs().max() <= 1
    assert model.judge(x).shape == (2,)
    assert up == [*zip(widths[::-1], edges, strict=True), (3, size)]
    assert down == [*zip(widths, edges[::-1], strict=True), (1, 1)]


@pytest.mark.parametrize(("size", "convolutions"), [(64, 5), (32, 4), (28, 3)])
def test_batch_norm_is_nowhere_it_must_not_be(size, convolutions):
    """After every convolution but the generator's last, and the discriminator's first and last; LeakyReLU 0.2 there, ReLU here."""
    model = Dcgan(size=size, width=2)
    kinds = [[type(layer) for layer in part] for part in (model.generator, model.discriminator)]
    up, norm, relu, down, leaky = nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.LeakyReLU
    assert kinds[0] == [nn.Unflatten, *[up, norm, relu] * (convolutions - 1), up, nn.Tanh]
    assert kinds[1] == [down, leaky, *[down, norm, leaky] * (convolutions - 2), down, nn.Flatten]
    assert {layer.negative_slope for layer in model.modules() if isinstance(layer, nn.LeakyReLU)} == {0.2}
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            inner = layer.kernel_size == (4, 4) and (layer.stride, layer.padding) == ((2, 2), (1, 1))
            assert inner or (layer.stride, layer.padding) == ((1, 1), (0, 0))


def test_parameters():
    """Of the Torch code's sizes; weights alone and two numbers a channel for each batch norm. Without them a bias for each output."""

    def count(part):
        return sum(one.numel() for one in part.parameters())

    model = Dcgan()
    inner = 16 * (64 * 128 + 128 * 256 + 256 * 512)
    assert count(model.generator) == 16 * 100 * 512 + inner + 16 * 64 * 3 + 2 * (512 + 256 + 128 + 64) == 3_576_704
    assert count(model.discriminator) == 16 * 3 * 64 + inner + 16 * 512 + 2 * (128 + 256 + 512) == 2_765_568
    bare = Dcgan(norm=False)
    assert count(bare.generator) == 3_576_704 - 960 + 3 and count(bare.discriminator) == 2_765_568 - 896 + 64 + 1


def test_first_weights():
    """Deviations of 0.02 to 2 percent over six million weights, to 15 over the 960 gains."""
    torch.manual_seed(0)
    model = Dcgan()
    weights = torch.cat([one.detach().flatten() for name, one in model.named_parameters() if name.endswith("weight") and one.ndim == 4])
    gains = torch.cat([layer.weight.detach() for layer in model.modules() if isinstance(layer, NORMS)])
    offsets = torch.cat([layer.bias for layer in model.modules() if isinstance(layer, NORMS)])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02) and abs(float(weights.mean())) < 1e-4
    assert float(gains.std()) == pytest.approx(0.02, rel=0.15) and float(gains.mean()) == pytest.approx(1, abs=0.003)
    assert not offsets.any()
    assert not any(one.any() for name, one in Dcgan(norm=False, width=4).named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("size", [28, 32, 64])
def test_without_batch_norm_no_sample_has_a_part_in_another(size):
    """In training mode, to float32's rounding; with it, it has: so the test can fail."""
    torch.manual_seed(0)
    for norm in (False, True):
        model = Dcgan(size=size, channels=1, noise=6, width=4, norm=norm).train()
        assert any(isinstance(layer, NORMS) for layer in model.modules()) == norm
        with torch.no_grad():
            for part in (model.generator, model.discriminator):  # louder, or answers would hardly differ at all
                for parameter in part.parameters():
                    parameter *= 4.0
            z, x = torch.randn(4, 6), torch.rand(4, 1, size, size)
            for network, given in ((model.generate, z), (model.judge, x)):
                alone, together = network(given[:2]), network(given)[:2]
                assert torch.allclose(alone, together, rtol=1e-5, atol=1e-6) != norm


@pytest.mark.parametrize("build", [Dcgan, MlpGan])
def test_two_children_each_with_gradients_of_its_own(build):
    """As a task takes them: a loss of one player reaches its weights, and the generator learns by way of the discriminator."""
    torch.manual_seed(0)
    model = build(size=28, channels=1, noise=6, width=4)
    assert isinstance(model, Gan) and [name for name, _ in model.named_children()] == ["generator", "discriminator"]
    loss = nn.functional.softplus(-model.judge(model(torch.randn(3, 6)))).sum()
    found = torch.autograd.grad(loss, list(model.generator.parameters()))
    assert all(one.isfinite().all() for one in found) and sum(bool(one.any()) for one in found) > len(found) / 2
    loss = nn.functional.softplus(model.judge(model(torch.randn(3, 6)).detach())).sum()
    assert all(one.isfinite().all() for one in torch.autograd.grad(loss, list(model.discriminator.parameters())))


@pytest.mark.parametrize("build", [lambda: Dcgan(size=32, width=4), lambda: MlpGan(size=9, width=8, units=3, dropout=0.0)])
def test_two_networks_of_one_seed_answer_alike_and_weights_are_taken_over_by_name(build):
    answers, models = [], []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        models.append(build())
        z = torch.randn(3, 100, generator=torch.Generator().manual_seed(1))
        answers.append((models[-1](z), models[-1].judge(models[-1](z))))
    assert all(torch.equal(*pair) for pair in zip(*answers[:2], strict=True)) and not torch.equal(answers[0][0], answers[2][0])
    assert copy_by_name(models[2], models[0].state_dict()) == []
    models[2].eval(), models[1].eval()
    models[2].load_state_dict(models[1].state_dict())
    assert torch.equal(models[2](z), models[1](z))


@pytest.mark.parametrize("build", [Dcgan, MlpGan])
def test_features_are_loaded_by_lite0s_names_and_nobody_moves_them(build):
    """A third child in evaluation mode whatever is asked for, without gradients; the weights of lite0 copy into it alone."""
    model = build(size=28, channels=1, noise=6, width=4, features=True).train()
    assert not any(one.requires_grad for one in model.features.parameters()) and model.generator.training
    assert not any(layer.training for layer in model.features.modules())
    stored = {name: torch.full_like(value, 2) for name, value in model.features.trunk.state_dict().items()}
    missed = copy_by_name(model, stored)
    assert missed and not any(name.startswith("features.") for name in missed)
    assert all(bool((value == 2).all()) for value in model.features.state_dict().values())
    assert build(size=28, channels=1, noise=6, width=4).features is None


def test_bfloat16_has_finite_gradients():
    torch.manual_seed(0)
    model = Dcgan(size=32, width=4).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.judge(model(torch.randn(4, 100)))
    logits.float().sum().backward()
    assert all(one.grad.isfinite().all() for one in model.parameters())


def test_maxout_is_the_largest_of_five():
    layer, x = Maxout(3, 2), torch.randn(4, 3)
    parts = [nn.functional.linear(x, layer.weight[unit * 5 : unit * 5 + 5], layer.bias[unit * 5 : unit * 5 + 5]) for unit in (0, 1)]
    torch.testing.assert_close(layer(x), torch.stack([part.max(1).values for part in parts], 1))


def test_the_fully_connected_pair_has_the_papers_sizes():
    """Counted by hand: 100 -> 1200 -> 1200 -> 784, and two maxout layers of 240 units of 5 pieces."""
    model = MlpGan()
    generator = 100 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 784 + 784
    discriminator = 784 * 1200 + 1200 + 240 * 1200 + 1200 + 240 + 1
    assert sum(one.numel() for one in model.generator.parameters()) == generator == 2_503_984
    assert sum(one.numel() for one in model.discriminator.parameters()) == discriminator == 1_231_441
    assert model(torch.randn(2, 100)).shape == (2, 1, 28, 28) and model.judge(torch.zeros(2, 1, 28, 28)).shape == (2,)
    assert [layer.p for layer in model.discriminator if isinstance(layer, nn.Dropout)] == [0.2, 0.5, 0.5]


@pytest.mark.parametrize("model", [Dcgan(size=28, width=2), MlpGan(28, 3, width=4, units=2)])
def test_pictures_and_noise_that_do_not_fit_are_refused(model):
    with pytest.raises(ShapeError, match=r"\(size=28\) got a batch of shape \(2, 3, 32, 32\); expected \(B, 3, 28, 28\)"):
        model.judge(torch.zeros(2, 3, 32, 32))
    with pytest.raises(ShapeError, match=r"expected \(B, 3, 28, 28\)"):
        model.judge(torch.zeros(2, 1, 28, 28))
    for noise in (torch.zeros(2, 99), torch.zeros(2, 100, 1, 1)):
        with pytest.raises(ShapeError, match=r"\(noise=100\).*expected \(B, 100\)"):
            model(noise)


@pytest.mark.parametrize(
    ("build", "settings", "words"),
    [
        (Dcgan, {"size": 48}, "size is 48; expected one of 28, 32, 64"),
        (Dcgan, {"width": 0}, "width 0"),
        (Dcgan, {"channels": 0}, "channels is 0"),
        (MlpGan, {"noise": 0}, "noise 0"),
        (MlpGan, {"dropout": 1.0}, "dropout from 0 to less than 1"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(build, settings, words):
    with pytest.raises(RecipeError, match=words):
        build(**settings)
