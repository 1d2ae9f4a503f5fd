"""The voxel autoencoder against its paper: layer sizes, what is drawn, what a classifier takes over, what is refused."""

import pytest
import torch

from l9.errors import RecipeError, ShapeError, TrainingError
from l9.models.voxel_vae import VoxelAutoencoder, VoxelClassifier, drawn_code
from l9.train.checkpoints import copy_by_name

CLASSES = ("pole", "slab", "ring")


pytestmark = pytest.mark.usefixtures("one_thread")


def shapes_of(layers):
    """(channels, edge) after each convolution when something passes."""
    found = []
    for layer in layers:
        if isinstance(layer, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            layer.register_forward_hook(lambda _layer, _inputs, output: found.append((output.shape[1], output.shape[-1])))
    return found


def test_sizes_after_each_layer_are_the_papers():
    model = VoxelAutoencoder()
    down, up = shapes_of(model.encoder.features), shapes_of(model.decoder)
    logits = model(torch.zeros(2, 1, 32, 32, 32))
    assert down == [(8, 30), (16, 15), (32, 13), (64, 7)]
    assert up == [(64, 7), (32, 15), (16, 15), (8, 32), (1, 32)]
    assert logits.shape == (2, 1, 32, 32, 32)
    assert [layer.in_features for layer in model.encoder.features if isinstance(layer, torch.nn.Linear)] == [64 * 343]
    assert model.encoder.mean[0].in_features == 343 and model.encoder.mean[0].out_features == 128


def test_every_layer_but_the_last_has_a_batch_norm():
    model = VoxelAutoencoder(variational=True)
    norms = sum(isinstance(layer, torch.nn.BatchNorm3d | torch.nn.BatchNorm1d) for layer in model.modules())
    weights = sum(isinstance(layer, torch.nn.Conv3d | torch.nn.ConvTranspose3d | torch.nn.Linear) for layer in model.modules())
    assert norms == weights - 1 and isinstance(model.decoder[-1], torch.nn.Conv3d)


def test_parameters_at_a_code_of_128():
    """Counted by hand from the layers: weights, and two numbers a channel for each batch norm."""
    encoder = 27 * (8 + 8 * 16 + 16 * 32 + 32 * 64) + 2 * (8 + 16 + 32 + 64) + 64 * 343 * 343 + 2 * 343
    code = 343 * 128 + 2 * 128
    decoder = 128 * 343 + 2 * 343 + 27 * (64 + 64 * 32 + 32 * 16) + 64 * 16 * 8 + 2 * (64 + 32 + 16 + 8) + 27 * 8 + 1
    plain = sum(parameter.numel() for parameter in VoxelAutoencoder().parameters())
    assert plain == encoder + code + decoder == 7_771_501
    assert sum(parameter.numel() for parameter in VoxelAutoencoder(variational=True).parameters()) == plain + code


@pytest.mark.parametrize("resolution", [12, 16, 20, 24])
def test_grids_of_any_multiple_of_four_come_back_in_their_size(resolution):
    model = VoxelAutoencoder(code=5, resolution=resolution, width=2)
    assert model(torch.zeros(2, 1, *[resolution] * 3)).shape == (2, 1, *[resolution] * 3)


def test_plain_has_no_variance_and_variational_has():
    x = torch.randn(3, 1, 12, 12, 12)
    mean, log_variance = VoxelAutoencoder(code=5, resolution=12).encode(x)
    assert mean.shape == (3, 5) and log_variance is None
    mean, log_variance = VoxelAutoencoder(code=5, resolution=12, variational=True).encode(x)
    assert mean.shape == log_variance.shape == (3, 5)


def test_a_drawn_code_has_the_mean_and_the_deviation_it_is_given():
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 4.0]]).log()
    torch.testing.assert_close(drawn_code(mean, log_variance, torch.tensor([[5.0, 3.0]])), torch.tensor([[1.0, 4.0]]))


def test_a_classifier_takes_over_the_whole_encoder():
    """All but the head: and so its codes are those of the autoencoder, whether plain or variational."""
    x = torch.randn(4, 1, 12, 12, 12)
    for variational in (False, True):
        taught = VoxelAutoencoder(code=6, resolution=12, variational=variational)
        taught(x)  # running statistics of the batch norms are taken over too
        classifier = VoxelClassifier(CLASSES, code=6, resolution=12)
        assert copy_by_name(classifier, taught.state_dict()) == ["head.1.weight", "head.1.bias"]
        taught.eval(), classifier.eval()
        assert torch.equal(classifier.encoder(x), taught.encoder(x)) and classifier(x).shape == (4, 3)


def test_a_code_of_another_length_is_not_taken_over_and_named():
    """The convolutions fit; the layer of the code starts from nothing, and a training says so."""
    classifier = VoxelClassifier(CLASSES, code=6, resolution=12)
    missed = copy_by_name(classifier, VoxelAutoencoder(code=7, resolution=12).state_dict())
    assert {"encoder.mean.0.weight", "encoder.mean.1.running_mean"} <= set(missed)
    assert not any(name.startswith("encoder.features") for name in missed)


def test_nothing_fits_weights_of_another_network():
    with pytest.raises(TrainingError, match="no tensor has the name and shape"):
        copy_by_name(VoxelClassifier(CLASSES, resolution=12), {"head.weight": torch.zeros(3)})


def test_codes_of_another_length_are_refused():
    with pytest.raises(ShapeError, match=r"code=5\).*\(2, 6\)"):
        VoxelAutoencoder(code=5, resolution=12).decode(torch.zeros(2, 6))


@pytest.mark.parametrize("model", [VoxelAutoencoder(resolution=12, code=4), VoxelClassifier(CLASSES, resolution=12, code=4)])
def test_grids_of_another_resolution_are_refused(model):
    with pytest.raises(ShapeError, match=r"resolution=12.*16, 16, 16"):
        model(torch.zeros(2, 1, 16, 16, 16))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"resolution": 8}, "resolution is 8"), ({"resolution": 30}, "resolution is 30"), ({"code": 0}, "code is 0"), ({"width": 0}, "width")],
)
def test_networks_that_cannot_be_built_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        VoxelAutoencoder(**settings)
    with pytest.raises(RecipeError, match=message):
        VoxelClassifier(CLASSES, **settings)
