"""Lists of key point matches: what l9 mined comes back as it was, and a list that disagrees with its pictures is refused."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from match_trees import (
    HEADER,
    HEIGHT,
    PLACES,
    SCAN,
    SETTINGS,
    STEP,
    STILL,
    WIDTH,
    encoded,
    line,
    lists,
    mined,
    picture,
    put_lists,
    put_pictures,
    store_of_rows,
)
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from l9.errors import RefusedObject, UsageError
from l9.evaluate.export import export_store
from l9.geometry.match_lists import moved_octaves, unpacked_octaves
from l9.readers import match_lists
from l9.stages import key_point_matches, listed_matches
from l9.stages.contract import columns_of, run_stages

SCENE = "17DRP5sb8fy"
LISTED = {"side": 32, **STILL}


def found_in(root, **parameters):
    return {one.id: one for one in match_lists.find(root, **parameters)}


def rows_of(root, name, arguments=LISTED, **parameters):
    found = found_in(root, **parameters)[name]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((root / file).open("rb")) for file in found.files]
        listed = match_lists.read(files, found, "+Z", **parameters)
        return list(run_stages(listed, [(listed_matches, arguments)], object_id=name)), listed


def scene(root, positives=None, negatives=None, **options):
    good = lists()
    put_pictures(root / SCENE)
    return put_lists(root / SCENE, good[0] if positives is None else positives, good[1] if negatives is None else negatives, **options)


def refused(root, reason, words, **parameters):
    with pytest.raises(RefusedObject, match=words) as caught:
        rows_of(root, SCENE, **parameters)
    assert caught.value.reason == reason and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_was_mined_comes_back(home, tmp_path, kind):
    """Numbers to the last bit; of PNG pictures patches and descriptors too, of JPEG patches as far as JPEG keeps them."""
    wanted = mined()
    counts = [len(row["match_frames"]) for row in wanted]
    assert sum(counts) > 30 and len([count for count in counts if count]) == 3, "matches in each pair of the three frames"
    done = export_store(store_of_rows(home, wanted), "matches", tmp_path / "out")
    assert (done.objects, done.matches, done.files) == (1, sum(counts), 2)
    put_pictures(tmp_path / "out" / SCAN, kind=kind)
    rows, listed = rows_of(tmp_path / "out", SCAN)
    assert listed.size == (WIDTH, HEIGHT) and len(rows) == 3
    drawn = {"patches", "sift", "orb", "shown"} if kind == "JPEG" else set()
    for row, other in zip(wanted, rows, strict=True):
        assert list(row) == list(other)
        for name in set(row) - {"match_key_points", *drawn}:
            assert row[name].dtype == other[name].dtype
            assert_array_equal(row[name], other[name], err_msg=name)
    if kind == "JPEG":
        apart = np.concatenate([np.abs(a["patches"].astype(int) - b["patches"]).ravel() for a, b in zip(wanted, rows, strict=True)])
        assert 0 < apart.mean() < 6  # seen: 3.9 of 255 at quality 95, whose colour is kept at half the size


def test_key_points_are_told_apart_as_they_were(home, tmp_path):
    """The list does not keep a key point's number, but two matches share one exactly where they did."""
    wanted = mined()
    export_store(store_of_rows(home, wanted), "matches", tmp_path / "out")
    put_pictures(tmp_path / "out" / SCAN)
    rows, _ = rows_of(tmp_path / "out", SCAN)
    names = [
        np.concatenate([np.stack([row["match_frames"], row["match_key_points"]], axis=-1).reshape(-1, 2) for row in some])
        for some in (wanted, rows)
    ]
    pairs = {(tuple(one), tuple(other)) for one, other in zip(names[0].tolist(), names[1].tolist(), strict=True)}
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)
    for frame in PLACES:
        numbers = np.unique(names[1][names[1][:, 0] == frame, 1])
        assert_array_equal(numbers, np.arange(len(numbers)))


