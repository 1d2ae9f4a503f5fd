"""The rows of bench/sdf.py as findings: plain JSON, which the last line prints."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sdf_shapes import CUTS, DAMAGES

Row = dict[str, Any]
FEWEST = 50  # voxels inside by the reference, for an IoU to mean something
INVERTED = 0.5  # of the voxels with |w| > 0.5: more with w < -0.5 make a mesh one that is inside out
SHEET = "two-sided sheet"


def findings(rows: Sequence[Row]) -> dict[str, Any]:
    """All that the tables hold; parts of which there are no rows are empty."""
    good = [row for row in rows if "error" not in row]
    errors = [f"{row['contestant']} on {row['mesh']} at {row['resolution']}: {row['error']}" for row in rows if "error" in row]
    found = {
        "speed": speed([row for row in good if row["kind"] == "grid" and row["mesh"].startswith("furniture/")]),
        "memory_mib": by_contestant([row for row in good if row["kind"] == "memory"], _memory),
        "growth": growth([row for row in good if row["kind"] == "growth"]),
        "first_call": first_call([row for row in good if row["kind"] == "first"]),
        "accuracy": accuracy([row for row in good if "band_error" in row]),
        "sign": sign([row for row in good if "backwards" in row and row["resolution"] == 64]),
        "damage": damage([row for row in good if row["mesh"].startswith("damage/")]),
        "sheets_with_an_inside": [row["mesh"] for row in good if row["mesh"].endswith(SHEET) and row.get("sign", "none") != "none"],
        "errors": errors,
    }
    return found | {"wanted": wanted(found)}


def by_contestant(rows: Iterable[Row], summary: Callable[[list[Row]], Any]) -> dict[str, Any]:
    """Contestant -> what `summary` makes of its rows."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["contestant"], []).append(row)
    return {name: summary(group) for name, group in groups.items()}


def speed(rows: Sequence[Row]) -> dict[str, Any]:
    """Contestant -> resolution -> its time over that of l9, on the meshes of tuning, on those held out, and on all."""
    ours = {(row["mesh"], row["resolution"]): row["seconds"] for row in rows if row["contestant"] == "l9"}
    rows = [row for row in rows if (row["mesh"], row["resolution"]) in ours]

    def of_resolution(group: list[Row]) -> dict[str, Any]:
        ratios = [(row["seconds"] / ours[row["mesh"], row["resolution"]], row["held_out"]) for row in group]
        parts = {
            "all": [ratio for ratio, _ in ratios],
            "tuned": [r for r, held in ratios if not held],
            "held_out": [r for r, held in ratios if held],
        }
        spreads = {part: spread(values) for part, values in parts.items() if values}
        return {**spreads, "median_seconds": statistics.median(row["seconds"] for row in group)}

    def summary(group: list[Row]) -> dict[str, Any]:
        return {
            str(n): of_resolution([row for row in group if row["resolution"] == n]) for n in sorted({row["resolution"] for row in group})
        }

    return by_contestant(rows, summary)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and ends."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "meshes": len(values)}


def _memory(group: list[Row]) -> dict[str, float]:
    return spread([row["mib"] for row in group])


def growth(rows: Sequence[Row]) -> dict[str, Any]:
    """Mesh -> resolution -> seconds of l9, and of writing an array of that size."""
    found: dict[str, Any] = {}
    for row in rows:
        name = f"{row['mesh']}, {row['faces']:,} faces"
        found.setdefault(name, {})[str(row["resolution"])] = {"seconds": row["seconds"], "write_seconds": row["write_seconds"]}
    return found


def first_call(rows: Sequence[Row]) -> dict[str, float]:
    """Medians over new processes."""
    if not rows:
        return {}
    names = ("first_seconds", "second_seconds")
    found = {name: statistics.median(row[name] for row in rows) for name in names}
    return found | {"beyond_imports": found["first_seconds"] - found["second_seconds"], "processes": len(rows)}


def accuracy(rows: Sequence[Row]) -> dict[str, Any]:
    """Contestant -> resolution -> errors over furniture and soups."""

    def of_resolution(group: list[Row]) -> dict[str, Any]:
        band, far = [row["band_error"] for row in group], [row["far_error"] for row in group]
        return {
            "band_worst": max(band),
            "band_median": statistics.median(band),
            "far_worst": max(far),
            "far_median": statistics.median(far),
            "meshes": len(group),
        }

    def summary(group: list[Row]) -> dict[str, Any]:
        return {
            str(n): of_resolution([row for row in group if row["resolution"] == n]) for n in sorted({row["resolution"] for row in group})
        }

    return by_contestant(rows, summary)


