"""Middlebury's stereo pairs: both layouts, what a disparity means, and files that a stranger wrote."""

import contextlib
import io

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from l9.cards import load_card
from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import back_project, inverse_pose, moved, project
from l9.readers import middlebury
from l9.readers.contract import REFUSE
from l9.readers.middlebury import find, read, read_calibration

WIDTH, HEIGHT = 12, 7
FOCAL, DOFFS, BASELINE = 20.0, 1.5, 0.25
CALIB = """cam0=[20 0 5.5; 0 20 3; 0 0 1]
cam1=[20 0 7.0; 0 20 3; 0 0 1]
doffs=1.5
baseline=250
width=12
height=7
"""
PAIR = {
    **{"left": "l.png", "right": "r.jpg", "disparity": "d.npz"},
    "calibration": {"focal": 20, "cx": 5.5, "cy": 3, "doffs": 1.5, "baseline": 0.25},
}


def picture(kind="PNG", seed=0, size=(HEIGHT, WIDTH)):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)).save(out, kind)
    return out.getvalue()


def disparity():
    return np.linspace(1, 4, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)


def pfm(values, little=True):
    header = f"Pf\n{values.shape[1]} {values.shape[0]}\n{'-' if little else ''}1.0\n"
    return header.encode() + values[::-1].astype("<f4" if little else ">f4").tobytes()


def npz(values):
    out = io.BytesIO()
    np.savez_compressed(out, values)
    return out.getvalue()


def scene(folder, **files):
    given = {"im0.png": picture(), "im1.png": picture(seed=1), "disp0.pfm": pfm(disparity()), "calib.txt": CALIB.encode(), **files}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in given.items():
        if data is not None:
            (folder / name).write_bytes(data)
    return folder


def frames_of(root, found, colour=True, depth=True, **parameters):
    with contextlib.ExitStack() as stack:
        scan = read([stack.enter_context((root / file).open("rb")) for file in found.files], found, "-Y", **parameters)
        assert scan.surface is None and scan.up == "-Y"
        first = list(scan.frames(colour, depth))
        assert len(list(scan.frames(False, False))) == len(first) == 2, "frames can be asked for again"
        return first


def frames(tmp_path, **files):
    (found,) = find(scene(tmp_path / "a", **files))
    return frames_of(tmp_path / "a", found)


def refused(tmp_path, reason, **files):
    with pytest.raises(RefusedObject) as caught:
        frames(tmp_path, **files)
    assert caught.value.reason == reason and "\n" not in str(caught.value)


def test_scenes_are_found_by_their_calibration(tmp_path):
    scene(tmp_path / "b", **{"disp1.pfm": pfm(disparity())})
    scene(tmp_path / "a/deep", **{"disp0.pfm": None, "disp0GT.pfm": pfm(disparity())})
    scene(tmp_path / "c", **{"disp0.pfm": None})
    (tmp_path / "c/not-calib.txt").touch()
    found = list(find(tmp_path))
    assert [one.id for one in found] == ["a/deep/im0.png", "b/im0.png", "c/im0.png"]
    assert [[file.rpartition("/")[2] for file in one.files] for one in found[:2]] == [
        ["im0.png", "im1.png", "disp0GT.pfm", "calib.txt"],
        ["im0.png", "im1.png", "disp0.pfm", "disp1.pfm", "calib.txt"],
    ]
    assert [one.facts.get(REFUSE) for one in found] == [None, None, ["missing-file", "c/disp0.pfm is not there"]]


def test_a_root_without_scenes_says_what_to_give(tmp_path):
    with pytest.raises(UsageError, match=r"no folder with calib\.txt there; .*--root DIR"):
        list(find(tmp_path))
    (tmp_path / "below").mkdir()
    (tmp_path / "below/l.png").touch()
    with pytest.raises(UsageError, match=r"no l\.png there; give --root .*below"):
        list(find(tmp_path, PAIR))


