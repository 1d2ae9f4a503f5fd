"""A part of the labelled samples, as if the others had no label: by a seed, and spread evenly over the classes."""

import numpy as np

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.scores import labelled


def few_labelled(samples: Samples, count: int, seed: int) -> Samples:
    """`count` of the samples, in their own order.

    Each class is shuffled by the seed; then one of each class is taken in turn, in an order of classes drawn anew for every turn, until
    there are enough: no class has two more than another that has any left, and fewer labels are a part of more by the same seed.
    raises  TrainingError where there are fewer, or fewer than classes, or one has no label
    """
    labels = labelled(samples, samples.classes).labels
    present = len(np.unique(labels))
    if not present <= count <= len(labels):
        raise TrainingError(
            f"labels is {count:,} and there are {len(labels):,} labelled training samples of {present} classes; expected {present} to "
            f"{len(labels):,}, or none for all: --set trainings.*.task.labels={min(max(count, present), len(labels))}"
        )
    random = np.random.default_rng((seed, 0))
    shuffled = random.permutation(len(labels))
    turn = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        mine = shuffled[labels[shuffled] == label]
        turn[mine] = np.arange(len(mine))
    place = np.random.default_rng((seed, 1)).random((int(turn.max()) + 1, len(samples.classes)))
    order = np.lexsort((place[turn, labels], turn))
    return samples.subset(np.sort(order[:count]))
