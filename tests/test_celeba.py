"""CelebA in its own layout: parts, attributes, and lists that disagree."""

import io

import pytest
from numpy.testing import assert_array_equal
from picture_bytes import celeba, png, refused

from l9.errors import UsageError
from l9.readers import celeba as reader
from l9.readers.contract import REFUSE, Found


def test_the_list_of_parts_decides(tmp_path):
    root = celeba(tmp_path / "celeba")
    found = list(reader.find(root))
    assert [one.id for one in found] == [f"{number:06d}.jpg" for number in range(1, 7)]
    assert [one.split for one in found] == ["train", "validation", "test"] * 2 and {one.label for one in found} == {""}
    assert found[-1].facts[REFUSE] == ["missing-file", "img_align_celeba/000006.jpg is not there"]
    with (root / found[1].files[0]).open("rb") as stream:
        image = reader.read([stream], found[1], "+Y")
    assert image.pixels.shape == (218, 178, 3)
    assert_array_equal(image.attributes, [-1, -1])


def test_without_attributes_there_are_none(tmp_path):
    found = list(reader.find(celeba(tmp_path / "celeba", attributes=False)))
    assert [set(one.facts) for one in found] == [set()] * 5 + [{REFUSE}]
    image = reader.read([io.BytesIO(png(218, 178, kind="JPEG"))], found[0], "+Y")
    assert image.attributes is None


@pytest.mark.parametrize(
    ("name", "old", "new", "reason", "words"),
    [
        ("list_eval_partition.txt", "000002.jpg 1", "000002.jpg 3", "bad-catalog", "000002.jpg 3"),
        ("list_eval_partition.txt", "000002.jpg", "../../x.jpg", "bad-catalog", "x.jpg"),
        ("list_eval_partition.txt", "000002.jpg", "000002.png", "bad-catalog", "expected 000001.jpg"),
        ("list_eval_partition.txt", "000002.jpg", "000001.jpg", "bad-catalog", "000001.jpg stands there twice"),
        ("list_eval_partition.txt", "000002.jpg", "000009.jpg", "label-counts", "lacks 000009.jpg"),
        ("list_attr_celeba.txt", "6\n", "7\n", "label-counts", "says '7' rows and 2 names; there are 6"),
        ("list_attr_celeba.txt", "Smiling Young", "Smiling Young Hat", "bad-catalog", "expected a name and 3 times"),
        ("list_attr_celeba.txt", "Smiling Young", " ".join("a" * 101), "label-counts", "101 names"),
        ("list_attr_celeba.txt", "-1 -1", "-1 0", "bad-catalog", "2 times 1 or -1"),
    ],
)
def test_lists_that_disagree_are_refused(tmp_path, name, old, new, reason, words):
    root = celeba(tmp_path / "celeba")
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, 1))
    refused(lambda: list(reader.find(root)), reason, words)


def test_another_root_is_refused(tmp_path):
    root = celeba(tmp_path / "celeba")
    with pytest.raises(UsageError, match=f"no list_eval_partition.txt there; give --root {root}"):
        list(reader.find(tmp_path))


def test_faces_of_another_form_are_refused():
    found = Found("000001.jpg", ("img_align_celeba/000001.jpg",))
    for data, reason, words in (
        (png(178, 218, kind="JPEG"), "wrong-size", "218x178 pixels; expected 178x218"),
        (png(218, 178, 1, kind="JPEG"), "colour-mode", "grey"),
        (png(218, 178), "broken-picture", ".*"),
        (png(218, 178, kind="JPEG")[:2000], "broken-picture", ".*"),
    ):
        refused(lambda: reader.read([io.BytesIO(data)], found, "+Y"), reason, words)  # noqa: B023
