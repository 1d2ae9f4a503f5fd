"""Verbs that take a recipe: `prep`, `run`, `show`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from l9.cli.words import HOME, Address, AsJson, CardName, Home, Packages, Rehash, Root, Settings, Tracking, Workers, answer, opened, row


def prep(
    recipe: str,
    settings: Settings = [],  # noqa: B006 (typer reads the default, nothing writes to it)
    card: CardName = None,
    root: Root = None,
    address: Address = None,
    workers: Workers = None,
    packages: Packages = [],  # noqa: B006
    plan: Annotated[bool, typer.Option("--plan", help="Print objects, bytes and hours from a 1 % sample; make no store.")] = False,
    rehash: Rehash = False,
    tracking: Tracking = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Turn a recipe's datasets into stores of shards."""
    from l9.cluster.wheels import bring_packages
    from l9.pipeline import prepare
    from l9.prep.sets import Options, estimate_sets
    from l9.progress import say

    bring_packages(packages)
    pipeline = resolved_pipeline(recipe, settings, card)
    place = opened(home)
    options = Options(place.path, root=root, address=address, workers=workers, rehash=rehash, tracking=tracking, remote=place)
    if plan:
        for estimated in estimate_sets(pipeline, options, say):
            row(estimated, as_json, _estimate_line(estimated))
        return
    report = prepare(pipeline, options, say)
    answer(report, as_json, report_text(report))


def run(
    recipe: str,
    settings: Settings = [],  # noqa: B006
    card: CardName = None,
    root: Root = None,
    address: Address = None,
    workers: Workers = None,
    packages: Packages = [],  # noqa: B006
    overfit: Annotated[int, typer.Option("--overfit", min=0, help="Learn N samples by heart: is the task wired right?")] = 0,
    init: Annotated[
        str | None, typer.Option("--init", help="Start from the weights of a run, a card, an imported or a .safetensors file.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again even where the result is there.")] = False,
    rehash: Rehash = False,
    tracking: Tracking = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: prepare its data, train its networks, track everything. Asked again, it continues or answers at once."""
    from l9.cluster.wheels import bring_packages
    from l9.pipeline import run_pipeline
    from l9.prep.sets import Options
    from l9.progress import say

    bring_packages(packages)
    pipeline = resolved_pipeline(recipe, settings, card)
    place = opened(home)
    options = Options(
        home=place.path,
        root=root,
        address=address,
        workers=workers,
        overfit=overfit,
        init=init,
        fresh=fresh,
        rehash=rehash,
        tracking=tracking,
        remote=place,
    )
    report = run_pipeline(pipeline, options, say)
    answer(report, as_json, report_text(report))


def show(recipe: str, settings: Settings = [], card: CardName = None, as_json: AsJson = False) -> None:  # noqa: B006
    """A recipe with every default spelled out."""
    value = resolved_pipeline(recipe, settings, card).describe()
    print(json.dumps(value, sort_keys=True) if as_json else json.dumps(value, indent=2))


def report_text(report: dict[str, Any]) -> str:
    """What `prep` or `run` found, for people."""
    if report.get("kind") == "run":
        metrics = [f"  {name:32} {value:.4f}" for name, value in report["metrics"].items()]
        return "\n".join([f"{report['recipe']} ({report['run']}), {report['seconds']:.1f} s", *_number_lines(report["stores"]), *metrics])
    counts = f"{report['done']:,} of {report['planned']:,} done, {report['quarantined']} quarantined"
    return "\n".join([f"{report['store']}: {counts}, {report['seconds']:.1f} s", *_number_lines(report["sets"])])


def resolved_pipeline(name: str, settings: list[str], card: str | None) -> Any:
    """The recipe of a name or file with the settings of the command line; a resolved one brings its cards."""
    from l9.cards import bring_cards
    from l9.recipe import load_recipe, override, with_card

    if name.endswith(".json"):
        bring_cards(Path(name))
    pipeline = load_recipe(name)
    if card is not None:
        pipeline = with_card(pipeline, card)
    return override(pipeline, settings) if settings else pipeline


def _number_lines(sets: dict[str, dict[str, Any]]) -> list[str]:
    """What each set's columns of one number a row hold."""
    from l9.store.numbers import number_lines

    return [f"  {name}: {line}" for name, report in sets.items() for line in number_lines(report.get("numbers", {}))]


def _estimate_line(estimated: dict[str, Any]) -> str:
    inputs, outputs = f"{estimated['input_bytes'] / 1e6:,.0f} MB in", f"about {estimated['output_bytes'] / 1e6:,.0f} MB of shards"
    hours = f"{estimated['core_hours']:.2f} core hours, {estimated['hours']:.2f} hours with {estimated['workers']} workers"
    return f"{estimated['set']}: {estimated['objects']:,} objects, {inputs}, {outputs}, {hours} ({estimated['sampled']} objects tried)"
