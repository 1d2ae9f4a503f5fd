"""Verbs about runs after the fact: `runs`, `runs tag`, `runs compare`, `eval`, `predict`, `ui`."""

from pathlib import Path
from typing import Annotated

import typer

from l9.cli.words import HOME, AsJson, Home, RunName, Tracking, answer, new_group, opened, row

runs = new_group("Every run, one a line, newest first; give one tags, compare several.", no_args_is_help=False)


def evaluate(run_name: RunName, home: Home = HOME, as_json: AsJson = False) -> None:
    """Evaluate a stored training again on its test sets."""
    from l9.evaluate.again import evaluate_run
    from l9.evaluate.brought import brought_network
    from l9.progress import say

    with brought_network(opened(home), run_name, say) as place:
        report = evaluate_run(place, run_name)
    lines = "\n".join(f"  {name:32} {value:.4f}" for name, value in report["metrics"].items())
    answer(report, as_json, f"{report['run']}\n{lines}")


def predict(
    run_name: RunName,
    file: Path,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Where a completed surface goes, .ply; default: FILE_completed.ply here.", show_default=False),
    ] = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """What a trained network says of one file: its five best answers, or the surface it completes."""
    from l9.evaluate.brought import brought_network
    from l9.evaluate.predict import check_file, predict_file
    from l9.progress import say

    check_file(file)
    with brought_network(opened(home), run_name, say) as place:
        report = predict_file(place, run_name, file, to)
    if "mesh" in report:
        answer(report, as_json, f"{file} ({report['run']})\n  {report['mesh']}: {report['vertices']:,} vertices, {report['faces']:,} faces")
        return
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
    place = opened(home)
    place.fetch_runs()
    for about in found(place.path, tag=tag, recipe=recipe):
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
    from l9.evaluate.brought import brought_folder
    from l9.track.tags import change_tags

    place = opened(home)
    folder = brought_folder(place, run_name)
    tags = change_tags(folder, remove=names) if remove else change_tags(folder, add=names)
    place.push_run(folder)
    answer({"run": folder.name, "tags": tags}, as_json, f"{folder.name}: {', '.join(tags) or 'no tags'}")


@runs.command("compare")
def compare(
    run_names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more; RUN/NAME is one training of one.")],
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """What differs between runs: settings, data, metrics, and the paired difference where they were tested on the same objects."""
    from l9.cli.compared import comparison_text
    from l9.evaluate.brought import brought_runs
    from l9.evaluate.compare import compare_runs

    about = compare_runs(brought_runs(opened(home), run_names), run_names)
    answer(about, as_json, comparison_text(about))


def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000, home: Home = HOME, tracking: Tracking = None) -> None:
    """Serve MLflow's pages on loopback until Ctrl-C."""
    from l9.track import serve
    from l9.track.server import require_server

    place = opened(home)
    require_server(place, tracking)
    serve(place.path, tracking, port)
