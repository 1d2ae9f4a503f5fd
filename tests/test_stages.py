"""l9.stages: what each stage changes or yields, how they are joined, and that their bytes stay."""

import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
from geometry_cases import solid, turned_grid
from golden_stages import PATH, TOLERANCE, measured
from numpy.testing import assert_allclose, assert_array_equal

import l9.stages
from l9.config import Use, with_defaults
from l9.errors import RecipeError, RefusedObject, UsageError
from l9.geometry.cloud import PointCloud
from l9.geometry.damage import holed, two_sided
from l9.geometry.mesh import Mesh
from l9.geometry.normalise import rotation_about
from l9.geometry.sample import sample_surface
from l9.geometry.sdf import measured_grid, sdf_at, sdf_grid
from l9.geometry.subsets import farthest_points, poisson_disk_points
from l9.geometry.voxels import surface_occupancy
from l9.stages import box_size, coarse_occupancy, normalise, occupancy, sdf, sdf_points, surface_points, views
from l9.stages.contract import changes, columns_of, run_stages, stage_info, yields
from l9.store.columns import Column


def chair(up="+Y"):
    return Mesh(*solid("chair"), up=up)


def one(stage, mesh, **arguments):
    (row,) = run_stages(mesh, [(stage, arguments)], object_id="chair/0000")
    return row


@pytest.mark.parametrize(
    "stage", [occupancy, sdf, sdf_points, surface_points, views, coarse_occupancy, box_size], ids=lambda stage: stage.__name__
)
def test_the_row_of_a_stage_is_what_its_columns_say(stage):
    row = one(stage, chair())
    columns = columns_of([(stage, {})])
    assert list(row) == [column.name for column in columns]
    for column in columns:
        assert (row[column.name].shape, row[column.name].dtype) == (column.shape, np.dtype(column.dtype))
        assert column.axes or column.shape == ()
        assert row[column.name].any() or column.name == "doubt"  # none in a sound mesh


def test_the_box_is_measured_before_normalise_in_the_meshs_own_unit():
    vertices, faces = solid("chair")
    (row,) = run_stages(Mesh(vertices * 7 + 3, faces), [(box_size, {}), (normalise, {})], object_id="chair")
    assert_allclose(row["box_size"], 7 * np.ptp(vertices, axis=0), rtol=1e-6)


def test_a_change_has_no_columns_and_keeps_faces_and_up():
    moved = normalise(Mesh(solid("chair")[0] * 7 + 3, solid("chair")[1], up="-Z"), kind="cube")
    assert columns_of([(normalise, {})]) == ()
    assert_allclose(moved.vertices, chair().vertices, atol=1e-9)
    assert moved.up == "-Z"
    assert_allclose(np.linalg.norm(normalise(chair(), kind="sphere").vertices, axis=1).max(), 1)


@pytest.mark.parametrize("up", ["+X", "-Y", "+Z"])
def test_occupancy_turns_about_up_and_fits_again(up):
    mesh = chair(up)
    grids = one(occupancy, mesh, resolution=16, rotations=4)["occupancy"]
    for number, grid in enumerate(grids):
        assert_array_equal(grid, turned_grid(grids[0], rotation_about(up, number * np.pi / 2)))
    assert_array_equal(grids[0], surface_occupancy(mesh.vertices, mesh.faces, 16))


def test_a_turned_box_stays_in_the_grid():
    """A square plate turned by 45 degrees reaches 1.27 before it is fitted again: the border stays empty."""
    plate = Mesh(solid("box")[0] * [1, 0.05, 1], solid("box")[1])
    grids = one(occupancy, plate, resolution=40, kind="solid", rotations=8)["occupancy"]
    assert not grids[:, [0, -1]].any()
    assert not grids[:, :, :, [0, -1]].any()


def test_solid_occupancy_fills_what_surface_occupancy_leaves_empty():
    surface, filled = (one(occupancy, chair(), resolution=48, kind=kind)["occupancy"] for kind in ("surface", "solid"))
    assert (filled >= surface).all()
    assert filled.sum() > surface.sum()


@pytest.mark.parametrize(("dtype", "atol"), [("float16", 5e-4), ("float32", 0)])
def test_sdf_keeps_the_precision_it_names(dtype, atol):
    mesh = chair()
    assert_allclose(one(sdf, mesh, resolution=12, dtype=dtype)["sdf"], sdf_grid(mesh.vertices, mesh.faces, 12), atol=atol)
    assert (one(sdf, mesh, resolution=12, sign="none")["sdf"] >= 0).all()


