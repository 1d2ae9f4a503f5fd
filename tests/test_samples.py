from collections import Counter

import numpy as np
import pytest
from store_builder import built, number_of, planned

from l9.data.samples import Samples, hashed_part
from l9.errors import UsageError


def objects_of(store, **how):
    return set(Samples.of(store, **how).objects)


def test_folds_part_the_objects(home):
    store = built(home)
    test, validation, train = (objects_of(store, part=part, fold=4) for part in ("test", "validation", "train"))
    assert {number_of(name) % 5 for name in test} == {4}
    assert {number_of(name) % 5 for name in validation} == {0}
    assert {number_of(name) % 5 for name in train} == {1, 2, 3}
    assert len(test | validation | train) == 39 == len(test) + len(validation) + len(train)


def test_splits_part_the_objects_and_a_hash_the_rest(home):
    store = built(home, planned(200, rows=1, split=lambda n: ["train", "test", ""][n % 3]), rows=1)
    parts = {part: objects_of(store, part=part) for part in ("train", "validation", "test")}
    for part, objects in parts.items():
        for name in objects:
            expected = ["train", "test", hashed_part(name)][number_of(name) % 3]
            assert part == expected
    assert sum(map(len, parts.values())) == 199 == len(objects_of(store))


def test_a_set_that_nothing_is_learnt_from_is_not_hashed_but_splits_hold(home):
    store = built(home, planned(200, rows=1, split=lambda n: ["train", "test", ""][n % 3]), rows=1)
    tested = objects_of(store, part="test", whole=True)
    assert tested == {name for name in objects_of(store) if number_of(name) % 3 > 0}


def test_hashed_parts_are_80_10_10_and_never_change():
    assert [hashed_part(name) for name in ("o001.obj", "o002.obj", "chair")] == ["train", "train", "train"]
    counts = Counter(hashed_part(str(number)) for number in range(5000))
    assert abs(counts["train"] - 4000) < 120 and abs(counts["validation"] - 500) < 90 and abs(counts["test"] - 500) < 90


def test_classes_choose_rows_and_number_labels(home):
    store = built(home, planned(30, label=lambda n: ["chair", "bed", "sofa", ""][n % 4]))
    every = Samples.of(store)
    assert every.classes == ("bed", "chair", "sofa") and "" not in {store.index["label"][row].as_py() for row in every.rows}
    some = Samples.of(store, classes=("sofa", "bed"))
    for name, label in zip(some.objects, some.labels, strict=True):
        assert ["", "sofa", "bed"][label + 1] == ["chair", "bed", "sofa", ""][number_of(name) % 4]
    assert len(some) == 2 * sum(n % 4 in (1, 2) for n in range(30) if n != 7)
    with pytest.raises(UsageError, match=f"no class stool; it has bed, chair, sofa.  l9 quarantine {store.id} "):
        Samples.of(store, classes=("stool",))


def test_without_any_label_every_row_is_there(home):
    every = Samples.of(built(home, planned(label=lambda n: "")))
    assert every.classes == () and len(every) == 78 and set(every.labels.tolist()) == {-1}


def test_rows_are_in_index_order(home):
    every = Samples.of(built(home))
    assert every.up == "+Y" and every.object_rows.tolist()[:4] == [0, 1, 0, 1]
    assert list(zip(every.objects, every.object_rows, strict=True)) == sorted(zip(every.objects, every.object_rows, strict=True))


def test_items_of_a_ragged_column_are_samples(home):
    items = Samples.of(built(home), item_column="points")
    expected = [(f"o{n:03}.obj", row, item) for n in range(40) if n != 7 for row in range(2) for item in range(n % 4)]
    assert list(zip(items.objects, items.object_rows.tolist(), items.items.tolist(), strict=True)) == expected
    with pytest.raises(UsageError, match="ragged"):
        Samples.of(items.stores[0], item_column="grid")
    with pytest.raises(UsageError, match="no column 'x'; it has grid, points, picture"):
        Samples.of(items.stores[0], item_column="x")


def test_subsets_keep_their_order_and_repeats(home):
    every = Samples.of(built(home))
    some = every.subset([5, 2, 2])
    assert some.objects == [every.objects[n] for n in (5, 2, 2)]
    assert every.take(3).objects == every.objects[:3] and len(every.take(1000)) == 78


def test_sets_stand_one_behind_the_other(home):
    first = Samples.of(built(home, name="one"))
    second = Samples.of(built(home, planned(30, label=lambda n: "bc"[n % 2]), name="two"))
    both = Samples.concat([first, second])
    assert both.objects == first.objects + second.objects and both.classes == ("a", "b", "c")
    assert [both.classes[label] for label in both.labels] == [part.classes[label] for part in (first, second) for label in part.labels]
    again = Samples.concat([first.take(3), first.subset([9])])
    assert len(again.stores) == 1 and again.objects == [*first.objects[:3], first.objects[9]]
    turned = Samples.of(built(home, name="three", up="+Z"))
    with pytest.raises(UsageError, match="up"):
        Samples.concat([first, turned])


def test_unlabelled_samples_stay_so_when_joined(home):
    labelled = Samples.of(built(home))
    bare = Samples.of(built(home, planned(10, label=lambda n: ""), name="bare"))
    assert set(Samples.concat([labelled, bare]).labels[-len(bare) :].tolist()) == {-1}


def test_the_digest_follows_what_is_seen(home, tmp_path):
    store = built(home)
    every = Samples.of(store)
    assert every.digest == Samples.of(built(tmp_path / "elsewhere")).digest
    others = [
        every.take(5),
        every.subset(np.arange(78)[::-1]),
        Samples.of(store, classes=("b", "a")),
        Samples.of(store, item_column="points"),
        Samples.of(built(home, planned(39))),
    ]
    assert len({every.digest, *(other.digest for other in others)}) == 6


def test_a_fold_that_is_not_there_is_refused(home):
    with pytest.raises(UsageError, match="fold 5"):
        Samples.of(built(home), part="test", fold=5)
    bare = built(home, planned(fold=lambda n: -1))
    with pytest.raises(UsageError, match="fold 0 was asked for"):
        Samples.of(bare, part="test", fold=0)


def test_objects_without_a_fold_are_only_learnt_from(home):
    store = built(home, planned(fold=lambda n: n % 5 if n < 20 else -1))
    assert {f"o{n:03}.obj" for n in range(20, 40)} <= objects_of(store, part="train", fold=0)
