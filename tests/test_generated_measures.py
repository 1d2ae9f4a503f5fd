"""KID, FID, precision and recall where theory says what they are; measures of pictures, the search for copies."""

import numpy as np
import pytest
import torch
from picture_store import drawn_picture

from l9.errors import TrainingError
from l9.models.lite_features import LiteFeatures
from l9.tasks.feature_distances import gaussian_distance, kernel_distance, precision_and_recall
from l9.tasks.generated_measures import features_of, measured
from l9.tasks.nearest_training import memorisation_page, nearest_training


def normal(seed, count, width=8, shift=0.0):
    return np.random.default_rng(seed).standard_normal((count, width)) + shift


def by_hand(x, y):
    """The unbiased estimate, pair by pair."""
    kernel = lambda a, b: (a @ b / len(a) + 1) ** 3  # noqa: E731
    n, m = len(x), len(y)
    ours = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    theirs = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return 1000 * (ours + theirs - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m))


@pytest.fixture(scope="module")
def features():
    """lite0 of drawn weights, and one running mean that is not 0, so that it counts as loaded."""
    torch.manual_seed(0)
    network = LiteFeatures()
    network.trunk._bn0.running_mean.fill_(0.01)
    return network


def pictures(seed, count, channels=3):
    return torch.from_numpy(np.random.default_rng(seed).random((count, channels, 12, 12), np.float32))


def test_kid_is_the_sum_over_pairs():
    x, y = normal(0, 7), normal(1, 5, shift=0.5)
    assert kernel_distance(x, y, 0).distance == pytest.approx(by_hand(x, y), rel=1e-10)


def test_kid_in_parts_is_kid_at_once(monkeypatch):
    x, y = normal(0, 70), normal(1, 50, shift=0.5)
    whole = kernel_distance(x, y, 3)
    monkeypatch.setattr("l9.tasks.feature_distances.AT_ONCE", 16)
    assert kernel_distance(x, y, 3) == pytest.approx(whole, rel=1e-9)


def test_kid_is_unbiased():
    """Of one distribution the mean over 60 draws of 40 is 0 within three standard errors; a biased estimate would be 1000 * 2 * (E k(x, x)
    - E k(x, y)) / 40, above 300, away."""
    found = np.array([kernel_distance(normal(2 * n, 40), normal(2 * n + 1, 40), 0).distance for n in range(60)])
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert 3 * found.std() / np.sqrt(len(found)) < 60


def test_kid_of_a_shift_known_in_closed_form():
    """d = 1, N(0, 1) and a point at c: E (xx' + 1)^3 = 1 + 3 E x^2 x'^2 = 4, (c^2 + 1)^3 and E (xc + 1)^3 = 1 + 3 c^2."""
    c = 2.0
    wanted = 1000 * (4 + (c * c + 1) ** 3 - 2 * (1 + 3 * c * c))
    assert kernel_distance(normal(0, 4000, 1), np.full((50, 1), c), 0).distance == pytest.approx(wanted, rel=0.03)  # of 4,000 draws


def test_kid_by_seed():
    x, y = normal(0, 60), normal(1, 60)
    assert kernel_distance(x, y, 1) == kernel_distance(x, y, 1)
    first, second = kernel_distance(x, y, 1), kernel_distance(x, y, 2)
    assert first.distance == second.distance and first.deviation != second.deviation > 0
    with pytest.raises(ValueError, match="at least 2"):
        kernel_distance(x[:1], y, 0)


def with_moments(mean, deviations, count=500):
    """Draws whose own mean and covariance are exactly these: diagonal."""
    x = normal(0, count, len(mean))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x * deviations + mean


def test_fid_of_gaussians_known_in_closed_form():
    """|m1 - m2|^2 + sum of (s1 - s2)^2 where covariances are diagonal."""
    one, other = with_moments(np.zeros(3), np.array([1.0, 2.0, 0.5])), with_moments(np.array([1.0, 0, 2.0]), np.array([3.0, 2.0, 1.5]))
    assert gaussian_distance(one, other) == pytest.approx(5 + 4 + 0 + 1, rel=1e-9)
    assert gaussian_distance(one, one) == pytest.approx(0, abs=1e-6)


