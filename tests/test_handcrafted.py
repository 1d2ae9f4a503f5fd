"""Hand-crafted descriptors: their distances are those of the field, and pictures say what is right."""

import cv2
import numpy as np
import pytest
from match_store import matches_store
from numpy.testing import assert_allclose, assert_array_equal

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.tasks.descriptors import item_of
from l9.tasks.handcrafted import Handcrafted, described


@pytest.mark.parametrize("kind", ["sift", "rootsift", "orb"])
def test_they_tell_textures_apart_and_need_no_network(tmp_path, kind):
    samples = matches_store(tmp_path)
    task = Handcrafted(kind)
    task.bind(None)
    task.fit(samples)
    assert task.players() == {}
    report = task.evaluate(samples)
    assert report.metrics["fpr95"] < 0.05 and {"fpr95_exact", "fpr95_low", "fpr95_high", "matches"} < set(report.metrics)
    (picture,) = task.pictures(samples, report)
    assert picture.name == "matches" and picture.pixels.shape[1] > 640


def test_upright_descriptors_are_those_of_frames_that_were_not_turned(tmp_path):
    samples = matches_store(tmp_path)
    turned, upright = Handcrafted("sift")._all(samples), Handcrafted("sift", upright=True)._all(samples)
    cells = next(Loader(samples, ("sift",), seed=0, training=False).sequential(len(samples)))
    assert_array_equal(np.concatenate([turned, upright], axis=2), item_of(cells, "sift").numpy())


def test_orbs_distance_is_the_root_of_hammings():
    random = np.random.default_rng(0)
    bits = random.integers(0, 256, (2, 32)).astype(np.uint8)
    one, other = described(bits.reshape(2, 1, 1, 32), "orb")[:, 0, 0]
    assert_allclose(np.linalg.norm(one - other) ** 2, cv2.norm(bits[0], bits[1], cv2.NORM_HAMMING), rtol=1e-6)


def test_rootsift_is_the_root_of_each_share():
    stored = np.array([4, 16, 0, 80], np.uint8).reshape(1, 1, 1, 4)
    assert_allclose(described(stored, "rootsift").ravel(), np.sqrt([0.04, 0.16, 0, 0.8]), rtol=1e-6)
    assert not described(np.zeros((1, 1, 1, 4), np.uint8), "rootsift").any()


def test_a_store_without_matches_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no matches"):
        Handcrafted("sift").fit(matches_store(tmp_path).take(0))
