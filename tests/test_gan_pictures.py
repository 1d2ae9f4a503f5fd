"""Pictures of a generator: sizes, what stands where, and walks along the sphere."""

import pytest
import torch

from l9.tasks.gan_pictures import development_page, page_of_feed, sample_page, spherical, tile_edge, walk_page

pytestmark = pytest.mark.usefixtures("one_thread")


def generate(z):
    """Flat pictures as bright as the noise's first number."""
    return z[:, :1, None, None].sigmoid().expand(-1, 1, 4, 4)


def test_tiles_are_whole_multiples():
    assert [tile_edge(size) for size in (28, 32, 64, 100)] == [84, 96, 64, 100]


def test_samples_stand_eight_in_a_row():
    x = torch.zeros(16, 3, 28, 28)
    x[9, 0] = 1.0
    page = sample_page(x, "sixteen")
    red = (page.pixels == [255, 0, 0]).all(axis=2)
    assert page.name == "samples" and red.sum() == 84**2
    rows, columns = red.nonzero()
    assert 84 < columns.min() - 8 < 2 * 92 and rows.min() > 84


def test_development_shows_the_snapshots_that_there_are_and_the_end():
    snapshots = torch.full((4, 8, 1, 28, 28), 200, dtype=torch.uint8)
    page = development_page(snapshots, [0, 25, -1, 300], torch.zeros(8, 1, 28, 28), 300)
    grey, black = ((page.pixels == value).all(axis=2).sum() for value in (200, 0))
    assert page.name == "over_time" and 2 * 8 * 84**2 <= grey < 2 * 8 * 84**2 + 84, "two rows, and edges of letters"
    assert 8 * 84**2 <= black < 1.1 * 8 * 84**2, "the last row, and the words"


def test_walks_begin_and_end_at_the_noises():
    z = torch.tensor([[-4.0, 1.0], [4.0, 1.0]])
    page = walk_page(z, True, generate)
    assert page.name == "interpolation"
    row = page.pixels[60, :, 0]
    assert row[12] < 20 and row[8 * 92 + 12] > 230


def test_the_sphere_is_kept():
    """Between two orthogonal noises of lengths 1 and 3: half way 2 long, at 45 degrees; the straight way is shorter."""
    first, second = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    half = spherical(first, second, 0.5)
    torch.testing.assert_close(half, torch.full((2,), 2**0.5))
    torch.testing.assert_close(spherical(first, second, 0.0), first)
    torch.testing.assert_close(spherical(first, second, 1.0), second, atol=1e-6, rtol=0)
    torch.testing.assert_close(spherical(first, 2 * first, 0.5), 1.5 * first)
    assert float(torch.lerp(first, second, 0.5).norm()) < float(half.norm())


def test_what_is_fed_has_names():
    assert page_of_feed(torch.zeros(2, 1, 28, 28), ["a", "b"], "two").shape[2] == 3
