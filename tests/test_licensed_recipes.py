"""The recipes over datasets that a person brings, each run on small trees of the layouts it names: a few steps, to see that all fits."""

import json

import pytest
from licensed_trees import modelnet, modelnet_h5, modelnet_resampled, shapenet

from l9.evaluate.runs import find_run, network_of
from l9.pipeline import prepare, run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import load_recipe, override, with_card

SHORT = ["trainings.*.schedule.epochs=1", "trainings.*.schedule.batch=4", "train.precision=float32"]


def run(name, card, root, home, settings):
    """What was trained and answered: `training.json`, and a line for each object of the test."""
    pipeline = load_recipe(name)
    pipeline = override(pipeline if card is None else with_card(pipeline, card), settings)
    report = run_pipeline(pipeline, Options(home=home, root=root, workers=0), quiet)
    assert {"accuracy", "class_accuracy"} <= set(report["metrics"])
    folder = network_of(find_run(home, "latest"))
    return json.loads((folder / "training.json").read_text()), list(map(json.loads, (folder / "outcomes.jsonl").read_text().splitlines()))


def test_voxnet_on_modelnet40(home, tmp_path):
    about, outcomes = run("modelnet40_voxnet", None, modelnet(tmp_path / "root"), home, SHORT)
    assert about["up"] == "+Z"
    assert sorted(outcome["object"] for outcome in outcomes) == [
        *(f"airplane/test/airplane_{number:04d}.off" for number in (4, 5)),
        *(f"night_stand/test/night_stand_{number:04d}.off" for number in (4, 5)),
    ]
    assert {outcome["votes"] for outcome in outcomes} == {12}


@pytest.mark.parametrize(
    ("card", "tree", "up", "tested"),
    [(None, modelnet, "+Z", 4), ("modelnet40_h5", modelnet_h5, "+Y", 2), ("modelnet40_resampled", modelnet_resampled, "+Y", 4)],
)
def test_pointnet_on_each_form_of_modelnet40(home, tmp_path, card, tree, up, tested):
    about, outcomes = run("modelnet40_pointnet", card, tree(tmp_path / "root"), home, SHORT)
    assert about["up"] == up
    assert [outcome["votes"] for outcome in outcomes] == [1] * tested


@pytest.mark.parametrize(("card", "model"), [(None, "models/model_normalized.obj"), ("shapenet_v1", "model.obj")])
def test_signed_distances_of_both_versions_of_shapenet(home, tmp_path, card, model):
    pipeline = load_recipe("shapenet_sdf")
    pipeline = override(pipeline if card is None else with_card(pipeline, card), ["sets.*.prep.sdf.resolution=16"])
    report = prepare(pipeline, Options(home=home, root=shapenet(tmp_path / "root", model), workers=0), quiet)
    assert (report["planned"], report["done"], report["quarantined"]) == (12, 9, 3)
