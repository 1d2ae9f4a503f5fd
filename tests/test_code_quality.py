"""Judges of codes on clouds whose classes are known."""

import numpy as np
import pytest

from l9.tasks.code_quality import LinearProbe, cluster_classes, judged_codes


def clouds(count=90, classes=3, spread=0.1, seed=0):
    """Points about (0, 0), (3, 0), (6, 0) ...; the second number is in other units."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return np.stack([3.0 * labels, np.zeros(count)], axis=1) + random.normal(0, spread, (count, 2)) * [1, 100], labels


def test_clouds_apart_are_named_rightly():
    known, labels = clouds()
    codes, wanted = clouds(seed=1)
    found = judged_codes(known * [1, 0.01], labels, codes * [1, 0.01], wanted, 3)
    assert found.metrics == {"probe_accuracy": 1.0, "kmeans_accuracy": 1.0} and found.predicted.tolist() == wanted.tolist()


def test_labels_by_chance_are_named_by_chance():
    """Two classes of equal clouds: nothing to be learnt."""
    random = np.random.default_rng(0)
    known, codes = random.normal(size=(400, 3)), random.normal(size=(400, 3))
    found = judged_codes(known, random.integers(0, 2, 400), codes, random.integers(0, 2, 400), 2)
    assert all(0.4 < value < 0.6 for value in found.metrics.values())


def test_the_probe_does_not_mind_units():
    """Standardised: the same answers, however a number is scaled and moved."""
    known, labels = clouds()
    codes, _ = clouds(seed=1)
    answers = [LinearProbe(known * scale + 5, labels).probabilities(codes * scale + 5, 3) for scale in (1.0, np.array([1e3, 1e-3]))]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-3)
    np.testing.assert_allclose(answers[0].sum(axis=1), 1)


def test_a_class_that_nobody_knows_has_no_chance():
    known, labels = clouds(classes=2)
    found = LinearProbe(known, labels * 2).probabilities(known, 4)
    assert found.shape == (90, 4) and (found[:, [1, 3]] == 0).all() and found[1].argmax() == 2


def test_clusters_are_named_by_the_known_and_not_by_the_tested():
    """Three clouds, of which two are of one class: their clusters share its name."""
    known, labels = clouds()
    named = np.array([0, 1, 1])[labels]
    codes, cloud = clouds(seed=1)
    assert cluster_classes(known * [1, 0.01], named, codes * [1, 0.01], 3).tolist() == np.array([0, 1, 1])[cloud].tolist()


@pytest.mark.parametrize("known", [np.zeros((5, 2)), np.arange(4.0).reshape(2, 2)])
def test_fewer_different_codes_than_classes(known):
    labels = np.arange(len(known)) % 2
    assert set(cluster_classes(known, labels, known, 4).tolist()) <= {0, 1}
    found = [cluster_classes(known, labels, known, 4).tolist() for _ in range(2)]
    assert found[0] == found[1]
