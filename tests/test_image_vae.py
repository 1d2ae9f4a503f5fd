"""Autoencoders of pictures: layer sizes, up-sampling that is the convolution's adjoint, what a classifier takes over, what is refused."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from l9.errors import RecipeError, ShapeError
from l9.models.image_vae import ImageAutoencoder, ImageClassifier
from l9.models.voxel_vae import drawn_code
from l9.train.checkpoints import copy_by_name

CLASSES = ("zero", "one", "two")
KINDS = ("mlp", "convolutional")
SMALL = {"code": 6, "hidden": (12, 9), "width": 4, "size": 12}


pytestmark = pytest.mark.usefixtures("one_thread")


def outputs_of(layers):
    """Shape after each layer with weights when something passes, the batch left out."""
    found = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(lambda _layer, _inputs, output: found.append(tuple(output.shape[1:])))
    return found


def test_sizes_after_each_layer():
    model = ImageAutoencoder()
    down, up = outputs_of(model.encoder.features), outputs_of(model.decoder)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 1, 28, 28)
    assert down == [(32, 14, 14), (64, 7, 7), (256,)] and up == [(256,), (3136,), (32, 14, 14), (1, 28, 28)]
    model = ImageAutoencoder(kind="mlp")
    down, up = outputs_of(model.encoder.features), outputs_of(model.decoder)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 1, 28, 28)
    assert down == [(500,), (500,)] and up == [(500,), (500,), (784,)]
    assert model.encoder.mean.out_features == 20


def test_parameters():
    """Counted by hand: fully connected with two hidden layers and with one, the sizes of Hinton & Salakhutdinov, convolutional."""

    def count(**settings):
        return sum(one.numel() for one in ImageAutoencoder(**settings).parameters())

    def connected(*sizes):
        return sum(before * after + after for before, after in pairwise(sizes))

    both = connected(784, 500, 500, 20), connected(20, 500, 500, 784)
    assert count(kind="mlp") == sum(both) == 1_306_804
    assert count(kind="mlp", variational=True) == sum(both) + connected(500, 20)
    assert count(kind="mlp", hidden=(500,)) == connected(784, 500, 20) + connected(20, 500, 784)
    deep = connected(784, 1000, 500, 250, 30) + connected(30, 250, 500, 1000, 784)
    assert count(kind="mlp", hidden=(1000, 500, 250), code=30) == deep == 2_837_314
    convolutions = (16 * 32 + 32) + (16 * 32 * 64 + 64) + (16 * 64 * 32 + 32) + (16 * 32 + 1)
    assert count() == convolutions + connected(3136, 256, 20) + connected(20, 256, 3136)


@pytest.mark.parametrize("size", [4, 12, 20, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_multiple_of_four_come_back_in_their_size(size, channels):
    x = torch.rand(2, channels, size, size)
    assert ImageAutoencoder(5, size=size, channels=channels, width=2).double()(x.double()).shape == x.shape
    assert ImageAutoencoder(5, kind="mlp", size=size + 1, channels=channels, hidden=(7,))(torch.rand(2, channels, size + 1, size + 1)).shape


def test_up_sampling_is_the_adjoint_of_the_convolution():
    """With the encoder's own weights in the decoder's layers: <Cx, y> = <x, C^T y>, to 12 digits of float64."""
    model = ImageAutoencoder().double()
    convolutions = [layer for layer in model.encoder.features if isinstance(layer, nn.Conv2d)]
    transposed = [layer for layer in model.decoder if isinstance(layer, nn.ConvTranspose2d)][::-1]
    x = torch.randn(2, 1, 28, 28, dtype=torch.float64)
    for down, up in zip(convolutions, transposed, strict=True):
        with torch.no_grad():
            up.weight.copy_(down.weight)
            for layer in (down, up):
                layer.bias.zero_()
        after = down(x)
        y = torch.randn_like(after)
        torch.testing.assert_close((after * y).sum(), (x * up(y)).sum(), rtol=1e-11, atol=1e-11)
        x = after


@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_has_a_part_in_the_code_and_every_number_of_it_in_every_pixel(kind):
    torch.manual_seed(0)
    model = ImageAutoencoder(kind=kind, size=28, width=8, hidden=(64, 64)).double()
    x = torch.rand(1, 1, 28, 28, dtype=torch.float64)
    code = torch.autograd.functional.jacobian(model.encoder, x).abs().sum(dim=(0, 2))
    assert (code > 0).all()
    pixels = torch.autograd.functional.jacobian(model.decode, torch.randn(1, 20, dtype=torch.float64)).abs().squeeze()
    assert pixels.shape == (28, 28, 20) and (pixels > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_plain_has_no_variance_and_variational_has(kind):
    x = torch.rand(3, 1, 12, 12)
    mean, log_variance = ImageAutoencoder(kind=kind, **SMALL).encode(x)
    assert mean.shape == (3, 6) and log_variance is None
    model = ImageAutoencoder(kind=kind, variational=True, **SMALL)
    mean, log_variance = model.encode(x)
    assert mean.shape == log_variance.shape == (3, 6)
    assert model.decode(drawn_code(mean, log_variance, torch.randn(3, 6))).shape == x.shape
    assert torch.equal(model(x), model.decode(mean))


@pytest.mark.parametrize("kind", KINDS)
def test_no_sample_has_a_part_in_another(kind):
    """No batch norm: in training mode too, to float32's rounding."""
    model, x = ImageAutoencoder(kind=kind, **SMALL).train(), torch.rand(4, 1, 12, 12)
    torch.testing.assert_close(model(x)[:2], model(x[:2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variational", [False, True])
def test_a_classifier_takes_over_the_whole_encoder(kind, variational):
    x = torch.rand(4, 1, 12, 12)
    taught = ImageAutoencoder(kind=kind, variational=variational, **SMALL)
    classifier = ImageClassifier(CLASSES, kind=kind, **SMALL)
    assert copy_by_name(classifier, taught.state_dict()) == ["head.1.weight", "head.1.bias"]
    assert torch.equal(classifier.encoder(x), taught.encoder(x)) and classifier(x).shape == (4, 3)


def test_what_a_longer_code_does_not_bring_is_named():
    classifier = ImageClassifier(CLASSES, **SMALL)
    missed = copy_by_name(classifier, ImageAutoencoder(**(SMALL | {"code": 7})).state_dict())
    assert missed == ["encoder.mean.weight", "encoder.mean.bias", "head.1.weight", "head.1.bias"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_networks_of_one_seed_answer_alike(kind):
    answers = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        answers.append(ImageAutoencoder(kind=kind, **SMALL)(torch.ones(1, 1, 12, 12)))
    assert torch.equal(answers[0], answers[1]) and not torch.equal(answers[0], answers[2])


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_has_finite_gradients(kind):
    torch.manual_seed(0)
    model = ImageAutoencoder(kind=kind, variational=True, **SMALL).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_variance = model.encode(torch.rand(4, 1, 12, 12))
        logits = model.decode(drawn_code(mean, log_variance, torch.randn(4, 6)))
    logits.float().square().sum().backward()
    assert all(one.grad.isfinite().all() for one in model.parameters())


@pytest.mark.parametrize(
    "model", [build(kind=kind, **SMALL) for kind in KINDS for build in (ImageAutoencoder, lambda **more: ImageClassifier(CLASSES, **more))]
)
def test_pictures_and_codes_that_do_not_fit_are_refused(model):
    with pytest.raises(ShapeError, match=r"size=12, channels=1\) got a batch of shape \(2, 1, 16, 16\); expected \(B, 1, 12, 12\)"):
        model(torch.zeros(2, 1, 16, 16))
    with pytest.raises(ShapeError, match="channels=1"):
        model(torch.zeros(2, 3, 12, 12))
    if isinstance(model, ImageAutoencoder):
        with pytest.raises(ShapeError, match=r"code=6\).*\(2, 7\)"):
            model.decode(torch.zeros(2, 7))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 30}, "size is 30; expected a multiple of 4"),
        ({"code": 0}, "code 0"),
        ({"kind": "mlp", "hidden": ()}, "at least one hidden layer"),
        ({"hidden": (500, 0)}, r"hidden \(500, 0\)"),
        ({"width": 0}, "width 0"),
        ({"kind": "dense"}, "kind is 'dense'; expected mlp or convolutional"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(settings, words):
    with pytest.raises(RecipeError, match=words):
        ImageAutoencoder(**settings)
    with pytest.raises(RecipeError, match=words):
        ImageClassifier(CLASSES, **settings)
