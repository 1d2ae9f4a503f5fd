"""`l9 export RUN --format scannet`: from a tree in ScanNet's layout through the recipe to a file of labels for each scan."""

import json
import subprocess
import sys

import numpy as np
import pytest
from column_scenes import columns_store, room
from column_tree import write_rooms
from numpy.testing import assert_array_equal
from store_builder import built

from l9.errors import UsageError
from l9.evaluate.export import export_run, export_store
from l9.evaluate.restored import restored
from l9.evaluate.runs import find_run, training_facts, trainings_called
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.readers.scannet_labels import BENCHMARK
from l9.recipe import load_recipe, override
from l9.store.store import find_store
from l9.tasks.column_scans import scans_of

TEST, VALIDATION = "scene0707_00", "scene0002_00"
SHORT = [
    "trainings.column_net.schedule.epochs=1",
    "trainings.column_net.schedule.batch=4",
    "trainings.column_net.model.widths=[4, 4, 4]",
    "trainings.column_net.model.hidden=8",
    "sets.*.prep.scene_columns.per_scan=6",
    "train.precision=float32",
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A home in which the recipe ran, and the surfaces of its tree."""
    place = tmp_path_factory.mktemp("columns")
    surfaces = write_rooms(place / "root")
    pipeline = override(load_recipe("scannet_columns"), SHORT)
    report = run_pipeline(pipeline, Options(home=place / "home", root=place / "root", workers=0), quiet)
    assert {"miou/column_net", "voxel_accuracy/column_net", "miou/height", "miou/majority"} <= set(report["metrics"])
    return place / "home", surfaces


def labels_in(folder, name):
    return np.loadtxt(folder / f"{name}.txt", dtype=np.int64)


def test_a_run_labels_every_vertex_of_the_scans_to_submit(ran, tmp_path):
    home, surfaces = ran
    (training,) = trainings_called(find_run(home, "latest"), "column_net")
    done = export_run(training, home, tmp_path / "out")
    assert [path.name for path in tmp_path.glob("out/*.txt")] == [f"{TEST}.txt"]
    assert (done.objects, done.files, done.vertices, done.run) == (1, 1, len(surfaces[TEST].vertices), training.name)
    found = labels_in(tmp_path / "out", TEST)
    assert len(found) == len(surfaces[TEST].vertices) and set(found.tolist()) <= set(BENCHMARK.values())
    assert export_run(training, home, tmp_path / "out") == done  # it is there
    export_run(training, home, tmp_path / "validation", part="validation")
    assembly = restored(training, home)
    (scan,) = scans_of(assembly.tests["scannet"])
    assert_array_equal(labels_in(tmp_path / "validation", VALIDATION), scan.of_vertices(assembly.task.answers(scan)))
    with pytest.raises(UsageError, match=r"out holds scannet of .*column_net.*expected a new folder"):
        export_run(training, home, tmp_path / "out", part="validation")


def test_a_baselines_labels_and_a_stores_own(ran, tmp_path):
    home, surfaces = ran
    (training,) = trainings_called(find_run(home, "latest"), "height")
    export_run(training, home, tmp_path / "height")
    found = labels_in(tmp_path / "height", TEST)
    heights = np.rint(surfaces[TEST].vertices[:, 2] / 0.048).astype(int)
    assert all(len(set(found[heights == one].tolist())) == 1 for one in set(heights.tolist()))
    done = export_store(
        find_store(home, training_facts(training)["sets"]["scannet"]["store"].rpartition("/")[2]), "scannet", tmp_path / "truth"
    )
    assert done.objects == 4 and done.run == ""
    for name, surface in surfaces.items():
        assert_array_equal(labels_in(tmp_path / "truth", name), 0 * surface.labels if name == TEST else surface.labels)


def test_what_cannot_be_exported_is_said(ran, tmp_path):
    home, _ = ran
    (training,) = trainings_called(find_run(home, "latest"), "column_net")
    with pytest.raises(UsageError, match="--part is 'val'; expected train, validation, test, all"):
        export_run(training, home, tmp_path / "out", part="val")
    with pytest.raises(UsageError, match="has no column 'column_labels'; --format scannet takes what the stage scene_columns makes"):
        export_store(built(tmp_path / "other"), "scannet", tmp_path / "out")
    store = columns_store(tmp_path / "third", [room()], splits=["train"])
    with pytest.raises(UsageError, match="has no scan of the part test"):
        export_store(store, "scannet", tmp_path / "out", part="test")
    with pytest.raises(UsageError, match="--part goes with --format scannet"):
        export_store(store, "parquet", tmp_path / "out", part="test")
    assert not (tmp_path / "out").exists()


def test_the_verb_takes_a_run_a_training_and_a_store(ran, tmp_path):
    home, surfaces = ran
    told = {}
    store = find_store(home, "latest").id
    for name in ("latest", "latest/height", store):
        command = [
            sys.executable,
            "-m",
            "l9.cli",
            "export",
            name,
            "--home",
            str(home),
            "--to",
            name.replace("/", "_"),
            "--format",
            "scannet",
        ]
        run = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
        assert run.returncode == 0, run.stderr
        told[name] = json.loads(run.stdout.splitlines()[-1])
    assert set(told["latest"]) == {"format", "to", "objects", "matches", "files", "bytes", "vertices"}
    assert told["latest"]["vertices"] == told["latest/height"]["vertices"] == len(surfaces[TEST].vertices)
    assert told[store]["objects"] == 4
    wrong = subprocess.run(
        [sys.executable, "-m", "l9.cli", "export", "nothing", "--home", str(home), "--to", "x", "--format", "scannet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert wrong.returncode == 2 and wrong.stderr.startswith("l9: no run 'nothing'")
