"""What a column net is fed: windows cut where they should be, moved and turned with their labels, the same however they are batched."""

import numpy as np
import torch
from column_scenes import column_samples
from numpy.testing import assert_array_equal

from l9.data.loader import Loader
from l9.tasks.column_scans import _centres, scans_of
from l9.tasks.column_windows import CUT, FED, column_windows, cut_window, posed
from l9.train.microbatches import micro_batches


def first_batch(samples, size=6, epoch=0):
    return next(Loader(samples, FED, views=CUT, seed=0, batch=size).epoch(epoch))


def scans(samples):
    return {scan.name: (scan, centres) for scan, centres in zip(scans_of(samples), _centres(samples), strict=True)}


def test_a_window_is_what_lies_around(tmp_path):
    samples = column_samples(tmp_path, per_scan=9)
    batch, known = first_batch(samples), scans(samples)
    fed, labels = column_windows(batch, 2)
    assert fed.shape == (6, 2, 62, 31, 31) and fed.dtype == torch.float32 and labels.shape == (6, 62)
    for number, (sample, item) in enumerate(zip(batch.samples, batch.items, strict=True)):
        scan, centres = known[samples.objects[sample]]
        ends = np.linspace(0, len(centres), 10).astype(int)
        x, y = centres[(ends[item] + ends[item + 1]) // 2]
        around = np.pad(np.stack([scan.labels > 0, scan.known]), ((0, 0), (15, 15), (15, 15), (0, 0)))[:, x : x + 31, y : y + 31]
        assert_array_equal(fed[number], around.transpose(0, 3, 1, 2))
        assert_array_equal(labels[number], scan.labels[x, y])
    alone, same = column_windows(batch, 1)
    assert_array_equal(alone, fed[:, :1])
    assert_array_equal(same, labels)


def test_windows_are_those_of_whole_grids_cut_by_hand(tmp_path):
    """Centres, moves and poses drawn in this order from each sample's generator; windows cut from copies of padded whole scans."""
    samples = column_samples(tmp_path, per_scan=9)
    known = scans(samples)
    for epoch in range(2):
        batch = first_batch(samples, 24, epoch)
        fed, labels = column_windows(batch, 2, jitter=2, turned=True, augment=True)
        poses = set()
        for number, (sample, item) in enumerate(zip(batch.samples, batch.items, strict=True)):
            scan, centres = known[samples.objects[sample]]
            random, ends = batch.generator(number), np.linspace(0, len(centres), 10).astype(int)
            x, y = centres[random.integers(ends[item], ends[item + 1])]
            shift, pose = random.integers(-2, 3, 3), int(random.integers(8))
            wide = np.pad(np.stack([scan.labels, scan.known]), ((0, 0), (17, 17), (17, 17), (2, 2)))
            first = np.array([x, y, 0]) + 2 + shift
            window = wide[:, first[0] : first[0] + 31, first[1] : first[1] + 31, first[2] : first[2] + 62]
            window = np.rot90(window[:, ::-1] if pose > 3 else window, pose % 4, (1, 2))
            assert_array_equal(fed[number], np.minimum(window, 1).transpose(0, 3, 1, 2))
            assert_array_equal(labels[number], window[0, 15, 15])
            poses.add(pose)
        assert len(poses) > 4


def test_a_batch_in_parts_has_the_windows_of_the_whole(tmp_path):
    batch = first_batch(column_samples(tmp_path, per_scan=9), 7)
    options = {"jitter": 2, "turned": True, "augment": True}
    parts = [column_windows(part, 2, **options)[0] for part in micro_batches(batch, 3)]
    assert_array_equal(torch.cat(parts), column_windows(batch, 2, **options)[0])


def test_every_part_beyond_the_grid_is_empty():
    grid = np.tile(np.arange(1, 5, dtype=np.uint8).reshape(2, 2, 1), 62)
    out = np.zeros((31, 31, 62), np.uint8)
    cut_window(grid, np.array([0, 1]), 3, out)
    assert_array_equal(out[15:17, 14:16, 0], [[1, 2], [3, 4]])
    assert int((out > 0).sum()) == 4 * 59 and not out[:, :, 59:].any()
    lower = np.zeros_like(out)
    cut_window(grid, np.array([0, 1]), -2, lower)
    assert not lower[:, :, :2].any() and lower[15, 14, 2:].all()
    for far in ([40, 0], [0, -40]):
        nothing = np.zeros_like(out)
        cut_window(grid, np.array(far), 0, nothing)
        assert not nothing.any()


def test_eight_poses_keep_the_middle():
    window = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    seen = {tuple(posed(window, pose).flatten().tolist()) for pose in range(8)}
    assert len(seen) == 8 and {one[4] for one in seen} == {4}
    assert_array_equal(posed(window, 0), window)


def test_draws_are_of_the_sample_alone_and_new_each_epoch(tmp_path):
    samples = column_samples(tmp_path, per_scan=3)
    options = {"jitter": 2, "turned": True, "augment": True}
    whole, labels = column_windows(first_batch(samples, 12), 2, **options)
    for rank in range(2):
        part = next(Loader(samples, FED, views=CUT, seed=0, batch=12, rank=rank, world=2).epoch(0))
        fed, mine = column_windows(part, 2, **options)
        assert_array_equal(fed, whole[rank::2])
        assert_array_equal(mine, labels[rank::2])
    later, _ = column_windows(first_batch(samples, 12, epoch=1), 2, **options)
    assert not torch.equal(later, whole)


def test_labels_move_with_the_window(tmp_path):
    """Where a voxel of the middle column is occupied it has a label, and where not it has none: in each pose and at each shift."""
    samples = column_samples(tmp_path, per_scan=30)
    for epoch in range(3):
        fed, labels = column_windows(first_batch(samples, 60, epoch), 2, jitter=2, turned=True, augment=True)
        assert_array_equal(fed[:, 0, :, 15, 15] > 0, labels > 0)
    plain, _ = column_windows(first_batch(samples, 60), 2, augment=True)
    moved, _ = column_windows(first_batch(samples, 60), 2, jitter=2, augment=True)
    assert not torch.equal(plain, moved)
    floors = plain[:, 0].sum(dim=(2, 3)).argmax(dim=1), moved[:, 0].sum(dim=(2, 3)).argmax(dim=1)
    assert int((floors[0] - floors[1]).abs().max()) <= 2