def test_a_pair_is_two_frames_of_one_world(tmp_path):
    left, right = frames(tmp_path, **{"disp1.pfm": pfm(disparity() + 1)})
    assert (left.number, right.number) == (0, 1)
    assert_array_equal(left.pose, np.eye(4))
    assert_array_equal(right.pose[:3, 3], [BASELINE, 0, 0])
    assert left.depth.dtype == np.float32 and left.colour.dtype == np.uint8
    assert_allclose(left.depth, FOCAL * BASELINE / (disparity() + DOFFS), rtol=1e-6)
    assert_allclose(right.depth, FOCAL * BASELINE / (disparity() + 1 + DOFFS), rtol=1e-6)
    assert (left.depth_camera.cx, right.depth_camera.cx, left.depth_camera.cy) == (5.5, 7.0, 3.0)


def test_a_point_is_seen_a_disparity_further_left_by_the_right_camera(tmp_path):
    left, right = frames(tmp_path)
    there = project(moved(back_project(left.depth, left.depth_camera), inverse_pose(right.pose)), right.colour_camera)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    assert_allclose(there[:, 0], (columns - disparity()).ravel(), atol=1e-5)
    assert_allclose(there[:, 1], rows.ravel(), atol=1e-5)


def test_what_is_not_asked_for_is_not_given_and_the_right_camera_may_have_no_depth(tmp_path):
    root = scene(tmp_path)
    (found,) = find(root)
    assert [(one.colour is None, one.depth is None) for one in frames_of(root, found, colour=False)] == [(True, False), (True, True)]
    assert [(one.colour is None, one.depth is None) for one in frames_of(root, found, depth=False)] == [(False, True)] * 2
    left, right = frames_of(root, found)
    assert right.depth is None and left.depth.all()


def test_what_was_not_measured_has_no_depth(tmp_path):
    values = disparity()
    values[0, :5] = np.inf, np.nan, 0, -np.inf, -1
    left, _ = frames(tmp_path, **{"disp0.pfm": pfm(values)})
    assert not left.depth[0, :5].any() and left.depth[0, 5:].all() and left.depth[1:].all()


@pytest.mark.parametrize("kind", ["big-endian", "npz", "npz64", "npz-by-columns", "grey"])
def test_every_form_of_disparity_says_the_same(tmp_path, kind):
    whole = np.arange(WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    grey = io.BytesIO()
    Image.fromarray(whole.astype(np.uint8)).save(grey, "PNG")
    data = {
        **{"big-endian": pfm(whole, little=False), "npz": npz(whole), "npz64": npz(whole.astype(np.float64))},
        **{"npz-by-columns": npz(np.asfortranarray(whole)), "grey": grey.getvalue()},
    }[kind]
    (tmp_path / "l.png").write_bytes(picture())
    (tmp_path / "r.jpg").write_bytes(picture("JPEG"))
    (tmp_path / "d.npz").write_bytes(data)
    (found,) = find(tmp_path, PAIR)
    assert (found.id, found.files) == ("l.png", ("l.png", "r.jpg", "d.npz"))
    left, _ = frames_of(tmp_path, found, pair=PAIR)
    expected = np.where(whole > 0, FOCAL * BASELINE / (whole + DOFFS), 0)
    assert_allclose(left.depth, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "data",
    [
        b"Pf\n999999999 999999999\n-1.0\n" + bytes(100),
        b"Pf\n12 8\n-1.0\n" + bytes(4 * 12 * 8),
        npz(np.zeros((7, 13), np.float32)),
    ],
)
def test_disparity_of_another_size_is_refused_before_room_is_made_for_it(tmp_path, data):
    refused(tmp_path, "wrong-size", **{"disp0.pfm": data})


def npy(header, data=b""):
    """An NPZ whose array has a header of somebody's own."""
    import zipfile

    out = io.BytesIO()
    text = header.ljust(117).encode() + b"\n"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return out.getvalue()


HEADER = "{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "data",
    [
        b"Pf\n",
        b"PfF",
        b"Pf\n12 7\n" + bytes(400),
        b"Pf\n12 7\n0\n" + bytes(336),
        b"Pf\n12 7\n1e999\n" + bytes(336),
        b"Pf\n12 7\n1e-+\n" + bytes(336),
        b"Pf\n-12 7\n-1\n" + bytes(336),
        pfm(np.ones((HEIGHT, WIDTH)))[:-1],
        pfm(np.ones((HEIGHT, WIDTH))) + b"x",
        npz(np.ones((HEIGHT, WIDTH), np.int32)),
        npz(np.ones((1, HEIGHT, WIDTH), np.float32)),
        npz(np.float32(1)),
        npy(HEADER.format(descr="|O", shape=(7, 12)), b"cos\nsystem\n(S'true'\ntR." + bytes(400)),
        npy(HEADER.format(descr="<f4", shape=(7, 12)), bytes(335)),
        npy(HEADER.format(descr="<f4", shape="(" * 50)),
        npy("__import__('os')"),
        npy("{'descr': '<f4'}"),
        picture(),
    ],
)
def test_broken_disparity_is_refused(tmp_path, data):
    refused(tmp_path, "broken-disparity", **{"disp0.pfm": data})


