"""PointNet++ for scenes against its paper: widths, levels, order, parameters."""

from itertools import pairwise

import pytest
import torch

from l9.errors import RecipeError, ShapeError
from l9.models.pointnet2 import PointNet2Seg

SMALL = {"centres": (32, 16, 8, 4), "neighbours": 64, "radii": (0.3, 0.5, 0.8, 1.6)}


def layers(*widths):
    return sum(before * after + 3 * after for before, after in pairwise(widths))


@pytest.mark.parametrize(("channels", "expected"), [(3, 968_884), (9, 969_844)])
def test_parameters_are_those_of_its_widths(channels, expected):
    down = layers(channels, 32, 32, 64) + layers(67, 64, 64, 128) + layers(131, 128, 128, 256) + layers(259, 256, 256, 512)
    up = layers(512 + 256, 256, 256) + layers(256 + 128, 256, 256) + layers(256 + 64, 256, 128) + layers(128 + channels - 3, 128, 128, 128)
    head = layers(128, 128) + 129 * 20
    model = PointNet2Seg(20, channels)
    assert sum(parameter.numel() for parameter in model.parameters()) == down + up + head == expected
    assert [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)] == [0.5]


def test_levels_are_those_of_the_paper():
    xyz = torch.rand(1, 1200, 3, generator=torch.Generator().manual_seed(0)) * 1.5
    levels = PointNet2Seg(20).levels(xyz)
    assert [tuple(level.balls.shape) for level in levels] == [(1, 1024, 32), (1, 256, 32), (1, 64, 32), (1, 16, 32)]
    assert [tuple(level.nearest.shape) for level in levels] == [(1, 1200, 3), (1, 1024, 3), (1, 256, 3), (1, 64, 3)]
    finer = xyz
    for level, radius in zip(levels, (0.1, 0.2, 0.4, 0.8), strict=True):
        gaps = (finer[0][level.balls[0]] - level.xyz[0][:, None]).norm(dim=2)
        assert gaps.max() < radius
        finer = level.xyz


def stirred(model, x):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(3):
        torch.manual_seed(step)
        optimizer.zero_grad()
        scores = model(x)
        torch.nn.functional.cross_entropy(
            scores.flatten(0, 1), torch.arange(scores.shape[0] * scores.shape[1]) % scores.shape[2]
        ).backward()
        optimizer.step()
    return model.eval()


def test_scores_move_with_their_points():
    """Balls hold all of their points here, so that only which point comes first, where sampling begins, may matter; it stays."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(2, 64, 9, generator=draw)
    model = stirred(PointNet2Seg(6, **SMALL), x)
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(63, generator=draw)])
    torch.testing.assert_close(model(x)[:, order], model(x[:, order]), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(model(x), model(x[:, order]), atol=1e-3)


def test_a_room_moved_as_a_whole_has_the_same_scores():
    """Places enter as differences alone; colours and places within the room do not."""
    torch.manual_seed(0)
    x = torch.rand(2, 64, 9, generator=torch.Generator().manual_seed(1))
    model = stirred(PointNet2Seg(6, **SMALL), x)
    moved = x.clone()
    moved[..., :3] += torch.tensor([2.0, -1.0, 0.5])
    torch.testing.assert_close(model(moved), model(x), rtol=1e-3, atol=1e-3)
    moved[..., 3] += 0.5
    assert not torch.allclose(model(moved), model(x), atol=1e-3)


def test_without_features_and_with_too_few_centres():
    xyz = torch.rand(1, 64, 3, generator=torch.Generator().manual_seed(1))
    assert PointNet2Seg(6, channels=3, **SMALL)(xyz.expand(2, -1, -1)).shape == (2, 64, 6)
    with pytest.raises(ShapeError, match=r"shape \(2, 64, 3\); expected \(B, 32 or more, 9\)"):
        PointNet2Seg(6, **SMALL)(xyz.expand(2, -1, -1))
    with pytest.raises(ShapeError, match=r"shape \(1, 30, 3\); expected \(B, 32 or more, 3\)"):
        PointNet2Seg(6, channels=3, **SMALL)(xyz[:, :30])
    with pytest.raises(RecipeError, match="expected at least 3"):
        PointNet2Seg(6, centres=(16, 8, 4, 2))


def test_bfloat16_layers_look_up_the_same_neighbours_and_give_finite_gradients():
    torch.manual_seed(0)
    model, x = PointNet2Seg(6, **SMALL), torch.rand(2, 64, 9, generator=torch.Generator().manual_seed(1))
    plain = model.levels(x[..., :3])
    with torch.autocast("cpu", torch.bfloat16):
        for mine, theirs in zip(model.levels(x[..., :3]), plain, strict=True):
            assert torch.equal(mine.balls, theirs.balls) and torch.equal(mine.nearest, theirs.nearest)
        loss = model(x).float().square().mean()
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
