"""l9.tasks.point_sets: what is fed is what is stored, turned, mirrored, shaken and dropped as asked, by numbers of each sample's own."""

import numpy as np
import pytest
import torch

from l9.data.batch import Batch
from l9.errors import TrainingError
from l9.tasks.point_sets import PointSets


def batch_of(points, positions=None, epoch=0):
    count = len(points)
    numbers = np.arange(count)
    places = numbers if positions is None else np.asarray(positions)
    return Batch({"points": points}, torch.zeros(count, dtype=torch.int64), numbers, numbers, places, seed=0, epoch=epoch, total=count)


def nine(samples=3, points=40):
    """Blocks about their middle, in rooms of 4 m by 4 m."""
    draw = torch.Generator().manual_seed(0)
    xyz = torch.rand(samples, points, 3, generator=draw) - torch.tensor([0.5, 0.5, 0.0])
    return torch.cat([xyz, torch.rand(samples, points, 6, generator=draw)], dim=2)


def sets(points=40, turn="none", jitter=0.0, drop=0.0, up="+Z"):
    return PointSets(up, points, turn, jitter, drop)


def test_without_augmentation_points_are_drawn_anew_each_epoch():
    stored = nine()
    first, again, later = (sets(30).augmented(batch_of(stored, epoch=epoch), "points") for epoch in (0, 0, 1))
    assert first.dropped is None and torch.equal(first.x, again.x) and not torch.equal(first.numbers, later.numbers)
    for x, numbers, row in zip(first.x, first.numbers, stored, strict=True):
        assert len(set(numbers.tolist())) == 30 and torch.equal(x, row[numbers])
    plain = sets(30).plain(batch_of(stored), "points")
    assert torch.equal(plain.x, stored[:, :30]) and torch.equal(plain.numbers, torch.arange(30).expand(3, -1))


@pytest.mark.parametrize("options", [{"turn": "quarter"}, {"turn": "any"}, {"jitter": 0.01}, {"drop": 0.9}, {}])
def test_a_sample_is_fed_the_same_wherever_it_falls(options):
    stored = nine()
    whole = sets(20, **options).augmented(batch_of(stored, positions=[4, 7, 9]), "points")
    alone = sets(20, **options).augmented(batch_of(stored[1:2], positions=[7]), "points")
    assert torch.equal(whole.x[1:2], alone.x) and torch.equal(whole.numbers[1:2], alone.numbers)


@pytest.mark.parametrize(("turn", "up"), [("quarter", "+Z"), ("any", "+Z"), ("quarter", "+Y"), ("any", "-X")])
def test_a_turn_moves_places_in_block_and_room_alike_and_nothing_else(turn, up):
    stored = nine(20)
    level = [axis for axis in range(3) if "XYZ"[axis] != up[1]]
    middle = torch.zeros(3)
    middle[level] = 0.5
    stored[..., 6:] = stored[..., :3] + middle  # so that both must stay alike
    fed = sets(40, turn, up=up).augmented(batch_of(stored), "points")
    same = torch.gather(stored, 1, fed.numbers[..., None].expand(-1, -1, 9))
    torch.testing.assert_close(fed.x[..., 6:], fed.x[..., :3] + middle)
    assert torch.equal(fed.x[..., 3:6], same[..., 3:6])
    torch.testing.assert_close(fed.x[..., "XYZ".index(up[1])], same[..., "XYZ".index(up[1])])
    torch.testing.assert_close(fed.x[..., :3].norm(dim=2), same[..., :3].norm(dim=2))
    if turn == "quarter":
        poses = [torch.linalg.lstsq(one[:, :3], other[:, :3]).solution.round().int() for one, other in zip(same, fed.x, strict=True)]
        for pose, one, other in zip(poses, same, fed.x, strict=True):
            torch.testing.assert_close(one[:, :3] @ pose.float(), other[:, :3], atol=1e-5, rtol=0)
        assert {round(float(torch.linalg.det(pose.float()))) for pose in poses} == {1, -1}
        assert len({tuple(pose.flatten().tolist()) for pose in poses}) >= 6


def test_noise_shakes_places_within_the_block_alone():
    stored = nine()
    fed = sets(40, jitter=0.01).augmented(batch_of(stored), "points")
    same = torch.gather(stored, 1, fed.numbers[..., None].expand(-1, -1, 9))
    gaps = fed.x[..., :3] - same[..., :3]
    assert 0.008 < gaps.std() < 0.012 and gaps.abs().max() <= 0.05 + 1e-6
    assert torch.equal(fed.x[..., 3:], same[..., 3:])


def test_dropped_points_repeat_the_first_of_their_set():
    stored = nine(60)
    fed = sets(40, drop=0.875).augmented(batch_of(stored), "points")
    repeated = (fed.x == fed.x[:, :1]).all(dim=2)
    repeated[:, 0] = fed.dropped[:, 0]
    assert torch.equal(repeated, fed.dropped)
    shares = fed.dropped.float().mean(dim=1)
    assert shares.max() < 1 and shares.std() > 0.15 and shares.mean() == pytest.approx(0.875 / 2, abs=0.12)


def test_rows_are_cut_into_sets_and_the_last_is_filled_up():
    stored = nine(points=10)
    cut = sets(4).cut(batch_of(stored), "points")
    assert cut.shape == (3, 3, 4, 9)
    assert torch.equal(cut.reshape(3, 12, 9)[:, :10], stored) and torch.equal(cut[:, 2, 2:], stored[:, :2])


def test_more_points_than_are_stored_are_refused_with_the_cure():
    with pytest.raises(TrainingError, match=r"points is 41 and column points holds 40; .*--set trainings\.\*\.task\.points=40"):
        sets(41).augmented(batch_of(nine()), "points")