def test_pictures_wider_than_the_list_is_of_are_made_smaller(home, tmp_path):
    """As in mining: pictures three times as large, a list of the small ones, and the stage at that width."""
    large = lambda number: np.asarray(Image.fromarray(picture(number)).resize((3 * WIDTH, 3 * HEIGHT), Image.Resampling.BICUBIC))  # noqa: E731
    wanted = mined()
    export_store(store_of_rows(home, wanted), "matches", tmp_path / "out")
    put_pictures(tmp_path / "out" / SCAN, seen=large)
    rows, _ = rows_of(tmp_path / "out", SCAN, {**LISTED, "width": WIDTH})
    assert_array_equal(rows[0]["match_pixels"], wanted[0]["match_pixels"])
    assert_array_equal(rows[0]["picture_sizes"], [[WIDTH, HEIGHT]] * 2)
    wide, _ = rows_of(tmp_path / "out", SCAN, {**LISTED, "width": 0})
    assert_allclose(wide[0]["match_pixels"], 3 * wanted[0]["match_pixels"] + 1, atol=1e-3)  # centres: 3 (x + 1/2) - 1/2
    assert_allclose(wide[0]["match_sizes"], 3 * wanted[0]["match_sizes"], rtol=1e-5)


def test_matterports_pictures_are_half_of_those_the_key_points_are_of(tmp_path):
    scene(tmp_path, *(to_double(some) for some in lists()))
    (row, *_), listed = rows_of(tmp_path, SCENE, detected=[2 * WIDTH, 2 * HEIGHT])
    assert listed.size == (2 * WIDTH, 2 * HEIGHT) and len(listed.matches) == 2
    assert_allclose(row["match_pixels"][0, 0], [119.75, 89.75])
    assert_allclose(row["match_sizes"], 2.25)
    assert_array_equal(unpacked_octaves(row["match_octaves"])[0], -1)
    assert_array_equal(row["picture_sizes"], [[WIDTH, HEIGHT]] * 2)
    refused(tmp_path, "wrong-size", "240x180 pixels; the list is of 500x180", detected=[500, 180])


def to_double(lines):
    """The same lines with pixels twice as large."""
    split = [one.split("\t") for one in lines]
    return ["\t".join([*one[:3], " ".join(str(2 * int(word)) for word in one[3].split()), *one[4:]]) for one in split]


def test_offsets_sensors_and_names(tmp_path):
    positives, negatives = lists()
    moved = [[one.replace("\t0\t5\t", "\t2\t5\t") for one in some] for some in (positives, negatives)]
    put_pictures(tmp_path / SCENE, (3, 6))
    (tmp_path / SCENE / "images/color-02-000005.jpg").write_bytes(encoded(picture(5), "JPEG"))
    (tmp_path / SCENE / "images/color-02-000005.png").write_bytes(b"the JPEG is read")
    (tmp_path / SCENE / "images/Thumbs.db").write_bytes(b"by Windows")
    (tmp_path / SCENE / "images/depth-00-000003.png").write_bytes(b"nobody's")
    put_lists(tmp_path / SCENE, *moved, names=("matches1.txt", "negatives1.txt"))
    (row,), listed = rows_of(tmp_path, SCENE)
    assert_array_equal(row["match_frames"], [[3, 2_000_005, 6], [3, 2_000_005, 2_000_005]])
    assert_array_equal(row["match_offsets"][1], [[0, 0], [0.5, -0.25], [np.nan, np.nan]])
    assert_array_equal(row["match_key_points"][:, 0], [0, 1])
    assert listed.notes == ["1 files of images are no pictures of a sensor and a frame: left alone"] and listed.size is None
    assert found_in(tmp_path)[SCENE].split in ("train", "validation", "test")
    (tmp_path / "scenes_test.txt").write_text(SCENE + "\n")
    assert found_in(tmp_path)[SCENE].split == "test"


