"""Imports point down only: the rooms of docs/design.md, read from the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "l9"
LEVELS = [
    {"cli", "__main__"},
    {"cluster"},
    {"pipeline"},
    {"prep", "evaluate"},
    {"train"},
    {"track", "session"},
    {"auth"},
    {"tasks"},
    {"models", "data", "draw"},
    {"stages"},
    {"sources"},
    {"sandbox"},
    {"readers"},
    {"store"},
    {"geometry"},
    {"cards"},
    {"recipe"},
    {"config"},
    {"shipped", "typed", "progress"},
    {"fingerprint"},
    {"errors"},
]
LEVEL_OF = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
HEAVY = {"ray", "torch", "mlflow", "pandas", "open3d", "sklearn", "matplotlib", "trimesh", "numba", "numpy", "pyarrow", "scipy"}
FILES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    room = _room(path)
    if room == "__init__":
        return
    assert room in LEVEL_OF, f"{room} has no place in the order of rooms"
    for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
        parts = name.split(".")
        if parts[0] != "l9" or len(parts) < 2 or parts[1] == room:
            continue
        assert LEVEL_OF[parts[1]] > LEVEL_OF[room], f"{path.relative_to(ROOT)} imports {name}, which is not below it"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("mlflow", {"track"}),
        ("ray", {"session", "train", "prep", "cluster"}),
        ("torch", {"data", "models", "tasks", "train", "evaluate"}),
    ],
)
def test_a_library_lives_in_its_rooms(library, rooms):
    for path in FILES:
        names = {name.split(".")[0] for name in _imports(ast.parse(path.read_text(encoding="utf-8")))}
        assert library not in names or _room(path) in rooms, f"{path.relative_to(ROOT)} imports {library}"


def test_every_room_stands_in_the_design():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for path in PACKAGE.iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"{path.name}/" in text


def test_the_command_line_imports_nothing_heavy():
    for path in (PACKAGE / "cli").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        assert not {name.split(".")[0] for name in _imports(top)} & HEAVY


def test_every_module_says_what_it_is_for():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_nothing_unpickles_or_evaluates():
    forbidden = ("torch.load(", "pickle.load", "yaml.load(", "shell=True", "allow_pickle=True", "weights_only=False", "eval(")
    for path in FILES:
        text = path.read_text(encoding="utf-8").replace(".eval()", "").replace("model.eval(", "").replace("l9 eval(", "")
        for phrase in forbidden:
            assert phrase not in text, f"{path.relative_to(ROOT)} holds {phrase}"
