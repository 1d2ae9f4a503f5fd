"""What the stages over pairs share: which frames are looked at, and scans that are not as they should be, none of which may crash."""

import numpy as np
import pytest
from dotted_room import CAMERA, apart, frame, scan_of, walk
from numpy.testing import assert_allclose, assert_array_equal
from pair_readers import COUNT, SCANS, frames

from l9.cards import card_from_plain
from l9.config import Prep, Use
from l9.errors import RefusedObject, UsageError
from l9.fingerprint import DigestCache
from l9.geometry.camera import Pinhole
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import IMPORTS, new_sandbox
from l9.progress import quiet
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox
from l9.stages import dense_matches, key_point_matches, view_pairs
from l9.stages.contract import run_stages
from l9.stages.seen_pairs import looked_at

STAGES = {"view_pairs": view_pairs, "dense_matches": dense_matches, "key_point_matches": key_point_matches}
NAME_OF = {"view_pairs": "frames", "dense_matches": "dense_frames", "key_point_matches": "pair"}
SMALL = {"side": 16, "shown": 0}
REFUSED = {  # of the stages that look at depth alone
    "all-off": "poses-disagree",
    "apart": "no-overlap",
    "dark": "no-depth",
    "empty": "no-depth",
    "nowhere": "not-finite",
    "single": "no-overlap",
    "surface": "no-frames",
}
REFUSED_KEY_POINTS = {**REFUSED, "colourless": "no-colour", "grey": "no-key-points", "holed": "no-key-points"}


def rows_of(scan, name, **arguments):
    given = {**(SMALL if name == "key_point_matches" else {}), **arguments}
    return list(run_stages(scan, [(STAGES[name], given)], object_id="scene0000_00"))


def pairs_of(scan, name, **arguments):
    return [row[NAME_OF[name]].tolist() for row in rows_of(scan, name, **arguments)]


@pytest.mark.parametrize("scan", sorted(SCANS))
@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_scan_is_done_or_refused_in_one_line(stage, scan):
    reason = (REFUSED_KEY_POINTS if stage == "key_point_matches" else REFUSED).get(scan)
    if reason is None:
        assert len(rows_of(SCANS[scan](), stage)) > 0
        return
    with pytest.raises(RefusedObject) as caught:
        rows_of(SCANS[scan](), stage)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) > len(reason) + 15


@pytest.mark.parametrize("wrong", ["one-off", "lens"])
def test_one_wrong_frame_is_left_out_and_all_else_is_equal(wrong):
    steps = [(view_pairs, {}), (dense_matches, {})]
    bad, good = SCANS[wrong](), SCANS["good"]()
    found = list(run_stages(bad, steps, object_id="a"))
    wanted = [row for row in run_stages(good, steps, object_id="a") if 5 not in row["frames"]]
    assert bad.notes == ["frame 5: its pose disagrees with what other frames see; left out"], "said once"
    assert good.notes == []
    assert len(found) == len(wanted) == (COUNT - 1) * (COUNT - 2) // 2
    for one, other in zip(found, wanted, strict=True):
        for column in one:
            assert_array_equal(one[column], other[column])


def test_two_cameras_in_one_scan_are_all_right():
    scan = SCANS["two-cameras"]()
    assert len(rows_of(scan, "view_pairs")) == COUNT * (COUNT - 1) // 2
    assert scan.notes == []
    matches = rows_of(SCANS["two-cameras"](), "key_point_matches", matches=4000)
    across = [len(row["match_frames"]) for row in matches if row["pair"].sum() % 2]
    assert np.mean(across) > 5


def test_the_stages_give_the_same_pairs_in_the_same_order():
    wanted = [[first, second] for second in range(COUNT) for first in range(second)]
    for name in STAGES:
        assert pairs_of(SCANS["good"](), name) == wanted
    for arguments in ({"overlap": 0.8}, {"every": 3}, {"frames": 5}, {"overlap": 0.7, "every": 2}):
        some = [pairs_of(SCANS["good"](), name, **arguments) for name in STAGES]
        assert some[0] == some[1] == some[2]
        assert 0 < len(some[0]) < len(wanted)
    together = [(view_pairs, {}), (dense_matches, {"samples": 64, "seed": 5}), (key_point_matches, {**SMALL, "seed": 9})]
    for row in run_stages(SCANS["one-off"](), together, object_id="b"):
        assert row["frames"].tolist() == row["dense_frames"].tolist() == row["pair"].tolist()


