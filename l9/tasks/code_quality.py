"""What codes that were learnt without labels are worth: a linear classifier on them, and clusters of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

ITERATIONS = 1000  # of the linear probe's solver at most: some 100 are made of 9,000 codes of 30 numbers
RESTARTS = 10  # of k-means, of which the tightest clusters are kept
SEED = 0  # of the first centres of k-means


class LinearProbe:
    """Multinomial logistic regression on codes that are standardised by the known ones; scikit-learn's, with its penalty of C = 1.

    codes, labels  of the known samples; labels are class numbers of at least two classes, none of them -1
    source         Alain & Bengio, Understanding intermediate layers using linear classifier probes, 2016
    """

    def __init__(self, codes: Float64[ndarray, "n z"], labels: Int64[ndarray, "n"]) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._probe: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
        self._probe.fit(codes, labels)

    def probabilities(self, codes: Float64[ndarray, "n z"], classes: int) -> Float64[ndarray, "n k"]:
        """Of each of `classes` classes; 0 for one that no known sample has."""
        found = np.zeros((len(codes), classes))
        found[:, self._probe.classes_] = self._probe.predict_proba(codes)
        return found


def cluster_classes(
    known: Float64[ndarray, "n z"], labels: Int64[ndarray, "n"], codes: Float64[ndarray, "m z"], classes: int
) -> Int64[ndarray, "m"]:
    """The class of the nearest of `classes` centres (k-means, Lloyd 1982), each named by the most frequent label of its known codes.

    Of equal counts the first class; where there are fewer known codes than classes, each of them is a centre.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums of several threads come in any order, and centres depend on it
        found = KMeans(min(classes, len(np.unique(known, axis=0))), n_init=RESTARTS, random_state=SEED).fit(known)
        votes = np.zeros((found.n_clusters, classes), np.int64)
        np.add.at(votes, (found.labels_, labels), 1)
        return np.asarray(votes.argmax(axis=1)[found.predict(codes)])


@dataclass(frozen=True)
class Judgement:
    """What a judge of codes found.

    metrics    `probe_accuracy` and `kmeans_accuracy`, shares of the tested samples that are classified rightly
    predicted  int64 (n): the linear probe's answer for each tested sample
    """

    metrics: dict[str, float]
    predicted: ndarray


def judged_codes(
    known: Float64[ndarray, "n z"],
    known_labels: Int64[ndarray, "n"],
    codes: Float64[ndarray, "m z"],
    labels: Int64[ndarray, "m"],
    classes: int,
) -> Judgement:
    """Linear probe and k-means, both fitted on the known samples' codes; labels are class numbers, none of them -1.

    `kmeans_accuracy` is the purity of k clusters, k the number of classes, with each cluster named by known samples, not tested ones.
    """
    predicted = LinearProbe(known, known_labels).probabilities(codes, classes).argmax(axis=1)
    clustered = cluster_classes(known, known_labels, codes, classes)
    metrics = {"probe_accuracy": float((predicted == labels).mean()), "kmeans_accuracy": float((clustered == labels).mean())}
    return Judgement(metrics, predicted)
