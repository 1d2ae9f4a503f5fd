import gc
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
import torch
from store_builder import built, planned, row_of

from l9.data import gather
from l9.data.batch import Packed
from l9.data.gather import Buffers
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import StoreError, TrainingError, UsageError
from l9.store import shards as shards_module
from l9.store.cells import numbers_of

NAMES = ("grid", "points", "picture")


@pytest.fixture
def samples(home):
    return Samples.of(built(home))


def assert_holds(batch, samples):
    """Every cell of the batch is the one its sample names."""
    packed = batch.columns["points"]
    assert isinstance(packed, Packed) and len(packed.offsets) == len(batch) + 1 and packed.offsets[-1] == len(packed.values)
    for number, sample in enumerate(batch.samples):
        row = row_of(samples.objects[sample], int(samples.object_rows[sample]))
        assert np.array_equal(batch.fixed("grid")[number], row["grid"])
        assert np.array_equal(packed.values[packed.offsets[number] : packed.offsets[number + 1]], row["points"])
        assert batch.columns["picture"][number] == row["picture"]
        assert batch.labels[number] == samples.labels[sample]


@pytest.mark.parametrize("background", [False, True])
def test_every_sample_once_with_its_own_cells(samples, background):
    loader = Loader(samples, NAMES, seed=1, batch=8, training=False, background=background)
    batches = list(loader.epoch(2))
    assert [len(batch) for batch in batches] == [8] * 9 + [6] == [batch.total for batch in batches]
    assert sorted(np.concatenate([batch.samples for batch in batches])) == list(range(78))
    assert np.concatenate([batch.positions for batch in batches]).tolist() == list(range(78))
    for batch in batches:
        assert_holds(batch, samples)
        assert batch.fixed("grid").dtype == torch.float16 and batch.columns["points"].values.dtype == torch.float32
        assert (batch.seed, batch.epoch) == (1, 2)


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_views_are_the_cells_that_would_be_copied(tmp_path, compression):
    samples = Samples.of(built(tmp_path, compression=compression))
    loader, copies = Loader(samples, NAMES, views=("points",), seed=1, batch=8), Loader(samples, NAMES, seed=1, batch=8)
    for batch, copied in zip(loader.epoch(0), copies.epoch(0), strict=True):
        views, packed = batch.views("points"), copied.columns["points"]
        assert np.array_equal(np.concatenate(views), packed.values) and [len(view) for view in views] == np.diff(packed.offsets).tolist()
        assert not any(view.flags.writeable for view in views)
        assert torch.equal(batch.fixed("grid"), copied.fixed("grid")) and batch.columns["picture"] == copied.columns["picture"]
        assert all(one is other for one, other in zip(batch.to(torch.device("meta")).views("points"), views, strict=True))
        with pytest.raises(TypeError, match="grid is not handed over as views"):
            batch.views("grid")
    if compression == "none":
        first, again = (next(loader.sequential(8)).views("points") for _ in range(2))
        assert any(np.shares_memory(one, other) for one, other in zip(first, again, strict=True))


def test_compressed_shards_and_several_record_batches_read_the_same(tmp_path, monkeypatch):
    for compression in ("none", "lz4"):
        monkeypatch.setitem(shards_module.BATCH_BYTES, compression, 60)
        samples = Samples.of(built(tmp_path / compression, compression=compression))
        assert len(samples.stores[0].shards[0].starts) > 3
        for batch in Loader(samples, NAMES, seed=0, batch=8).epoch(0):
            assert_holds(batch, samples)


def test_a_short_last_batch_is_dropped_in_training(samples):
    loader = Loader(samples, NAMES, seed=0, batch=8)
    assert loader.steps_per_epoch(0) == 9 == len(list(loader.epoch(0)))


