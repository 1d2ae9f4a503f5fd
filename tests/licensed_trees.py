"""Small trees in the very layouts of datasets that a person brings: real text, OBJ, OFF and HDF5 files of made-up shapes."""

import json

import h5py
import numpy as np
import trimesh

SYNSETS = {"02691156": "airplane,aeroplane,plane", "03001627": "chair", "04379243": "table"}
MODELNET = ("airplane", "night_stand")
POINTS = 2048


def box(number=0):
    """A closed box whose sides differ from number to number."""
    return trimesh.creation.box((1.0, 1.0 + 0.1 * number, 2.0))


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def shapenet(root, model="models/model_normalized.obj", models=4):
    """Three synsets of `models` models, the last of each without its OBJ; taxonomy, split, and what else lies around."""
    rows = ["id,synsetId,subSynsetId,modelId,split"]
    for synset in SYNSETS:
        for number in range(models):
            folder = root / synset / f"m{number}"
            put(folder / "images" / "0.png", b"\x89PNG")
            if number < models - 1:
                put(folder / model, box(number).export(file_type="obj"))
            else:
                put(folder / "models" / "model_normalized.json", "{}")
            rows.append(f"{len(rows):06d},{synset},{synset},m{number},{('train', 'val', 'test', 'train')[number % 4]}")
    taxonomy = [{"synsetId": synset, "name": name, "children": [], "numInstances": models} for synset, name in SYNSETS.items()]
    put(root / "taxonomy.json", json.dumps(taxonomy))
    put(root / "all.csv", "\n".join(rows) + "\n")
    for name in ("README.txt", "02691156.zip", ".hidden/x.obj", "scripts/m0/models/model_normalized.obj"):
        put(root / name, "not a model")
    return root


def modelnet(root, train=3, test=2):
    """Two classes of OFF files, the first with its counts glued to the header."""
    for label in MODELNET:
        for number in range(train + test):
            text = box(number).export(file_type="off")
            split = "train" if number < train else "test"
            put(root / label / split / f"{label}_{number + 1:04d}.off", text.replace("OFF\n", "OFF", 1) if number == 0 else text)
    put(root / "README.txt", "ModelNet")
    return root


def rows_file(path, labels, points=POINTS, normals=False, seed=0, label_shape=(-1,), **more):
    """An HDF5 benchmark file: a random point set in the unit sphere for each label."""
    draw = np.random.default_rng(seed)
    data = draw.normal(size=(len(labels), points, 3)).astype(np.float32)
    data /= np.linalg.norm(data, axis=2, keepdims=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, chunks=(1, points, 3), compression="gzip", shuffle=True)
        file["label"] = np.asarray(labels, np.uint8).reshape(label_shape)
        if normals:
            file["normal"] = data
        for name, value in more.items():
            file[name] = value
    return data


def modelnet_h5(root):
    """Two train files and a test file, named as in the authors' own checkout; two classes."""
    prefix = "data/modelnet40_ply_hdf5_2048/"
    rows_file(root / "ply_data_train0.h5", [0, 1, 0], label_shape=(-1, 1), normals=True)
    rows_file(root / "ply_data_train1.h5", [1], label_shape=(-1, 1), normals=True, seed=1)
    rows_file(root / "ply_data_test0.h5", [1, 0], label_shape=(-1, 1), normals=True, seed=2)
    put(root / "train_files.txt", f"{prefix}ply_data_train0.h5\n{prefix}ply_data_train1.h5\n")
    put(root / "test_files.txt", f"{prefix}ply_data_test0.h5\n")
    put(root / "shape_names.txt", "\n".join(MODELNET) + "\n")
    return root


def modelnet_resampled(root, points=2500, train=3, test=2):
    """Two classes as text: x,y,z,nx,ny,nz."""
    lists = {"train": [], "test": []}
    for label in MODELNET:
        for number in range(train + test):
            cloud, faces = trimesh.sample.sample_surface(box(number), points, seed=number)
            table = np.concatenate([cloud, box(number).face_normals[faces]], axis=1)
            put(root / label / f"{label}_{number + 1:04d}.txt", "\n".join(",".join(f"{value:.6f}" for value in row) for row in table))
            lists["train" if number < train else "test"].append(f"{label}_{number + 1:04d}")
    for split, names in lists.items():
        put(root / f"modelnet40_{split}.txt", "\n".join(names) + "\n")
    put(root / "modelnet40_shape_names.txt", "\n".join(MODELNET) + "\n")
    put(root / "filelist.txt", "\n".join(f"{name.rpartition('_')[0]}/{name}.txt" for names in lists.values() for name in names))
    return root


def scanobjectnn(root):
    """The hardest variant: bags, chairs and toilets with their masks of background."""
    folder = root / "h5_files" / "main_split"
    for name, labels in (("training", [0, 4, 14, 4]), ("test", [4, 0])):
        mask = np.full((len(labels), POINTS), -1, np.int64)
        rows_file(folder / f"{name}_objectdataset_augmentedrot_scale75.h5", labels, mask=mask)
    return root


def shapenetpart(root, points=300):
    """Airplanes of four parts and mugs of two; the last airplane has no labels."""
    draw = np.random.default_rng(0)
    put(root / "synsetoffset2category.txt", "Airplane\t02691156\nMug\t03797390\n")
    lists = {"train": [], "val": [], "test": []}
    for synset, parts in (("02691156", 4), ("03797390", 2)):
        for number, split in enumerate(("train", "train", "val", "test")):
            cloud = draw.uniform(-1, 1, (points, 3))
            put(root / synset / "points" / f"m{number}.pts", "\n".join(" ".join(f"{value:.5f}" for value in row) for row in cloud) + "\n")
            if (synset, number) != ("02691156", 3):
                labels = np.arange(points) % parts + 1
                put(root / synset / "points_label" / f"m{number}.seg", "\n".join(map(str, labels)) + "\n")
            lists[split].append(f"shape_data/{synset}/m{number}")
    for split, names in lists.items():
        put(root / "train_test_split" / f"shuffled_{split}_file_list.json", json.dumps(names))
    return root