def test_sdf_says_how_it_was_signed_and_how_sure_it_is():
    whole, sheet = solid("mug"), two_sided(*solid("box"))
    for mesh, sign, number in (
        (whole, "auto", 1),
        (whole, "none", 0),
        (whole, "parity", 2),
        (sheet, "auto", 0),
        (holed(*whole, share=0.5), "auto", 1),
    ):
        row, found = one(sdf, Mesh(*mesh), resolution=16, sign=sign), measured_grid(*mesh, 16, sign=sign)
        assert row["sign"] == number
        assert_allclose(row["doubt"], found.doubt)
        assert (row["doubt"] > 0.05) == (mesh[1] is not whole[1] and number == 1)


def test_sdf_is_cut_on_both_sides():
    mesh = chair()
    whole, cut = (one(sdf, mesh, resolution=16, dtype="float32", truncate=truncate)["sdf"] for truncate in (0, 1.5))
    assert_array_equal(cut, np.clip(whole, -np.float32(1.5 * 2 / 16), np.float32(1.5 * 2 / 16)))
    assert (cut != whole).any()


def test_points_about_the_surface_have_its_distance():
    vertices, faces = solid("mug")
    row = one(sdf_points, Mesh(vertices, faces), count=4000, seed=5)
    assert_array_equal(row["distances"], sdf_at(vertices, faces, row["queries"]))
    far = np.abs(row["distances"])
    assert 0.5 < (far < 0.05).mean() < 0.95
    assert 0.01 < (far > 0.2).mean() < 0.1  # 5 % anywhere in the box
    assert (row["distances"] < 0).any()
    assert_array_equal(one(sdf_points, Mesh(vertices, faces), count=4000, seed=5)["queries"], row["queries"])
    assert (one(sdf_points, Mesh(vertices, faces), count=4000, seed=6)["queries"] != row["queries"]).any()


@pytest.mark.parametrize(("spread", "choose"), [("farthest", farthest_points), ("poisson", poisson_disk_points)])
def test_points_are_thinned_out_with_their_normals(spread, choose):
    vertices, faces = solid("mug")
    points, unit, _ = sample_surface(vertices, faces, 500, seed=3)
    found = next(surface_points(Mesh(vertices, faces), count=100, seed=3, spread=spread))
    numbers = choose(points, 100, seed=3)
    assert_array_equal(found["points"], points[numbers])
    assert_array_equal(found["normals"], unit[numbers])
    found = next(surface_points(PointCloud(points.astype(float), unit.astype(float)), count=100, seed=3, spread=spread))
    numbers = choose(points.astype(float), 100, seed=3)
    assert_array_equal(found["points"], points[numbers])
    assert_array_equal(found["normals"], unit[numbers])


def test_coarse_occupancy_counts_the_neighbours_of_every_second_voxel():
    """Against the recipe in words: 40,000 points, 30^3 cells over the longest side, 3^3 counts, from index 1 in twos."""
    mesh = chair()
    points = one(surface_points, mesh, count=40_000, seed=0)["points"]
    cells = np.zeros((32, 32, 32), dtype=int)
    cells[tuple((np.clip(np.floor((points / 1.8 + 0.5) * 30), 0, 29).astype(int) + 1).T)] = 1
    counts = sum(cells[1 + x : 31 + x, 1 + y : 31 + y, 1 + z : 31 + z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1))
    found = one(coarse_occupancy, mesh, seed=0)["coarse_occupancy"]
    assert (found != counts[1::2, 1::2, 1::2]).mean() < 0.01  # a point on a wall may fall to either side in float32
    assert found.max() <= 27


@pytest.mark.parametrize("stage", [surface_points, coarse_occupancy], ids=lambda stage: stage.__name__)
def test_random_stages_repeat_an_object_and_tell_objects_apart(stage):
    steps = [(stage, {"seed": 0})]
    ball = Mesh(*solid("sphere"))
    first, again, other = (next(run_stages(ball, steps, object_id=name)) for name in ("a", "a", "b"))
    for name in first:
        assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