def inside_out(row: Row) -> bool:
    """Whether the reference has most of the inside at w < -0.5."""
    return bool(row["backwards"] > INVERTED * (row["backwards"] + row["inside"]))


def sign(rows: Sequence[Row]) -> dict[str, Any]:
    """IoU with the reference over meshes that have an inside by it; apart, those that are inside out (IoU with |w| > 0.5)."""
    usual = [row for row in rows if row["inside"] > FEWEST and not inside_out(row)]
    turned = [row for row in rows if row["backwards"] > FEWEST and inside_out(row)]
    sheets = sorted({row["mesh"] for row in rows if row["inside"] <= FEWEST and row["backwards"] <= FEWEST})

    def summary(group: list[Row]) -> dict[str, Any]:
        parts = {"furniture": "furniture/", "soups": "soup/", "together": ""}
        chosen = {part: [row for row in group if row["mesh"].startswith(start)] for part, start in parts.items()}
        return {part: _agreement(members) for part, members in chosen.items() if members}

    inverted = {
        mesh: {"share_backwards": next(row["backwards"] / (row["backwards"] + row["inside"]) for row in turned if row["mesh"] == mesh)}
        | {row["contestant"]: row["inverted_iou"] for row in turned if row["mesh"] == mesh}
        for mesh in sorted({row["mesh"] for row in turned})
    }
    return {"iou": by_contestant(usual, summary), "inverted": inverted, "no_inside": sheets}


def _agreement(rows: Sequence[Row]) -> dict[str, Any]:
    worst = min(rows, key=lambda row: row["iou"])
    mean = statistics.fmean(row["iou"] for row in rows)
    both_ways = statistics.fmean(row["inverted_iou"] for row in rows)
    return {"mean": mean, "worst": worst["iou"], "worst_mesh": worst["mesh"], "mean_both_ways": both_ways, "meshes": len(rows)}


def damage(rows: Sequence[Row]) -> dict[str, Any]:
    """Contestant -> damage -> solid -> IoU; of the sheet the share of the grid's voxels that are negative."""

    def summary(group: list[Row]) -> dict[str, Any]:
        found: dict[str, dict[str, float]] = {}
        for row in group:
            _, solid, what = row["mesh"].split("/")
            found.setdefault(what, {})[solid] = row["negative"] / row["resolution"] ** 3 if what == SHEET else row["iou"]
        return found

    return by_contestant(rows, summary)


def wanted(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at, and what was seen; None where there is no row."""

    def at(*path: str) -> Any:
        value: Any = found
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    two = at("speed", "l9, 2 threads", "128", "all", "median")
    aims: list[tuple[str, Any, str, float]] = [
        *(
            (f"{n}^3 over Open3D", at("speed", "Open3D", str(n), "all", "median"), ">=", least)
            for n, least in ((64, 15), (128, 25), (256, 20))
        ),
        ("64^3 over warp winding", at("speed", "warp winding", "64", "all", "median"), ">=", 40),
        ("two threads, 128^3", None if two is None else 1 / two, ">=", 1.8),
        ("memory of 128^3, MiB", at("memory_mib", "l9", "median"), "<=", 48),
        ("first call beyond imports, s", at("first_call", "beyond_imports"), "<=", 1),
    ]
    for n in ("64", "128"):
        aims.append((f"worst error in the band over the box, {n}^3", at("accuracy", "l9", n, "band_worst"), "<=", 1e-6))
        aims.append((f"worst relative error beyond, {n}^3", at("accuracy", "l9", n, "far_worst"), "<=", 0.01))
    for part in ("furniture", "soups", "together"):
        aims.append((f"IoU, {part}, mean", at("sign", "iou", "l9", part, "mean"), ">=", 0.99))
        aims.append((f"IoU, {part}, worst", at("sign", "iou", "l9", part, "worst"), ">=", 0.95))
    for what, one in DAMAGES.items():
        seen = at("damage", "l9", what)
        if what == SHEET:
            aims.append((f"{what}: share of voxels called inside", max(seen.values()) if seen else None, "<=", 0))
        else:
            aims.append((f"{what}: worst IoU of {len(CUTS)} solids", min(seen.values()) if seen else None, ">=", one.least))
    return [
        {
            "what": what,
            "seen": seen,
            "wanted": f"{sense} {bound:g}",
            "met": None if seen is None else seen >= bound if sense == ">=" else seen <= bound,
        }
        for what, seen, sense, bound in aims
    ]
