"""The command line: instant help, one-line errors, exit codes, JSON as the last line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from l9.cli import app

VERBS = {"fetch", "data", "prep", "run", "eval", "predict", "runs", "quarantine", "show", "ui"}
COARSE = "sets.*.prep.sdf.resolution=8"
BOX = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


def _l9(*words, cwd, **options):
    command = [sys.executable, "-m", "l9.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture
def meshes(tmp_path):
    for number in range(4):
        path = tmp_path / "meshes" / "thing" / f"{number}.obj"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BOX)
    (tmp_path / "meshes" / "thing" / "broken.obj").write_text("v 0 0\nf 1 2 3\n")
    return tmp_path / "meshes"


def test_the_verbs_are_frozen():
    assert {command.name or command.callback.__name__ for command in app.registered_commands} | {"data"} == VERBS


def test_help_imports_nothing_heavy(tmp_path):
    code = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(list(sys.modules))))
sys.argv = ["l9", "--help"]
from l9.cli import main
main()
"""
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    modules = set(json.loads(out.splitlines()[-1]))
    assert not modules & {"ray", "torch", "mlflow", "pandas", "open3d", "numpy", "pyarrow", "trimesh"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepp", "x"], "No such command 'prepp'"),
        (["prep"], "Missing argument"),
        (["prep", "furniture_sdff"], "no recipe 'furniture_sdff'; known: furniture_sdf"),
        (["prep", "furniture_sdf", "--set", "sets.furniture.prep.sdf.resolutoin=3"], "resolutoin"),
        (["prep", "furniture_sdf", "--card", "folder"], "--root DIR"),
        (["prep", "furniture_sdf", "--card", "folder", "--root", "nowhere"], "nowhere"),
        (["run", "furniture_voxnet", "--workers", "-1"], "--workers"),
        (["predict", "latest", "chair.obj"], "chair.obj: no such file"),
        (["quarantine", "latest"], "latest"),
        (["data", "check", "furnitur"], "no card 'furnitur'; known: furniture"),
    ],
)
def test_wrong_words_end_with_2_and_one_line(tmp_path, words, message):
    done = _l9(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("l9: ")


def test_prep_of_a_folder_and_its_quarantine(tmp_path, meshes):
    words = [
        "prep",
        "furniture_sdf",
        "--card",
        "folder",
        "--root",
        meshes,
        "--set",
        COARSE,
        "--workers",
        "0",
        "--json",
    ]
    first = _l9(*words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    answer = json.loads(first.stdout.splitlines()[-1])
    assert (answer["planned"], answer["done"], answer["quarantined"], answer["rows"]) == (5, 4, 1, 4)
    assert Path(answer["manifest"]).is_file()
    second = json.loads(_l9(*words, cwd=tmp_path).stdout.splitlines()[-1])
    assert {**second, "seconds": 0} == {**answer, "seconds": 0}
    rows = [json.loads(line) for line in _l9("quarantine", answer["store"], "--json", cwd=tmp_path).stdout.splitlines()]
    assert [(row["id"], row["path"]) for row in rows] == [("thing/broken.obj", "thing/broken.obj")]
    assert rows[0]["reason"]


def test_a_plan_is_printed_and_nothing_written(tmp_path, meshes):
    done = _l9("prep", "furniture_sdf", "--card", "folder", "--root", meshes, "--plan", "--json", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert row["objects"] == 5
    assert {"output_bytes", "hours", "core_hours", "sampled"} <= set(row)
    assert not list((tmp_path / "l9-home" / "store").glob("*/manifest.json"))


def test_show_gives_json_that_runs_again(tmp_path):
    shown = _l9("show", "furniture_sdf", "--json", cwd=tmp_path).stdout
    (tmp_path / "resolved.json").write_text(shown)
    assert _l9("show", "resolved.json", "--json", cwd=tmp_path).stdout == shown


def test_cards_are_listed_one_a_line(tmp_path):
    rows = [json.loads(line) for line in _l9("data", "list", "--json", cwd=tmp_path).stdout.splitlines()]
    assert {"furniture", "folder", "shapes"} <= {row["card"] for row in rows}


def test_ctrl_c_is_one_line_and_the_same_command_continues(tmp_path, meshes):
    for number in range(4, 40):  # enough to be interrupted in the middle on a fast machine too
        (meshes / "thing" / f"{number}.obj").write_text(BOX)
    words = ["prep", "furniture_sdf", "--card", "folder", "--root", str(meshes), "--workers", "0", "--set", COARSE]
    process = subprocess.Popen([sys.executable, "-m", "l9.cli", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    shards = tmp_path / "l9-home" / "store" / "shards"
    deadline = time.monotonic() + 120
    while not shards.is_dir() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "l9: interrupted; the same command continues" in errors
    assert "Traceback" not in errors
    again = _l9(*words, "--json", cwd=tmp_path)
    assert json.loads(again.stdout.splitlines()[-1])["done"] == 40


def test_the_root_of_a_checkout_shadows_no_library():
    """`datasets/` here must not answer for the library of that name, so nothing may put the checkout on sys.path."""
    root = Path(__file__).parent.parent
    code = "import mlflow, sys; assert 'datasets' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=root, check=True, timeout=120)
