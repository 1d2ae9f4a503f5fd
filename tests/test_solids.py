"""l9.geometry.solids: closed, outward, parted, seeded, and in the box; their distances are checked in test_sdf.py."""

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.normalise import normalise_cube
from l9.geometry.sample import sample_surface
from l9.geometry.solids import SOLIDS


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SOLIDS)
def test_a_solid_is_closed_faces_outward_and_fills_the_box(name, seed):
    made = SOLIDS[name](np.random.default_rng(seed))
    for part in range(len(made.part_names)):
        mesh = trimesh.Trimesh(made.vertices, made.faces[made.parts == part], process=False)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        assert mesh.volume > 0
        assert (mesh.area_faces > 0).all()
    assert_allclose(normalise_cube(made.vertices, made.faces), made.vertices, atol=1e-9)


@pytest.mark.parametrize("name", SOLIDS)
def test_its_distance_is_zero_on_its_surface(name):
    made = SOLIDS[name](np.random.default_rng(4))
    points, normals, _ = sample_surface(made.vertices, made.faces, 2_000, seed=0)
    assert made.sdf(points).max() < 1e-3
    assert_array_equal(made.sdf(1.0 * points + 100) > 0, True)
    outward = made.sdf(points + 0.004 * normals) - made.sdf(points - 0.004 * normals)
    assert np.median(outward) > 0.0079


@pytest.mark.parametrize("name", SOLIDS)
def test_one_seed_gives_one_solid(name):
    first, again, other = (SOLIDS[name](np.random.default_rng(seed)).vertices for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert name == "sphere" or not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("table", {"top", "leg"}), ("chair", {"seat", "back", "leg"}), ("lamp", {"foot", "pole", "shade"}), ("mug", {"cup", "handle"})],
)
def test_furniture_has_named_parts(name, parts):
    made = SOLIDS[name](np.random.default_rng(0))
    assert set(made.part_names) == parts
    assert set(made.parts) == set(range(len(parts)))
    assert len(made.parts) == len(made.faces)


def test_the_top_of_a_table_is_above_its_legs():
    made = SOLIDS["table"](np.random.default_rng(0))
    heights = made.vertices[made.faces][:, :, 1]
    top, leg = (heights[made.parts == made.part_names.index(name)] for name in ("top", "leg"))
    assert top.min() == pytest.approx(leg.max())


def test_more_facets_come_nearer_to_the_truth():
    from l9.geometry.solids import torus

    def error(segments):
        made = torus(np.random.default_rng(0), segments=segments)
        points, _, _ = sample_surface(made.vertices, made.faces, 2_000, seed=0)
        return np.abs(made.sdf(points)).max()

    assert error(64) < error(32) / 3


@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_the_distance_on_the_axis_is_that_beside_it(name):
    made = SOLIDS[name](np.random.default_rng(3))
    axis = np.stack([np.zeros(41), np.linspace(-0.97, 0.97, 41), np.zeros(41)], axis=1)
    assert_allclose(made.sdf(axis), made.sdf(axis + np.array([1e-9, 0, 0])), atol=1e-8)
