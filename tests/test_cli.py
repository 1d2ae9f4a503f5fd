"""The command line: instant help, one-line errors, exit codes, JSON as the last line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from l9.cli import app
from l9.cli.words import counted_bytes

VERBS = {
    "": {"fetch", "import-weights", "data", "prep", "run", "eval", "predict", "runs", "quarantine", "export", "store", "show", "ui"}
    | {"submit", "status", "logs", "stop", "doctor"},
    "data": {"list", "check", "show"},
    "runs": {"tag", "compare"},
    "store": {"list", "verify", "gc"},
}
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


PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "my_boxes"
version = "0.1"
[tool.hatch.build.targets.wheel]
packages = ["my_boxes"]
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_package_of_ones_own_needs_no_installation(meshes, tmp_path, workers):
    """A stage that is nowhere installed is found by this process, by its sandbox, and by Ray's workers."""
    package = tmp_path / "work" / "my_boxes"
    package.mkdir(parents=True)
    (tmp_path / "work" / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text((Path(__file__).parent.parent / "l9" / "stages" / "box_size.py").read_text())
    sets = "{'mine': Set('folder', Prep(Use('my_boxes:box_size')))}"
    (tmp_path / "mine.py").write_text(f"from l9.config import Pipeline, Prep, Set, Use\npipeline = Pipeline('mine', {sets})\n")
    words = ["prep", "mine.py", "--root", str(meshes), "--workers", workers, "--json"]
    refused = _l9(*words, cwd=tmp_path)
    assert refused.returncode == 2 and "'my_boxes:box_size' cannot be imported" in refused.stderr
    done = _l9(*words, "--package", "work", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["done"] == 4


def test_the_verbs_are_frozen():
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    verbs = {name: {command.name or command.callback.__name__ for command in of.registered_commands} for name, of in groups.items()}
    assert {"": {command.name or command.callback.__name__ for command in app.registered_commands} | set(groups), **verbs} == VERBS


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
        (["export", "latest", "--to", "out"], "latest"),
        (["data", "check", "furnitur"], "no card 'furnitur'; known: furniture"),
        (["data", "show", "furnitur"], "no store 'furnitur'"),
        (["data", "show", "shapes", "--out", "shapes.jpg"], "ends in .png"),
        (["data", "show", "shapes", "box/99999"], "no object 'box/99999' in shapes"),
        (["data", "show", "latest", "--root", "."], "--root is for cards"),
        (["runs", "--tag", "good"], "no run has the tag 'good'"),
        (["runs", "compare", "latest", "latest"], "no finished run"),
        (["runs", "tag", "latest", "good"], "no finished run"),
        (["store", "verify", "latest"], "latest"),
        (["store", "gc", "--older-than", "-1"], "--older-than"),
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


def test_a_folder_and_its_store_are_shown_listed_verified_and_collected(tmp_path, meshes):
    made = _l9("prep", "furniture_sdf", "--card", "folder", "--root", meshes, "--set", COARSE, "--workers", "0", "--json", cwd=tmp_path)
    answered = json.loads(made.stdout.splitlines()[-1])
    store = Path(answered["store"]).name
    assert set(answered["numbers"]) == {"sign", "doubt"} and sum(answered["numbers"]["sign"]["values"].values()) == 4
    again = _l9("prep", "furniture_sdf", "--card", "folder", "--root", meshes, "--set", COARSE, "--workers", "0", cwd=tmp_path).stdout
    for line in ("sign (0 none 1 winding 2 parity): ", "doubt (share of voxels): least "):
        assert f"  furniture: {line}" in again and f"  {line}" in _l9("data", "show", "latest", cwd=tmp_path).stdout

    card = _l9("data", "show", "folder", "--root", meshes, "--json", cwd=tmp_path)
    shown = json.loads(card.stdout)
    assert f"'folder' is read as the card; for a store of it give more of its id: {store}" in card.stderr
    assert Path(shown["picture"]).read_bytes().startswith(b"\x89PNG") and (shown["there"], shown["unit"]) == (5, "metre")
    assert [one["id"] for one in shown["objects"] if one["refused"]] == ["thing/broken.obj"]
    told = _l9("data", "show", "folder", "thing/0", "--root", meshes, "--out", "one.png", cwd=tmp_path).stdout
    assert told.splitlines() == ["folder: 1 of 5 objects, 0 refused", "one.png"] and (tmp_path / "one.png").is_file()

    shown = json.loads(_l9("data", "show", store[:9], "--json", cwd=tmp_path).stdout)
    assert Path(shown["picture"]).name == f"{store}.png" and shown["labels"] == {"thing": 4}
    assert {column["name"] for column in shown["columns"]} == {"sdf", "sign", "doubt", "points", "normals", "views"}
    assert "8×8×8" in _l9("data", "show", "latest", cwd=tmp_path).stdout

    (row,) = [json.loads(line) for line in _l9("store", "list", "--json", cwd=tmp_path).stdout.splitlines()]
    assert (row["store"], row["done"], row["quarantined"], row["runs"]) == (store, 4, 1, [])
    verified = json.loads(_l9("store", "verify", store, "--json", cwd=tmp_path).stdout)
    assert verified["bytes"] == row["bytes"]

    words = ("store", "gc", "--unused", "--json")
    young = json.loads(_l9(*words, cwd=tmp_path).stdout)
    assert young["waste"] == [] and young["young"] == 1
    dry = json.loads(_l9(*words, "--older-than", "0", cwd=tmp_path).stdout)
    assert not dry["removed"] and dry["waste"][0] | {"bytes": 0} == {"what": "unused store", "name": store, "bytes": 0}
    assert dry["bytes"] == sum(one["bytes"] for one in dry["waste"]) > row["bytes"]
    assert Path(tmp_path / "l9-home" / "store" / store / "manifest.json").is_file()
    done = json.loads(_l9(*words, "--older-than", "0", "--yes", cwd=tmp_path).stdout)
    assert done == {**dry, "removed": True} and _l9("store", "list", cwd=tmp_path).stdout == ""
    assert [path for path in (tmp_path / "l9-home" / "store").rglob("*") if path.suffix in (".arrow", ".json")] == []


def test_runs_are_tagged_found_and_compared(tmp_path):
    for name, right in (("toys-s0-aaaa", "b"), ("toys-s0-bbbb", "a")):
        folder = tmp_path / "l9-home" / "runs" / name
        folder.mkdir(parents=True)
        about = {"recipe": "toys", "training": {"name": "", "task": name}, "seed": 0, "sets": {}}
        (folder / "training.json").write_text(json.dumps(about))
        (folder / "result.json").write_text(json.dumps({"metrics": {"accuracy": 0.5}}))
        lines = [{"object": f"{number}", "label": "a", "predicted": right} for number in range(30)]
        (folder / "outcomes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert json.loads(_l9("runs", "tag", "bbbb", "good", "--json", cwd=tmp_path).stdout) == {"run": "toys-s0-bbbb", "tags": ["good"]}
    assert len(_l9("runs", "--json", cwd=tmp_path).stdout.splitlines()) == 2
    assert json.loads(_l9("runs", "--tag", "good", "--recipe", "toys", "--json", cwd=tmp_path).stdout)["run"] == "toys-s0-bbbb"
    about = json.loads(_l9("runs", "compare", "aaaa", "bbbb", "--json", cwd=tmp_path).stdout.splitlines()[-1])
    assert about["settings"] == {"trainings.*.task": ["toys-s0-aaaa", "toys-s0-bbbb"]} and about["paired"][0]["difference"] == -1.0
    text = _l9("runs", "compare", "aaaa", "bbbb", cwd=tmp_path).stdout
    assert "A - B: accuracy -1.0000 (95 % -1.0000 to -0.8" in text and "0 won, 30 lost of 30 objects" in text
    assert _l9("runs", "tag", "bbbb", "good", "--remove", cwd=tmp_path).stdout == "toys-s0-bbbb: no tags\n"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")])
def test_bytes_are_said_in_powers_of_ten(count, text):
    assert counted_bytes(count) == text


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