def test_fid_of_fewer_pictures_than_features_is_a_number():
    x = normal(0, 5, 40)
    assert gaussian_distance(x, normal(1, 6, 40)) > 0
    assert gaussian_distance(x, np.zeros((4, 40))) == pytest.approx(np.square(x.mean(axis=0)).sum() + np.cov(x.T).trace(), rel=1e-9)


def test_precision_and_recall():
    real = normal(0, 300, 4)
    assert precision_and_recall(real, real) == (1.0, 1.0)
    assert precision_and_recall(real + 50, real) == (0.0, 0.0)
    precision, recall = precision_and_recall(real[:1] + 0.001 * normal(1, 300, 4), real)
    assert precision == 1.0 and recall < 0.05  # it learnt one picture
    precision, recall = precision_and_recall(normal(2, 300, 4) * 4, real)
    assert precision < 0.5 < recall  # too wide


def test_nearest_of_known_points(monkeypatch):
    monkeypatch.setattr("l9.tasks.nearest_training.AT_ONCE", 3)
    known = np.arange(8, dtype=np.float32)[:, None] * 3
    found = nearest_training(np.array([[6.0], [22.0], [1.5]], np.float32), known)
    assert found.numbers.tolist() == [2, 7, 0] and found.distances.tolist() == [0.0, 1.0, 1.5]


def test_copies_are_found_out(features):
    train, test = pictures(0, 60), pictures(1, 40)
    copied = measured(train[:40], test, train, features, 0)
    assert copied.metrics["copied"] == 1 and copied.metrics["novelty_pixels"] == 0
    assert copied.metrics["novelty_features"] < 1e-3  # batches of another size sum float32 in another order
    assert copied.nearest.by_pixels.numbers.tolist() == copied.nearest.by_features.numbers.tolist() == list(range(40))
    honest = measured(pictures(2, 40), test, train, features, 0).metrics
    assert honest["novelty_pixels"] == pytest.approx(1, abs=0.05) and honest["novelty_features"] == pytest.approx(1, abs=0.2)
    assert honest["copied"] < 0.2
    page = memorisation_page(copied.nearest, train[:40], train)
    assert page.name == "memorisation" and page.pixels.shape[0] > 3 * 96 and page.pixels.shape[1] > 13 * 96  # words, and 12 samples


def drawn(first, count):
    """Discs and bars of 16 pixels."""
    return torch.from_numpy(np.stack([drawn_picture(first + n, 16, 3) for n in range(count)])).float() / 255


def test_measures_of_the_same_and_of_other_pictures(features):
    train, test, fresh = drawn(0, 60), drawn(100, 40), drawn(200, 40)
    same, other = measured(fresh, test, train, features, 0).metrics, measured(1 - fresh, test, train, features, 0).metrics
    assert abs(same["kid"]) < other["kid"] / 10 and same["fid_lite0"] < other["fid_lite0"]
    assert other["precision"] < same["precision"] and other["novelty_features"] > same["novelty_features"]
    assert same["generated"] == same["tested"] == 40
    assert same == measured(fresh, test, train, features, 0).metrics


def test_measures_refuse(features):
    x = pictures(0, 4)
    with pytest.raises(TrainingError, match="needs init='lite0'"):
        measured(x, x, x, LiteFeatures(), 0)
    with pytest.raises(TrainingError, match="at least 2, 2 and 1"):
        measured(x[:1], x, x, features, 0)
    with pytest.raises(TrainingError, match="not finite"):
        measured(x * torch.nan, x, x, features, 0)


def test_where_tests_are_training_pictures_there_is_no_ratio(features):
    """As when samples are learnt by heart on purpose."""
    x = pictures(0, 20)
    found = measured(pictures(1, 20), x, x, features, 0).metrics
    assert not any(name.startswith("novelty") for name in found) and found["copied"] == 0


def test_features_do_not_depend_on_what_else_is_there(features, monkeypatch):
    x = pictures(0, 9)
    whole = features_of(features, x)
    monkeypatch.setattr("l9.tasks.generated_measures.AT_ONCE", 4)
    np.testing.assert_allclose(features_of(features, x), whole, rtol=1e-4, atol=1e-5)  # float32 sums in other orders
