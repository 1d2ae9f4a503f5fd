"""The command line: verbs only. Each verb imports what it needs when it is called, so that `l9 --help` is instant."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from l9.errors import L9Error

app = typer.Typer(
    name="l9",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Meshes, RGB-D scans and images into training data; training data into tracked models.",
)
data_app = typer.Typer(no_args_is_help=True, help="The datasets l9 knows: list them, check one against its card.", rich_markup_mode=None)
app.add_typer(data_app, name="data")

Home = Annotated[Path, typer.Option("--home", envvar="L9_HOME", help="Where raw data, shards, runs and mlflow.db live.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as stdout's last line; all else on stderr.")]
Settings = Annotated[list[str], typer.Option("--set", help="Override a setting: trainings.*.schedule.epochs=3")]
CardName = Annotated[str | None, typer.Option("--card", help="Use this dataset in place of the recipe's first.")]
Root = Annotated[Path | None, typer.Option("--root", help="Folder of the (first) dataset's files.")]
Address = Annotated[str | None, typer.Option("--address", help="A Ray cluster, HOST:PORT or auto; default: embedded Ray.")]
Workers = Annotated[int | None, typer.Option("--workers", min=0, help="Preparation workers; 0: without Ray; default: one a core.")]
Rehash = Annotated[bool, typer.Option("--rehash", help="Read every input file again instead of trusting its size and time.")]
Tracking = Annotated[
    str | None, typer.Option("--tracking", envvar="MLFLOW_TRACKING_URI", help="MLflow server; default: mlflow.db in home.")
]
HOME = Path("l9-home")
INTERRUPTED = 130  # what the parser makes of Ctrl-C


def _version(wanted: bool) -> None:
    if wanted:
        from l9 import __version__

        print(f"l9 {__version__}")
        raise typer.Exit


@app.callback()
def every_verb(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback where something fails.")] = False,
) -> None:
    """Options before the verb."""
    if debug:
        os.environ["L9_DEBUG"] = "1"


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="An open dataset, such as furniture.")], home: Home = HOME, as_json: AsJson = False
) -> None:
    """Bring an open dataset through its ordinary package client."""
    from l9.cards import load_card
    from l9.progress import say
    from l9.sources.fetch import fetch as bring

    root = bring(load_card(name), home.resolve(), say)
    _answer({"card": name, "root": str(root)}, as_json, f"{name} is at {root}")


@data_app.command("list")
def data_list(home: Home = HOME, as_json: AsJson = False) -> None:
    """Every dataset with a card, one a line."""
    from l9.cards import card_names, load_card

    for name in card_names():
        card = load_card(name)
        here = (home / "raw" / name).is_dir()
        row = {"card": name, "what": card.what, "licence": card.licence, "open": bool(card.source), "fetched": here}
        where = "fetched" if here else "l9 fetch " + name if card.source else "--root DIR"
        _row(row, as_json, f"{name:12} {card.what}  [{where}]")


@data_app.command("check")
def data_check(name: str, root: Root = None, home: Home = HOME, as_json: AsJson = False) -> None:
    """Compare a dataset's files with its card: counts, labels, a sample that reads."""
    from l9.cards import load_card
    from l9.prep.check import check_card
    from l9.prep.sets import card_root
    from l9.prep.work import new_sandbox
    from l9.progress import say

    card = load_card(name)
    with new_sandbox() as sandbox:
        check = check_card(card, card_root(card, root, home.resolve(), say), sandbox)
    for problem in [*check.problems, *check.refused]:
        say(f"l9: {name}: {problem}")
    wrong = len(check.problems) + len(check.refused)
    text = f"{name}: {check.objects:,} objects, {check.labelled:,} labelled, {check.read} read; {wrong} problems"
    _answer({"card": name, **vars(check)}, as_json, text)
    if wrong:
        raise typer.Exit(1)


