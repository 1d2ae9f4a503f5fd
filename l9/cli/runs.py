"""Verbs about runs after the fact: `runs`, `runs tag`, `runs compare`, `eval`, `predict`, `ui`."""

from pathlib import Path
from typing import Annotated

import typer

from l9.cli.words import HOME, AsJson, Home, RunName, Tracking, answer, new_group, row

runs = new_group("Every run, one a line, newest first; give one tags, compare several.", no_args_is_help=False)


def evaluate(run_name: RunName, home: Home = HOME, as_json: AsJson = False) -> None:
    """Evaluate a stored training again on its test sets."""
    from l9.evaluate.again import evaluate_run

    report = evaluate_run(home.resolve(), run_name)
    lines = "\n".join(f"  {name:32} {value:.4f}" for name, value in report["metrics"].items())
    answer(report, as_json, f"{report['run']}\n{lines}")


def predict(run_name: RunName, file: Path, home: Home = HOME, as_json: AsJson = False) -> None:
    """What a trained network says of one file: its five best answers."""
    from l9.evaluate.predict import predict_file

    report = predict_file(home.resolve(), run_name, file)
    lines = "\n".join(f"  {one['class']:24} {100 * one['probability']:5.1f} %" for one in report["answers"])
    answer(report, as_json, f"{file} ({report['run']})\n{lines}")


@runs.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    tag: Annotated[str | None, typer.Option("--tag", help="Only runs that have this tag.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Only runs of the recipe of this name.")] = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Every run, one a line, newest first; `tag` and `compare` do more."""
    from l9.evaluate.runs import list_runs as found

    if context.invoked_subcommand is not None:
        return
    for about in found(home.resolve(), tag=tag, recipe=recipe):
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in list(about["metrics"].items())[:4])
        row(about, as_json, f"{about['run']:40} {about['state']:11} {metrics}  {' '.join(f'#{name}' for name in about['tags'])}".rstrip())


@runs.command("tag")
def tag_run(
    run_name: RunName,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Letters, digits, '.', '_' and '-'.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take these tags away instead.")] = False,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Give a run tags of your own; MLflow has them with the next `l9 run` or `l9 prep`."""
    from l9.evaluate.runs import find_run
    from l9.track.tags import change_tags

    folder = find_run(home.resolve(), run_name)
    tags = change_tags(folder, remove=names) if remove else change_tags(folder, add=names)
    answer({"run": folder.name, "tags": tags}, as_json, f"{folder.name}: {', '.join(tags) or 'no tags'}")


@runs.command("compare")
def compare(
    run_names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more; RUN/NAME is one training of one.")],
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """What differs between runs: settings, data, metrics, and the paired difference where they were tested on the same objects."""
    from l9.cli.compared import comparison_text
    from l9.evaluate.compare import compare_runs

    about = compare_runs(home.resolve(), run_names)
    answer(about, as_json, comparison_text(about))


def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000, home: Home = HOME, tracking: Tracking = None) -> None:
    """Serve MLflow's pages on loopback until Ctrl-C."""
    from l9.track import serve

    serve(home.resolve(), tracking, port)
