"""The recipe of labelled columns on small rooms in ScanNet's layout: trained, tested, drawn, evaluated again, and the same twice."""

import dataclasses
import json

import pytest
from column_tree import write_rooms

from l9.errors import TrainingError
from l9.evaluate.again import evaluate_run
from l9.evaluate.runs import find_run, trainings_called
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import load_recipe, override, with_card

SMALL = [
    "trainings.*.parts=train/validation",
    "trainings.column_net.schedule.epochs=1",
    "trainings.column_net.schedule.batch=6",
    "trainings.column_net.model.widths=[4, 4, 4]",
    "trainings.column_net.model.hidden=8",
    "sets.*.prep.scene_columns.per_scan=6",
]
METRICS = ("miou", "vertex_accuracy", "class_accuracy", "voxel_accuracy", "voxel_miou", "scans")


def run(place, *settings, alone=False, **changes):
    """The report of the recipe on the small rooms below `place`, of all its trainings or of the network alone."""
    recipe = override(with_card(load_recipe("rooms_columns"), "scannet"), [*SMALL, *settings])
    if alone:
        recipe = dataclasses.replace(recipe, trainings=(dataclasses.replace(recipe.trainings[0], **changes),))
    return run_pipeline(recipe, Options(home=place / "home", root=place / "root", workers=0), quiet)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Where the recipe ran, its report, and the folder of its network's training."""
    place = tmp_path_factory.mktemp("rooms")
    write_rooms(place / "root")
    report = run(place)
    (folder,) = trainings_called(find_run(place / "home", "latest"), "column_net")
    return place, report, folder


def test_all_is_trained_tested_and_drawn(ran):
    _, report, folder = ran
    assert {f"{metric}/{name}" for metric in METRICS for name in ("column_net", "height", "majority")} <= set(report["metrics"])
    assert {path.name for path in (folder / "pictures").iterdir()} == {"first_batch.png", "labels.png", "confusion.png"}


def test_a_stored_network_gives_the_same_metrics(ran):
    place, report, folder = ran
    again = evaluate_run(place / "home", folder.name)["metrics"]
    assert again == {name.partition("/")[0]: value for name, value in report["metrics"].items() if name.endswith("/column_net")}


def test_a_part_without_labels_is_refused_before_a_step(ran):
    """The tree's test scan has no labels, as ScanNet's own have none."""
    place, _, folder = ran
    before = set(folder.parent.glob("*/checkpoints"))
    with pytest.raises(TrainingError, match=r"none of the 1 objects of the part test of set rooms .*trainings\.\*\.parts=train/validation"):
        run(place, "trainings.*.parts=train/test", alone=True)
    assert set(folder.parent.glob("*/checkpoints")) == before


def test_one_seed_has_one_result(ran, tmp_path):
    """Drawn columns, moves, turns, dropout, bfloat16: in a home of its own the same losses and answers."""
    place, report, folder = ran
    (tmp_path / "root").symlink_to(place / "root")
    other = run(tmp_path, alone=True)
    assert {name: report["metrics"][name] for name in other["metrics"]} == other["metrics"]
    (again,) = trainings_called(find_run(tmp_path / "home", "latest"), "column_net")
    losses = [[json.loads(line)["loss"] for line in (one / "metrics.jsonl").read_text().splitlines()] for one in (folder, again)]
    assert losses[0] == losses[1] and len(losses[0]) == 2


def test_weights_of_other_classes_are_no_start(ran):
    place, _, folder = ran
    with pytest.raises(TrainingError, match=r"learnt for the classes wall, floor, cabinet, bed, chair, ... \(20\); expected the 3"):
        run(place, "trainings.column_net.task.ids=[1, 2, 5]", alone=True, init=str(folder))