@pytest.mark.parametrize("how", [{"batch": 8}, {"elements": 11}])
@pytest.mark.parametrize("world", [2, 3, 13])
def test_ranks_together_see_what_one_sees(samples, how, world):
    alone = list(Loader(samples, NAMES, seed=4, training=False, **how).epoch(1))
    ranks = [list(Loader(samples, NAMES, seed=4, training=False, rank=rank, world=world, **how).epoch(1)) for rank in range(world)]
    for step, whole in enumerate(alone):
        parts = [rank[step] for rank in ranks]
        assert sorted(np.concatenate([part.samples for part in parts])) == sorted(whole.samples)
        assert {part.total for part in parts} == {whole.total} == {len(whole)}
        place = {int(position): int(sample) for position, sample in zip(whole.positions, whole.samples, strict=True)}
        for part in parts:
            assert_holds(part, samples)
            assert all(place[int(position)] == sample for position, sample in zip(part.positions, part.samples, strict=True))
    assert len({len(rank) for rank in ranks}) == 1


@pytest.mark.parametrize("background", [False, True])
def test_resume_at_any_step_goes_on_as_if_nothing_happened(samples, background):
    loader = Loader(samples, NAMES, seed=5, batch=16, background=background)
    whole = list(loader.epoch(3))
    for step in range(len(whole) + 1):
        rest = list(Loader(samples, NAMES, seed=5, batch=16, background=background).epoch(3, step))
        assert [batch.samples.tolist() for batch in rest] == [batch.samples.tolist() for batch in whole[step:]]
        for one, other in zip(rest, whole[step:], strict=True):
            assert torch.equal(one.fixed("grid"), other.fixed("grid"))
            assert one.generator(0).random() == other.generator(0).random()


def test_elements_count_the_items_of_the_first_ragged_column(samples):
    for batch in Loader(samples, NAMES, seed=0, elements=10).epoch(0):
        assert 1 <= len(batch.columns["points"].values) <= 10
    items = Samples.of(samples.stores[0], item_column="points")
    for batch in Loader(items, ("points",), seed=0, elements=10).epoch(0):
        assert len(batch) == 10


def test_samples_that_are_items_come_with_their_row_and_number(samples):
    items = Samples.of(samples.stores[0], item_column="points")
    seen = []
    for batch in Loader(items, NAMES, seed=0, batch=16, training=False).epoch(0):
        assert_holds(batch, items)
        packed = batch.columns["points"]
        seen += [tuple(packed.values[packed.offsets[n] + batch.items[n]].tolist()) for n in range(len(batch))]
    expected = [tuple(point) for n in range(40) if n != 7 for row in range(2) for point in row_of(f"o{n:03}.obj", row)["points"].tolist()]
    assert sorted(seen) == sorted(expected)


def test_in_sequence_everything_comes_in_index_order_on_every_rank(samples):
    for rank in range(2):
        batches = list(Loader(samples, NAMES, seed=0, rank=rank, world=2).sequential(50))
        assert [len(batch) for batch in batches] == [50, 28]
        assert np.concatenate([batch.samples for batch in batches]).tolist() == list(range(78))
        for batch in batches:
            assert_holds(batch, samples)


def test_several_stores_are_read_as_one(home, samples):
    other = Samples.of(built(home, planned(20), name="other", refused=()))
    both = Samples.concat([samples, other])
    for batch in Loader(both, NAMES, seed=0, batch=8, training=False).epoch(0):
        assert_holds(batch, both)


def test_the_order_digest_follows_the_order_alone(samples, tmp_path):
    digest = Loader(samples, NAMES, seed=0, batch=8).order_digest(0)
    assert len(digest) == 16
    assert digest == Loader(samples, ("grid",), seed=0, batch=8, rank=1, world=3).order_digest(0)
    assert digest == Loader(Samples.of(built(tmp_path / "elsewhere")), NAMES, seed=0, batch=8).order_digest(0)
    others = [Loader(samples, NAMES, seed=1, batch=8).order_digest(0), Loader(samples, NAMES, seed=0, batch=8).order_digest(1)]
    others.append(Loader(samples.take(70), NAMES, seed=0, batch=8).order_digest(0))
    assert len({digest, *others}) == 4


def test_a_batch_kept_is_never_written_over(samples):
    loader = Loader(samples, NAMES, seed=0, batch=8)
    stream = loader.epoch(0)
    views = [next(stream).fixed("grid")[3] for _ in range(2)]
    copies = [view.clone() for view in views]
    for _ in stream:
        gc.collect()
    assert all(torch.equal(view, copy) for view, copy in zip(views, copies, strict=True))


