"""`l9 export`: rows as Parquet that are equal when read back, match lists in MatchFinder's form, folders that are whole or not there."""

import json
import re
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from match_trees import SCAN, mined, put_pictures, store_of_rows
from numpy.testing import assert_array_equal
from store_builder import built, row_of

from l9.cards import load_card
from l9.config import Prep, Use
from l9.errors import UsageError
from l9.evaluate import export
from l9.evaluate.export import export_store
from l9.evaluate.export_matches import NEEDED
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.stages import listed_matches


@pytest.fixture(scope="module")
def rows():
    return mined()


@pytest.fixture
def store(home, rows):
    return store_of_rows(home, rows)


def cell_of(column, value):
    if column.kind == "blob":
        return value
    shape = column.shape if column.kind == "fixed" else (-1, *column.shape)
    return np.array(value, column.dtype).reshape(shape)


def read_back(folder, columns):
    """(object, row) -> its cells, by pyarrow alone."""
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        for line in pq.read_table(path).to_pylist():
            found[line["object"], line["row"]] = {one.name: cell_of(one, line[one.name]) for one in columns} | {"told": line}
    return found


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_parquet_holds_every_row(home, tmp_path, compression):
    store = built(home, compression=compression)
    done = export_store(store, "parquet", tmp_path / "out")
    found = read_back(tmp_path / "out", store.columns)
    assert len(found) == store.manifest["counts"]["rows"] == 78 and done.objects == 39 and done.matches == 0
    index = {(line["object"], line["row"]): line for line in store.index.to_pylist()}
    for (name, row), cells in found.items():
        for column, value in row_of(name, row).items():
            assert_array_equal(cells[column], value, strict=True) if isinstance(value, np.ndarray) else None
            assert isinstance(value, np.ndarray) or cells[column] == value
        assert all(cells["told"][field] == index[name, row][field] for field in ("label", "split", "fold"))
    assert done.files == len(list((tmp_path / "out").glob("*.parquet")))
    field = pq.read_schema(tmp_path / "out/part-00000.parquet").field("points")
    assert field.metadata[b"unit"] == b"box"
    assert str(field.type) == "large_list<element: fixed_size_list<element: float not null>[3] not null>"


def test_parquet_of_matches(store, tmp_path, rows):
    """Patches, and rows of pairs that share no picture to show: lists of large items, some empty."""
    export_store(store, "parquet", tmp_path / "out")
    found = read_back(tmp_path / "out", store.columns)
    assert {len(row["shown"]) for row in rows} == {0, 1}
    for number, row in enumerate(rows):
        for name, value in row.items():
            assert_array_equal(found[SCAN, number][name], value, strict=True)


def test_lists_have_matchfinders_form(store, tmp_path, rows):
    done = export_store(store, "matches", tmp_path / "out")
    for file, role in (("matches.txt", 1), ("negatives.txt", 2)):
        lines = (tmp_path / "out" / SCAN / file).read_text().splitlines()
        assert lines[:2] == [f"SceneName {SCAN} ( {done.matches} matches )", "pictures 240x180"]
        assert lines[2].split("\t")[:4] == ["matchIdx", "m_sensorIdx", "m_imageIdx", "m_pixelPos"]
        fields = [line.split("\t") for line in lines[3:]]
        assert len(fields) == 2 * done.matches and {len(one) for one in fields} == {12}
        assert [int(one[0]) for one in fields] == [number for number in range(done.matches) for _ in range(2)]
        for first, which in ((0, 0), (1, role)):
            mine = fields[first::2]
            assert_array_equal([int(one[2]) for one in mine], np.concatenate([row["match_frames"][:, which] for row in rows]))
            for place, column in ((3, "match_pixels"), (5, "match_points")):
                told = np.array([one[place].split() for one in mine], np.float32)
                assert_array_equal(told, np.concatenate([row[column][:, which] for row in rows]))
            packed = np.array([int(one[11]) for one in mine])
            assert_array_equal([float(one[10]) for one in mine], 0.5 ** np.array([float(one[9]) for one in mine]))
            assert_array_equal([int(one[9]) % 256 for one in mine], packed % 256)
    assert done.bytes == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.txt"))


