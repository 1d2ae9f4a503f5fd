"""A parser that hangs, spins, crashes or eats memory takes its own object with it, and nothing else."""

import dataclasses
import os

from attack_tools import prepared
from mesh_bytes import OBJ

from l9.prep.work import new_sandbox
from l9.sandbox.contract import Limits

LIMITS = Limits(memory_bytes=512 << 20, cpu_seconds=1, wall_seconds=120)
DEEDS = {
    "spins": "cpu-limit",
    "crashes": "died",
    "aborts": "died",
    "leaves": "died",
    "eats": "memory-limit",
}


def test_a_parser_that_hangs_is_ended_by_the_parents_clock(tmp_path):
    (tmp_path / "hangs.obj").write_bytes(OBJ)
    with new_sandbox(dataclasses.replace(LIMITS, wall_seconds=1)) as sandbox:
        _, meshes, reasons = prepared(tmp_path, tmp_path / "home", sandbox, reader="attack_tools:read")
        assert sandbox.deaths >= 2
    assert reasons == {"hangs.obj": "time-limit"} and not meshes


def test_each_misdeed_is_one_row_and_the_parent_goes_on(tmp_path):
    root, before = tmp_path / "meshes", os.getpid()
    root.mkdir()
    for name in (*DEEDS, *(f"good {number}" for number in range(6))):
        (root / f"{name}.obj").write_bytes(OBJ)
    with new_sandbox(LIMITS) as sandbox:
        store, meshes, reasons = prepared(root, tmp_path / "home", sandbox, reader="attack_tools:read")
        assert sandbox.deaths == 2 * len(DEEDS), "each is tried twice"
    assert reasons == {f"{name}.obj": reason for name, reason in DEEDS.items()}
    assert set(meshes) == {f"good {number}.obj" for number in range(6)} and os.getpid() == before
    details = {row["id"]: row["detail"] for row in store.quarantine()}
    assert "SIGSEGV" in details["crashes.obj"] and "SIGABRT" in details["aborts.obj"] and "code 0" in details["leaves.obj"]
