"""Error at 95 % recall: exact by hand, defined for ties and few, and the same places told from others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from match_store import matches_store
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_curve

from l9.errors import TrainingError
from l9.tasks.descriptors import APART, NEGATIVES, MatchFacts, checked_matches, descriptor_report, error_at_recall, other_places, roc


def test_the_error_at_a_recall_by_hand():
    same = np.arange(1.0, 101.0)  # 95 % of them within 95
    assert error_at_recall(same, np.array([94.5, 95.5, 200, 300])) == 0.25
    assert error_at_recall(same, np.array([200.0])) == 0.0
    assert error_at_recall(same, np.array([0.5])) == 1.0


def test_it_is_interpolated_where_no_distance_has_that_recall():
    """Recall goes from .5 to 1 while the rate goes from 0 to 1: at .95 the rate is .9. A window around .95 would be empty here."""
    assert_allclose(error_at_recall(np.array([1.0, 3.0]), np.array([2.0])), 0.9)


def test_all_distances_equal_is_no_better_than_chance():
    assert_allclose(error_at_recall(np.ones(7), np.ones(9)), 0.95)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_the_curve_is_scikit_learns_at_every_distance_of_a_same_place(same, other):
    same, other = np.array(same, float), np.array(other, float)
    rates, recalls = roc(same, other)
    labels = np.concatenate([np.ones(len(same)), np.zeros(len(other))])
    theirs_rates, theirs_recalls, limits = roc_curve(labels, -np.concatenate([same, other]), drop_intermediate=False)
    at = {-limit: (rate, recall) for rate, recall, limit in zip(theirs_rates, theirs_recalls, limits, strict=True)}
    for limit, rate, recall in zip(np.unique(same), rates[1:-1], recalls[1:-1], strict=True):
        assert_allclose((rate, recall), at[limit])
    assert (np.diff(rates) >= 0).all() and (np.diff(recalls) >= 0).all()


def test_other_places_are_of_other_frames_and_farther_than_2_cm(tmp_path):
    facts = MatchFacts.of(matches_store(tmp_path))
    chosen = other_places(facts)
    assert chosen.shape == (len(facts.scenes), NEGATIVES)
    match, role = chosen // 2, 1 + chosen % 2
    assert (facts.scenes[match] == facts.scenes[:, None]).all()
    assert (facts.frames[match, role] != facts.frames[:, :1]).all()
    assert (np.linalg.norm(facts.points[match, role] - facts.points[:, None, 0], axis=-1) > APART).all()
    assert_array_equal(chosen, other_places(facts))


def test_scenes_with_a_single_match_borrow_from_others_and_one_alone_is_refused():
    near = np.zeros((2, 3, 3))
    facts = MatchFacts(np.array([0, 1]), np.tile([0, 1, 2], (2, 1)), near)
    assert (other_places(facts, 4) // 2 == [[1], [0]]).all()
    with pytest.raises(TrainingError, match="no other place"):
        other_places(MatchFacts(np.array([0]), np.array([[0, 1, 2]]), near[:1]))


def test_descriptors_that_know_the_place_make_no_error_and_random_ones_many(tmp_path):
    samples = matches_store(tmp_path, scans=3)
    facts, random = MatchFacts.of(samples), np.random.default_rng(0)
    knowing = np.stack([facts.points, np.round(facts.points)], axis=2)
    report = descriptor_report(samples, facts, knowing, ("_exact", ""))
    assert report.metrics["fpr95"] == report.metrics["fpr95_exact"] == 0 and report.metrics["matches"] == len(samples) == 27
    guessing = random.standard_normal((len(samples), 3, 1, 8))
    metrics = descriptor_report(samples, facts, guessing, ("",)).metrics
    assert metrics["fpr95_low"] <= metrics["fpr95"] <= metrics["fpr95_high"] and metrics["fpr95"] > 0.7
    assert len(report.outcomes) == 27 and report.outcomes[0]["object"] == "scene0000_00" and report.outcomes[0]["frames"] == [2, 3]
    assert [row["recall"] for row in report.tables["roc"]][::100] == [0.0, 0.5, 1.0]


def test_sets_without_matches_are_refused_in_one_line(tmp_path):
    samples = matches_store(tmp_path)
    with pytest.raises(TrainingError, match="no column nothing; expected the stage key_point_matches"):
        checked_matches(samples, ("nothing",))
    with pytest.raises(TrainingError, match="no matches to look at"):
        checked_matches(samples.take(0), ("patches",))
