import numpy as np
import pytest
import torch
from picture_store import drawn_picture, picture_store

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.unit_pictures import check_pictures, picture_bytes, picture_strip, picture_tiles, stored_pictures


def test_pictures_are_handed_out_from_0_to_1_in_the_samples_order(tmp_path):
    samples = Samples.of(picture_store(tmp_path, count=20, size=6, channels=3))
    found = stored_pictures(samples)
    assert found.shape == (20, 3, 6, 6) and found.dtype == torch.float32
    wanted = np.stack([drawn_picture(int(name[:4]), 6, 3) for name in samples.objects])
    np.testing.assert_array_equal(picture_bytes(found), wanted.transpose(0, 2, 3, 1))
    assert float(found.max()) <= 1 and float(found.min()) == 0


def test_bytes_are_cut_off_outside_of_0_to_1_and_rounded():
    x = torch.tensor([-1.0, 0.0, 0.499, 1.0, 3.0]).reshape(1, 1, 1, 5)
    assert picture_bytes(x)[0, 0, :, 0].tolist() == [0, 0, 127, 255, 255]


def test_tiles_are_rgb_of_the_wanted_edge():
    tiles = picture_tiles(torch.ones(2, 1, 6, 6), 24)
    assert [tile.shape for tile in tiles] == [(24, 24, 3)] * 2 and tiles[0].min() == 255


def test_a_strip_is_one_row():
    assert picture_strip(torch.zeros(3, 3, 7, 7)).shape == (56, 168, 3)


def test_pictures_of_another_shape_or_none_at_all_are_refused(tmp_path):
    samples = Samples.of(picture_store(tmp_path, count=20, size=6, channels=3))
    check_pictures(samples, 3, 6, "Net")
    with pytest.raises(
        TrainingError, match=r"pictures of shape \(3, 6, 6\) and Net takes \(1, 6, 6\); expected pixels\(size=6, channels=1\)"
    ):
        check_pictures(samples, 1, 6, "Net")
    with pytest.raises(TrainingError, match="no pictures to learn from"):
        check_pictures(samples.subset([]), 3, 6, "Net")
