import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l9.data.order import cuts, greedy_cuts, permutation, rank_slice
from l9.errors import UsageError

COUNTS = st.integers(0, 300)
SEEDS = st.integers(0, 2**64 - 1)
ITEMS = st.lists(st.integers(0, 40), max_size=80).map(lambda items: np.array(items, np.int64))


def test_the_order_never_changes():
    """Golden: these numbers are promised for good; a resumed training depends on them."""
    assert permutation(0, 0, 10).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert permutation(2**63, 7, 10).tolist() == [6, 0, 4, 2, 9, 3, 7, 5, 8, 1]


@settings(deadline=None)
@given(SEEDS, st.integers(0, 1000), COUNTS)
def test_an_epoch_is_every_sample_once(seed, epoch, count):
    order = permutation(seed, epoch, count)
    assert order.dtype == np.int64 and sorted(order.tolist()) == list(range(count))


def test_epochs_and_seeds_shuffle_apart():
    orders = {tuple(permutation(seed, epoch, 50)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_every_place_is_as_likely():
    """First sample of 5 over 2,000 epochs: 400 each, standard deviation 18."""
    first = [permutation(0, epoch, 5)[0] for epoch in range(2000)]
    assert np.abs(np.bincount(first, minlength=5) - 400).max() < 90


@settings(deadline=None)
@given(COUNTS, st.integers(1, 70), st.sampled_from([1, 2, 3, 4, 7, 8, 13]))
def test_ranks_share_each_cut_whatever_their_number(count, batch, world):
    order = permutation(3, 1, count)
    for start, stop in cuts(count, batch, keep_short=True):
        cut = order[start:stop]
        parts = [rank_slice(cut, rank, world) for rank in range(world)]
        assert sorted(np.concatenate(parts).tolist()) == sorted(cut.tolist())
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@settings(deadline=None)
@given(COUNTS, st.integers(1, 70))
def test_cuts_cover_the_order_and_only_a_short_last_one_is_dropped(count, batch):
    kept, dropped = cuts(count, batch, keep_short=True), cuts(count, batch, keep_short=False)
    assert [place for start, stop in kept for place in range(start, stop)] == list(range(count))
    assert dropped == [cut for cut in kept if cut[1] - cut[0] == batch]


@settings(deadline=None)
@given(ITEMS, st.integers(1, 60))
def test_greedy_cuts_cover_the_order_within_the_limit(items, elements):
    found = greedy_cuts(items, elements, keep_short=True)
    assert [place for start, stop in found for place in range(start, stop)] == list(range(len(items)))
    for number, (start, stop) in enumerate(found):
        assert items[start:stop].sum() <= elements or stop - start == 1
        if number + 1 < len(found):
            assert items[start : stop + 1].sum() > elements, "a cut ended before it was full"


@settings(deadline=None)
@given(ITEMS, st.integers(1, 60))
def test_greedy_cuts_drop_only_a_last_one_that_is_not_full(items, elements):
    kept, dropped = (greedy_cuts(items, elements, keep_short=keep) for keep in (True, False))
    short = bool(kept) and items[slice(*kept[-1])].sum() < elements
    assert dropped == (kept[:-1] if short else kept)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: permutation(-1, 0, 3),
        lambda: permutation(0, 2**64, 3),
        lambda: cuts(3, 0, keep_short=True),
        lambda: greedy_cuts(np.zeros(1, np.int64), 0, keep_short=True),
        lambda: rank_slice(np.zeros(1, np.int64), 2, 2),
    ],
)
def test_senseless_numbers_are_refused(wrong):
    with pytest.raises(UsageError):
        wrong()