def test_memory_is_used_again_once_nobody_looks():
    buffers = Buffers()
    first = buffers.array((10, 4), "float32")
    address = first.__array_interface__["data"][0]
    tensor = torch.from_numpy(first)[2:]
    del first
    assert buffers.array((10, 4), "float32").__array_interface__["data"][0] != address
    graph = tensor.requires_grad_() * 2.0
    del tensor
    assert buffers.array((8, 4), "float32").__array_interface__["data"][0] != address
    del graph
    assert buffers.array((10, 4), "float32").__array_interface__["data"][0] == address


def test_the_background_thread_ends_when_the_epoch_is_left(samples):
    before = threading.active_count()
    stream = Loader(samples, NAMES, seed=0, batch=8, background=True).epoch(0)
    next(stream)
    assert threading.active_count() == before + 1
    stream.close()
    assert threading.active_count() == before


def test_an_error_in_the_background_arrives(samples):
    store = samples.stores[0]
    (store.shards_folder / f"{store.manifest['shards'][0]['key']}.json").unlink()
    with pytest.raises(Exception, match="l9 prep"):
        list(Loader(samples, NAMES, seed=0, batch=8, background=True).epoch(0))
    assert not [thread for thread in threading.enumerate() if thread.name == "l9-loader"]


def test_an_epoch_of_nothing_is_an_error(samples):
    with pytest.raises(TrainingError, match="78 samples do not fill one batch of 79"):
        Loader(samples, NAMES, seed=0, batch=79).steps_per_epoch(0)
    assert Loader(samples, NAMES, seed=0, batch=79, training=False).steps_per_epoch(0) == 1
    with pytest.raises(UsageError, match="batch or elements"):
        next(Loader(samples, NAMES, seed=0).epoch(0))
    with pytest.raises(UsageError, match="not both"):
        Loader(samples, NAMES, seed=0, batch=1, elements=1)
    with pytest.raises(UsageError, match="no column 'x'"):
        next(Loader(samples, ("x",), seed=0, batch=4).epoch(0))
    with pytest.raises(UsageError, match="has none"):
        Loader(samples, ("grid",), seed=0, elements=4).steps_per_epoch(0)


def test_an_index_that_names_a_row_its_shard_has_not_is_refused(samples):
    """What is copied by address afterwards is not checked again."""
    store = samples.stores[0]
    at = store.index.column("at").to_numpy().copy()
    at[5] = 10_000
    store.index = store.index.set_column(store.index.schema.get_field_index("at"), "at", pa.array(at))
    with pytest.raises(StoreError, match="row 10000 of"):
        next(Loader(samples, ("grid",), seed=0, batch=8).epoch(0))


@pytest.mark.parametrize("threads", [1, 2])
def test_large_cells_are_copied_whole_by_one_thread_or_two(samples, monkeypatch, threads):
    monkeypatch.setattr(gather, "SHARED_BYTES", 24)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for batch in Loader(samples, NAMES, seed=3, batch=16).epoch(0):
            assert_holds(batch, samples)
    finally:
        torch.set_num_threads(before)


def test_the_first_batch_does_not_wait_for_pandas(home):
    """Arrow's `to_numpy` would import it, half a second at the start of every training."""
    built(home)
    words = (
        "import sys; from pathlib import Path; from l9.data.loader import Loader; from l9.data.samples import Samples; "
        "from l9.store.store import find_store; before = 'pandas' in sys.modules; "
        f"next(Loader(Samples.of(find_store(Path({str(home)!r}), 'latest')), ('grid', 'points'), seed=0, batch=8).epoch(0)); "
        "assert not before and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", words], check=True)


def test_arrow_numbers_are_seen_whatever_their_chunks_and_offset():
    assert numbers_of(pa.array([1, 2, 3])[1:]).tolist() == [2, 3]
    assert numbers_of(pa.chunked_array([[1, 2], [3]], pa.int16())).tolist() == [1, 2, 3]
    assert numbers_of(pa.chunked_array([], pa.float16())).dtype == np.float16
    with pytest.raises(StoreError, match="nulls"):
        numbers_of(pa.array([1, None]))