def test_an_earlier_export_is_kept_and_anything_else_refused(store, home, tmp_path):
    (tmp_path / "out").mkdir()
    done = export_store(store, "matches", tmp_path / "out")
    put_pictures(tmp_path / "out" / SCAN)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert export_store(store, "matches", tmp_path / "out") == done
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    for kind, other in (("parquet", store), ("parquet", built(home))):
        with pytest.raises(UsageError, match=f"out holds matches of {store.id}; expected a new folder"):
            export_store(other, kind, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("a year of work")
    with pytest.raises(UsageError, match="mine is not empty"):
        export_store(store, "matches", tmp_path / "mine")
    with pytest.raises(UsageError, match=r"thesis\.txt is a file"):
        export_store(store, "matches", tmp_path / "mine/thesis.txt")
    (tmp_path / "mine/export.json").write_text('{"format": 1}')
    with pytest.raises(UsageError, match="mine is not empty"):
        export_store(store, "matches", tmp_path / "mine")


def test_what_fails_leaves_nothing(store, home, tmp_path, monkeypatch, rows):
    with pytest.raises(UsageError, match="has no column 'match_frames'; --format matches takes what the stage key_point_matches makes"):
        export_store(built(home), "matches", tmp_path / "below/out")
    with pytest.raises(UsageError, match="--format is 'zarr'; expected matches, parquet or scannet"):
        export_store(store, "zarr", tmp_path / "below/out")
    outside = store_of_rows(tmp_path / "other", rows, name="../../scene")
    with pytest.raises(UsageError, match="names no folder below DIR"):
        export_store(outside, "matches", tmp_path / "below/out")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "publish", full)
    with pytest.raises(OSError, match="No space"):
        export_store(store, "matches", tmp_path / "below/out")
    assert list((tmp_path / "below").iterdir()) == []


def test_the_verb_says_what_it_wrote_and_that_pictures_are_not_there(store, home, tmp_path):
    command = [sys.executable, "-m", "l9.cli", "export", "latest", "--home", str(home), "--to", "out", "--format"]
    run = lambda *words: subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)  # noqa: E731
    told = run("matches", "--json")
    answer = json.loads(told.stdout.splitlines()[-1])
    assert set(answer) == {"format", "to", "objects", "matches", "files", "bytes"} and (answer["objects"], answer["files"]) == (1, 2)
    said = run("matches").stdout
    assert re.search(r"1 objects, \d+ matches, 2 files, [\d.]+ kB; pictures are not in a store", said) and said.count("\n") == 1
    wrong = run("zarr")
    assert wrong.returncode == 2 and wrong.stderr == "l9: --format is 'zarr'; expected matches, parquet or scannet\n"


def test_exported_lists_are_a_dataset(store, tmp_path, rows, home):
    """From the folder through card, sandbox and stage to a store again, by the card of the published lists."""
    export_store(store, "matches", tmp_path / "out")
    put_pictures(tmp_path / "out" / SCAN)
    card = load_card("matterport_matches")
    assert card.parameters == {"detected": [1280, 1024], "every": 10} and not card.source
    own = type(card)(**{**vars(card), "parameters": {}})
    digests = DigestCache(home / "digests.sqlite")
    try:
        with new_sandbox() as sandbox:
            prep = Prep(Use(listed_matches, side=32, shift=0, zoom=0, turn=0))
            plan = make_plan(own, prep, tmp_path / "out", find_objects(own, tmp_path / "out", sandbox), digests)
            again, *_ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)
    finally:
        digests.close()
    assert again.manifest["counts"] == {"planned": 1, "done": 1, "quarantined": 0, "rows": len(rows)}
    for number, row in enumerate(rows):
        for name in (*NEEDED, "patches", "sift", "orb"):
            assert_array_equal(again.shards[int(again.index["shard"][number].as_py())].cell(name, number), row[name], strict=True)
