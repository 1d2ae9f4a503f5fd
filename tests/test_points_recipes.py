"""The recipes that label points, each for a few steps: shapes as they are made, small trees in ScanNet's layout."""

import json

import numpy as np
import pytest
from licensed_trees import shapenetpart
from scannet_tree import TABLE, ply
from test_s3dis import write_area

from l9.evaluate.runs import find_run, network_of
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import load_recipe, override, with_card

SHORT = ["trainings.*.schedule.steps=2", "trainings.*.schedule.batch=2", "train.precision=float32"]
SCENES = {"scene0000_00": "train", "scene0001_00": "train", "scene0002_00": "val", "scene0003_00": "test"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Rooms of 2 m with a floor and chairs of 200 vertices each."""
    root = tmp_path_factory.mktemp("ScanNet")
    for number, name in enumerate(SCENES):
        draw = np.random.default_rng(number)
        vertices = (draw.random((400, 3)) * [2, 2, 0.05] + np.repeat([0.0, 0.5], 200)[:, None] * [0, 0, 1]).astype("<f4")
        colours = draw.integers(0, 256, (400, 3)).astype(np.uint8)
        below = root / "scans" / name
        below.mkdir(parents=True)
        (below / f"{name}_vh_clean_2.ply").write_bytes(ply(vertices, ((0, 1, 2), (300, 301, 302)), colours))
        (below / f"{name}.sens").write_bytes(b"")
        segments = {"sceneId": name, "segIndices": np.repeat([1, 2], 200).tolist()}
        groups = [
            {"id": place, "objectId": place, "label": label, "segments": [place + 1]} for place, label in enumerate(("floor", "chair"))
        ]
        (below / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(segments))
        (below / f"{name}.aggregation.json").write_text(json.dumps({"sceneId": name, "segGroups": groups}))
    (root / "scannetv2-labels.combined.tsv").write_text(TABLE)
    for part in ("train", "val", "test"):
        (root / f"scannetv2_{part}.txt").write_text("".join(f"{name}\n" for name, split in SCENES.items() if split == part))
    return root


@pytest.mark.parametrize(
    ("name", "training", "settings"),
    [
        ("rooms_pointnet", "pointnet", ["sets.*.prep.scene_points.count=64", "trainings.*.task.points=32"]),
        (
            "rooms_pointnet2",
            "pointnet2",
            [
                "sets.*.prep.scene_points.count=64",
                "trainings.*.task.points=64",
                "trainings.*.model.centres=[32,16,8,4]",
                "trainings.*.model.radii=[0.3,0.5,0.8,1.6]",
            ],
        ),
    ],
)
def test_scenes_are_learnt_tested_and_drawn(home, tree, name, training, settings):
    recipe = override(with_card(load_recipe(name), "scannet"), [*SHORT, *settings])
    report = run_pipeline(recipe, Options(home=home, root=tree, workers=0), quiet)
    assert {f"{metric}/{training}" for metric in ("miou", "accuracy", "class_accuracy")} <= set(report["metrics"])
    folder = network_of(find_run(home, "latest"))
    (outcome,) = map(json.loads, (folder / "outcomes.jsonl").read_text().splitlines())
    assert (outcome["object"], outcome["vertices"]) == ("scene0003_00", 400)
    assert {path.stem for path in folder.rglob("*.png")} >= {"first_batch", "predictions"}
    again = run_pipeline(recipe, Options(home=home, root=tree, workers=0, fresh=True), quiet)
    assert {name: again["metrics"][name] for name in report["metrics"]} == report["metrics"], "one seed, one result"


def test_parts_of_shapes_are_learnt_tested_and_drawn(home):
    settings = ["sets.*.prep.labelled_points.count=64", "trainings.*.task.points=32", "trainings.*.schedule.epochs=1"]
    recipe = override(load_recipe("shapes_parts"), [*settings, *SHORT[1:]])
    report = run_pipeline(recipe, Options(home=home, workers=0), quiet)
    assert set(report["metrics"]) >= {f"{metric}/pointnet_seg" for metric in ("instance_miou", "class_miou", "accuracy")}
    folder = network_of(find_run(home, "latest"))
    outcomes = list(map(json.loads, (folder / "outcomes.jsonl").read_text().splitlines()))
    assert {outcome["label"] for outcome in outcomes} <= {"chair", "lamp", "mug", "table"}
    assert {path.stem for path in folder.rglob("*.png")} >= {"first_batch", "worst_parts"}


def test_rooms_of_s3dis_are_learnt_and_tested_by_area(home, tmp_path):
    root = write_area(write_area(tmp_path, 1, ("office_1", "office_2")), 5)
    settings = ["sets.*.prep.scene_points.count=64", "sets.dense.prep.scene_points.least=1", "trainings.*.task.points=32"]
    recipe = override(load_recipe("s3dis_pointnet"), [*settings, *SHORT[1:], "trainings.*.schedule.epochs=1"])
    report = run_pipeline(recipe, Options(home=home, root=root, workers=0), quiet)
    assert 0 <= report["metrics"]["miou"] <= 1
    (outcome,) = map(json.loads, (network_of(find_run(home, "latest")) / "outcomes.jsonl").read_text().splitlines())
    assert (outcome["object"], outcome["vertices"]) == ("Area_5/office_1", 240)


def test_parts_of_shapenetpart_are_learnt_by_the_larger_network(home, tmp_path):
    settings = ["sets.*.prep.labelled_points.count=64", "trainings.*.task.points=32", "trainings.*.schedule.epochs=1"]
    recipe = override(load_recipe("shapenetpart_pointnet"), [*settings, *SHORT[1:]])
    report = run_pipeline(recipe, Options(home=home, root=shapenetpart(tmp_path), workers=0), quiet)
    assert {"instance_miou", "class_miou", "accuracy"} <= set(report["metrics"])
    (outcome,) = map(json.loads, (network_of(find_run(home, "latest")) / "outcomes.jsonl").read_text().splitlines())
    assert (outcome["object"], outcome["label"]) == ("03797390/m3", "Mug")
