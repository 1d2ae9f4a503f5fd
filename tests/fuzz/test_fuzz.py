"""The fuzzing targets without the fuzzer: seeds, their cuts and single changed bytes are read or refused, and a crash is contained."""

import contextlib
import io
import random

import pytest
from fuzz_run import Totals, _contained, _keep, _kept
from fuzz_targets import TARGETS, Target, check, names
from mesh_bytes import OBJ

from l9.errors import RefusedObject, UsageError
from l9.readers.folder import read


def _tried(target, data):
    """Whether the bytes were read; False where they were refused. Anything else is raised."""
    with contextlib.suppress(RefusedObject, UsageError):
        target.run(data)
        return True
    return False


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_and_what_is_made_of_them_is_read_or_refused(name):
    target, chosen = TARGETS[name], random.Random(name)
    seeds = target.seeds()
    assert any(_tried(target, seed) for seed in seeds), "a seed is to lead beyond the first refusal"
    for seed in seeds:
        for _ in range(30):
            place = chosen.randrange(len(seed))
            _tried(target, seed[:place])
            _tried(target, seed[:place] + bytes([chosen.randrange(256)]) + seed[place + 1 :])


def test_a_mesh_that_no_stage_could_use_fails_its_target():
    target = Target(list, "l9.readers.folder:read", ".obj")
    mesh = read([io.BytesIO(OBJ)], target.described(), "+Y")
    check(mesh)
    mesh.faces[0, 0] = 7
    with pytest.raises(AssertionError):
        check(mesh)


@pytest.mark.parametrize("deed", ["crashes", "leaves", "good"])
def test_what_kills_a_library_is_contained_by_the_sandbox(tmp_path, deed, capsys):
    (tmp_path / "crash-1").write_bytes(OBJ)
    target = Target(list, "attack_tools:read", f"/{deed}.obj", library=True)
    assert _contained(target, tmp_path / "crash-1")
    assert ("died" in capsys.readouterr().err) == (deed != "good")
    assert [path.name for path in tmp_path.iterdir()] == ["crash-1"]


def test_totals_are_kept_and_unknown_targets_are_named(tmp_path):
    totals = {"obj": Totals(executions=7, cpu_seconds=1.5)}
    _keep(tmp_path / "totals.json", totals)
    assert _kept(tmp_path / "totals.json") == totals and _kept(tmp_path / "none.json") == {}
    assert names([]) == list(TARGETS) and names(["ply"]) == ["ply"]
    with pytest.raises(SystemExit, match="no target blend; there is obj"):
        names(["blend"])
