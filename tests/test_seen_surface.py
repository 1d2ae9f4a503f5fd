"""A surface that was seen, as a partial field: what is known by formula, placement, and surfaces that say nothing of a side."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from l9.errors import RefusedObject, UsageError
from l9.geometry.mesh import Mesh
from l9.stages import seen_surface
from l9.stages.contract import run_stages

AXES = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")


def sheet(normal=2, sign=1, side=0.8, middle=(5.0, -2.0, 1.0)):
    """A square across one axis, its faces looking along it."""
    first, second = (normal + 1) % 3, (normal + 2) % 3
    corners = np.zeros((4, 3))
    corners[:, first], corners[:, second] = [-side / 2, side / 2, side / 2, -side / 2], [-side / 2, -side / 2, side / 2, side / 2]
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return corners + middle, faces if sign > 0 else faces[:, ::-1]


def row_of(vertices, faces, **options):
    (row,) = run_stages(Mesh(vertices, faces, options.pop("up", "+Y")), [(seen_surface, options)], object_id="a")
    return row


@pytest.mark.parametrize("normal", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("up", ["+Y", "-Z"])
def test_a_sheet_is_free_before_it_and_unknown_behind(normal, sign, up):
    """Seen straight on, by one camera (80 degrees at most from the ground): the distance along the normal, in voxels."""
    field = np.moveaxis(row_of(*sheet(normal, sign), views=1, up=up)["partial"].astype(float), normal, 0)[::sign]
    middle = field[:, 13:19, 13:19]
    heights = np.arange(32) - 15.5
    assert (middle[heights < -1.5] < -1).all()  # hidden behind it
    assert (middle[heights > 3.5] == 3).all()  # on the way to it
    near = np.abs(heights) < 1
    assert_allclose(
        middle[near], np.broadcast_to(heights[near][:, None, None], middle[near].shape), atol=0.06
    )  # 80 degrees: 1/cos 10 = 1.015


def test_the_placement_takes_voxels_back():
    """0.8 of the file fill 1.6 of the box of 2: a voxel is 1/16 * 0.8 / 1.6 wide."""
    assert_allclose(row_of(*sheet())["placement"], [5.0, -2.0, 1.0, 0.03125], atol=1e-12)


def test_more_cameras_know_more():
    random = np.random.default_rng(0)
    vertices, faces = sheet(side=1.0)
    known = [(row_of(vertices, faces, views=views)["partial"] >= -1).sum() for views in (1, 4)]
    assert known[1] > known[0] > 0
    moved = row_of(vertices + random.normal(size=3), faces, views=4)["partial"]
    assert (
        np.mean(np.abs(moved.astype(float) - row_of(vertices, faces, views=4)["partial"].astype(float)) > 0.05) < 0.01
    )  # rounding of pixels


def test_surfaces_without_a_side_are_refused():
    both = np.concatenate([sheet()[1], sheet()[1][:, ::-1]])
    with pytest.raises(RefusedObject, match="no-side: its faces look all around"):
        row_of(sheet()[0], both)
    with pytest.raises(RefusedObject, match="no-area"):
        row_of(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(UsageError, match="fit"):
        row_of(*sheet(), fit=3)
