"""The findings of bench/sdf.py as Markdown."""

import statistics
from collections.abc import Sequence
from typing import Any

from sdf_findings import SHEET
from sdf_shapes import CUTS, DAMAGES


def markdown(found: dict[str, Any]) -> str:
    """The tables, one after the other."""
    parts = [
        ("Time over that of l9 (median, least to most; held out apart)", _speed_table(found["speed"])),
        ("Memory of one 128^3 call, MiB above what the process had", _memory_table(found["memory_mib"])),
        ("Seconds of l9 by resolution (of writing such an array)", _growth_table(found["growth"])),
        ("Error of the distance: within 3 voxels over the box's side; beyond, relative", _accuracy_table(found["accuracy"])),
        ("IoU of inside with the fast winding number > 0.5, 64^3: mean / worst", _sign_table(found["sign"])),
        ("Meshes that are inside out by it: IoU with |w| > 0.5", _inverted_table(found["sign"]["inverted"])),
        (
            "IoU with the truth of damaged solids, 64^3: mean / worst; of the sheet the share of voxels called inside",
            _damage_table(found["damage"]),
        ),
        ("Damaged solids one by one, l9", _solid_table(found["damage"])),
        ("Wanted and seen", _wanted_table(found["wanted"])),
    ]
    tables = [f"### {title}\n\n{table}" for title, table in parts if table]
    first = found["first_call"]
    if first:
        tables.append(f"First call of a new process {first['first_seconds']:.2f} s, second {first['second_seconds']:.2f} s.")
    tables += [f"Left out: {name}: {reason}." for name, reason in found.get("left_out", {}).items()]
    tables += [f"Failed: {line}" for line in found["errors"]]
    if found["sheets_with_an_inside"]:
        tables.append(f"Sheets that l9 gives an inside: {', '.join(found['sheets_with_an_inside'])}.")
    if found["sign"]["no_inside"]:
        tables.append(f"No inside by the reference: {', '.join(found['sign']['no_inside'])}.")
    return "\n\n".join(tables)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown of a table; empty where it has no lines."""
    if not lines:
        return ""
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *lines))


def _speed_table(speed: dict[str, Any]) -> str:
    def cell(one: dict[str, Any] | None) -> str:
        if one is None:
            return ""
        found = f"{one['all']['median']:.3g} ({one['all']['min']:.3g} to {one['all']['max']:.3g}, {one['all']['meshes']} meshes)"
        return found + (f"; {one['held_out']['median']:.3g}" if "held_out" in one else "")

    def seconds(one: dict[str, Any] | None) -> str:
        return "" if one is None else f"{one['median_seconds']:.3g}"

    columns = sorted({n for one in speed.values() for n in one}, key=int)
    lines = [[name, *(cell(one.get(n)) for n in columns), *(seconds(one.get(n)) for n in columns)] for name, one in speed.items()]
    return _table(["", *(f"{n}^3" for n in columns), *(f"median s, {n}^3" for n in columns)], lines)


def _memory_table(memory: dict[str, Any]) -> str:
    return _table(
        ["", "median", "least", "most"],
        [[name, *(f"{one[part]:.0f}" for part in ("median", "min", "max"))] for name, one in memory.items()],
    )


def _growth_table(growth: dict[str, Any]) -> str:
    columns = sorted({n for one in growth.values() for n in one}, key=int)
    lines = [
        [name, *(f"{one[n]['seconds']:.3g} ({one[n]['write_seconds']:.2g})" if n in one else "" for n in columns)]
        for name, one in growth.items()
    ]
    return _table(["", *(f"{n}^3" for n in columns)], lines)


def _accuracy_table(accuracy: dict[str, Any]) -> str:
    lines = [
        [name, f"{n}^3", str(one["meshes"]), *(f"{one[part]:.2g}" for part in ("band_worst", "band_median", "far_worst", "far_median"))]
        for name, by in accuracy.items()
        for n, one in by.items()
    ]
    return _table(["", "grid", "meshes", "band, worst", "median of meshes", "beyond, worst", "median of meshes"], lines)


def _sign_table(sign: dict[str, Any]) -> str:
    def cell(one: dict[str, Any] | None) -> str:
        return "" if one is None else f"{one['mean']:.4f} / {one['worst']:.3f} ({one['meshes']})"

    parts = ("furniture", "soups", "together")
    lines = [
        [name, *(cell(one.get(part)) for part in parts), f"{one['together']['mean_both_ways']:.4f}", one["together"]["worst_mesh"]]
        for name, one in sign["iou"].items()
    ]
    return _table(["", *parts, "mean with w < -0.5 counted in", "worst"], lines)


def _inverted_table(inverted: dict[str, Any]) -> str:
    names = list(dict.fromkeys(name for one in inverted.values() for name in one))
    lines = [[mesh, *(f"{one[name]:.3f}" if name in one else "" for name in names)] for mesh, one in inverted.items()]
    return _table(["", *(name.replace("share_backwards", "share with w < -0.5") for name in names)], lines)


def _damage_table(damage: dict[str, Any]) -> str:
    def cell(what: str, values: dict[str, float] | None) -> str:
        if not values:
            return ""
        if what == SHEET:
            return f"{max(values.values()):.3f}"
        return f"{statistics.fmean(values.values()):.4f} / {min(values.values()):.4f}"

    return _table(["", *DAMAGES], [[name, *(cell(what, one.get(what)) for what in DAMAGES)] for name, one in damage.items()])


def _solid_table(damage: dict[str, Any]) -> str:
    ours = damage.get("l9", {})
    lines = [[solid, *(f"{ours[what][solid]:.4f}" if solid in ours.get(what, {}) else "" for what in DAMAGES)] for solid in CUTS if ours]
    return _table(["", *DAMAGES], lines)


def _wanted_table(aims: Sequence[dict[str, Any]]) -> str:
    said = {True: "reached", False: "missed", None: ""}
    return _table(
        ["", "wanted", "seen", ""],
        [[one["what"], one["wanted"], f"{one['seen']:.4g}", said[one["met"]]] for one in aims if one["seen"] is not None],
    )
