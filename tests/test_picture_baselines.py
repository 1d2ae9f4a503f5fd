"""Baselines of generated pictures on drawn ones."""

import numpy as np
import pytest
import torch
from picture_store import picture_store

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.lite_features import LiteFeatures
from l9.tasks.picture_baselines import TITLES, PictureBaseline, blurred, gaussian_pictures


@pytest.fixture(scope="module")
def features():
    """lite0 of drawn weights, and one running mean that is not 0, so that it counts as loaded."""
    torch.manual_seed(0)
    network = LiteFeatures()
    network.trunk._bn0.running_mean.fill_(0.01)
    return network


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return picture_store(tmp_path_factory.mktemp("drawn"), 200, 16, 3)


def evaluated(store, features, kind, **options):
    task = PictureBaseline(kind, **options)
    task.bind(features)
    assert task.players() == {}
    task.fit(Samples.of(store, part="train"))
    test = Samples.of(store, part="test")
    report = task.evaluate(test)
    return report.metrics, list(task.pictures(test, report))


def test_baselines_in_order(store, features):
    found = {kind: evaluated(store, features, kind, components=8) for kind in TITLES}
    metrics = {kind: one for kind, (one, _) in found.items()}
    assert metrics["floor"]["kid"] < metrics["blur"]["kid"] and metrics["floor"]["kid"] < metrics["pca_gaussian"]["kid"]
    assert metrics["copies"]["copied"] == 1 and metrics["copies"]["novelty_pixels"] == 0
    assert metrics["floor"]["copied"] < 0.3 and metrics["floor"]["novelty_pixels"] == pytest.approx(1, abs=0.3)
    assert metrics["floor"]["generated"] == metrics["floor"]["tested"] == 20 and metrics["copies"]["tested"] == 40
    assert [one.name for one in found["blur"][1]] == ["samples", "memorisation"]


def test_a_seed_is_a_result(store, features):
    first, again, other = (evaluated(store, features, "floor", seed=seed)[0] for seed in (0, 0, 1))
    assert first == again != other


def test_blur_by_hand():
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0] = 9
    assert blurred(x)[0, 0].tolist() == [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]  # the corner is repeated 3 times
    assert torch.equal(blurred(torch.ones(2, 3, 5, 5)), torch.ones(2, 3, 5, 5))  # no dark frame


def test_a_gaussian_of_pictures_has_their_moments():
    """2 x 2 pixels, well inside 0..1, so that hardly any draw is cut: means and deviations of 4,000 draws within 0.01."""
    draw = np.random.default_rng(0)
    x = 0.5 + 0.1 * draw.standard_normal((3000, 2)) @ np.array([[1, 0.5, 0, 0.2], [0, 0.5, 1, -0.2]])
    made = gaussian_pictures(torch.from_numpy(x.astype(np.float32)).reshape(-1, 1, 2, 2), 256, 4000, 1)
    assert made.shape == (4000, 1, 2, 2) and made.min() >= 0 and made.max() <= 1
    np.testing.assert_allclose(made.flatten(1).mean(dim=0), x.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(np.cov(made.flatten(1).numpy(), rowvar=False), np.cov(x, rowvar=False), atol=1e-3)
    flat = gaussian_pictures(torch.from_numpy(x.astype(np.float32)).reshape(-1, 1, 2, 2), 1, 50, 1).flatten(1).numpy()
    assert np.linalg.matrix_rank(flat - x.mean(axis=0), tol=1e-2) == 1  # one component is one direction


def test_refusals(store, features, tmp_path):
    with pytest.raises(TrainingError, match="components 0; expected floor, copies, blur, pca_gaussian, and 1 or more"):
        PictureBaseline(components=0)
    task = PictureBaseline()
    with pytest.raises(TrainingError, match=r"Use\(LiteFeatures\) as its model, and init='lite0'"):
        task.bind(None)
    task.bind(LiteFeatures())
    with pytest.raises(TrainingError, match="needs init='lite0'"):
        task.fit(Samples.of(store, part="train"))
    task.bind(features)
    task.fit(Samples.of(store, part="train"))
    with pytest.raises(TrainingError, match=r"takes \(3, 16, 16\); expected pixels"):
        task.evaluate(Samples.of(picture_store(tmp_path, 20, 12, 3), part="test"))