@app.command()
def prep(
    recipe: str,
    settings: Settings = [],  # noqa: B006 (typer reads the default, nothing writes to it)
    card: CardName = None,
    root: Root = None,
    address: Address = None,
    workers: Workers = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print objects, bytes and hours from a 1 % sample; make no store.")] = False,
    rehash: Rehash = False,
    tracking: Tracking = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Turn a recipe's datasets into stores of shards."""
    from l9.pipeline import prepare
    from l9.prep.sets import Options, estimate_sets
    from l9.progress import say

    pipeline = _recipe(recipe, settings, card)
    options = Options(home=home.resolve(), root=root, address=address, workers=workers, rehash=rehash, tracking=tracking)
    if plan:
        for row in estimate_sets(pipeline, options, say):
            _row(row, as_json, _estimate_line(row))
        return
    report = prepare(pipeline, options, say)
    counts = f"{report['done']:,} of {report['planned']:,} done, {report['quarantined']} quarantined"
    _answer(report, as_json, f"{report['store']}: {counts}, {report['seconds']:.1f} s")


@app.command()
def run(
    recipe: str,
    settings: Settings = [],  # noqa: B006
    card: CardName = None,
    root: Root = None,
    address: Address = None,
    workers: Workers = None,
    overfit: Annotated[int, typer.Option("--overfit", min=0, help="Learn N samples by heart: is the task wired right?")] = 0,
    init: Annotated[str | None, typer.Option("--init", help="Start from the weights of a run or a .safetensors file.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again even where the result is there.")] = False,
    rehash: Rehash = False,
    tracking: Tracking = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: prepare its data, train its networks, track everything. Asked again, it continues or answers at once."""
    from l9.pipeline import run_pipeline
    from l9.prep.sets import Options
    from l9.progress import say

    pipeline = _recipe(recipe, settings, card)
    options = Options(
        home=home.resolve(),
        root=root,
        address=address,
        workers=workers,
        overfit=overfit,
        init=init,
        fresh=fresh,
        rehash=rehash,
        tracking=tracking,
    )
    report = run_pipeline(pipeline, options, say)
    metrics = "\n".join(f"  {name:32} {value:.4f}" for name, value in report["metrics"].items())
    _answer(report, as_json, f"{report['recipe']} ({report['run']}), {report['seconds']:.1f} s\n{metrics}")


@app.command("eval")
def evaluate(run_name: Annotated[str, typer.Argument(metavar="RUN")], home: Home = HOME, as_json: AsJson = False) -> None:
    """Evaluate a stored training again on its test sets."""
    from l9.evaluate.again import evaluate_run

    report = evaluate_run(home.resolve(), run_name)
    lines = "\n".join(f"  {name:32} {value:.4f}" for name, value in report["metrics"].items())
    _answer(report, as_json, f"{report['run']}\n{lines}")


@app.command()
def predict(run_name: Annotated[str, typer.Argument(metavar="RUN")], file: Path, home: Home = HOME, as_json: AsJson = False) -> None:
    """What a trained network says of one file: its five best answers."""
    from l9.evaluate.predict import predict_file

    report = predict_file(home.resolve(), run_name, file)
    lines = "\n".join(f"  {answer['class']:24} {100 * answer['probability']:5.1f} %" for answer in report["answers"])
    _answer(report, as_json, f"{file} ({report['run']})\n{lines}")


@app.command()
def runs(home: Home = HOME, as_json: AsJson = False) -> None:
    """Every run, one a line, newest first."""
    from l9.evaluate.runs import list_runs

    for row in list_runs(home.resolve()):
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in list(row["metrics"].items())[:4])
        _row(row, as_json, f"{row['run']:40} {row['state']:11} {metrics}")


@app.command()
def quarantine(store: Annotated[str, typer.Argument(metavar="STORE")], home: Home = HOME, as_json: AsJson = False) -> None:
    """Objects that could not be used, one a line, with the reason."""
    from l9.store.store import find_store

    for row in find_store(home.resolve(), store).quarantine():
        detail = f" ({row['detail']})" if row.get("detail") else ""
        _row(row, as_json, f"{row['id']}: {row['reason']}{detail}  {row['path']}")


@app.command()
def show(recipe: str, settings: Settings = [], card: CardName = None, as_json: AsJson = False) -> None:  # noqa: B006
    """A recipe with every default spelled out."""
    value = _recipe(recipe, settings, card).describe()
    print(json.dumps(value, sort_keys=True) if as_json else json.dumps(value, indent=2))


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000, home: Home = HOME, tracking: Tracking = None) -> None:
    """Serve MLflow's pages on loopback until Ctrl-C."""
    from l9.track import serve

    serve(home.resolve(), tracking, port)


def _recipe(name: str, settings: list[str], card: str | None) -> Any:
    from l9.recipe import load_recipe, override, with_card

    pipeline = load_recipe(name)
    if card is not None:
        pipeline = with_card(pipeline, card)
    return override(pipeline, settings) if settings else pipeline


def _estimate_line(row: dict[str, Any]) -> str:
    size = f"{row['objects']:,} objects, {row['input_bytes'] / 1e6:,.0f} MB in, about {row['output_bytes'] / 1e6:,.0f} MB of shards"
    hours = f"{row['core_hours']:.2f} core hours, {row['hours']:.2f} hours with {row['workers']} workers"
    return f"{row['set']}: {size}, {hours} ({row['sampled']} objects tried)"


def _answer(value: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(value, sort_keys=True) if as_json else text)


def _row(value: dict[str, Any], as_json: bool, text: str) -> None:
    _answer(value, as_json, text)


def main() -> None:
    """The `l9` command: 0 done, 1 the work failed, 2 the words were wrong; one line where something is wrong."""
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
    except typer.Exit as leave:
        code = leave.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = _say_and_end("interrupted; the same command continues where it stopped", 1)
    except BrokenPipeError:
        code = 1
    except Exception as error:  # the last resort: everything becomes one line, --debug shows the rest
        if os.environ.get("L9_DEBUG"):
            raise
        code = _end_of(error)
    sys.exit(code or 0)


def _end_of(error: Exception) -> int:
    if isinstance(error, L9Error):
        return _say_and_end(str(error), error.exit_code)
    wrong_words = getattr(error, "format_message", None)
    if wrong_words is not None and type(error).__name__ == "NoArgsIsHelpError":
        print(wrong_words(), file=sys.stderr)  # the whole help, as it stands
        return 2
    if wrong_words is not None:  # the command-line parser's own usage errors
        return _say_and_end(f"{wrong_words()}  l9 --help", 2)
    if isinstance(error, OSError) and error.strerror:
        return _say_and_end(f"{error.strerror}: {error.filename or ''}".rstrip(": "), 1)
    return _say_and_end(f"{type(error).__name__}: {error}  (l9 --debug … shows where)", 1)


def _say_and_end(line: str, code: int) -> int:
    print("l9: " + " ".join(line.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
