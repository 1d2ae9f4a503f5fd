"""Cards: the shipped ones are sound, and wrong ones are one line."""

import pytest
import yaml

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
    ],
)
def test_a_wrong_card_is_one_line(tmp_path, changes, message):
    with pytest.raises(CardError, match=message) as caught:
        load_card(_write(tmp_path, **changes))
    assert "mine.yaml" in str(caught.value)


def test_an_id_that_stands_twice_is_named(tmp_path):
    (tmp_path / "labels.csv").write_text("id,class,fold\na,chair,0\na,table,1\n")
    with pytest.raises(CardError, match="id 'a' stands twice"):
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
