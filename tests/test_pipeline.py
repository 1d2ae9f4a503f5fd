"""A whole run on procedural shapes: prepare, train, evaluate, track; asked again, it answers; `eval` and `predict` follow."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.errors import TrainingError, UsageError
from l9.evaluate.again import evaluate_run
from l9.evaluate.predict import predict_file
from l9.evaluate.runs import find_run, list_runs, weights_of
from l9.geometry.solids import SOLIDS
from l9.models.voxnet import VoxNet
from l9.pipeline import gather_metrics, placed, prepare, run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import checked
from l9.stages import coarse_occupancy, normalise, occupancy
from l9.tasks.classify import Classify
from l9.tasks.forest import Forest

CARD = """name: toys
what: a few procedural solids
licence: none needed
reader: l9.readers.shapes:read
source: {made: l9.readers.shapes}
shards: 4
parameters: {count_per_class: 3, seed: 1}
"""


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """A folder with the card `toys`, a small recipe over it, and one run of it."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "toys.yaml").write_text(CARD)
    prep = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=32, rotations=2), Use(coarse_occupancy))
    network = Training(Use(Classify, votes=2), Use(VoxNet), Schedule(epochs=2, batch=8, lr=1e-3), name="voxnet")
    forest = Training(Use(Forest, trees=10), None, name="forest")
    pipeline = checked(
        Pipeline("toys", {"toys": Set(str(folder / "toys.yaml"), prep)}, (network, forest), Train(precision="float32"), seeds=(0, 1))
    )
    options = Options(home=folder / "home", workers=0)
    return pipeline, options, run_pipeline(pipeline, options, quiet)


def test_a_run_answers_with_its_store_and_metrics(toys):
    _, options, report = toys
    assert {"run_id", "store", "manifest", "metrics", "seconds"} <= set(report)
    assert report["metrics"]["accuracy/voxnet/n"] == 2.0
    assert 0 <= report["metrics"]["accuracy/forest"] <= 1
    manifest = json.loads(Path(report["manifest"]).read_text())
    assert manifest["counts"]["planned"] == 3 * len(SOLIDS)
    assert (options.home / "mlflow.db").is_file()


def test_asked_again_it_answers_without_work(toys):
    pipeline, options, report = toys
    before = {path: path.stat().st_mtime_ns for path in (options.home / "runs").rglob("*") if path.is_file()}
    lines = []
    again = run_pipeline(pipeline, options, lines.append)
    assert {**again, "seconds": 0} == {**report, "seconds": 0}
    assert any("nothing to do" in line for line in lines)
    assert {path: path.stat().st_mtime_ns for path in (options.home / "runs").rglob("*") if path.is_file()} == before


def test_pictures_and_truth_stand_in_the_runs_folder(toys):
    _, options, _ = toys
    folder = find_run(options.home, "latest/voxnet")
    pictures = {path.stem for path in (folder / "pictures").glob("*.png")}
    assert {"first_batch", "confusion", "worst_mistakes"} <= pictures
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(len(steps)))


def test_runs_are_listed_and_found(toys):
    _, options, report = toys
    rows = list_runs(options.home)
    assert {row["kind"] for row in rows} == {"run", "training"}
    assert len(rows) == 5
    for words in ("latest", report["run"], report["run_id"], report["run"][:-3]):
        assert find_run(options.home, words).name == report["run"]
    with pytest.raises(UsageError, match="could be"):
        find_run(options.home, "toys-")
    with pytest.raises(UsageError, match="near: toys"):
        find_run(options.home, "toyss")
    with pytest.raises(UsageError, match="it has voxnet, forest"):
        find_run(options.home, "latest/pointnet")


def test_weights_that_are_not_the_last_are_no_answer(toys, tmp_path):
    """A run whose newest checkpoint is damaged would otherwise answer with an earlier one's weights, and say nothing."""
    _, options, _ = toys
    home = tmp_path / "home"
    shutil.copytree(options.home, home)
    folder = find_run(home, "latest/voxnet")
    *_, last = sorted((folder / "checkpoints").iterdir())
    earlier = shutil.copytree(last, last.with_name("00000001"))
    state = json.loads((earlier / "state.json").read_text())
    (earlier / "state.json").write_text(json.dumps({**state, "step": 1}))
    assert weights_of(folder) == last / "model.safetensors"
    weights = last / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + bytes([weights.read_bytes()[-1] ^ 1]))
    assert weights_of(folder) == earlier / "model.safetensors"
    with pytest.raises(TrainingError, match="its last whole checkpoint is of step 1 of"):
        evaluate_run(home, folder.name)


def test_evaluating_again_gives_the_same_metrics(toys):
    _, options, _ = toys
    folder = find_run(options.home, "latest/voxnet")
    stored = json.loads((folder / "result.json").read_text())["metrics"]
    again = evaluate_run(options.home, folder.name)["metrics"]
    assert again["accuracy"] == stored["accuracy"]
    assert again["loss"] == pytest.approx(stored["loss"], abs=1e-5)


