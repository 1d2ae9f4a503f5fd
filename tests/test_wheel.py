"""What is installed: the package l9 alone, with cards and recipes inside it as data."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_holds_l9_with_its_cards_and_recipes(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    (wheel,) = tmp_path.glob("l9_vision-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {"l9", wheel.name.split("-py3")[0] + ".dist-info"}
    for folder, ending in (("datasets", ".yaml"), ("weights", ".yaml"), ("pipelines", ".py")):
        for path in (ROOT / folder).glob(f"*{ending}"):
            assert f"l9/_shipped/{folder}/{path.name}" in names
    assert "l9/_shipped/datasets/furniture/labels.csv" in names


def test_an_installed_wheel_finds_its_cards_and_recipes(tmp_path):
    """Unpacked elsewhere, away from any checkout, names still resolve."""
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        str(site),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    code = "\n".join(
        (
            "import l9",
            "from l9.cards import load_card, load_weights_card",
            "from l9.recipe import load_recipe",
            "print(l9.__file__, len(load_card('furniture').label_rows), load_recipe('furniture_sdf').name)",
            "print(load_weights_card('lite0').file)",
        )
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=work, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(site / "l9" / "__init__.py"), "911", "furniture-sdf", "efficientnet-lite0-57934424.pth"]
