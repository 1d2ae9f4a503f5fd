"""Small trees in the layouts of 3D-EPN's published scans: distance fields of made-up shapes, written as the authors' code writes them."""

import struct

import h5py
import numpy as np
from licensed_trees import put

MODELS = {"03001627": ("1007e20d5e811b308351982a6e40cf41", "m1", "m2", "m3"), "04530566": ("m4", "m5")}


def complete_field(seed=0):
    """Distance in voxels to a box about no axis of symmetry, [x, y, z]."""
    x, y, z = np.meshgrid(*[np.arange(32) - 15.5] * 3, indexing="ij")
    away = np.stack([np.abs(x - 2) - 5 - seed, np.abs(y) - 8, np.abs(z + 1) - 3], axis=-1)
    outside = np.linalg.norm(np.maximum(away, 0), axis=-1)
    return np.abs(outside + np.minimum(away.max(axis=-1), 0)).astype(np.float32)


def partial_field(walk=0, seed=0):
    """The same, hidden below a plane of constant y, and never seen (-infinity) from a plane of constant z on."""
    field = complete_field(seed)
    field[:, : 10 + walk] *= -1
    field[:, :, 28:] = -np.inf
    return field


def field_bytes(field, sides=None):
    """Three uint64, then float32 with x fastest, whatever the header says of the sides."""
    return struct.pack("<3Q", *(sides or field.shape)) + field.transpose(2, 1, 0).astype("<f4").tobytes()


def cnncomplete(root):
    """Four chairs and two vessels: m2 without its complete field, m3 without a scan, one that both lists name."""
    for synset, models in MODELS.items():
        for seed, model in enumerate(models):
            if model != "m2":
                put(root / "shapenet_dim32_df" / synset / f"{model}__0__.df", field_bytes(complete_field(seed)))
            for walk in () if model == "m3" else (10, 0, 2):
                put(root / "shapenet_dim32_sdf" / synset / f"{model}__{walk}__.sdf", field_bytes(partial_field(walk, seed)))
    put(root / "shapenet_dim32_sdf" / "03001627" / "unlisted__0__.sdf", field_bytes(partial_field()))
    put(root / "shapenet_dim32_sdf" / "03001627" / "readme.txt", "not a scan")
    listed = [f"ShapeNetCore.v1\\{synset}\\{model}\r\n" for synset, models in MODELS.items() for model in models]
    put(root / "completion_train.txt", "".join(listed[:4] + listed[5:]))
    put(root / "completion_test.txt", "".join(listed[4:]))
    put(root / "benchmark_test.txt", listed[4])
    return root


def scan_file(path, count, mask=None, **options):
    """`count` rows of two channels and a target, [z, y, x]."""
    with h5py.File(path, "w") as file:
        partials = np.stack([partial_field(walk) for walk in range(count)])
        known = np.where(partials >= -1, 1, -1) if mask is None else mask
        data = np.stack([partials, np.broadcast_to(known, partials.shape)], axis=1)
        target = np.stack([complete_field()[None]] * count)
        for name, values in (("data", data), ("target", target)):
            file.create_dataset(name, data=values.transpose(0, 1, 4, 3, 2).astype(np.float32), **options)


def cnncomplete_h5(root):
    """Two train files and a test file, named as in the authors' own checkout."""
    put(root / "train_shape_voxel_data_list.txt", "data\\h5\\train0.h5\n/data/h5/train1.h5\n")
    put(root / "test_shape_voxel_data_list.txt", "data/h5/test0.h5\n")
    for name, count in (("train0", 2), ("train1", 1), ("test0", 1)):
        scan_file(root / f"{name}.h5", count)
    return root
