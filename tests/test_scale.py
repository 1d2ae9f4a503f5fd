"""The bench of many small meshes runs against the code as it stands: its parts are there, and its figures are of what was prepared."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MESHES = "import pathlib, scale_prep, sys; print(scale_prep.meshes_below(pathlib.Path(sys.argv[1]), 60, 0))"


def told(*words):
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "bench"},
    )
    return done.stdout.splitlines()[-1]


def test_a_small_preparation_is_timed_part_by_part(tmp_path):
    meshes = told("-c", MESHES, tmp_path)
    row = json.loads(told("bench/scale_prep.py", meshes, tmp_path / "home", 1, 60, 4))
    assert (row["objects"], row["workers"]) == (60, 1)
    assert 0 < row["find_objects_s"] + row["make_plan_s"] + row["write_store_s"] < row["seconds"]
    assert row["steady_per_second"] > 60 / row["seconds"]  # starting up is not in it
    assert not (tmp_path / "home").exists()


def test_the_drivers_share_is_timed_without_objects(tmp_path):
    row = json.loads(told("bench/scale_plan.py", 1000, tmp_path / "plan"))
    assert row["plan_s"] >= 0 and row["store_s"] >= 0  # rounded
    assert row["labels_mib"] > 0
