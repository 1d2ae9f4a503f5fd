"""Principal components as a baseline: exact where there are enough, the best plane where there are not."""

import numpy as np
import pytest
from picture_store import picture_store

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.neighbours import principal_directions
from l9.tasks.principal_components import PrincipalComponents
from l9.tasks.unit_pictures import stored_pictures


@pytest.fixture
def samples(tmp_path):
    return Samples.of(picture_store(tmp_path, 40, channels=3))


def fitted(samples, code):
    task = PrincipalComponents(code)
    task.bind(None)
    task.fit(samples)
    return task


def test_as_many_directions_as_pictures_lose_nothing(samples):
    metrics = fitted(samples, 40).evaluate(samples).metrics
    assert metrics["mse"] == pytest.approx(0, abs=1e-9) and metrics["psnr"] > 100


def test_what_is_lost_is_the_variance_of_the_other_directions(samples):
    x = stored_pictures(samples).flatten(1).double().numpy()
    variances = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    for code in (1, 5):
        report = fitted(samples, code).evaluate(samples)
        assert report.metrics["mse"] == pytest.approx(variances[code:].sum(), rel=1e-5)
        assert set(report.metrics) == {"mse", "psnr", "probe_accuracy", "kmeans_accuracy"} and len(report.outcomes) == 40


def test_state_is_what_the_codes_come_from(samples):
    task = fitted(samples, 3)
    other = PrincipalComponents(3)
    other.restore(task.state())
    assert np.array_equal(other.codes(samples), task.codes(samples)) and task.state()["directions"].shape == (3, 192)


def test_pictures(samples):
    task = fitted(samples, 3)
    assert [picture.name for picture in task.pictures(samples, task.evaluate(samples))] == [
        "reconstructions",
        "codes",
        "strip_truth",
        "strip",
    ]


def test_what_cannot_be_is_refused(samples, tmp_path):
    with pytest.raises(TrainingError, match="code is 0; expected at least 1"):
        PrincipalComponents(0)
    with pytest.raises(TrainingError, match="got 0 pictures"):
        fitted(samples.take(0), 2)
    larger = Samples.of(picture_store(tmp_path / "other", 10, size=12, channels=3))
    with pytest.raises(TrainingError, match=r"of shapes \[\(3, 8, 8\), \(3, 12, 12\)\]; expected some, of one shape"):
        fitted(Samples.concat([samples, larger]), 2)


def test_directions_are_orthogonal_and_the_largest_first():
    codes = np.random.default_rng(0).normal(2, [1, 3, 0.5], (5000, 3))
    mean, directions, deviations = principal_directions(codes, 5)
    np.testing.assert_allclose(mean, 2, atol=0.2)
    np.testing.assert_allclose(directions[:3] @ directions[:3].T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(deviations, [3, 1, 0.5, 0, 0], rtol=0.05)
    assert not directions[3:].any() and (directions[:3].max(axis=1) > 0.9).all()
