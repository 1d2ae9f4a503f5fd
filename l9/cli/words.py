"""What the verbs share: options that mean the same everywhere, and how an answer is printed. Imports nothing heavy."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

HOME = Path("l9-home")

Home = Annotated[
    Path, typer.Option("--home", envvar="L9_HOME", help="Where raw data, shards, runs and mlflow.db live: a folder, or s3://BUCKET/PREFIX.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as stdout's last line; all else on stderr.")]
Settings = Annotated[list[str], typer.Option("--set", help="Override a setting: trainings.*.schedule.epochs=3")]
CardName = Annotated[str | None, typer.Option("--card", help="Use this dataset in place of the recipe's first.")]
Root = Annotated[Path | None, typer.Option("--root", help="Folder of the (first) dataset's files.")]
Address = Annotated[str | None, typer.Option("--address", help="A Ray cluster, HOST:PORT or auto; default: embedded Ray.")]
Workers = Annotated[int | None, typer.Option("--workers", min=0, help="Preparation workers; 0: without Ray; default: one a core.")]
Packages = Annotated[
    list[Path], typer.Option("--package", metavar="DIR", help="A package of yours with models, tasks or stages: its folder or wheel.")
]
Rehash = Annotated[bool, typer.Option("--rehash", help="Read every input file and shard again instead of trusting its size and time.")]
Tracking = Annotated[
    str | None, typer.Option("--tracking", envvar="MLFLOW_TRACKING_URI", help="MLflow server; default: mlflow.db in home.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, a unique prefix, a key, an MLflow id, a path, or latest.")]
StoreName = Annotated[str, typer.Argument(metavar="STORE", help="A store's id, a unique prefix, a path, or latest.")]


def opened(home: Path) -> Any:
    """The home that was named (l9/store/home.py): a folder, or a remote one with its working folder on this machine."""
    from l9.store.home import open_home

    return open_home(home)


def new_group(help_line: str, **options: Any) -> typer.Typer:
    """A verb that has verbs of its own below it."""
    return typer.Typer(help=help_line, rich_markup_mode=None, **{"no_args_is_help": True, **options})


def answer(value: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the one answer of a verb: JSON, or the text for people."""
    print(json.dumps(value, sort_keys=True) if as_json else text)


row = answer
"""Print one row of a verb that lists."""


def weights_text(name: str, path: str, facts: dict[str, Any]) -> str:
    """Weights for people: where they are, and how many."""
    return f"{name} is at {path}: {facts['tensors']:,} tensors, {facts['parameters']:,} parameters, {counted_bytes(facts['bytes'])}"


def counted_bytes(count: float) -> str:
    """Bytes as a person says them, in powers of ten: 812 B, 3.4 MB, 12.0 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