def test_matches_are_thinned_and_every_nth_is_kept(tmp_path):
    numbers = range(10)
    first = [line(n, 0, 3, (60 + n, 90)) for n in numbers]
    positives = [one for n in numbers for one in (first[n], line(n, 0, 5, (50 + n, 90)))]
    negatives = [one for n in numbers for one in (first[n], line(n, 0, 6, (150, 60 + n)))]
    scene(tmp_path, positives, negatives)
    assert_array_equal(rows_of(tmp_path, SCENE, every=4)[0][0]["match_pixels"][:, 0, 0], [60, 64, 68])
    kept = [rows_of(tmp_path, SCENE, {**LISTED, "matches": 3, "seed": 7})[0][0]["match_pixels"][:, 0, 0] for _ in range(2)]
    assert_array_equal(*kept)
    assert len(kept[0]) == 3 and (np.diff(kept[0]) > 0).all()


def changed(place, old, new, both=False):
    """The lists with one line of one of them (both: of both) changed."""
    positives, negatives = lists()
    for number, some in enumerate((positives, negatives)):
        if both or number == place[0]:
            assert old in some[place[1]]
            some[place[1]] = some[place[1]].replace(old, new, 1)
    return positives, negatives


@pytest.mark.parametrize(
    "made, reason, words",
    [
        (lambda: lists(other_frame=9), "missing-picture", r"images/color-00-000009\.jpg is not there"),
        (lambda: changed((0, 1), "110 90", "240 90"), "outside-picture", r"pixel \(240, 90\) of frame 5, a picture of 240x180"),
        (lambda: changed((0, 1), "110 90", "-1 90"), "outside-picture", r"pixel \(-1, 90\)"),
        (lambda: (lists()[0], lists()[1][:2]), "match-counts", r"matches\.txt has 4 lines after its header, negatives\.txt 2"),
        (lambda: (lists()[0][:3], lists()[1][:3]), "match-counts", "both lists have 3 lines .* two a match"),
        (lambda: ([], []), "no-matches", r"matches\.txt has none"),
        (
            lambda: changed((1, 2), "130 80", "131 80"),
            "anchors-differ",
            r"match 1: .*pixel \(130, 80\) in matches\.txt, .*\(131, 80\) in neg",
        ),
        (lambda: changed((1, 2), "\t3\t", "\t5\t"), "anchors-differ", "frame 3 .* frame 5"),
        (lambda: changed((0, 3), "1\t", "2\t"), "match-numbers", r"matches\.txt line 7: .* numbers 1 2 1 1"),
        (lambda: changed((1, 3), "1\t", "2\t"), "match-numbers", r"negatives\.txt line 7: .* numbers 1 1 1 2"),
        (lambda: changed((0, 1), "0.5 0.25 2", "0.5 nan 2"), "not-finite", r"matches\.txt line 5: point is '0\.5 nan 2'"),
        (lambda: changed((0, 1), "\t4.5\t", "\t-inf\t"), "not-finite", "size is '-inf'"),
        (lambda: changed((0, 3), "0.5 -0.25", "-1.#INF 0"), "not-finite", r"line 7: offset is '-1\.#INF 0'"),
        (lambda: changed((0, 1), "\t4.5\t", "\t1e30\t"), "not-finite", "size is '1e30'"),
        (lambda: changed((0, 1), "\t30\t", "\t3_0\t"), "not-finite", "angle is '3_0'"),
        (lambda: changed((0, 1), "\t4.5\t", "\t0\t"), "bad-match", "size is 0"),
        (lambda: changed((0, 1), "\t256", ""), "bad-match", r"matches\.txt line 5 has 11 fields"),
        (lambda: changed((0, 1), "110 90", "110,90"), "bad-match", "12 fields, or one of other parts"),
        (lambda: changed((0, 1), "\t5\t", "\t5.5\t"), "bad-match", "frame is '5.5'; expected an integer"),
        (lambda: changed((0, 1), "\t5\t", "\t1000000\t"), "bad-match", "frame 1,000,000"),
        (lambda: changed((0, 1), "\t256", "\t40"), "bad-match", "octave 40, layer 0 in frame 5"),
        (lambda: changed((0, 1), "\t256", "\t254"), "bad-match", "octave -2, layer 0"),
        (lambda: changed((0, 1), "\t256", "\t" + 1500 * "1"), "bad-match", r"matches\.txt has a line of more than 1,000 bytes"),
        (lambda: changed((0, 2), "1\t", "\n1\t"), "bad-match", "an empty line after line 5"),
    ],
)
def test_a_list_that_disagrees_is_refused(tmp_path, made, reason, words):
    scene(tmp_path, *made())
    refused(tmp_path, reason, words)


