"""PointNet against its paper: transforms, invariance, regulariser, parameters."""

import copy

import pytest
import torch

from l9.models.pointnet import MaximumLayer, PointNet, transform_penalty

FORTY = tuple(f"class {number}" for number in range(40))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return PointNet(FORTY)


@pytest.fixture
def xyz():
    return torch.rand(3, 128, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1


def trained_a_little(model, xyz):
    """The model after a few steps, so that transforms and running statistics are no longer those of the start."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(xyz), torch.arange(3)).backward()
        optimizer.step()
    return model.eval()


def test_parameters_at_forty_classes(model):
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_480_049


def test_both_transforms_start_as_the_identity(model, xyz):
    torch.testing.assert_close(model.input_transform(xyz), torch.eye(3).expand(3, 3, 3), rtol=0, atol=0)
    torch.testing.assert_close(model.forward_with_transform(xyz)[1], torch.eye(64).expand(3, 64, 64), rtol=0, atol=0)


def test_the_order_of_the_points_changes_nothing(model, xyz):
    trained_a_little(model, xyz)
    order = torch.randperm(128, generator=torch.Generator().manual_seed(2))
    assert torch.equal(model(xyz), model(xyz[:, order]))
    assert not torch.equal(model(xyz), model(xyz[:, :, [1, 0, 2]]))


def test_transforms_are_learned(model, xyz):
    trained_a_little(model, xyz)
    assert not torch.equal(model.input_transform(xyz), torch.eye(3).expand(3, 3, 3))
    assert transform_penalty(model.forward_with_transform(xyz)[1]).min() > 0


def test_every_layer_but_the_last_is_normalised(model):
    linear = sum(isinstance(layer, torch.nn.Linear) for layer in model.modules())
    normal = sum(isinstance(layer, torch.nn.BatchNorm1d) for layer in model.modules())
    assert (linear, normal) == (20, 17)  # two matrices and the scores have none
    assert [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)] == [0.3, 0.3]


def one_by_one(layer, x):
    """What `layer` stands for: every feature of every point normalised, then the maximum over the points."""
    features = torch.relu(layer.norm(layer.linear(x).flatten(0, 1)))
    return features.unflatten(0, x.shape[:2]).amax(dim=1)


@pytest.mark.parametrize("training", [True, False])
def test_the_maximum_of_a_layer_is_that_of_its_features_one_by_one(training):
    """Values, gradients and running statistics, in double precision; a third and more of batch norm's weights are negative."""
    torch.manual_seed(3)
    layer = MaximumLayer(7, 30).double().train(training)
    torch.nn.init.normal_(layer.linear.bias)
    for tensor in (layer.norm.weight.data, layer.norm.bias.data, layer.norm.running_mean):
        tensor.normal_()
    layer.norm.weight.data[:10] = -layer.norm.weight.data[:10].abs()
    plain = copy.deepcopy(layer)
    x = (torch.randn(4, 50, 7, dtype=torch.float64) * 3 + 5).requires_grad_()
    weights = torch.randn(4, 30, dtype=torch.float64)
    outcomes = []
    for found, one in ((layer(x), layer), (one_by_one(plain, x), plain)):
        outcomes.append((found, *torch.autograd.grad((found * weights).sum(), [x, *one.parameters()]), *one.buffers()))
    for mine, expected in zip(*outcomes, strict=True):
        torch.testing.assert_close(mine, expected)


def test_the_maximum_is_taken_in_float32_whatever_the_layers_before_give():
    torch.manual_seed(0)
    layer, x = MaximumLayer(7, 30), torch.randn(4, 50, 7)
    plain = copy.deepcopy(layer)(x.bfloat16().float())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x.bfloat16()), plain)


def test_points_on_a_line_give_no_negative_variance():
    """Covariance of rank 1, weights across it: what is 0 on paper may round below it, and its root is no number."""
    torch.manual_seed(0)
    layer = MaximumLayer(64, 256)
    direction = torch.randn(64)
    with torch.no_grad():
        layer.linear.weight -= (layer.linear.weight @ direction)[:, None] * direction / direction.square().sum()
    assert layer(1000 * torch.randn(4, 100, 1) * direction).isfinite().all()


def test_penalty_of_a_scaled_identity():
    """A = 2 I of size 64: A A^T - I = 3 I, whose squared norm is 9 * 64."""
    torch.testing.assert_close(transform_penalty(torch.stack([2 * torch.eye(64), torch.eye(64)])), torch.tensor([576.0, 0.0]))


def test_penalty_of_a_rotation_is_nothing():
    rotation = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))[0]
    assert transform_penalty(rotation[None]).item() < 1e-8
    with torch.autocast("cpu", torch.bfloat16):
        assert transform_penalty(rotation[None]).item() < 1e-8  # products in bfloat16 leave 3e-4
