"""The recipes of completion on a few solids: classifier, networks that hold it, baselines, `eval`, `predict`, other classes."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from l9.config import Set
from l9.errors import RefusedObject, TrainingError, UsageError
from l9.evaluate.again import evaluate_run
from l9.evaluate.mesh_file import write_mesh
from l9.evaluate.predict import predict_file
from l9.evaluate.runs import find_run
from l9.geometry.solids import SOLIDS
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.readers.ply import read_ply
from l9.recipe import checked, load_recipe, override

CARD = """name: toys
what: a few procedural solids
licence: none needed
reader: l9.readers.shapes:read
source: {made: l9.readers.shapes}
shards: 4
parameters: {count_per_class: 3, seed: 1}
"""
SMALL = ["sets.furniture.prep.virtual_scans.scans=2", "sets.furniture.prep.virtual_scans.size=32", "train.precision=float32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    (folder / "toys.yaml").write_text(CARD)
    return folder


def small(folder, name, widths):
    """The recipe on the solids: two scans each, narrow networks, a few steps."""
    recipe = load_recipe(name)
    settings = [*SMALL]
    for one in recipe.trainings:
        if one.model is not None:
            epochs = 16 if one.name == "epn_unet" else 1  # whose answer has a surface then
            settings += [f"trainings.{one.name}.schedule.epochs={epochs}", f"trainings.{one.name}.schedule.batch=8"]
            settings += [f"trainings.{one.name}.model.{argument}={value}" for argument, value in widths(one).items()]
    recipe = override(recipe, settings)
    solids = Set(str(folder / "toys.yaml"), recipe.sets["furniture"].prep)
    return checked(dataclasses.replace(recipe, sets={"furniture": solids}))


def widths(training):
    narrow = {
        "width": 4
        if training.name == "epn_unet"
        else 3
        if training.name == "classifier"
        else 8
        if training.name in ("epn", "epn_class")
        else 2
    }
    return narrow | ({"classifier_width": 3} if training.name.endswith("_class") else {})


def test_furniture_complete(folder):
    recipe, options = small(folder, "furniture_complete", widths), Options(home=folder / "home", workers=0)
    report = run_pipeline(recipe, options, quiet)
    names = {"input", "mean", "retrieval", "epn_unet_class"}
    kinds = ("l1_unknown", "l1_unknown_low", "l1_unknown_high", "objects", "scans", "scans_left_out")
    assert {f"{kind}/{name}" for kind in kinds for name in names} <= set(report["metrics"])
    assert 0 <= report["metrics"]["accuracy/classifier"] <= 1
    assert report["metrics"]["l1_unknown/input"] > report["metrics"]["l1_unknown/mean"] > 0
    for name in names:
        assert (find_run(options.home, f"latest/{name}") / "pictures" / "completions.png").is_file()
    assert (find_run(options.home, "latest/epn_unet_class") / "pictures" / "first_batch.png").is_file()
    again = evaluate_run(options.home, "latest/epn_unet_class")["metrics"]  # with the classifier that the checkpoint holds
    assert again["l1_unknown"] == report["metrics"]["l1_unknown/epn_unet_class"]
    assert run_pipeline(recipe, options, quiet)["metrics"] == report["metrics"]


def test_a_classifier_of_other_classes_is_refused(folder):
    recipe, options = small(folder, "furniture_complete", widths), Options(home=folder / "home", workers=0)
    classifier = find_run(options.home, "latest/classifier")
    solids = recipe.sets["furniture"]
    classes = json.loads((classifier / "result.json").read_text())["classes"]
    (folder / "fewer.yaml").write_text(CARD + f"classes: {{fewer: [{', '.join(classes[1:])}]}}\n")
    trainings = tuple(dataclasses.replace(one, init=classifier.name) for one in recipe.trainings if one.name == "epn_unet_class")
    sets = {"furniture": dataclasses.replace(solids, card=str(folder / "fewer.yaml"), classes="fewer")}
    with pytest.raises(TrainingError, match="init brought a classifier of other classes than these"):
        run_pipeline(dataclasses.replace(recipe, sets=sets, trainings=trainings), options, quiet)


def test_furniture_complete_all(folder):
    recipe, options = small(folder, "furniture_complete_all", widths), Options(home=folder / "home", workers=0)
    report = run_pipeline(recipe, options, quiet)
    assert {f"l1_unknown/{name}" for name in ("epn_base", "epn_unet", "epn_unet_class", "epn", "epn_class")} <= set(report["metrics"])
    first = run_pipeline(small(folder, "furniture_complete", widths), options, quiet)  # finished: its answer
    assert report["store"] == first["store"]  # the scans are made once


def test_a_surface_of_ones_own_is_completed(folder, tmp_path):
    """The front of a chair, in metres and far from the origin: a mesh about there, which the reader of PLY takes."""
    home, scan, completed = folder / "home", tmp_path / "front.ply", tmp_path / "out.ply"
    made = SOLIDS["chair"](np.random.default_rng(0))
    corners = made.vertices[made.faces]
    fronts = made.faces[np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0]
    write_mesh(scan, made.vertices * 0.4 + [10.0, 0, -5.0], fronts)
    run = find_run(home, "latest/epn_unet").name
    words = [sys.executable, "-m", "l9.cli", "predict", run, str(scan), "--to", str(completed), "--home", str(home), "--json"]
    told = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=500)
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout.splitlines()[-1])
    assert report == {"run": run, "file": str(scan), "mesh": str(completed), "vertices": report["vertices"], "faces": report["faces"]}
    with completed.open("rb") as stream:
        mesh = read_ply(stream, "+Y")
    assert (len(mesh.vertices), len(mesh.faces)) == (report["vertices"], report["faces"])
    sides = np.ptp(made.vertices[np.unique(fronts)] * 0.4, axis=0).max() * 2 / 1.6  # of the grid
    assert (np.abs(mesh.vertices - [10.0, 0, -5.0]) < sides).all()
    whole = tmp_path / "whole.ply"
    write_mesh(whole, made.vertices, made.faces)
    with pytest.raises(RefusedObject, match="no-side"):
        predict_file(home, run, whole, completed)
    with pytest.raises(UsageError, match=r"--to .*out\.obj: expected a name that ends in \.ply"):
        predict_file(home, run, scan, tmp_path / "out.obj")
    classifier = find_run(home, "latest/classifier").name
    with pytest.raises(UsageError, match=r"--to .*: task ClassifyPartial of .* answers in words; leave --to out"):
        predict_file(home, classifier, scan, completed)
    answers = predict_file(home, classifier, scan)["answers"]
    assert len(answers) == 5 and abs(sum(one["probability"] for one in answers)) <= 1 + 1e-6