def test_a_negative_shape_is_no_size(tmp_path):
    refused(tmp_path, "wrong-size", **{"disp0.pfm": npy(HEADER.format(descr="<f4", shape=(-7, -12)))})


def test_bombs_and_other_formats_are_refused(tmp_path):
    refused(tmp_path, "too-large", **{"disp0.pfm": npz(np.zeros((3000, 3000), np.float32))})
    refused(tmp_path, "unreadable", **{"disp0.pfm": npz(disparity())[:-30]})
    refused(tmp_path, "unknown-format", **{"disp0.pfm": b"PF\n12 7\n-1\n"})
    refused(tmp_path, "unknown-format", **{"disp0.pfm": b""})
    refused(tmp_path, "broken-picture", **{"im0.png": b"GIF89a"})
    refused(tmp_path, "broken-picture", **{"im1.png": picture()[:200]})
    refused(tmp_path, "wrong-size", **{"im0.png": picture(size=(5, 5))})


def test_files_are_read_to_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(middlebury, "FILE_BYTES", 100)
    refused(tmp_path, "too-large")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("doffs=1.5\n", "", "doffs is missing; expected 1 numbers"),
        ("doffs=1.5", "doffs=2.5", "no rectified pair"),
        ("doffs=1.5", "doffs=1.2.3", "doffs is '1.2.3'"),
        ("baseline=250", "baseline=0", "baseline is 0; expected a number above 0"),
        ("baseline=250", "baseline=1e300", "baseline is 1e\\+297"),
        ("baseline=250", "baseline=1e999", "baseline is inf"),
        ("[20 0 5.5; 0 20 3; 0 0 1]", "[20 0 5.5; 0 20 3]", "cam0 is .*expected 9 numbers"),
        ("[20 0 5.5; 0 20 3", "[20 0 5.5; 0 21 3", "no rectified pair"),
        ("cam", "\0\xff", "cam0 is missing"),
    ],
)
def test_a_calibration_that_is_none(old, new, words):
    with pytest.raises(RefusedObject, match=words) as caught:
        read_calibration(io.BytesIO(CALIB.replace(old, new).encode("latin-1")))
    assert caught.value.reason == "bad-calibration" and "\n" not in str(caught.value)


def test_a_calibration_of_any_length_is_read_to_a_bound():
    with pytest.raises(RefusedObject, match="too-large"):
        read_calibration(io.BytesIO(b"x" * (1 << 17)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"focal": 0}, r"parameters\.pair\.calibration\.focal is 0; expected a number above 0"),
        ({"cx": "5"}, r"parameters\.pair\.calibration\.cx is '5'; expected a number"),
        ({"fx": 5}, r"parameters\.pair\.calibration has no field 'fx'"),
    ],
)
def test_a_wrong_pair_in_a_card_is_one_line(tmp_path, changes, words):
    with pytest.raises(UsageError, match=words):
        list(find(tmp_path, {**PAIR, "calibration": {**PAIR["calibration"], **changes}}))


@pytest.mark.parametrize("name", ["motorcycle", "aloe"])
def test_the_cards_find_their_pair_and_refuse_what_lacks_a_file(tmp_path, name):
    card = load_card(name)
    (tmp_path / card.parameters["pair"]["left"]).touch()
    (found,) = find(tmp_path, **card.parameters)
    assert found.facts[REFUSE] == ["missing-file", f"{card.parameters['pair']['right']} is not there"]
    assert set(card.source) == {"motorcycle": {"pip", "keep", "root"}, "aloe": {"apt", "keep", "root"}}[name]
