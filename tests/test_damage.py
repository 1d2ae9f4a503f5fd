"""l9.geometry.damage: what each damage does to a mesh, and what it leaves alone."""

import numpy as np
import pytest
from geometry_cases import few, solid, solids
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.damage import cracked, double_walled, doubled, flipped, holed, inverted, overlapping, two_sided, unwelded
from l9.geometry.solids import SOLIDS


def volume(vertices, faces):
    """Enclosed by a closed mesh; negative where it is inside out."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    return float((a * np.cross(b, c)).sum() / 6)


def area(vertices, faces):
    a, b, c = vertices[faces].swapaxes(0, 1)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@few
@given(st.integers(0, 99), st.floats(0.05, 0.9))
def test_a_share_of_the_faces_is_hit_and_the_others_stay(seed, share):
    vertices, faces = solid("torus")
    kept, turned, twice = (damage(vertices, faces, share=share, seed=seed)[1] for damage in (holed, flipped, doubled))
    over = (turned != faces).any(axis=1)
    assert abs(over.mean() - share) < 0.05  # 16,384 faces: twelve times the deviation of the share
    assert_array_equal(turned[over], faces[over][:, ::-1])
    assert (over != (flipped(vertices, faces, share=share, seed=seed + 1)[1] != faces).any(axis=1)).any()
    assert_array_equal(kept, faces[~over])
    assert_array_equal(twice, np.concatenate([faces, faces[over]]))


@few
@given(solids())
def test_a_soup_has_the_same_corners_and_shares_none(drawn):
    vertices, faces = solid(*drawn)
    loose, numbers = unwelded(vertices, faces)
    assert_array_equal(loose[numbers], vertices[faces])
    assert len(np.unique(numbers)) == faces.size


@few
@given(solids(), st.floats(0.0, 0.9))
def test_cracks_shrink_every_face_in_its_place(drawn, share):
    vertices, faces = solid(*drawn)
    loose, numbers = cracked(vertices, faces, share=share)
    assert_allclose(loose[numbers].mean(axis=1), vertices[faces].mean(axis=1), atol=1e-12)
    assert_allclose(area(loose, numbers), (1 - share) ** 2 * area(vertices, faces))


@few
@given(solids())
def test_turned_over_twice_or_beside_itself_the_volume_tells(drawn):
    vertices, faces = solid(*drawn)
    whole = volume(vertices, faces)
    assert_allclose(volume(*inverted(vertices, faces)), -whole)
    assert_allclose(volume(*two_sided(vertices, faces)), 0, atol=1e-12)
    step = np.array([0.1, 0.2, 0.3])
    beside, both = overlapping(vertices, faces, step)
    assert_allclose(volume(beside, both), 2 * whole)
    assert_allclose(np.ptp(beside, axis=0), np.ptp(vertices, axis=0) + step)


@pytest.mark.parametrize("name", ["sphere", "torus", "box", "chair", "cylinder"])
def test_the_second_wall_lies_at_its_depth(name):
    """0.001: facets of round walls; the chair's thinnest legs are 0.08 across."""
    made, thickness = SOLIDS[name](np.random.default_rng(5)), 0.02
    vertices, faces = double_walled(made.vertices, made.faces, thickness, same_way=False)
    assert_array_equal(vertices[: len(made.vertices)], made.vertices)
    assert_array_equal(faces[: len(made.faces)], made.faces)
    assert_allclose(made.sdf(vertices[len(made.vertices) :]), -thickness, atol=1e-3)
    outer, inner = volume(made.vertices, made.faces), volume(vertices[len(made.vertices) :], made.faces)
    assert 0 < inner < outer
    assert_allclose(volume(vertices, faces), outer - inner)
    assert_allclose(volume(*double_walled(made.vertices, made.faces, thickness, same_way=True)), outer + inner)
