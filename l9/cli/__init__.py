"""The command line: verbs only. Each verb imports what it needs when it is called, so that `l9 --help` is instant.

words.py  options and printing that verbs share     data.py weights.py recipes.py runs.py jobs.py stores.py  the verbs, by subject
"""

import os
import sys
from typing import Annotated

import typer

from l9.cli import data, jobs, recipes, runs, stores, weights
from l9.errors import L9Error

INTERRUPTED = 130  # what the parser makes of Ctrl-C

app = typer.Typer(
    name="l9",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Meshes, RGB-D scans and images into training data; training data into tracked models.",
)
app.command()(data.fetch)
app.command("import-weights")(weights.import_weights)
app.add_typer(data.data, name="data")
app.command()(recipes.prep)
app.command()(recipes.run)
app.command("eval")(runs.evaluate)
app.command()(runs.predict)
app.add_typer(runs.runs, name="runs")
app.command()(jobs.submit)
app.command()(jobs.status)
app.command()(jobs.logs)
app.command()(jobs.stop)
app.command()(jobs.doctor)
app.command()(stores.export)
app.command()(stores.quarantine)
app.add_typer(stores.store, name="store")
app.command()(recipes.show)
app.command()(runs.ui)


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
