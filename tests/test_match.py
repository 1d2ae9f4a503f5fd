"""Task match: its two losses by hand, what it is fed, and that a small network learns to tell textures apart."""

import numpy as np
import pytest
import torch
from match_store import matches_store
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.tasks.contract import Turn
from l9.tasks.learnt_descriptor import hardest_triplet, hinge_embedding
from l9.tasks.match import Match


class Means(nn.Module):
    """Colours of an 8x8 grid, weighted: enough to tell textures apart."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(192, 16)

    def forward(self, patches):
        found = self.layer(nn.functional.adaptive_avg_pool2d(patches, 8).flatten(1) - 0.5)
        return nn.functional.normalize(found, dim=1)


def bound(**options):
    torch.manual_seed(0)
    task = Match(**options)
    task.bind(Means())
    return task


def unit(*degrees):
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float32))
    return torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1)


def chord(degrees):
    return 2 * np.sin(np.deg2rad(degrees) / 2)


def test_hinge_embedding_by_hand():
    """Anchor at 0, same place at 20, another at 30 degrees; and at 120, beyond the margin."""
    descriptors = torch.stack([unit(0, 20, 30), unit(0, 20, 120)])
    expected = [0.5 * (chord(20) + 1 - chord(30)), 0.5 * chord(20)]
    assert_allclose(hinge_embedding(descriptors, 1.0), expected, atol=1e-4)  # 1e-8 is added below each root


def test_the_hardest_other_place_of_a_batch_counts():
    descriptors = torch.stack([unit(0, 10, 180), unit(40, 60, 200)])
    points = torch.arange(6.0).reshape(2, 3, 1).expand(2, 3, 3).contiguous()
    found = hardest_triplet(descriptors, points, 1.0)
    # of the first: the second's anchor lies 30 degrees from its same place; of the second: the first's same place, 30 from its anchor
    assert_allclose(found, [1 + chord(10) - chord(30), 1 + chord(20) - chord(30)], atol=1e-4)


def test_what_is_the_same_place_of_the_world_is_no_other_place():
    descriptors = torch.stack([unit(0, 10, 180), unit(1, 11, 181)])
    points = torch.zeros(2, 3, 3)
    points[:, 2] = 5.0
    assert_allclose(hardest_triplet(descriptors, points, 1.0), np.maximum(0, 1 + chord(10) - chord(179)), atol=1e-3)


def test_gradients_are_finite_where_descriptors_fall_together():
    descriptors = unit(0, 0, 0).reshape(1, 3, 2).repeat(4, 1, 1).requires_grad_()
    loss = hardest_triplet(descriptors, torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0)) * 9, 1.0).sum()
    (loss + hinge_embedding(descriptors, 1.0).sum()).backward()
    assert torch.isfinite(descriptors.grad).all()


def test_a_few_steps_learn_and_frozen_networks_have_no_player(tmp_path):
    samples = matches_store(tmp_path, scans=4, noise=60.0)
    for negatives, term in (("hardest", "triplet"), ("mined", "hinge_embedding")):
        task = bound(negatives=negatives)
        task.fit(samples)
        (player,) = task.players().values()
        optimizer = torch.optim.Adam(player.parameters, lr=3e-3)
        losses = []
        for epoch in range(12):
            for batch in Loader(samples, task.columns, seed=0, batch=12).epoch(epoch):
                terms = task.loss(Turn("model"), batch)
                assert set(terms) == {term}
                loss = terms[term] / batch.total
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
        assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert bound(frozen=True).players() == {}


def test_it_reports_both_variants_and_draws(tmp_path):
    samples = matches_store(tmp_path)
    task = bound()
    report = task.evaluate(samples)
    assert {"fpr95", "fpr95_exact"} < set(report.metrics)
    assert report.metrics["fpr95_exact"] < 0.05 < report.metrics["fpr95"]  # it has not learnt to see through a moved frame
    assert [picture.name for picture in task.pictures(samples, report)] == ["matches"]
    again = task.evaluate(samples)
    assert again.metrics == report.metrics
    batch = next(Loader(samples, task.columns, seed=0, batch=9).epoch(0))
    assert task.batch_picture(batch, samples).pixels.ndim == 3


def test_a_sample_is_moved_alike_in_any_batch(tmp_path):
    samples = matches_store(tmp_path)
    task = bound()
    whole = next(Loader(samples, task.columns, seed=3, batch=8).epoch(1))
    halves = [next(Loader(samples, task.columns, seed=3, batch=8, rank=rank, world=2).epoch(1)) for rank in (0, 1)]
    fed = task.fed(whole)
    for half in halves:
        for number, position in enumerate(half.positions):
            assert_array_equal(task.fed(half)[number], fed[list(whole.positions).index(position)])
    task.augment = False
    assert not torch.equal(task.fed(whole), fed)


def test_without_a_network_or_matches_it_says_so(tmp_path):
    with pytest.raises(TrainingError, match="needs a network"):
        Match().bind(None)
    with pytest.raises(TrainingError, match="no matches"):
        bound().fit(matches_store(tmp_path).take(0))


def test_two_centimetres_are_told_apart_far_from_the_origin():
    """128 places 3 cm apart in a row, 100 m away: none but the match's own is the same place."""
    places = torch.tensor([100.0, 100.0, 100.0]) + torch.arange(128)[:, None] * torch.tensor([0.03, 0, 0])
    points = torch.stack([places, places], dim=1)
    descriptors = nn.functional.normalize(torch.randn(128, 2, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    anchor, same = descriptors.unbind(1)
    distances = torch.cdist(anchor, same)
    own = distances.diagonal()
    hardest = (distances + 9 * torch.eye(128)).amin(1).minimum((distances.T + 9 * torch.eye(128)).amin(1))
    assert_allclose(hardest_triplet(descriptors, points, 1.0), (1 + own - hardest).clamp_min(0), atol=1e-3)


def test_losses_are_not_rounded_by_autocast(tmp_path):
    samples = matches_store(tmp_path)
    task = bound()
    batch = next(Loader(samples, task.columns, seed=0, batch=12).epoch(0))
    task.augment = False
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = task.loss(Turn("model"), batch)["triplet"]
    assert found.dtype == torch.float32