@pytest.mark.parametrize(
    ("stage", "arguments", "words"),
    [
        (occupancy, {"resolution": 0}, "stage occupancy: resolution is 0; expected an integer from 1 to 512"),
        (occupancy, {"resolution": 513}, "stage occupancy: resolution is 513"),
        (occupancy, {"rotations": 361}, "stage occupancy: rotations is 361"),
        (occupancy, {"resolution": 512, "rotations": 12}, "stage occupancy: a row would take 1,536 MiB; expected at most 64 MiB"),
        (sdf, {"resolution": -3}, "stage sdf: resolution is -3"),
        (sdf, {"truncate": -1.0}, "stage sdf: truncate is -1.0; expected 0"),
        (sdf_points, {"count": 0}, "stage sdf_points: count is 0"),
        (sdf, {"resolution": 512}, "stage sdf: a row would take 256 MiB"),
        (surface_points, {"count": 0}, "stage surface_points: count is 0"),
        (surface_points, {"seed": -1}, "stage surface_points: seed is -1"),
        (surface_points, {"count": 100_001, "spread": "poisson"}, "stage surface_points: count of spread='poisson' is 100001"),
        (views, {"size": 1000}, "stage views: size is 1000"),
        (views, {"count": 0}, "stage views: count is 0"),
        (coarse_occupancy, {"seed": -1}, "stage coarse_occupancy: seed is -1"),
    ],
)
def test_a_number_out_of_range_is_refused_before_and_while_a_stage_runs(stage, arguments, words):
    with pytest.raises(UsageError, match=words):
        columns_of([(stage, arguments)])
    with pytest.raises(UsageError, match=words):
        next(stage(chair(), **arguments))


@pytest.mark.parametrize(
    ("stage", "argument"), [(normalise, "kind"), (occupancy, "kind"), (sdf, "sign"), (sdf, "dtype"), (surface_points, "spread")]
)
def test_an_unknown_word_is_refused_by_a_recipe(stage, argument):
    with pytest.raises(RecipeError, match=argument):
        with_defaults(Use(stage, **{argument: "cubes"}), leading=1)


@changes(version=1)
def halves_up(mesh: Mesh) -> Mesh:
    return mesh.moved(mesh.vertices / 2)


@yields(columns=lambda: (Column("patch", "float32", (3,), "ragged"), Column("packed", "uint8", kind="blob")), version=3)
def per_corner(mesh: Mesh):
    """One row per corner of the first face: so many points, and so many bytes."""
    for number in range(3):
        points = np.full((number + 1, 3), mesh.vertices[mesh.faces[0, number]], dtype=np.float32)
        yield {"patch": points, "packed": zlib.compress(points.tobytes())}


@yields(columns=lambda: (Column("pair", "int64", ()),), version=1)
def two_rows(mesh: Mesh):
    yield from ({"pair": np.array(number)} for number in range(2))


def test_one_object_may_yield_many_rows_with_ragged_and_blob_columns():
    mesh = chair()
    rows = list(run_stages(mesh, [(halves_up, {}), (per_corner, {}), (surface_points, {"count": 5, "seed": 1})], object_id="a"))
    assert [row["patch"].shape for row in rows] == [(1, 3), (2, 3), (3, 3)]
    assert all(row["points"] is rows[0]["points"] for row in rows)
    for number, row in enumerate(rows):
        assert zlib.decompress(row["packed"]) == row["patch"].tobytes()
        assert_allclose(row["patch"][0], mesh.vertices[mesh.faces[0, number]] / 2, rtol=1e-6)
    assert stage_info(per_corner).version == 3


def test_yields_that_disagree_on_the_number_of_rows_refuse_the_object():
    with pytest.raises(RefusedObject, match="stage-rows"):
        list(run_stages(chair(), [(per_corner, {}), (two_rows, {})], object_id="a"))


def test_importing_the_stages_imports_nothing_heavy():
    script = "import sys, l9.stages; print([m for m in ('open3d', 'torch', 'sklearn', 'numba', 'ray', 'mlflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert l9.stages.__all__ == sorted(l9.stages.__all__)


@pytest.fixture(scope="module")
def now():
    return measured()


@pytest.mark.parametrize("name", sorted(json.loads(PATH.read_text(encoding="utf-8"))))
def test_bytes_change_only_with_the_version(name, now):
    """If this fails: raise the stage's version, then `python tests/golden_stages.py`."""
    golden = json.loads(PATH.read_text(encoding="utf-8"))
    assert sorted(now) == sorted(golden) == sorted(l9.stages.__all__)
    assert now[name]["version"] == golden[name]["version"]
    for column, expected in golden[name]["columns"].items():
        found = dict(now[name]["columns"][column])
        assert_allclose(found.pop("statistics"), expected.pop("statistics"), atol=TOLERANCE)
        assert found == expected
