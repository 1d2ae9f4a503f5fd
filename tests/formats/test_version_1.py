"""A store written by format version 1 and kept in the repository: later l9 reads it, or says which command makes it again."""

from pathlib import Path

import numpy as np
from store_builder import COLUMNS, built, number_of, planned, row_of

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.store.store import find_store

HOME = Path(__file__).parent / "home_v1"


def test_a_store_of_version_1_is_read():
    store = find_store(HOME, "latest")
    store.verify()
    assert store.whole() and store.columns == COLUMNS
    assert store.manifest["counts"] == {"planned": 12, "done": 11, "quarantined": 1, "rows": 22}
    assert [refusal["id"] for refusal in store.quarantine()] == ["o007.obj"]
    samples = Samples.of(store)
    assert samples.classes == ("a", "b")
    for batch in Loader(samples, ("grid", "points", "picture"), seed=0).sequential(4):
        for number, sample in enumerate(batch.samples):
            row = row_of(samples.objects[sample], int(samples.object_rows[sample]))
            assert np.array_equal(batch.fixed("grid")[number], row["grid"]) and batch.columns["picture"][number] == row["picture"]
            assert batch.labels[number] == number_of(samples.objects[sample]) % 2


def test_version_1_is_still_what_is_written(home):
    """Another key, or another name, for the same plan would make every store of today again: raise FORMAT and keep both."""
    kept, fresh = find_store(HOME, "latest"), built(home, planned(12), name="v1")
    assert fresh.id == kept.id
    assert [line["key"] for line in fresh.manifest["shards"]] == [line["key"] for line in kept.manifest["shards"]]
    assert fresh.manifest.keys() == kept.manifest.keys()
    assert fresh.index.equals(kept.index)
    assert list(fresh.quarantine()) == list(kept.quarantine())
