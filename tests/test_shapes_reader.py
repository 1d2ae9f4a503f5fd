"""The shapes l9 makes itself: the same ones from the same seed."""

import numpy as np
import pytest

from l9.cards import load_card
from l9.errors import RefusedObject
from l9.geometry.solids import PARTS, SOLIDS
from l9.readers import shapes
from l9.readers.contract import Found


def test_every_class_has_its_count(tmp_path):
    found = list(shapes.find(tmp_path, count_per_class=3, seed=5))
    assert len({one.id for one in found}) == len(found) == 3 * len(SOLIDS)
    assert {one.label for one in found} == set(SOLIDS) and all(one.files == () for one in found)
    assert found[1].id == f"{found[1].label}/0001"


@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_a_shape_is_a_function_of_its_id_and_seed(name):
    def read(number, **parameters):
        return shapes.read((), Found(f"{name}/{number:04d}", (), label=name), "+Y", **parameters)

    first, again, other, reseeded = read(1), read(1, count_per_class=99), read(2), read(1, seed=1)
    np.testing.assert_array_equal(first.vertices, again.vertices)
    np.testing.assert_array_equal(first.faces, again.faces)
    for different in (other, reseeded) if name != "sphere" else ():  # its size is fixed by the box: all are equal
        assert first.vertices.shape != different.vertices.shape or not np.allclose(first.vertices, different.vertices)


def test_parts_are_counted_through_all_classes():
    found = {name: shapes.read((), Found(f"{name}/0000", (), label=name), "+Y").parts for name in sorted(SOLIDS)}
    numbers = [sorted(set(parts.tolist())) for parts in found.values()]
    assert [number for some in numbers for number in some] == list(range(16))
    assert {name: len(some) for name, some in zip(found, numbers, strict=True)} == PARTS
    assert found["chair"].min() == 2 and found["torus"].max() == 15


@pytest.mark.parametrize("identity", ["pyramidion/0001", "sphere", "sphere/x", "../sphere/0001"])
def test_an_id_of_no_shape_is_refused(identity):
    with pytest.raises(RefusedObject, match="unknown-shape"):
        shapes.read((), Found(identity, ()), "+Y")


def test_the_card_counts_what_there_is(tmp_path):
    card = load_card("shapes")
    found = list(shapes.find(tmp_path, **card.parameters))
    assert card.counts["objects"] == len(found) and set(card.class_names("shapes10")) == {one.label for one in found}
