"""Recipes: round trip through JSON, overrides, and one-line errors."""

import json
from pathlib import Path

import pytest

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use, build, with_defaults
from l9.errors import RecipeError
from l9.recipe import checked, load_recipe, override
from l9.shipped import shipped
from l9.stages import normalise, occupancy
from l9.typed import from_plain

RECIPES = sorted((Path(__file__).parent.parent / "pipelines").glob("*.py"))


def _pipeline() -> Pipeline:
    prep = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=16))
    train = Training(Use("helpers:ToyTask"), Use("tests.helpers:ToyModel", width=8), Schedule(epochs=2), name="toy")
    return checked(Pipeline("toy", {"shapes": Set("shapes", prep)}, trainings=(train,)))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_round_trip(path, tmp_path):
    pipeline = load_recipe(str(path))
    resolved = tmp_path / "resolved.json"
    resolved.write_text(json.dumps(pipeline.describe()))
    assert load_recipe(str(resolved)).describe() == pipeline.describe()
    assert len(path.read_text().splitlines()) <= 60
    assert "l9 " in (path.read_text().split('"""')[1]), "the docstring gives the exact command"


def test_a_recipe_is_found_by_name():
    assert set(shipped("pipelines", ".py")) >= {"quickstart", "furniture_voxnet", "furniture_pointnet", "furniture_sdf"}
    assert load_recipe("furniture_sdf").name == "furniture-sdf"


def test_defaults_are_spelled_out():
    stage = _pipeline().sets["shapes"].prep.stages[1]
    assert stage.arguments == {"resolution": 16, "kind": "surface", "rotations": 1}


def test_a_card_fills_what_is_left_out():
    used = with_defaults(Use("helpers:ToyTask"), fill={"classes": ["a", "b"], "up": "+Z"})
    assert used.arguments["classes"] == ["a", "b"]
    assert build(used).classes == ("a", "b")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["train.workers=2"], lambda p: p.train.workers == 2),
        (["train.workers=[1,4]"], lambda p: p.train.workers == (1, 4)),
        (["trainings.*.schedule.epochs=3"], lambda p: p.trainings[0].schedule.epochs == 3),
        (["trainings.toy.schedule.lr=1e-3"], lambda p: p.trainings[0].schedule.lr == 1e-3),
        (["trainings.0.model.width=4"], lambda p: p.trainings[0].model.arguments["width"] == 4),
        (["sets.shapes.prep.occupancy.resolution=8"], lambda p: p.sets["shapes"].prep.stages[1].arguments["resolution"] == 8),
        (["seeds=[0,1,2]"], lambda p: p.seeds == (0, 1, 2)),
    ],
)
def test_set_reaches(settings, expected):
    assert expected(override(_pipeline(), settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.worker=2"], r"nothing is called 'worker' there; near: workers"),
        (["train.workers=many"], r"train\.workers is 'many'; expected a whole number or"),
        (["trainings.toi.schedule.lr=1"], r"near: toy"),
        (["trainings.toy.schedule.epochs=1.5"], r"epochs is 1\.5; expected a whole number"),
        (["sets.shapes.prep.occupancy.resolutoin=8"], r"nothing is called 'resolutoin' there; near: resolution"),
        (["sets.shapes.prep.occupancy.kind=hollow"], r"kind is 'hollow'; expected 'surface' or 'solid'"),
        (["nonsense"], r"expected path=value"),
        (["seeds=[1,1]"], r"expected different whole numbers"),
        (["seeds=[-1]"], r"from 0 on"),
        (["name=../elsewhere"], r"cannot be a name"),
        (["trainings.0.name=a/b"], r"cannot be a name"),
        (["sets.shapes.fold=9"], r"fold is 9; expected 0 to 4"),
        (["train.workers=-1"], r"workers is -1"),
        (["train.workers=[4,1]"], r"workers is \(4, 1\)"),
        (["trainings.toy.schedule.lr=-1"], r"lr is -1\.0; expected a rate above 0"),
        (["trainings.²=1"], r"nothing is called '²'"),
        (["trainings.*.schedule.epoch=1"], r"nothing is called 'epoch' there; near: epochs"),
    ],
)
def test_a_wrong_setting_is_one_line(settings, message):
    with pytest.raises(RecipeError, match=message) as caught:
        override(_pipeline(), settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipeline = 3", "defines no `pipeline"),
        ("import nowhere_at_all", r"recipe\.py:1: ModuleNotFoundError"),
        ("def f(): pass\nfrom l9.config import Use\nUse(f)", "defined in the recipe itself"),
        ("from l9.config import Use\nUse(lambda x: x)", "no importable name"),
        ("from l9.config import *\npipeline = Pipeline('x', {'a': Set('shapes', Prep(Use('json:dumps')))})", "is no stage"),
        ("from l9.config import Schedule\nSchedule(epochs=1, step=2)", "unexpected keyword argument 'step'"),
        ("from l9.config import Schedule\nSchedule()", "exactly one of epochs and steps"),
        ("from l9.config import Use\nUse(int, x=print)", "expected numbers, strings"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path, text, message):
    path = tmp_path / "recipe.py"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_suggest_near_ones():
    with pytest.raises(RecipeError, match="furniture_voxnet"):
        load_recipe("furniture_voxnett")


def test_trainings_have_unique_names():
    pipeline = _pipeline()
    with pytest.raises(RecipeError, match="two trainings are called 'toy'"):
        checked(Pipeline("x", pipeline.sets, trainings=pipeline.trainings * 2))


def test_resolved_json_with_an_unknown_field_names_it():
    with pytest.raises(RecipeError, match="x has no field 'trian'; did you mean train"):
        from_plain(Pipeline, {**_pipeline().describe(), "trian": {}}, "x")


def test_a_star_passes_over_members_without_such_a_place():
    """The forest beside VoxNet has no schedule and no votes."""
    pipeline = override(load_recipe("furniture_voxnet"), ["trainings.*.schedule.epochs=3", "trainings.*.task.votes=6"])
    network, forest = pipeline.trainings
    assert network.schedule.epochs == 3
    assert network.task.arguments["votes"] == 6
    assert forest.schedule is None


def test_what_a_card_fills_can_be_set():
    assert override(_pipeline(), ['trainings.toy.task.up="+Z"']).trainings[0].task.arguments["up"] == "+Z"
