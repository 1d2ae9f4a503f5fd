"""Stores written by every format version there has been and kept in the repository: later l9 reads them, or says what makes them again.

`home_v1` and `home_v2` are `built(home, planned(12), name="v1")` and `"v2"` of tests/store_builder.py, each written by its own version.
"""

from pathlib import Path

import numpy as np
import pytest
from store_builder import COLUMNS, built, note_of, number_of, planned, row_of

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.store.planned import FORMAT, READABLE
from l9.store.store import find_store

HERE = Path(__file__).parent


@pytest.mark.parametrize("version", READABLE)
def test_a_kept_store_is_read(version):
    store = find_store(HERE / f"home_v{version}", "latest")
    store.verify()
    assert store.manifest["format"] == version and store.columns == COLUMNS
    assert store.manifest["counts"] == {"planned": 12, "done": 11, "quarantined": 1, "rows": 22}
    assert [refusal["id"] for refusal in store.quarantine()] == ["o007.obj"]
    samples = Samples.of(store)
    assert samples.classes == ("a", "b")
    for batch in Loader(samples, ("grid", "points", "picture"), seed=0).sequential(4):
        for number, sample in enumerate(batch.samples):
            row = row_of(samples.objects[sample], int(samples.object_rows[sample]))
            assert np.array_equal(batch.fixed("grid")[number], row["grid"]) and batch.columns["picture"][number] == row["picture"]
            assert batch.labels[number] == number_of(samples.objects[sample]) % 2


@pytest.mark.parametrize("version", READABLE)
def test_notes_are_there_from_version_2_on(version):
    index = find_store(HERE / f"home_v{version}", "latest").index
    expected = [note_of(name) if version >= 2 else "" for name in index["object"].to_pylist()]
    assert index["notes"].to_pylist() == expected and (version < 2 or any(expected))


def test_the_newest_kept_version_is_what_is_written(home):
    """Another key, or another name, for the same plan would make every store of today again: raise FORMAT and keep both."""
    kept, fresh = find_store(HERE / f"home_v{FORMAT}", "latest"), built(home, planned(12), name=f"v{FORMAT}")
    assert fresh.id == kept.id
    assert [line["key"] for line in fresh.manifest["shards"]] == [line["key"] for line in kept.manifest["shards"]]
    assert fresh.manifest.keys() == kept.manifest.keys()
    assert fresh.index.equals(kept.index)
    assert list(fresh.quarantine()) == list(kept.quarantine())
