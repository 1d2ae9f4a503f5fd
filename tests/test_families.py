"""Families and folds: near repeats never stand on both sides of a split."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l9.cards import load_card
from l9.sources.families import FOLDS, families_of, folds_of, main, overlaps, series_of

FURNITURE = load_card("furniture")
ROWS = list(FURNITURE.label_rows.values())


def rows_of(*pairs, author=""):
    return [{"id": identity, "class": name, "author": author} for identity, name in pairs]


def test_overlap_is_intersection_over_union():
    grids = np.zeros((4, 64), bool)
    grids[0, :8] = grids[1, :8] = grids[2, 4:12] = True
    expected = np.array([[1, 1, 1 / 3, 0], [1, 1, 1 / 3, 0], [1 / 3, 1 / 3, 1, 0], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(overlaps(list(np.packbits(grids, axis=1))), expected, rtol=1e-6)


def test_overlap_is_the_same_in_blocks(monkeypatch):
    packed = list(np.packbits(np.random.default_rng(0).random((11, 128)) < 0.5, axis=1))
    whole = overlaps(packed)
    monkeypatch.setattr("l9.sources.families.BLOCK", 4)
    np.testing.assert_array_equal(overlaps(packed), whole)


def test_a_series_is_of_one_author():
    row = {"id": "scopia-window-2x3", "author": "Scopia"}
    assert series_of(row) == series_of({"id": "scopia-window-4x15_", "author": "Scopia"}) != ""
    assert series_of(row) != series_of({**row, "author": "eTeks"}) and series_of({"id": "chair/0007.obj"}) == ""


def test_families_join_by_looks_and_by_series_in_chains():
    rows = rows_of(("a", "x"), ("b", "x"), ("c1", "x"), ("c2", "y"), ("d", "y"), author="somebody")
    alike = np.eye(5, dtype=bool)
    alike[0, 1] = alike[3, 1] = True
    assert families_of(rows, alike) == ["a", "a", "a", "a", "d"]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz")), min_size=1, max_size=40), st.randoms())
def test_folds_keep_families_whole_whatever_the_order(pairs, random):
    rows = [{"id": str(number), "class": name} for number, (_, name) in enumerate(pairs)]
    families = [family for family, _ in pairs]
    folds = folds_of(rows, families)
    assert all(0 <= fold < FOLDS for fold in folds) and len(set(zip(families, folds, strict=True))) == len(set(families))
    order = random.sample(range(len(rows)), len(rows))
    assert folds_of([rows[n] for n in order], [families[n] for n in order]) == [folds[n] for n in order]


def test_single_objects_are_spread_evenly_per_class():
    rows = rows_of(*((f"{number}", "xyz"[number % 3]) for number in range(60)))
    folds = folds_of(rows, [row["id"] for row in rows])
    assert set(Counter((row["class"], fold) for row, fold in zip(rows, folds, strict=True)).values()) == {4}


def test_the_furniture_is_what_its_card_counts():
    nineteen = FURNITURE.class_names("furniture19")
    classes = Counter(row["class"] for row in ROWS)
    assert FURNITURE.counts == {
        "objects": len(ROWS),
        "labelled": len(ROWS) - classes[FURNITURE.unlabelled],
        "furniture19": sum(classes[name] for name in nineteen),
    }
    assert len(nineteen) == 19 and min(classes[name] for name in nineteen) == 12


def test_no_furniture_family_is_split_and_every_class_is_in_every_fold():
    fold_of, series = {}, {}
    for row in ROWS:
        assert fold_of.setdefault(row["family"], row["fold"]) == row["fold"]
        assert series.setdefault(series_of(row), row["family"]) == row["family"]
    for name in FURNITURE.class_names("furniture19"):
        assert {row["fold"] for row in ROWS if row["class"] == name} == set("01234"), name


def test_the_folds_of_the_furniture_follow_from_its_families():
    assert [str(fold) for fold in folds_of(ROWS, [row["family"] for row in ROWS])] == [row["fold"] for row in ROWS]


def test_folds_are_made_from_files(tmp_path, capsys):
    """Two boxes of different size and one ball: the boxes are one family; the file that cannot be read is in none."""
    import trimesh

    root = tmp_path / "root"
    (root / "thing").mkdir(parents=True)
    for name, mesh in [("a", trimesh.creation.box((1, 2, 3))), ("b", trimesh.creation.box((2, 4, 6))), ("c", trimesh.creation.icosphere())]:
        mesh.export(root / "thing" / f"{name}.stl")
    (root / "thing/d.stl").touch()
    (tmp_path / "card.yaml").write_text(
        "name: card\nwhat: x\nlicence: x\nreader: l9.readers.folder:read\nlabels: labels.csv\n", encoding="utf-8"
    )
    (tmp_path / "labels.csv").write_text("id,class\n" + "".join(f"thing/{name}.stl,thing\n" for name in "dcba"), encoding="utf-8")
    main(str(tmp_path / "card.yaml"), str(root), str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == (
        "id,class,fold,family\nthing/a.stl,thing,0,thing/a.stl\nthing/b.stl,thing,0,thing/a.stl\n"
        "thing/c.stl,thing,1,thing/c.stl\nthing/d.stl,thing,2,thing/d.stl\n"
    )
    assert "thing/d.stl has no shape to compare: empty-file" in capsys.readouterr().err
