"""Cards: the shipped ones are sound, and wrong ones are one line."""

import datetime

import pytest
import yaml

from l9 import cards
from l9.cards import card_names, load_card
from l9.errors import CardError

GOOD = {"name": "mine", "what": "chairs", "licence": "CC0-1.0", "reader": "l9.readers.folder:read"}


def _write(tmp_path, **changes):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return str(path)


@pytest.mark.parametrize("name", card_names())
def test_shipped_cards_are_sound(name):
    card = load_card(name)
    assert card.name == name
    for class_set in card.classes:
        assert card.class_names(class_set)


def test_furniture_counts_follow_from_its_labels():
    card = load_card("furniture")
    classes = card.class_names("furniture19")
    assert len(classes) == 19
    assert card.unlabelled not in classes
    assert len(card.label_rows) == card.counts["objects"] == 911
    assert sum(row["class"] in classes for row in card.label_rows.values()) == card.counts["furniture19"] == 505
    assert {row["fold"] for row in card.label_rows.values()} == set("01234")


def test_a_card_by_path(tmp_path):
    card = load_card(_write(tmp_path, axes={"up": "+Z"}))
    assert card.axes.up == "+Z"
    assert card.axes.unit == "metre"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"up": "+W"}}, r"axes\.up is '\+W'; expected one of \+X -X"),
        ({"shards": 48}, "shards is 48; expected a power of two"),
        ({"reader": "nothing"}, "expected module:function"),
        ({"license": "MIT"}, "has no field 'license'; did you mean licence"),
        ({"shards": "many"}, "shards is 'many'; expected a whole number"),
        ({"labels": "nowhere.csv"}, "labels names .*nowhere.csv, which cannot be read"),
        ({"classes": {"z": 5}}, r"classes\.z is 5; expected a list of names \(text\), or \{at_least: n\}"),
        ({"classes": {"z": [1, 2]}}, "expected a list of names"),
        ({"classes": {"z": {"at_least": "many"}}}, "at_least: n"),
        ({"axes": {1: "+Y"}}, "axes has the key 1"),
        ({"parameters": {"sizes": {2: 3}}}, r"parameters\.sizes has the key 2"),
        ({"cite": datetime.date(2020, 1, 1)}, "cite is a date"),
        ({"name": "../mine"}, r"name is '\.\./mine'; expected letters"),
        ({"name": ""}, "name is ''"),
        ({"name": "my chairs"}, "name is 'my chairs'"),
    ],
)
def test_a_wrong_card_is_one_line(tmp_path, changes, message):
    with pytest.raises(CardError, match=message) as caught:
        load_card(_write(tmp_path, **changes))
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("labels", "name,class\na,chair\n", r"its columns are \['name', 'class'\]; expected id among them"),
        ("labels", "id,fold\na,0\n", "expected class among them"),
        ("labels", "", "expected id and class among them"),
        ("known_bad", "name,reason\na,bent\n", "expected id among them"),
        ("labels", "id,class,fold\na,chair,0\nb,chair,two\n", r"line 3: fold is 'two'; expected 0\.\.4 or empty"),
        ("labels", "id,class,fold\na,chair,9\n", "line 2: fold is '9'"),
        ("labels", "id,class,fold\na,chair\n", "line 2: expected 3 values, one for each of id, class, fold"),
        ("labels", "id,class\na,chair,1\n", "line 2: expected 2 values"),
    ],
)
def test_a_wrong_table_names_its_file_and_line(tmp_path, table, content, message):
    (tmp_path / "table.csv").write_text(content)
    with pytest.raises(CardError, match=message) as caught:
        load_card(_write(tmp_path, **{table: "table.csv"}))
    assert str(caught.value).startswith(str(tmp_path / "table.csv")) and "\n" not in str(caught.value)


def test_a_key_that_is_a_number_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, 5: "x"}))
    with pytest.raises(CardError, match=r"mine\.yaml has the key 5; expected keys that are text"):
        load_card(str(path))


def test_an_empty_fold_and_no_fold_column_are_fine(tmp_path):
    (tmp_path / "labels.csv").write_text("id,class,fold\na,chair,\nb,chair,4\n")
    assert [row["fold"] for row in load_card(_write(tmp_path, labels="labels.csv")).label_rows.values()] == ["", "4"]
    (tmp_path / "labels.csv").write_text("id,class\na,chair\n")
    assert load_card(_write(tmp_path, labels="labels.csv")).label_rows == {"a": {"id": "a", "class": "chair"}}


def test_an_id_that_stands_twice_is_named(tmp_path):
    (tmp_path / "labels.csv").write_text("id,class,fold\na,chair,0\na,table,1\n")
    with pytest.raises(CardError, match="line 3: id 'a' stands twice"):
        load_card(_write(tmp_path, labels="labels.csv"))


def test_yaml_that_builds_objects_is_refused(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("name: !!python/object/apply:os.system ['true']")
    with pytest.raises(CardError, match="cannot be read"):
        load_card(str(path))


def test_unknown_names_suggest_near_ones():
    with pytest.raises(CardError, match="furniture"):
        load_card("furnitur")
    with pytest.raises(CardError, match="furniture19"):
        load_card("furniture").class_names("furniture18")


def test_a_class_set_that_counts_needs_labels_to_count(tmp_path):
    card = load_card(_write(tmp_path, classes={"many": {"at_least": 12}}))
    with pytest.raises(CardError, match=r"classes.many counts the rows of a labels file; expected `labels`"):
        card.class_names("many")


def test_where_no_card_is_at_all_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(cards, "shipped", lambda folder, ending: {})
    with pytest.raises(CardError, match=r"no card 'chairs'; none is here; expected datasets/\*.yaml"):
        load_card("chairs")
