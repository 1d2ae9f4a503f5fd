"""Task match_volumes, and FPFH beside it: what the network is fed, that it learns to tell shapes apart, and what is reported."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.stages.volume_matches import _columns
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store
from l9.tasks.contract import Turn
from l9.tasks.descriptors import item_of
from l9.tasks.handcrafted import Handcrafted
from l9.tasks.learnt_descriptor import hardest_triplet, n_pairs
from l9.tasks.match import Match
from l9.tasks.match_volumes import MatchVolumes

SIDE = 8


def volumes_store(home, scans=3, noise=40.0, count=6):
    """Samples of scans with two rows each; each place has its own blocks, which an affine map of the bytes hides from plain distances."""
    columns, random = _columns(side=SIDE), np.random.default_rng(0)
    objects = tuple(PlannedObject(f"scene{number}", f"scene{number}", f"key {number} {noise}", "") for number in range(scans))
    key = shard_key(objects, columns)
    with ShardWriter(shards_folder(home), key, columns) as writer:
        for number, planned in enumerate(objects):
            writer.add(planned.id, [_row(random, number, pair, count, noise) for pair in range(2)])
        facts = writer.close()
    store = write_store(home, "toy", PlanFacts("toy", "+Z", columns, objects), [facts])
    return Samples.of(store, part="all", item_column="match_frames")


def _row(random, scan, pair, count, noise):
    blocks = random.integers(40, 216, (count, 2, 2, 2, 2))[:, [0, 0, 1]]
    volumes = np.kron(blocks, np.ones((1, 1, 4, 4, 4))) + noise * random.standard_normal((count, 3, SIDE, SIDE, SIDE))
    points = (
        np.array([100.0 * scan, 10.0 * pair, 0])
        + np.arange(count)[:, None, None] * [[[1.0, 0, 0]]]
        + [[[0, 0, 0], [0, 0, 0.01], [0, 5, 0]]]
    )
    return {
        "pair": np.array([2 * pair, 2 * pair + 1], np.int32),
        "match_frames": np.tile(np.array([2 * pair, 2 * pair + 1, 9], np.int32), (count, 1)),
        "match_points": points.astype(np.float32),
        "volumes": np.clip(volumes, 0, 255).astype(np.uint8),
        "fpfh": np.repeat(blocks.reshape(count, 3, 8), 5, axis=2)[..., :33].astype(np.float32),
    }


class Blocks(nn.Module):
    """Means of 2^3 blocks, weighted."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 16)

    def forward(self, volumes):
        return nn.functional.normalize(self.layer(nn.functional.adaptive_avg_pool3d(volumes, 4).flatten(1) - 0.5), dim=1)


def bound(**options):
    torch.manual_seed(0)
    task = MatchVolumes(**options)
    task.bind(Blocks())
    return task


def test_the_network_is_fed_1_at_the_surface(tmp_path):
    samples = volumes_store(tmp_path)
    task = bound()
    batch = next(Loader(samples, task.columns, seed=0, batch=4).epoch(0))
    fed = task.fed(batch)
    assert fed.shape == (4, 3, 1, SIDE, SIDE, SIDE) and fed.dtype == torch.float32
    assert_allclose(fed[:, :, 0].numpy(), item_of(batch, "volumes").numpy() / 255, atol=1e-7)
    assert task.batch_picture(batch, samples).pixels.ndim == 3


@pytest.mark.parametrize(("negatives", "term"), [("all", "n_pairs"), ("hardest", "triplet"), ("mined", "hinge_embedding")])
def test_a_few_steps_learn(tmp_path, negatives, term):
    samples = volumes_store(tmp_path, scans=4)
    task = bound(negatives=negatives)
    task.fit(samples)
    (player,) = task.players().values()
    optimizer = torch.optim.Adam(player.parameters, lr=1e-2)
    before, losses = task.evaluate(samples).metrics["fpr95"], []
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
    assert task.evaluate(samples).metrics["fpr95"] < before