def test_a_picture_that_is_none(tmp_path):
    (scene(tmp_path) / "images/color-00-000005.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    refused(tmp_path, "broken-picture", r"images/color-00-000005\.png: PNG: ")


def test_scenes_that_cannot_be_used_are_listed_with_the_reason(tmp_path):
    put_lists(tmp_path / "a", *lists())
    (put_lists(tmp_path / "b", *lists()) / "negatives.txt").unlink()
    found = found_in(tmp_path)
    assert found["a"].facts["refuse"][0] == "no-frames" and "images/color-00-000000.jpg" in found["a"].facts["refuse"][1]
    assert found["b"].facts["refuse"] == ["missing-file", "b/negatives.txt is not there"]
    with pytest.raises(UsageError, match=r"no folders such as <scene>/matches\.txt"):
        found_in(tmp_path / "a" / ".." / "empty" if (tmp_path / "empty").mkdir() else tmp_path / "empty")
    for parameters in ({"every": 0}, {"detected": [640]}, {"detected": [640, -1]}):
        with pytest.raises(UsageError, match=f"parameters.{next(iter(parameters))} is"):
            found_in(tmp_path, **parameters)


def test_too_many_matches(tmp_path, monkeypatch):
    monkeypatch.setattr(match_lists, "MOST_MATCHES", 1)
    scene(tmp_path)
    refused(tmp_path, "too-many-matches", "parameters.every")
    assert len(rows_of(tmp_path, SCENE, every=2)[1].matches) == 1


def test_what_the_stage_may_be_asked():
    names = [column.name for column in columns_of([(listed_matches, {})])]
    assert names == [column.name for column in columns_of([(key_point_matches, {})])]
    wrong = ({"matches": 4000, "side": 256}, {"width": -1}, {"side": 8}, {"shown": -1}, {"zoom": 91}, {"matches": 0})
    for arguments in wrong:
        with pytest.raises(UsageError, match="stage listed_matches: "):
            columns_of([(listed_matches, arguments)])


def test_octaves_as_opencv_packs_them():
    """By hand: octave -1 and layer 2 is 0x02ff; a picture half as large has the octave one lower, but none below -1."""
    packed = np.array([0x02FF, 0x0100, 0x123_0305], np.int32)
    octaves, layers, scales = unpacked_octaves(packed)
    assert octaves.tolist() == [-1, 0, 5] and layers.tolist() == [2, 1, 3] and scales.tolist() == [2, 1, 1 / 32]
    assert moved_octaves(packed, -1).tolist() == [0x02FF, 0x01FF, 0x123_0304]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(RefusedObject):
        match_lists.read_lists(io.BytesIO(HEADER.encode() + data), io.BytesIO(HEADER.encode() + data))
    good = HEADER.encode() + "\n".join(lists()[0]).encode()
    with contextlib.suppress(RefusedObject):
        match_lists.read_lists(io.BytesIO(good), io.BytesIO(good[: len(HEADER) + 20] + data))


def test_the_pattern_moves_as_the_camera_does():
    """The trees of these tests: by STEP pixels, which is what makes the matches known."""
    assert_array_equal(picture(3)[:, STEP:], picture(5)[:, :-STEP])
    assert SETTINGS["side"] == LISTED["side"]
