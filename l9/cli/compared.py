"""The comparison of runs as text: what differs, side by side."""

from typing import Any

WIDEST = 36  # characters of a setting's value


def comparison_text(about: dict[str, Any]) -> str:
    """A table of settings that differ, what the runs stand on, a table of metrics, and a line for each paired difference."""
    runs = about["runs"]
    parts = ["\n".join(f"{_letter(number)}  {name}" for number, name in enumerate(runs))]
    settings = {name: [_shown(value) for value in values] for name, values in about["settings"].items()}
    parts.append(_table("settings that differ", settings, len(runs)) if settings else "settings: all the same")
    parts.append(_data_text(about))
    metrics = {name: ["-" if value is None else f"{value:.4f}" for value in values] for name, values in about["metrics"].items()}
    if metrics:
        parts.append(_table("metrics", metrics, len(runs)))
    parts += [_pair_text(pair, runs) for pair in about["paired"]]
    return "\n".join(parts)


def _letter(number: int) -> str:
    """A B C ..., and numbers where letters end."""
    return chr(ord("A") + number) if number < 26 else str(number)


def _shown(value: str | None) -> str:
    text = "-" if value is None else value or "(none)"
    return text if len(text) <= WIDEST else f"{text[: WIDEST // 2]}…{text[-WIDEST // 2 + 1 :]}"


def _table(title: str, rows: dict[str, list[str]], runs: int) -> str:
    names = max(len(title), *(len(name) + 2 for name in rows))
    widths = [max(1, *(len(values[number]) for values in rows.values())) for number in range(runs)]
    head = [title.ljust(names), *(_letter(number).ljust(width) for number, width in enumerate(widths))]
    lines = [
        [f"  {name}".ljust(names), *(text.ljust(width) for text, width in zip(values, widths, strict=True))]
        for name, values in rows.items()
    ]
    return "\n".join("  ".join(line).rstrip() for line in [head, *lines])


def _data_text(about: dict[str, Any]) -> str:
    if about["same_data"]:
        stores = ", ".join(sorted({one["store"] for one in about["data"][0].values()}))
        return f"data: the same ({stores})"
    lines = [
        f"  {_letter(number)}  {name}: {one['store']}, manifest {one['manifest'][:12]}, fold {one['fold']}"
        for number, sets in enumerate(about["data"])
        for name, one in sets.items()
    ]
    same = {True: "the same", False: "not the same", None: "not known"}[about["same_test_objects"]]
    return "\n".join(["data: not the same", *lines, f"  test objects: {same}"])


def _pair_text(pair: dict[str, Any], runs: list[str]) -> str:
    first, second = (_letter(runs.index(pair[side])) for side in ("first", "second"))
    training = f" ({pair['training']})" if pair["training"] else ""
    if not pair["same_objects"]:
        counts = " and ".join(f"{count:,}" for count in pair["objects"])
        return f"{first} - {second}{training}: not tested on the same objects ({pair['n']:,} of {counts} shared)"
    told_apart = "" if pair["low"] > 0 or pair["high"] < 0 else ": not told apart"
    interval = f"{pair['difference']:+.4f} (95 % {pair['low']:+.4f} to {pair['high']:+.4f})"
    won = f"{pair['better']:,} won, {pair['worse']:,} lost of {pair['n']:,} objects"
    return f"{first} - {second}{training}: accuracy {interval}, {won}{told_apart}"
