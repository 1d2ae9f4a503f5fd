"""Verbs about stores: `quarantine`, `export`, and `store list`, `store verify`, `store gc`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from l9.cli.words import HOME, AsJson, Home, StoreName, answer, counted_bytes, new_group, opened, row

PICTURES = (
    "pictures are not in a store: l9 export reads none; put each beside as DIR/<scan>/images/color-00-<frame>.jpg or .png to read the lists"
)
TOLD = ("format", "objects", "matches", "files", "bytes")
MORE = {"matches": "matches", "scannet": "vertices"}  # what a format counts besides objects
GRACE_HOURS = 24.0  # no preparation takes longer, so what it writes is named by a manifest by then

store = new_group("The stores of a home: list them, read every byte of one, remove what nothing needs.")


def quarantine(store: StoreName, home: Home = HOME, as_json: AsJson = False) -> None:
    """Objects that could not be used, one a line, with the reason."""
    from l9.evaluate.brought import brought_store

    for refused in brought_store(opened(home), store).quarantine():
        detail = f" ({refused['detail']})" if refused.get("detail") else ""
        row(refused, as_json, f"{refused['id']}: {refused['reason']}{detail}  {refused['path']}")


def export(
    store: Annotated[str, typer.Argument(metavar="STORE|RUN", help="A store; for --format scannet also a run, or RUN/TRAINING.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder, or an earlier export of the same.")],
    kind: Annotated[
        str,
        typer.Option("--format", help="matches: Matterport3D's lists; parquet: every column; scannet: a label for each vertex."),
    ] = "parquet",
    part: Annotated[str, typer.Option("--part", help="Of --format scannet: train, validation, test (a run's) or all (a store's).")] = "",
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Write a store in a form that others read: lists of matches, Parquet, or labels of vertices; of a run the labels it answers."""
    from dataclasses import asdict

    from l9.evaluate.brought import brought_store
    from l9.evaluate.export import check_format, export_store
    from l9.progress import say

    check_format(kind)
    place = opened(home)
    if kind == "scannet" and (found_run := _run_called(place, store)):
        done = _exported_run(place, found_run, to, part or "test")
    else:
        found = brought_store(place, store)
        with place.held([found], say):
            done = asdict(export_store(found, kind, to, say, part))
    about = {name: done[name] for name in (*TOLD, *([MORE[kind]] if kind in MORE else []))} | {"to": str(to)}
    more = f", {done[MORE[kind]]:,} {MORE[kind]}" if kind in MORE else ""
    what = done["run"] or done["store"]
    line = f"{what} as {kind} in {to}: {done['objects']:,} objects{more}, {done['files']:,} files, {counted_bytes(done['bytes'])}"
    answer(about, as_json, line + (f"; {PICTURES}" if kind == "matches" else ""))


def _run_called(place: Any, words: str) -> str:
    """The words, where they name a run; "" where they name a store; else UsageError as of a run."""
    from l9.errors import UsageError
    from l9.evaluate.brought import brought_folder, brought_store

    try:
        brought_folder(place, words)
    except UsageError as no_run:
        try:
            brought_store(place, words)
        except UsageError:
            raise no_run from None
        return ""
    return words


def _exported_run(place: Any, words: str, to: Path, part: str) -> dict[str, Any]:
    from dataclasses import asdict

    from l9.evaluate.brought import brought_training
    from l9.evaluate.export import export_run
    from l9.progress import say

    with brought_training(place, words, say) as training:
        return asdict(export_run(training, place.path, to, say, part))


@store.command("list")
def list_stores(home: Home = HOME, as_json: AsJson = False) -> None:
    """Every store, one a line, newest first: objects, rows, bytes of its shards, age, columns, and the runs that use it."""
    import time

    from l9.evaluate.usage import store_rows
    from l9.progress import duration

    place = opened(home)
    place.fetch_stores()
    place.fetch_runs()
    for about in store_rows(place.path):
        age, runs = duration(max(time.time() - about["created"], 0)), f"used by {len(about['runs'])} runs"
        row(about, as_json, f"{about['store']:34} {_contents(about)}  {age} old  {runs}")


def _contents(about: dict[str, Any]) -> str:
    if about["problem"]:
        return about["problem"]
    counts = f"{about['done']:,} done {about['quarantined']:,} quarantined {about['rows']:,} rows {counted_bytes(about['bytes'])}"
    return f"{counts}  {' '.join(about['columns'])}"


@store.command("verify")
def verify(store: StoreName, home: Home = HOME, as_json: AsJson = False) -> None:
    """Read every byte of a store and compare it with what the manifest says."""
    from l9.evaluate.brought import brought_store

    place = opened(home)
    found = brought_store(place, store)
    place.verify_store(found)
    size = sum(int(line["bytes"]) for line in found.manifest["shards"])
    about = {"store": found.id, "manifest": found.digest, "shards": len(found.manifest["shards"]), "bytes": size}
    answer(about, as_json, f"{found.id}: {about['shards']} shards, {counted_bytes(size)}, every byte as it was written")


@store.command("gc")
def collect(
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without: only say what would go.")] = False,
    unused: Annotated[bool, typer.Option("--unused", help="Stores that no run of this home refers to go too.")] = False,
    older_than: Annotated[
        float, typer.Option("--older-than", min=0, metavar="HOURS", help="Leave what is younger: a preparation may be at work on it.")
    ] = GRACE_HOURS,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Remove shards that no store names, and what killed writers left. Without --yes nothing is touched."""
    from l9.errors import UsageError
    from l9.evaluate.usage import stores_used
    from l9.store.collect import find_waste, remove_waste

    if (opened_home := opened(home)).url:
        raise UsageError(f"store gc works on a folder; {opened_home.url} is an object store, whose own rules remove what is old")
    place = opened_home.path
    sweep = find_waste(place, older_than * 3600, stores_used(place) if unused else None)
    going = remove_waste(sweep, older_than * 3600) if yes else list(sweep.waste)
    kept = len(sweep.young) + len(sweep.waste) - len(going)
    things = [{"what": one.what, "name": one.name, "bytes": one.bytes} for one in going]
    about = {"removed": yes, "older_than_hours": older_than, "bytes": sum(one.bytes for one in going), "waste": things, "young": kept}
    answer(about, as_json, _swept(about))


def _swept(about: dict[str, Any]) -> str:
    """A line for each store and leftover, one for all the shards together, then the sum."""
    shards = [one for one in about["waste"] if one["what"] == "unnamed shard"]
    lines = [f"  {one['what']}  {one['name']}  {counted_bytes(one['bytes'])}" for one in about["waste"] if one not in shards]
    if shards:
        lines.append(f"  {len(shards):,} unnamed shards  {counted_bytes(sum(one['bytes'] for one in shards))}")
    sum_line = f"{len(about['waste']):,} things, {counted_bytes(about['bytes'])}: {'removed' if about['removed'] else 'would go'}"
    sum_line += f"; {about['young']:,} younger than {about['older_than_hours']:g} hours stay" if about["young"] else ""
    more = "" if about["removed"] or not about["waste"] else ".  l9 store gc --yes removes them"
    return "\n".join([*lines, sum_line + more])
