"""l9.models.neighbours: farthest points, balls and nearest points against the plain way."""

import numpy as np
import pytest
import torch

from l9.models.neighbours import ball_query, farthest_points, gathered, three_nearest


@pytest.fixture
def xyz():
    return torch.rand(3, 60, 3, generator=torch.Generator().manual_seed(1))


def test_farthest_points_one_by_one(xyz):
    found = farthest_points(xyz, 12).numpy()
    for cloud, numbers in zip(xyz.numpy().astype(np.float64), found, strict=True):
        chosen = [0]
        while len(chosen) < 12:
            gaps = np.linalg.norm(cloud[:, None] - cloud[chosen], axis=2).min(axis=1)
            chosen.append(int(gaps.argmax()))
        assert numbers.tolist() == chosen


def test_farthest_points_of_points_that_coincide():
    assert farthest_points(torch.zeros(1, 5, 3), 3).tolist() == [[0, 0, 0]]
    assert farthest_points(torch.tensor([[[0.0, 0, 0], [1, 0, 0], [1, 0, 0]]]), 3).tolist() == [[0, 1, 0]]  # of equal ones the first


def test_a_ball_holds_its_first_points_in_order(xyz):
    centres = xyz[:, :7]
    found = ball_query(xyz, centres, 0.3, 4)
    several = 0
    for cloud, middles, numbers in zip(xyz.numpy(), centres.numpy(), found.numpy(), strict=True):
        for middle, ball in zip(middles, numbers, strict=True):
            inside = np.flatnonzero(np.linalg.norm(cloud - middle, axis=1) < 0.3)[:4]
            assert ball.tolist() == [*inside, *[inside[0]] * (4 - len(inside))]
            several += len(inside) > 1
    assert several > 10


def test_an_empty_ball_holds_the_nearest_point(xyz):
    assert (ball_query(xyz, xyz[:, 5:6] + 1e-3, 1e-5, 3) == 5).all()


def test_three_nearest_and_weights_that_sum_to_one(xyz):
    known = xyz[:, ::4]
    numbers, weights = three_nearest(xyz, known)
    squares = (xyz[:, :, None] - known[:, None]).square().sum(dim=3)
    expected = squares.argsort(dim=2)[:, :, :3]
    assert torch.equal(numbers, expected)
    inverse = 1 / squares.gather(2, expected).clamp_min(1e-10)
    torch.testing.assert_close(weights, inverse / inverse.sum(dim=2, keepdim=True), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 60))
    assert (weights[:, ::4, 0] > 0.999).all()  # a known point is itself


def test_gathered_rows_and_their_gradient(xyz):
    numbers = torch.tensor([[[0, 5], [5, 5]]] * 3)
    features = xyz.clone().requires_grad_()
    found = gathered(features, numbers)
    assert torch.equal(found, torch.stack([cloud[places] for cloud, places in zip(xyz, numbers, strict=True)]))
    found.sum().backward()
    assert features.grad[:, 5].eq(3).all() and features.grad[:, 0].eq(1).all() and features.grad[:, 1].eq(0).all()


def test_of_equal_candidates_the_first_is_taken():
    """Forty points on one place: which of them a ball holds, and which stands for an empty one."""
    alike = torch.zeros(1, 40, 3)
    assert ball_query(alike, alike[:, :1], 0.1, 4).tolist() == [[[0, 1, 2, 3]]]
    assert ball_query(alike, alike[:, :1] + 1, 0.1, 2).tolist() == [[[0, 0]]]
