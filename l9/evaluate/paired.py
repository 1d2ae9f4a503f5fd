"""Is one classifier better than another? The difference of their accuracies on the same objects, with its 95 % interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from l9.errors import ShapeError

Z = 1.959963984540054  # the normal distribution's 97.5th percentile: 95 % lie within


@dataclass(frozen=True)
class PairedDifference:
    """Two classifiers on the same objects.

    difference     mean of the first minus mean of the second
    low, high      its 95 % interval; the two are not told apart where it holds 0
    n              objects
    better, worse  objects on which the first is more, or less, often right than the second
    """

    difference: float
    low: float
    high: float
    n: int
    better: int
    worse: int


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """How much more often the first is right than the second, object by object.

    first, second  for each object 0 or 1 (wrong, right), or the share of the seeds that were right; the same objects in the same order
    raises         ShapeError if there are none, if the lengths differ, or if a value is not within 0..1

    The interval is the adjusted Wald interval: one object is added on which only the first is right and one on which only the second is,
    then the normal interval of the mean difference is taken. It needs no random draws, and is not of width 0 where all answers agree.
    It speaks of other objects of the same kind, not of trainings with other seeds.
    source  Bonett & Price, Adjusted Wald confidence interval for a difference of binomial proportions based on paired data, Journal of
            Educational and Behavioral Statistics 37(4), 2012; shares of seeds enter its variance as they are
    """
    if len(first) != len(second) or not len(first):
        raise ShapeError(f"paired_difference got {len(first)} and {len(second)} outcomes; expected one of each for every object, and some")
    if not all(0 <= float(value) <= 1 for values in (first, second) for value in values):
        raise ShapeError("paired_difference got an outcome that is not within 0..1; expected 0, 1 or a share")
    gains = [float(one) - float(other) for one, other in zip(first, second, strict=True)]
    adjusted = [*gains, 1.0, -1.0]
    centre = math.fsum(adjusted) / len(adjusted)
    variance = math.fsum((gain - centre) ** 2 for gain in adjusted) / len(adjusted)
    reach = Z * math.sqrt(variance / len(adjusted))
    return PairedDifference(
        difference=math.fsum(gains) / len(gains),
        low=max(-1.0, centre - reach),
        high=min(1.0, centre + reach),
        n=len(gains),
        better=sum(gain > 0 for gain in gains),
        worse=sum(gain < 0 for gain in gains),
    )
