"""Scans to blocks of distances: from a tree in ScanNet's layout to a store, labels carried to voxels, bad scans in quarantine."""

import json
import subprocess
import sys

import numpy as np
import pytest
from geometry_cases import solid
from numpy.testing import assert_allclose, assert_array_equal
from scannet_tree import write_tree

from l9.errors import CardError, RefusedObject, UsageError
from l9.geometry.scan import Scan, Surface
from l9.prep.sets import Options, prepare_sets
from l9.progress import quiet
from l9.recipe import load_recipe
from l9.stages import scene_blocks
from l9.stages.contract import run_stages


def blocks(surface, **arguments):
    return list(run_stages(Scan(surface=surface), [(scene_blocks, arguments)], object_id="scene0000_00"))


def labelled_box():
    vertices, faces = solid("box")
    return Surface(vertices, faces, None, 1 + (vertices[:, 2] > 0), 5 + (vertices[:, 0] > 0))


def test_distances_labels_and_things_of_a_box():
    found = blocks(labelled_box(), voxel=0.1, side=16)
    vertices = labelled_box().vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    for row in found:
        centres = (row["block"][:, None] * 16 + np.arange(16) + 0.5) * 0.1
        x, y, z = np.meshgrid(*centres, indexing="ij")
        gaps = np.stack([np.maximum(a - p, p - b) for p, a, b in zip((x, y, z), low, high, strict=True)])
        exact = np.linalg.norm(np.maximum(gaps, 0), axis=0) + np.minimum(gaps.max(axis=0), 0)
        assert_allclose(row["tsdf"].astype(np.float64)[np.abs(exact) < 0.29], exact[np.abs(exact) < 0.29], atol=3e-4)  # float16
        assert_array_equal(row["tsdf"][np.abs(exact) > 0.31], np.float16(0.3))
        assert_array_equal(row["labels"] > 0, np.abs(exact) < 0.3)
        near = row["labels"] > 0
        assert_array_equal(row["labels"][near], (1 + (z > 0))[near])
        assert_array_equal(row["instances"][near], (5 + (x > 0))[near])
    assert len(found) == len({tuple(row["block"]) for row in found}) == 8


def test_without_sign_or_labels():
    vertices, faces = solid("box")
    (row, *_) = blocks(Surface(vertices, faces[:, ::-1]), voxel=0.1, side=16, sign="none")
    assert (row["tsdf"] >= 0).all() and not row["labels"].any() and not row["instances"].any()
    signed = blocks(Surface(vertices, faces[:, ::-1]), voxel=0.1, side=16)[0]
    assert_array_equal(np.abs(signed["tsdf"]), row["tsdf"])
    assert (signed["tsdf"] < 0).any()


@pytest.mark.parametrize(
    "arguments",
    [{"voxel": 0.0}, {"voxel": float("nan")}, {"voxel": 11.0}, {"truncate": 0}, {"truncate": 65}, {"side": 4}, {"side": 500}],
)
def test_arguments_that_cannot_be_are_refused(arguments):
    with pytest.raises(UsageError, match="stage scene_blocks"):
        blocks(labelled_box(), **arguments)


def test_scans_that_have_no_such_blocks_are_refused():
    with pytest.raises(RefusedObject, match="no-surface"):
        blocks(None)
    box = labelled_box()
    with pytest.raises(RefusedObject, match="too-many-things"):
        blocks(Surface(box.vertices, box.faces, None, box.labels, box.instances + 70_000))


def test_a_tree_of_scans_becomes_two_stores(home, tmp_path):
    root = write_tree(tmp_path / "ScanNet")
    bad = root / "scans/scene0001_00/scene0001_00_vh_clean_2.0.010000.segs.json"
    bad.write_text(json.dumps({"segIndices": [1, 2]}))
    pipeline = load_recipe("scannet_sdf")
    coarse, fine = prepare_sets(pipeline, Options(home=home, root=root, workers=0), quiet)
    for prepared in (coarse, fine):
        assert {name: prepared.store.manifest["counts"][name] for name in ("planned", "done", "quarantined")} == {
            "planned": 4,
            "done": 3,
            "quarantined": 1,
        }
        (refused,) = prepared.store.quarantine()
        assert (refused["id"], refused["reason"]) == ("scene0001_00", "labels-disagree")
        index = prepared.store.index.to_pydict()
        assert dict(zip(index["object"], index["split"], strict=True))["scene0707_00"] == "test"
        assert index["object"].count("scene0000_00") == len({tuple(row) for row in _blocks_of(prepared.store, "scene0000_00")})
        assert index["object"].count("scene0000_00") == 8  # about the corner where eight blocks meet


def _blocks_of(store, name):
    found = [(shard, row) for shard in store.shards for row in range(len(shard)) if shard.identity(row)[0] == name]
    return [shard.cell("block", row).tolist() for shard, row in found]


def test_limits_of_a_card_that_allow_nothing_are_refused(tmp_path):
    from l9.cards import load_card

    path = tmp_path / "none.yaml"
    path.write_text("name: none\nwhat: x\nlicence: x\nreader: l9.readers.scannet:read\nlimits: {file_gib: 0}\n")
    with pytest.raises(CardError, match="limits are 0"):
        load_card(str(path))


def test_a_large_file_is_read_where_the_card_allows_it(home, tmp_path):
    """The command line, a card of one's own: a limit below the recording quarantines it, l9's own takes it."""
    root = write_tree(tmp_path / "ScanNet")
    text = "name: scans\nwhat: x\nlicence: x\nreader: l9.readers.scannet:read\naxes: {up: +Z}\nshards: 1\nparameters: {part: surface}\n"
    for limits, done in (("limits: {file_gib: 1.0e-7}\n", 0), ("", 4)):
        (tmp_path / "scans.yaml").write_text(text + limits)
        words = [
            "prep",
            "scannet_sdf",
            "--card",
            str(tmp_path / "scans.yaml"),
            "--root",
            str(root),
            "--home",
            str(home),
            "--workers",
            "0",
            "--json",
        ]
        answer = subprocess.run([sys.executable, "-m", "l9.cli", *words], capture_output=True, text=True, check=False)
        assert json.loads(answer.stdout.splitlines()[-1])["sets"]["coarse"]["done"] == done, answer.stderr
