"""What a store's columns of one number hold: counted value by value, or the ends, the middle and who stands highest."""

import numpy as np
import pytest
from store_builder import SHARDS, built, number_of, planned

from l9.store.columns import Column
from l9.store.numbers import column_numbers, number_lines
from l9.store.planned import PlanFacts, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store

COLUMNS = (
    Column("sign", "uint8", (), unit="0 none 1 winding"),
    Column("doubt", "float32", (), unit="share of voxels"),
    Column("serial", "int64", ()),
    Column("grid", "float16", (2,)),
)


def numbered(home, doubt, compression="none", rows=1):
    objects = planned(rows=rows)
    facts = []
    for shard in range(SHARDS):
        members = [one for one in objects if one.shard == shard]
        with ShardWriter(shards_folder(home), shard_key(members, COLUMNS, compression), COLUMNS, compression) as writer:
            for one in members:
                number = number_of(one.id)
                row = {"sign": np.uint8(number % 3 > 0), "doubt": np.float32(doubt(number)), "serial": np.int64(number)}
                writer.add(one.id, [{**{name: np.asarray(cell) for name, cell in row.items()}, "grid": np.zeros(2, np.float16)}] * rows)
        facts.append(writer.facts)
    return write_store(home, "numbered", PlanFacts("numbered", "+Y", COLUMNS, objects), facts)


def test_each_column_of_one_number_is_summed_up(home):
    found = column_numbers(numbered(home, lambda number: number / 100))
    assert set(found) == {"sign", "doubt", "serial"}, "a grid is not one number"
    assert found["sign"] == {"unit": "0 none 1 winding", "values": {"0": 14, "1": 26}}
    doubt = found["doubt"]
    assert (doubt["least"], doubt["unit"]) == (0.0, "share of voxels")
    assert doubt["median"] == pytest.approx(0.195, abs=1e-6), "of 0 to 39 hundredths, as float32"
    assert doubt["p95"] == pytest.approx(0.3705, abs=1e-6) and doubt["most"] == pytest.approx(0.39, abs=1e-6)
    assert [name for name, _ in doubt["highest"]] == ["o039.obj", "o038.obj", "o037.obj"]
    assert [value for _, value in doubt["highest"]] == pytest.approx([0.39, 0.38, 0.37], abs=1e-6)
    assert found["serial"]["most"] == 39.0, "40 distinct values are too many to count one by one"


def test_what_is_not_finite_is_counted_apart(home):
    found = column_numbers(numbered(home, lambda number: np.nan if number == 39 else number / 100))["doubt"]
    assert found["most"] == pytest.approx(0.38, abs=1e-6) and found["highest"][0][0] == "o038.obj"
    lines = number_lines({"doubt": found})
    assert found["not_finite"] == 1
    said = "1 rows not finite, least 0, median 0.19, 5 % above 0.361, highest o038.obj 0.38, o037.obj 0.37, o036.obj 0.36"
    assert lines == [f"doubt (share of voxels): {said}"]
    nothing = column_numbers(numbered(home, lambda _: np.inf))["doubt"]
    assert number_lines({"doubt": nothing | {"unit": ""}}) == ["doubt: 40 rows not finite"]


def test_a_store_that_would_have_to_be_unpacked_is_left_alone(home):
    assert column_numbers(numbered(home, float, compression="lz4")) == {}


def test_a_store_without_such_columns_has_none(home):
    assert column_numbers(built(home)) == {} and number_lines({}) == []


def test_values_are_counted_by_rows(home):
    found = column_numbers(numbered(home, float, rows=2))
    assert number_lines({"sign": found["sign"]}) == ["sign (0 none 1 winding): 0 in 28 rows, 1 in 52 rows"]
