"""Cards of datasets that a person brings: from a small tree of each layout to a store, in process, and what `l9 data check` says of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from licensed_trees import POINTS, modelnet, modelnet_h5, modelnet_resampled, put, scanobjectnn, shapenet, shapenetpart

from l9.cards import card_names, load_card
from l9.config import Prep, Use
from l9.errors import CardError, UsageError
from l9.fingerprint import DigestCache
from l9.prep.check import check_card
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.sets import card_root
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.stages import labelled_points, normalise, occupancy, surface_points

CUBE, BALL = Use(normalise, kind="cube"), Use(normalise, kind="sphere")
MESHES = Prep(CUBE, Use(occupancy, resolution=8, rotations=2), Use(surface_points, count=16))
CLOUDS = Prep(BALL, Use(surface_points, count=64, normals=False))
NORMALS = Prep(BALL, Use(surface_points, count=64))
PARTS = Prep(BALL, Use(labelled_points, count=128))


def shapenet_v1(root):
    return shapenet(root, "model.obj")


TREES = {  # card: its tree, a preparation, planned, quarantined, objects of (train, validation, test)
    "shapenet": (shapenet, MESHES, 12, 3, (3, 3, 3)),
    "shapenet_v1": (shapenet_v1, MESHES, 12, 3, (3, 3, 3)),
    "modelnet40": (modelnet, MESHES, 10, 0, (6, 0, 4)),
    "modelnet10": (modelnet, MESHES, 10, 0, (6, 0, 4)),
    "modelnet40_h5": (modelnet_h5, NORMALS, 6, 0, (4, 0, 2)),
    "modelnet40_resampled": (modelnet_resampled, NORMALS, 10, 0, (6, 0, 4)),
    "scanobjectnn": (scanobjectnn, CLOUDS, 6, 0, (4, 0, 2)),
    "shapenetpart": (shapenetpart, PARTS, 8, 1, (4, 2, 1)),
}


@pytest.fixture(scope="module")
def sandbox():
    with new_sandbox() as child:
        yield child


def prepared(home, root, name, prep, sandbox):
    card = load_card(name)
    digests = DigestCache(home / "digests.sqlite")
    try:
        plan = make_plan(card, prep, root, find_objects(card, root, sandbox), digests)
        return run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)[0]
    finally:
        digests.close()


@pytest.mark.parametrize("name", TREES)
def test_every_object_is_done_or_quarantined_with_its_split(name, home, tmp_path, sandbox):
    tree, prep, planned, refused, splits = TREES[name]
    store = prepared(home, tree(tmp_path / "root"), name, prep, sandbox)
    counts = store.manifest["counts"]
    assert (counts["planned"], counts["done"], counts["quarantined"]) == (planned, planned - refused, refused)
    found = store.index["split"].to_pylist()
    assert tuple(found.count(split) for split in ("train", "validation", "test")) == splits
    assert all(store.index["label"].to_pylist())
    assert store.up == load_card(name).axes.up


def test_models_without_a_file_are_in_quarantine_with_the_reason(home, tmp_path, sandbox):
    store = prepared(home, shapenet(tmp_path / "root"), "shapenet", MESHES, sandbox)
    assert {(row["id"], row["reason"]) for row in store.quarantine()} == {
        (f"{synset}/m3", "no-model") for synset in ("02691156", "03001627", "04379243")
    }


def test_a_cloud_with_fewer_points_than_asked_and_one_that_cannot_be_voxels(home, tmp_path, sandbox):
    root = scanobjectnn(tmp_path / "root")
    few = prepared(home, root, "scanobjectnn", Prep(Use(surface_points, count=POINTS + 1, normals=False)), sandbox)
    grid = prepared(home, root, "scanobjectnn", Prep(CUBE, Use(occupancy, resolution=8)), sandbox)
    bare = prepared(home, root, "scanobjectnn", Prep(Use(surface_points, count=8)), sandbox)
    for store, reason in ((few, "too-few-points"), (grid, "no-faces"), (bare, "no-normals")):
        assert {row["reason"] for row in store.quarantine()} == {reason} and store.manifest["counts"]["quarantined"] == 6


def test_parts_stand_beside_their_points(home, tmp_path, sandbox):
    store = prepared(home, shapenetpart(tmp_path / "root"), "shapenetpart", PARTS, sandbox)
    assert [column.name for column in store.columns] == ["points", "parts"]
    assert next(column for column in store.columns if column.name == "parts").dtype == "uint8"


def test_a_known_split_that_cannot_be_understood_ends_the_work_with_one_line(tmp_path, sandbox):
    root = shapenet(tmp_path / "root")
    put(root / "all.csv", "a,b\n1,2\n")
    with pytest.raises(CardError, match=r"card shapenet: .*bad-catalog: all\.csv has no column 'synsetId'") as caught:
        find_objects(load_card("shapenet"), root, sandbox)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="no synset"):
        find_objects(load_card("shapenet"), modelnet(tmp_path / "other"), sandbox)


def test_an_h5_file_that_is_hostile_is_named_and_nothing_of_it_is_read(tmp_path, sandbox):
    root = modelnet_h5(tmp_path / "root")
    (root / "ply_data_test0.h5").write_bytes((root / "ply_data_test0.h5").read_bytes()[:3000])
    with pytest.raises(CardError, match=r"card modelnet40_h5: .*ply_data_test0\.h5"):
        find_objects(load_card("modelnet40_h5"), root, sandbox)


@pytest.mark.parametrize("name", TREES)
def test_a_check_says_in_a_line_each_what_is_missing(name, tmp_path, sandbox):
    tree, _, planned, _, _ = TREES[name]
    card = load_card(name)
    check = check_card(card, tree(tmp_path / "root"), sandbox)
    assert check.objects == check.labelled == planned
    assert check.read + len(check.refused) == 1
    (class_set,) = card.classes
    assert any(problem.startswith(f"{class_set}: ") and " classes have no object" in problem for problem in check.problems)
    for count, expected in card.counts.items():
        said = [problem for problem in check.problems if problem.startswith(f"{count}: the card says {expected:,}, found ")]
        assert len(said) == (0 if (count, expected) == ("validation", 0) else 1)


def test_a_check_of_a_tree_that_is_what_the_card_says_has_no_problem(tmp_path, sandbox):
    card = load_card("modelnet40")
    text = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    for label in card.class_names("modelnet40"):
        for split in ("train", "test"):
            put(tmp_path / label / split / f"{label}_0001.off", text)
    counts = {"objects": 80, "labelled": 80, "train": 40, "validation": 0, "test": 40, "modelnet40": 80}
    small = type(card)(**{**vars(card), "counts": counts})
    check = check_card(small, tmp_path, sandbox)
    assert check.problems == check.refused == [] and check.read == 2


def test_the_cards_say_what_the_layouts_are_and_who_to_thank(tmp_path):
    for name in TREES:
        card = load_card(name)
        assert name in card_names() and card.licence and card.cite and not card.source
        assert card.axes.up == ("+Z" if name in ("modelnet40", "modelnet10") else "+Y")
        with pytest.raises(UsageError, match=f"'{name}' is not fetched by l9 .*--root DIR"):
            card_root(card, None, tmp_path, quiet)
    sizes = {name: [len(card.class_names(one)) for one in card.classes] for name in TREES if (card := load_card(name))}
    assert sizes == {
        **{"shapenet": [55], "shapenet_v1": [55], "modelnet40": [40], "modelnet10": [10], "modelnet40_h5": [40]},
        **{"modelnet40_resampled": [40], "scanobjectnn": [15], "shapenetpart": [16]},
    }
    for name in TREES:
        counts = load_card(name).counts
        assert not counts or counts["train"] + counts["validation"] + counts["test"] == counts["objects"]


def test_the_command_line_lists_and_checks_them(tmp_path):
    command = [sys.executable, "-m", "l9.cli", "data"]
    listed = subprocess.run([*command, "list"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120).stdout
    lines = {line.split()[0]: line for line in listed.splitlines()}
    assert all("[--root DIR]" in lines[name] for name in TREES)
    root = str(modelnet(tmp_path / "root"))
    check = [*command, "check", "modelnet40", "--root", root, "--json"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1 and (answer["objects"], answer["read"], answer["refused"]) == (10, 1, [])
    assert "l9: modelnet40: train: the card says 9,843, found 6" in done.stderr


def test_rows_of_a_store_are_the_rows_of_the_file(home, tmp_path, sandbox):
    """A cloud is drawn from its own row: every stored point is one of that row's, on the unit sphere its tree was made on."""
    from l9.data.loader import Loader
    from l9.data.samples import Samples

    root = modelnet_h5(tmp_path / "root")
    store = prepared(home, root, "modelnet40_h5", Prep(Use(surface_points, count=POINTS, normals=False)), sandbox)
    samples = Samples.of(store)
    import h5py

    with h5py.File(root / "ply_data_train0.h5", "r") as file:
        data = file["data"][()]
    for batch in Loader(samples, ("points",), seed=0, training=False).sequential():
        for number, points in zip(batch.samples, batch.fixed("points").numpy(), strict=True):
            file_name, _, row = samples.objects[int(number)].partition("/")
            if file_name == "ply_data_train0":
                np.testing.assert_array_equal(np.unique(points, axis=0), np.unique(data[int(row)], axis=0))
