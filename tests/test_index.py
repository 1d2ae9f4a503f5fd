import pyarrow as pa
import pytest
from store_builder import COLUMNS, built, note_of, number_of, planned, row_of

from l9.errors import StoreError
from l9.store.index import read_index


def test_one_line_a_row_in_order_that_leads_to_the_row(home):
    store = built(home)
    index = store.index.to_pylist()
    assert len(index) == 78
    assert [(line["object"], line["row"]) for line in index] == sorted((line["object"], line["row"]) for line in index)
    assert "o007.obj" not in {line["object"] for line in index}
    for line in index:
        number = number_of(line["object"])
        shard = store.shards[line["shard"]]
        assert shard.identity(line["at"]) == (line["object"], line["row"])
        assert len(shard.ragged("points", line["at"])) == line["points_items"] == len(row_of(line["object"], 0)["points"])
        assert (line["label"], line["split"], line["fold"], line["key"]) == ("ab"[number % 2], "", number % 5, f"key-{line['object']}-2")
        assert line["notes"] == note_of(line["object"])
    assert {line["notes"] for line in index} == {"", "2 lines left out; no material"}


def test_fields_have_fixed_types(home):
    types = {"object": "string", "row": "int32", "shard": "int32", "at": "int64", "label": "string", "split": "string", "fold": "int8"}
    schema = built(home).index.schema
    assert {field.name: str(field.type) for field in schema} == {**types, "key": "string", "notes": "string", "points_items": "int64"}
    assert not any(field.nullable for field in schema)


def test_a_store_without_rows_has_an_empty_index(home):
    store = built(home, planned(3), refused=(0, 1, 2))
    assert store.index.num_rows == 0 and len(list(store.quarantine())) == 3


def test_another_table_is_no_index(home):
    table, sink = pa.table({"object": ["a"]}), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(StoreError, match="its fields are not"):
        read_index(sink.getvalue().to_pybytes(), COLUMNS)
    with pytest.raises(StoreError):
        read_index(b"ARROW1", COLUMNS)
