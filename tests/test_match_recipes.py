"""The recipes of pairs and matching, each on a small tree of the layout it reads: dotted rooms in ScanNet's format, lists of matches."""

import dataclasses
import json

import numpy as np
import pytest
from dotted_room import CAMERA, frame, walk
from match_trees import lists, put_lists, put_pictures

from l9.errors import UsageError
from l9.evaluate.predict import predict_file
from l9.evaluate.runs import find_run
from l9.pipeline import prepare, run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import checked, load_recipe, override, with_card
from l9.sources.rooms.sens import write_end, write_frame, write_header

SCENES = ("scene0000_00", "scene0001_00", "scene0002_00")
SMALL = ["sets.rooms.prep.key_point_matches.matches=24", "sets.rooms.prep.key_point_matches.response=0.005"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Recordings of four frames of three walks; the first is learnt from, the second chooses, the third is tested."""
    root = tmp_path_factory.mktemp("ScanNet")
    for number, name in enumerate(SCENES):
        (root / "scans" / name).mkdir(parents=True)
        poses = walk(4, towards=(0.25 + 0.2 * number, 1.0, -0.1))
        with (root / "scans" / name / f"{name}.sens").open("wb") as stream:
            write_header(stream, CAMERA, len(poses))
            for place, pose in enumerate(poses):
                write_frame(stream, frame(place, pose))
            write_end(stream)
    for part, name in zip(("train", "val", "test"), SCENES, strict=True):
        (root / f"scannetv2_{part}.txt").write_text(f"{name}\n")
    return root


def test_pairs_of_a_scannet_tree(tree, tmp_path):
    report = prepare(load_recipe("scannet_pairs"), Options(home=tmp_path, root=tree, workers=0), quiet)
    for name in ("matches", "views"):
        counts = report["sets"][name]
        assert (counts["planned"], counts["done"], counts["quarantined"], counts["rows"]) == (3, 3, 0, 18)  # six pairs of four frames


def test_matching_of_rooms_trains_tests_and_draws(tree, tmp_path):
    """All of `rooms_match` but the sets and weights that are fetched."""
    recipe = load_recipe("rooms_match")
    kept = [dataclasses.replace(one, test=("rooms",), init=None) for one in recipe.trainings if one.name != "lite0"]
    settings = [*SMALL, "trainings.scratch.schedule.epochs=2", "trainings.scratch.schedule.batch=12"]
    recipe = dataclasses.replace(recipe, sets={"rooms": recipe.sets["rooms"]}, trainings=tuple(kept))
    recipe = override(with_card(checked(recipe), "scannet_frames"), settings)
    report = run_pipeline(recipe, Options(home=tmp_path, root=tree, workers=0), quiet)
    names = {"scratch", "lite0_frozen", "sift", "rootsift", "rootsift_upright", "orb"}
    assert {f"{kind}/{name}" for kind in ("fpr95", "fpr95_exact", "matches") for name in names} <= set(report["metrics"])
    assert {report["metrics"][f"matches/{name}"] for name in names} == {24.0}
    assert all(0 <= value <= 1 for name, value in report["metrics"].items() if name.startswith("fpr95"))
    folder, trainings = find_run(tmp_path, "latest"), report["trainings"]
    assert (folder / "pictures" / "roc.png").is_file()
    for name in trainings:
        assert (tmp_path / "runs" / name / "pictures" / "matches.png").is_file()
    assert (tmp_path / "runs" / trainings[0] / "pictures" / "first_batch.png").is_file()
    mesh = tmp_path / "mesh.off"
    mesh.write_text("OFF\n0 0 0\n")
    with pytest.raises(UsageError, match="task Match says nothing of a single file; l9 eval rooms-match-scratch"):
        predict_file(tmp_path, "latest", mesh)
    again = run_pipeline(recipe, Options(home=tmp_path, root=tree, workers=0), quiet)
    assert again["metrics"] == report["metrics"]


def test_pairs_of_rooms_are_those_of_scannet_with_overlap_and_flow(tree, tmp_path):
    recipe = override(with_card(load_recipe("rooms_pairs"), "scannet_frames"), ["sets.matches.prep.key_point_matches.matches=24"])
    report = run_pipeline(recipe, Options(home=tmp_path, root=tree, workers=0), quiet)
    assert {counts["done"] for counts in report["stores"].values()} == {3}
    columns = {
        one["name"]
        for one in json.loads((tmp_path / "store" / report["stores"]["views"]["store"] / "manifest.json").read_text())["columns"]
    }
    assert {"frames", "overlaps", "iou", "relative_pose", "flow", "flow_seen", "dense_pixels", "dense_points"} == columns - {"dense_frames"}


def test_resnet_on_published_lists_makes_a_step(tmp_path):
    root = tmp_path / "matterport"
    for part, name in (("train", "17DRP5sb8fy"), ("val", "2azQ1b91cZZ"), ("test", "2t7WUuJeko7")):
        positives, negatives = lists()
        negatives[1::2] = [line.replace("0.5 0.25 2", "1.5 0.25 2") for line in negatives[1::2]]  # other places lie elsewhere
        scene = put_pictures(root / name, seen=lambda number: np.full((512, 640, 3), 40 * number, np.uint8))
        put_lists(scene, positives, negatives)
        (root / f"scenes_{part}.txt").write_text(f"{name}\n")
    settings = ["trainings.resnet50.schedule.epochs=1", "trainings.resnet50.schedule.batch=1", "train.precision=float32"]
    recipe = override(load_recipe("matterport_match"), settings)
    report = run_pipeline(recipe, Options(home=tmp_path / "home", root=root, workers=0), quiet)
    assert {"fpr95/resnet50", "fpr95_exact/resnet50", "fpr95/sift"} <= set(report["metrics"])
