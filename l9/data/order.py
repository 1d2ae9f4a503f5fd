"""The order in which a training sees its samples: one permutation per (seed, epoch), cut into global batches, cut again per rank.

Every rank computes the same order from the same numbers before a byte is read, so a training resumes at any step and the samples
of a step do not depend on the number of ranks.
"""

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import UsageError


def permutation(seed: int, epoch: int, count: int) -> Int[ndarray, "n"]:
    """All of 0..count-1 once, shuffled, int64: a function of (seed, epoch, count) alone.

    Samples are sorted by 64-bit words of numpy's Philox counter generator keyed by (seed, epoch), ties by number. The words of a bit
    generator are fixed by numpy's stream compatibility policy (NEP 19), which `Generator.permutation` is not.
    source  Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011
    """
    if seed < 0 or epoch < 0 or seed >> 64 or epoch >> 64:
        raise UsageError(f"seed {seed} and epoch {epoch}: expected 64-bit numbers from 0 up")
    words = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64)


def cuts(count: int, batch: int, *, keep_short: bool) -> list[tuple[int, int]]:
    """Places [start, stop) of each global batch of `batch` samples; a last short one is kept or dropped."""
    if batch < 1:
        raise UsageError(f"batch is {batch}; expected at least 1")
    found = [(start, min(start + batch, count)) for start in range(0, count, batch)]
    return found if keep_short or not count % batch else found[:-1]


def greedy_cuts(items_in_order: Int[ndarray, "n"], elements: int, *, keep_short: bool) -> list[tuple[int, int]]:
    """Places [start, stop) of global batches, each as long as its items sum to at most `elements`.

    items_in_order  items of each sample, in the epoch's order; a sample with more than `elements` is a batch of its own
    keep_short      the last cut ended because samples ran out: keep it, or drop it unless it is exactly full
    """
    if elements < 1:
        raise UsageError(f"elements is {elements}; expected at least 1")
    ends = np.cumsum(items_in_order, dtype=np.int64)
    found: list[tuple[int, int]] = []
    start, before = 0, 0
    while start < len(ends):
        stop = max(int(np.searchsorted(ends, before + elements, side="right")), start + 1)
        found.append((start, stop))
        start, before = stop, int(ends[stop - 1])
    if found and not keep_short and int(np.sum(items_in_order[slice(*found[-1])])) < elements:
        found.pop()
    return found


def rank_slice(cut: Int[ndarray, "n"], rank: int, world: int) -> Int[ndarray, "m"]:
    """The part of a global cut that one rank works on: every `world`-th, from `rank` on. May be empty."""
    if not 0 <= rank < world:
        raise UsageError(f"rank {rank} of {world}; expected 0 <= rank < world")
    return cut[rank::world]
