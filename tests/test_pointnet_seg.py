"""PointNet's two networks that label points, against their paper: widths, transforms, order, parameters."""

from itertools import pairwise

import pytest
import torch

from l9.errors import ShapeError
from l9.models.pointnet_seg import BesideSet, PartSeg, PointNetSeg

SIXTEEN = tuple(f"category {number}" for number in range(16))


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def layers(*widths):
    """Of linear layers with batch norm: weights, biases, and two numbers a feature."""
    return sum(before * after + 3 * after for before, after in pairwise(widths))


def t_net(size, shared=(64, 128, 1024), head=(512, 256)):
    return layers(size, *shared, *head) + (head[1] + 1) * size * size


def stirred(model, *inputs):
    """The model after a few steps in evaluation mode, so that neither transforms nor statistics are those of the start."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        scores = model(*inputs)
        torch.nn.functional.cross_entropy(
            scores.flatten(0, 1), torch.arange(scores.shape[0] * scores.shape[1]) % scores.shape[2]
        ).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture
def seeded():
    torch.manual_seed(0)
    return torch.Generator().manual_seed(1)


def test_parameters_of_pointnet_seg_are_those_of_its_widths():
    trunk = layers(3, 64, 64) + layers(64, 64, 128, 1024)
    head = layers(64 + 1024, 512, 256, 128, 128)
    assert parameters(PointNetSeg(50)) == t_net(3) + t_net(64) + trunk + head + 129 * 50 == 3_558_907
    bare = layers(9, 64, 64) + layers(64, 64, 128, 1024) + head + 129 * 13
    assert parameters(PointNetSeg(13, channels=9, transforms=False)) == bare == 894_093


def test_parameters_of_part_seg_are_those_of_its_widths():
    model = PartSeg(SIXTEEN, 50)
    assert model.beside.linear.in_features == 64 + 128 + 128 + 512 + 2048 + 2048 + 16 == 4944
    transforms = t_net(3, head=(128, 128)) + t_net(128, shared=(256, 1024))
    rest = layers(3, 64, 128, 128) + layers(128, 512, 2048) + layers(4944, 256, 256, 128) + 129 * 50
    assert parameters(model) == transforms + rest == 7_979_451
    assert [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)] == [0.2, 0.2]


def test_dropout_stands_before_the_last_layer_and_stored_names_do_not_change():
    model, plain = PointNetSeg(13, channels=9, transforms=False, dropout=0.3), PointNetSeg(13, channels=9, transforms=False)
    assert [type(layer).__name__ for layer in model.head] == ["SharedLayers", "Dropout", "Linear"] and model.head.dropout.p == 0.3
    assert [layer.p for layer in plain.modules() if isinstance(layer, torch.nn.Dropout)] == [0.0]
    names = model.state_dict().keys()
    assert names == plain.state_dict().keys() and {"head.0.layers.0.weight", "head.1.weight"} <= names


def test_transforms_start_as_the_identity(seeded):
    xyz = torch.rand(2, 50, 3, generator=seeded)
    seg, parts = PointNetSeg(5), PartSeg(SIXTEEN, 50)
    for network, transform, size in (
        (seg.input_transform, None, 3),
        (parts.input_transform, None, 3),
        (None, seg.forward_with_transform(xyz)[1], 64),
        (None, parts.forward_with_transform(xyz, torch.tensor([0, 3]))[1], 128),
    ):
        found = network(xyz) if transform is None else transform
        torch.testing.assert_close(found, torch.eye(size).expand(2, size, size), rtol=0, atol=0)
    assert PointNetSeg(5, 9, transforms=False).forward_with_transform(torch.rand(2, 50, 9))[1] is None


@pytest.mark.parametrize("build", [lambda: PointNetSeg(6), lambda: PointNetSeg(6, channels=9, transforms=False)])
def test_scores_move_with_their_points(seeded, build):
    model = build()
    x = torch.rand(3, 64, 3 if model.input_transform is not None else 9, generator=seeded)
    stirred(model, x)
    order = torch.randperm(64, generator=seeded)
    torch.testing.assert_close(model(x)[:, order], model(x[:, order]))
    assert not torch.allclose(model(x), model(x[:, order]))


def test_other_channels_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(2, 5, 3\); expected \(B, points, 9\)"):
        PointNetSeg(4, channels=9, transforms=False)(torch.zeros(2, 5, 3))


def test_only_places_are_turned(seeded):
    """With nine channels the T-Net of 3 sees xyz, and turns nothing else."""
    model = PointNetSeg(4, channels=9)
    x = torch.rand(2, 40, 9, generator=seeded)
    stirred(model, x)
    with torch.no_grad():
        turned = torch.cat([x[..., :3] @ model.input_transform(x[..., :3]), x[..., 3:]], dim=2)
        features = model.point_features(turned)
        features = features @ model.feature_transform(features)
        expected = model.head(model.beside(features, model.set_features(features)))
        torch.testing.assert_close(model(x), expected)


def test_parts_move_with_their_points_and_the_category_says_something(seeded):
    model, xyz, category = PartSeg(SIXTEEN, 7), torch.rand(3, 32, 3, generator=seeded), torch.tensor([1, 5, 5])
    stirred(model, xyz, category)
    order = torch.randperm(32, generator=seeded)
    torch.testing.assert_close(model(xyz, category)[:, order], model(xyz[:, order], category))
    assert not torch.allclose(model(xyz, category), model(xyz, torch.tensor([2, 5, 5])))


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_beside_its_set_is_that_of_both_in_one_row(seeded, training):
    layer = BesideSet(5, 8, 12).double().train(training)
    own = torch.randn(3, 20, 5, dtype=torch.float64, generator=seeded, requires_grad=True)
    whole = torch.randn(3, 8, dtype=torch.float64, generator=seeded, requires_grad=True)
    rows = torch.cat([own, whole[:, None].expand(-1, 20, -1)], dim=2)
    expected = torch.relu(layer.norm(layer.linear(rows.flatten(0, 1)))).reshape(3, 20, 12)
    found = layer(own, whole)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(3, 20, 12, dtype=torch.float64, generator=seeded)
    inputs = [own, whole, *layer.parameters()]
    for mine, theirs in zip(*(torch.autograd.grad((one * weights).sum(), inputs) for one in (found, expected)), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_bfloat16_layers_give_finite_gradients(seeded):
    for model, x in (
        (PointNetSeg(5, 9, transforms=False), (torch.rand(2, 64, 9, generator=seeded),)),
        (PartSeg(SIXTEEN, 5), (torch.rand(2, 64, 3), torch.tensor([0, 1]))),
    ):
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(*x).float().square().mean()
        loss.backward()
        assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())
