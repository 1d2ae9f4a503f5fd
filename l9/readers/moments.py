"""Which of two lists of times belong together: sensors of one recording take their pictures at moments of their own."""

import heapq

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


def nearest(times: Float[ndarray, "n"], wanted: Float[ndarray, "m"]) -> Int[ndarray, "m"]:
    """The place in `times` of the one nearest to each wanted time, the earlier one where two are; `times` ascending, at least one."""
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(times[before] - wanted) <= np.abs(times[after] - wanted), before, after).astype(np.int64)


def paired(first: Float[ndarray, "n"], second: Float[ndarray, "m"], apart: float) -> list[tuple[int, int]]:
    """Places of times that belong together: the closest two of all, then the closest of the rest, while they are less than `apart`.

    Each time is in one pair at most; pairs are in order of the first time. The closest two are always neighbours among all times that are
    left, so that a heap of neighbours does what comparing all with all would.
    source  the TUM RGB-D benchmark's associate.py
    """
    times, count = np.concatenate([first, second]), len(first) + len(second)
    order = np.argsort(times, kind="stable").tolist()
    before, after = list(range(-1, count - 1)), list(range(1, count + 1))  # of each rank, the neighbours that are left
    heap: list[tuple[float, float, float, int, int]] = []

    def consider(low: int, high: int) -> None:
        if low < 0 or high >= count:
            return
        one, other = sorted((order[low], order[high]))
        gap = abs(float(times[one]) - float(times[other]))
        if one < len(first) <= other and gap < apart:
            heapq.heappush(heap, (gap, float(times[one]), float(times[other]), low, high))

    for rank in range(count - 1):
        consider(rank, rank + 1)
    paired_ranks: set[int] = set()
    pairs = []
    while heap:
        *_, low, high = heapq.heappop(heap)
        if low in paired_ranks or high in paired_ranks:
            continue
        paired_ranks |= {low, high}
        one, other = sorted((order[low], order[high]))
        pairs.append((one, other - len(first)))
        outer_low, outer_high = before[low], after[high]
        if outer_low >= 0:
            after[outer_low] = outer_high
        if outer_high < count:
            before[outer_high] = outer_low
        consider(outer_low, outer_high)
    return sorted(pairs)
