"""The random forest: learns, repeats itself, and comes back from its arrays."""

import numpy as np
import pytest
from toy_stores import store_of

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.tasks.forest import Forest

CLASSES = ("pole", "slab")


def samples_of(home, count=20, noise=2, seed=0):
    """Coarse grids of poles and slabs among random voxels."""
    random = np.random.default_rng(seed)
    grids = random.integers(0, noise + 1, (count, 15, 15, 15)).astype(np.uint8)
    grids[0::2, 6:9, :, 6:9] = 27
    grids[1::2, :, 6:9, :] = 27
    return store_of(home, {"coarse_occupancy": grids}, [CLASSES[number % 2] for number in range(count)])


@pytest.fixture
def samples(tmp_path):
    return samples_of(tmp_path)


def test_it_learns_and_reports_like_a_network(samples):
    forest = Forest(CLASSES, trees=20)
    forest.bind(None)
    forest.fit(samples.take(12))
    report = forest.evaluate(samples.subset(np.arange(12, 20)))
    assert report.metrics["accuracy"] == 1.0 and set(report.metrics) == {"accuracy", "class_accuracy", "loss"}
    assert [picture.name for picture in forest.pictures(samples, report)] == ["confusion", "worst_mistakes"]
    assert forest.players() == {} and forest.start_loss() is None


def test_one_seed_gives_one_forest(samples):
    def answers(seed):
        forest = Forest(CLASSES, trees=10, seed=seed)
        forest.fit(samples)
        return [row["probability"] for row in forest.evaluate(samples_of_noise).outcomes]

    samples_of_noise = samples_of(samples.stores[0].path.parents[1] / "other", noise=27, seed=1)
    assert answers(0) == answers(0) != answers(1)


def test_it_comes_back_from_its_arrays(samples):
    forest, again = Forest(CLASSES, trees=10), Forest(CLASSES, trees=10)
    forest.fit(samples)
    state = forest.state()
    assert state["features"].dtype == np.float32 and state["features"].shape == (20, 3375) and state["labels"].dtype == np.int64
    again.restore(state)
    batch = next(Loader(samples, forest.columns, seed=0).sequential())
    assert again.predict(batch) == forest.predict(batch)
    assert forest.predict(batch)[1][0]["class"] == "slab"


def test_classes_without_training_samples_get_no_probability(samples):
    """Only poles to learn from: slabs are answered "pole" with certainty, and the loss stays finite."""
    forest = Forest(CLASSES, trees=5)
    forest.fit(samples.subset(np.arange(0, 20, 2)))
    report = forest.evaluate(samples)
    assert report.metrics["accuracy"] == 0.5 and np.isfinite(report.metrics["loss"])
    assert {row["predicted"] for row in report.outcomes} == {"pole"}


def test_predicting_before_growing_is_an_error(samples):
    with pytest.raises(TrainingError, match="not grown"):
        Forest(CLASSES).evaluate(samples)


def test_it_sees_the_size_of_the_box_where_it_is_asked_to(tmp_path):
    sizes = np.where(np.arange(20)[:, None] % 2 == 0, 0.1, 2.0).astype(np.float32) * np.ones(3, np.float32)
    alike = np.ones((20, 15, 15, 15), np.uint8)
    samples = store_of(tmp_path, {"coarse_occupancy": alike, "box_size": sizes}, [CLASSES[number % 2] for number in range(20)])
    found = {}
    for asked in (True, False):
        forest = Forest(CLASSES, trees=200, box_size=asked)
        forest.fit(samples)
        found[asked] = forest.evaluate(samples).metrics["accuracy"]
    assert found == {True: 1.0, False: 0.5}