def test_a_file_is_read_in_the_sandbox_and_named(toys, tmp_path):
    import trimesh

    _, options, _ = toys
    path = tmp_path / "ball.obj"
    trimesh.creation.icosphere(subdivisions=2).export(path)
    answers = predict_file(options.home, "latest", path)["answers"]
    assert len(answers) == 5
    assert sum(answer["probability"] for answer in answers) <= 1 + 1e-6
    assert [a["probability"] for a in answers] == sorted((a["probability"] for a in answers), reverse=True)
    with pytest.raises(UsageError, match="no such file"):
        predict_file(options.home, "latest", tmp_path / "nowhere.obj")


def test_mlflow_has_parent_and_children_with_every_step_once(toys):
    import mlflow

    _, options, report = toys
    client = mlflow.MlflowClient(f"sqlite:///{options.home / 'mlflow.db'}")
    parent = client.get_run(report["run_id"])
    assert parent.data.metrics["accuracy/voxnet"] == pytest.approx(report["metrics"]["accuracy/voxnet"])
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{report['run_id']}'")
    assert len(children) == 4
    networks = [child for child in children if "voxnet" in child.info.run_name]
    for child in networks:
        steps = [point.step for point in client.get_metric_history(child.info.run_id, "loss")]
        assert steps == sorted(set(steps))
        assert len(steps) > 1
        assert child.inputs.dataset_inputs, "which data the model saw is part of the run"
        assert any("confusion" in artifact.path for artifact in client.list_artifacts(child.info.run_id, "pictures"))


def test_overfit_learns_one_sample_by_heart(toys):
    import dataclasses

    pipeline, options, _ = toys
    small = dataclasses.replace(pipeline, trainings=pipeline.trainings[:1], seeds=(0,))
    report = run_pipeline(small, dataclasses.replace(options, overfit=1), quiet)
    assert report["metrics"]["overfit_loss/voxnet"] < 0.01


def test_prep_reports_counts_with_absolute_paths(toys):
    pipeline, options, report = toys
    prep = prepare(pipeline, options, quiet)
    assert {"store", "manifest", "planned", "done", "quarantined", "rows", "seconds"} <= set(prep)
    assert prep["store"] == report["store"]
    assert prep["store"].startswith("/")


def test_gathering_names_and_averages():
    results = [("", {"accuracy": 0.5}), ("", {"accuracy": 0.7}), ("forest", {"accuracy": 0.6})]
    gathered = gather_metrics(results)
    assert gathered["accuracy"] == pytest.approx(0.6)
    assert gathered["accuracy/std"] == pytest.approx(0.1414, abs=1e-4)
    assert gathered["accuracy/n"] == 2
    assert gathered["accuracy/forest"] == 0.6
    assert "accuracy/forest/std" not in gathered


def test_a_set_that_no_training_learns_from_is_tested_whole(toys, tmp_path):
    """Its objects have neither fold nor split: a hash would leave out nine of ten, or all of a set of one."""
    pipeline, options, _ = toys
    (forest,) = (training for training in pipeline.trainings if training.name == "forest")
    other = Prep(Use(normalise, kind="sphere"), *pipeline.sets["toys"].prep.stages[1:])
    sets = {**pipeline.sets, "unseen": dataclasses.replace(pipeline.sets["toys"], prep=other)}
    apart = dataclasses.replace(forest, test=("toys", "unseen"))
    seen = dataclasses.replace(forest, name="seen", sets=("unseen",), test=("unseen",))
    for trainings, tested in (((apart,), 3 * len(SOLIDS)), ((apart, seen), None)):
        recipe = checked(dataclasses.replace(pipeline, sets=sets, trainings=trainings, seeds=(0,)))
        report = run_pipeline(recipe, dataclasses.replace(options, home=tmp_path / str(len(trainings))), quiet)
        folder = tmp_path / str(len(trainings)) / "runs" / report["trainings"][0]
        rows = [json.loads(line) for line in (folder / "outcomes.jsonl").read_text().splitlines()]
        counts = {name: sum(row["set"] == name for row in rows) for name in sets}
        assert counts["unseen"] == (tested or counts["toys"]) and counts["toys"] < 3 * len(SOLIDS)


@pytest.mark.parametrize(
    ("address", "workers", "placed_workers"), [(None, 0, 0), ("auto", 0, 1), ("auto", 3, 3), ("auto", (1, 4), (1, 4)), (None, 2, 2)]
)
def test_at_an_address_a_training_is_a_workers(toys, tmp_path, address, workers, placed_workers):
    pipeline = dataclasses.replace(toys[0], train=Train(workers=workers))
    assert placed(pipeline, Options(home=tmp_path, address=address)).train.workers == placed_workers
