"""README's tree and table are true."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _tree() -> set[str]:
    block = next(part for part in README.split("```") if "what is installed" in part)
    return set(re.findall(r"(?:^|\s{2,})([a-z_0-9]+(?:/|\.py))(?=\s{2,})", block, flags=re.MULTILINE))


def test_the_tree_names_every_room_and_nothing_else():
    package = ROOT / "l9"
    rooms = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").is_file()}
    files = {path.name for path in package.glob("*.py") if path.name != "__init__.py"}
    shown = ("l9", "datasets", "weights", "pipelines", "tests", "docs", "bench", "deploy")
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name in shown}
    assert _tree() == rooms | files | folders


def test_the_table_names_every_recipe():
    for path in (ROOT / "pipelines").glob("*.py"):
        assert f"pipelines/{path.name}" in README


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
