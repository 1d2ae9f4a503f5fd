"""The recipe of labelled columns on small rooms in ScanNet's layout: trained, tested, drawn, evaluated again, and the same twice."""

import dataclasses

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
    "trainings.column_net.schedule.epochs=2",
    "trainings.column_net.schedule.batch=6",
    "trainings.column_net.model.widths=[4, 4, 4]",
    "trainings.column_net.model.hidden=8",
    "sets.*.prep.scene_columns.per_scan=6",
]


def run(home, root, settings=(), **options):
    recipe = override(with_card(load_recipe("rooms_columns"), "scannet"), [*SMALL, *settings])
    return run_pipeline(recipe, Options(home=home, root=root, workers=0, **options), quiet)


@pytest.mark.timeout(200)
def test_rooms_columns(tmp_path):
    root = tmp_path / "root"
    write_rooms(root)
    report = run(tmp_path / "home", root)
    names = {"miou", "vertex_accuracy", "class_accuracy", "voxel_accuracy", "voxel_miou", "scans"}
    assert {f"{metric}/{name}" for metric in names for name in ("column_net", "height", "majority")} <= set(report["metrics"])
    home = tmp_path / "home"
    (folder,) = trainings_called(find_run(home, "latest"), "column_net")
    assert {path.name for path in (folder / "pictures").iterdir()} == {"first_batch.png", "labels.png", "confusion.png"}
    again = evaluate_run(home, folder.name)["metrics"]
    assert again == {name.partition("/")[0]: value for name, value in report["metrics"].items() if name.endswith("/column_net")}
    other = run(tmp_path / "other", root)  # bfloat16, dropout, drawn columns: one seed, one result
    assert other["metrics"] == report["metrics"]
    recipe = override(with_card(load_recipe("rooms_columns"), "scannet"), [*SMALL, "trainings.column_net.task.ids=[1, 2, 5]"])
    alone = dataclasses.replace(recipe, trainings=tuple(dataclasses.replace(one, init=str(folder)) for one in recipe.trainings[:1]))
    with pytest.raises(TrainingError, match=r"learnt for the classes wall, floor, cabinet, bed, chair, ... \(20\); expected the 3"):
        run_pipeline(alone, Options(home=home, root=root, workers=0), quiet)