def test_which_frames_are_looked_at():
    scan = scan_of(frames())
    for every, most, wanted in (
        (1, 500, range(COUNT)),
        (3, 500, range(0, COUNT, 3)),
        (1, 6, range(0, COUNT, 2)),
        (2, 5, range(0, COUNT, 4)),
    ):
        assert [one.number for one in looked_at(scan, every, most, 0).frames(False)] == list(wanted)
    asked = []
    read = scan.frames
    watched = type(scan)(lambda colour, depth: asked.append((colour, depth)) or read(colour, depth))
    rows_of(watched, "dense_matches")
    assert not any(colour for colour, _ in asked), "no colour where none is needed"


def test_wide_pictures_are_made_smaller_and_show_the_same():
    wide = Pinhole.of_field(640, 480, 70.0)
    away = np.eye(4)
    scan = scan_of(apart(number, pose, wide, CAMERA, away) for number, pose in enumerate(walk(2)))
    kept = list(looked_at(scan, 1, 500, 320).frames(True))
    plain = list(looked_at(scan, 1, 500, 0).frames(True))
    assert kept[0].colour.shape == (240, 320, 3)
    assert plain[0].colour.shape == (480, 640, 3)
    assert kept[0].colour_camera == wide.resized(320, 240)
    assert kept[0].depth_camera == CAMERA
    assert_allclose(kept[0].colour[5, 7], plain[0].colour[10:12, 14:16].mean(axis=(0, 1)), atol=1)
    assert [one.colour_camera for one in looked_at(scan, 1, 500, 320).frames(False)] == [kept[0].colour_camera] * 2


def test_the_last_of_a_pair_without_depth_borrows_it():
    poses = walk(2, step=0.05)
    scan = scan_of([frame(0, poses[0]), frame(1, poses[1], depth=False)])
    (row,) = rows_of(scan, "key_point_matches", pixels=2)
    assert len(row["match_frames"]) > 20
    assert np.linalg.norm(row["match_offsets"][:, 1], axis=1).max() <= 2
    (row,) = rows_of(scan, "dense_matches")
    assert len(row["dense_points"]) == 64


@pytest.mark.parametrize("stage", sorted(STAGES))
@pytest.mark.parametrize("arguments", [{"overlap": -0.1}, {"overlap": 1.5}, {"every": 0}, {"frames": 1}, {"frames": 2001}, {"width": -1}])
def test_arguments_that_cannot_be_are_refused(stage, arguments):
    with pytest.raises(UsageError, match=f"stage {stage}: {next(iter(arguments))} is"):
        rows_of(SCANS["good"](), stage, **arguments)


CARD = {
    "name": "pairs",
    "what": "scans",
    "licence": "none",
    "reader": "pair_readers:read",
    "shards": 1,
    "axes": {"up": "+Z", "front": "+Y"},
}


def test_a_prep_in_the_sandbox_quarantines_them_with_their_reasons(home, tmp_path):
    card = card_from_plain(CARD, "pairs.yaml")
    (tmp_path / "root").mkdir()
    digests = DigestCache(tmp_path / "digests.sqlite")
    with new_sandbox() as lister:
        found = find_objects(card, tmp_path / "root", lister)
    prep = Prep(Use(view_pairs, flow=16), Use(dense_matches), Use(key_point_matches, **SMALL))
    plan = make_plan(card, prep, tmp_path / "root", found, digests)
    with Sandbox(Limits(memory_bytes=768 << 20), imports=IMPORTS) as sandbox:
        store, _ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet, remote=None)
    digests.close()
    assert {one["id"]: one["reason"] for one in store.quarantine()} == REFUSED_KEY_POINTS
    index = store.index.to_pydict()
    assert set(index["object"]) == SCANS.keys() - REFUSED_KEY_POINTS.keys()
    notes = dict(zip(index["object"], index["notes"], strict=True))
    assert notes["one-off"] == notes["lens"] == "frame 5: its pose disagrees with what other frames see; left out"
    assert notes["good"] == ""
