"""What stands in a home's mlflow.db, read with sqlite alone: which runs, how they ended, and which steps each of them has."""

import sqlite3
from contextlib import closing
from pathlib import Path

RUNS = """SELECT tags.value, runs.run_uuid, runs.status FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid WHERE tags.key = 'l9.kind'"""
POINTS = "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step, timestamp"


def runs(home: Path) -> list[tuple[str, str, str]]:
    """Kind ("prep", "run" or "training"), id and status of every run, sorted."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        return sorted(connection.execute(RUNS).fetchall())


def points(home: Path, run_id: str, metric: str) -> list[tuple[int, float]]:
    """Every (step, value) that was ever sent of a metric, in order of steps."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        return list(connection.execute(POINTS, (run_id, metric)).fetchall())


def wrong_runs(home: Path, kinds: list[str]) -> list[str]:
    """What is wrong with the runs of a home that should have exactly one of each kind, all of them finished."""
    found = [(kind, status) for kind, _, status in runs(home)]
    expected = sorted((kind, "FINISHED") for kind in kinds)
    return [] if found == expected else [f"MLflow has {found}; expected {expected}"]