def test_the_hardest_place_is_looked_for_among_anchors_and_same_places(tmp_path):
    """The match's own other place is not computed: whatever it is, the loss stays; the mined loss follows it."""
    samples = volumes_store(tmp_path)
    batch = next(Loader(samples, ("volumes", "match_frames", "match_points"), seed=0, batch=6).epoch(0))
    hardest, mined = bound(negatives="hardest"), bound(negatives="mined")
    terms = [float(task.loss(Turn("model"), batch).popitem()[1].detach()) for task in (hardest, mined)]
    with torch.no_grad():
        found = hardest._network(hardest.fed(batch).flatten(0, 1)).reshape(6, 3, -1)
        expected = hardest_triplet(found[:, :2], item_of(batch, "match_points")[:, :2], 1.0).sum()
    assert_allclose(terms[0], float(expected), rtol=1e-5)
    volumes = batch.columns["volumes"].values
    volumes[:, 2] = 255 - volumes[:, 2]
    again = [float(task.loss(Turn("model"), batch).popitem()[1].detach()) for task in (hardest, mined)]
    assert again[0] == terms[0] and again[1] != terms[1]


def test_all_other_places_of_a_batch_count_by_hand():
    """Two matches in the plane at 0 and 60, 90 and 150 degrees; a third role, and what lies within 2 cm, changes nothing."""
    angles = np.deg2rad([[0, 60, 9], [90, 150, 9]])
    descriptors = torch.tensor(np.stack([np.cos(angles), np.sin(angles)], axis=-1))
    points = torch.tensor([[[0.0, 0, 0], [0, 0, 0], [0, 0, 0]], [[5.0, 0, 0], [5, 0, 0], [0, 0, 0]]])
    own, crossed = np.cos(np.deg2rad(60)) / 0.5, np.cos(np.deg2rad([150, 30])) / 0.5  # anchor 0 to same 1, anchor 1 to same 0
    losses = [np.log(1 + np.exp(crossed - own))]
    expected = np.array([losses[0][0] + losses[0][1]] * 2) / 2
    assert_allclose(n_pairs(descriptors, points, 0.5), expected, rtol=1e-9)
    points[:] = 0
    assert_allclose(n_pairs(descriptors, points, 0.5), 0, atol=1e-9)


def test_it_reports_one_variant_and_leaves_the_mode(tmp_path):
    samples = volumes_store(tmp_path)
    task = bound()
    task._network.train()
    report = task.evaluate(samples)
    assert set(report.metrics) == {"fpr95", "fpr95_low", "fpr95_high", "matches"} and report.metrics["matches"] == 36
    assert task._network.training and len(report.outcomes) == 36
    assert task.evaluate(samples).metrics == report.metrics
    assert bound(frozen=True).players() == {}


def test_fpfh_is_compared_as_it_is_stored(tmp_path):
    """Here it is noiseless: the same place is at 0, the others are not. There is no picture of it."""
    samples = volumes_store(tmp_path)
    task = Handcrafted(kind="fpfh")
    task.fit(samples)
    report = task.evaluate(samples)
    assert report.metrics["fpr95"] == 0 and {row["distance"] for row in report.outcomes} == {0.0}
    assert list(task.pictures(samples, report)) == []
    roots = Handcrafted(kind="rootfpfh")
    assert roots.evaluate(samples).metrics["fpr95"] == 0
    assert_allclose(roots._all(samples) ** 2 * task._all(samples).sum(axis=-1, keepdims=True), task._all(samples), rtol=1e-4, atol=1e-5)
    batch = next(Loader(samples, ("fpfh",), seed=0, training=False).sequential())
    assert_array_equal(task._all(samples)[: len(batch), :, 0], item_of(batch, "fpfh").numpy())


def test_without_a_network_or_matches_it_says_so(tmp_path):
    with pytest.raises(TrainingError, match=r"MatchVolumes needs a network.*Match3D"):
        MatchVolumes().bind(None)
    samples = volumes_store(tmp_path)
    with pytest.raises(TrainingError, match="no matches"):
        bound().fit(samples.take(0))
    with pytest.raises(TrainingError, match="no column patches; expected the stage key_point_matches"):
        Match().fit(samples)
    with pytest.raises(TrainingError, match="no column sift; expected the stage key_point_matches"):
        Handcrafted(kind="sift").fit(samples)
