"""ShapeNetPart: 16 categories of ShapeNet models as points, each with the part it lies on; 50 parts in all.

`shapenetcore_partanno_segmentation_benchmark_v0/<synset>/points/<id>.pts` has lines `x y z`, `<synset>/points_label/<id>.seg` a number
from 1 for each: its part within the category. Parts are counted through here, category by category in the order of their names:
0..3 airplane, 4..5 bag, ... 47..49 table, as the evaluation of PointNet counts them. `synsetoffset2category.txt` names the synsets, and
`train_test_split/shuffled_{train,val,test}_file_list.json` the ids; these lists are the catalog: what they name is planned, and
quarantined where it is not there.
source  Yi et al., A scalable active framework for region annotation in 3D shape collections, SIGGRAPH Asia 2016
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud, checked_cloud
from l9.geometry.mesh import Axis
from l9.readers.clouds import read_table
from l9.readers.contract import REFUSE, Found
from l9.readers.lists import check_root, read_json, read_lines, safe_name

VERSION = 1
CATEGORIES = "synsetoffset2category.txt"
LISTS = {"train": "train", "validation": "val", "test": "test"}
PARTS = {  # how many parts each category has
    **{"Airplane": 4, "Bag": 2, "Cap": 2, "Car": 4, "Chair": 4, "Earphone": 3, "Guitar": 3, "Knife": 2},
    **{"Lamp": 4, "Laptop": 2, "Motorbike": 6, "Mug": 2, "Pistol": 3, "Rocket": 3, "Skateboard": 3, "Table": 3},
}
FIRST = dict(zip(PARTS, itertools.accumulate(PARTS.values(), initial=0), strict=False))  # number of each category's first part


def find(root: Path) -> Iterator[Found]:
    """Every listed model: ids `03001627/1007e20d5e811b308351982a6e40cf41`, files its points and its labels.

    raises  UsageError where `root` has no list of categories; RefusedObject `missing-file` or `bad-catalog` naming the list
    """
    check_root(root, lambda folder: (folder / CATEGORIES).is_file(), CATEGORIES)
    categories = _categories(root)
    for split, word in LISTS.items():
        listed = f"train_test_split/shuffled_{word}_file_list.json"
        for entry in read_json(root, listed, lambda value: isinstance(value, str), '"shape_data/<synset>/<id>"'):
            synset, _, name = entry.removeprefix("shape_data/").partition("/")
            if synset not in categories or not safe_name(name):
                raise RefusedObject("bad-catalog", f"{listed}: {entry[:80]!r} is of no synset of {CATEGORIES}")
            files = (f"{synset}/points/{name}.pts", f"{synset}/points_label/{name}.seg")
            absent = [file for file in files if not (root / file).is_file()]
            refusal = {REFUSE: ["missing-file", f"{absent[0]} is not there"]} if absent else {}
            facts = {"category": categories[synset], **refusal}
            yield Found(f"{synset}/{name}", files, "", categories[synset], split, facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> PointCloud:
    """The points of one model with their parts, numbered from 0 over all categories.

    raises  RefusedObject as `read_table` and `checked_cloud` say; `bad-label` for a part that its category does not have
    """
    points = read_table(files[0], columns=(3,))
    parts = _parts(read_table(files[1], columns=(1,))[:, 0], str(found.facts["category"]))
    return checked_cloud(PointCloud(points, labels=parts, up=up))


def _parts(numbers: Float[ndarray, "n"], category: str) -> Int[ndarray, "n"]:
    count = PARTS[category]
    wrong = np.flatnonzero(~np.isin(numbers, np.arange(1, count + 1)))
    if len(wrong):
        line, number = int(wrong[0]) + 1, numbers[wrong[0]]
        raise RefusedObject("bad-label", f"line {line:,}: part {number:g} of {category}; expected 1 to {count}")
    return numbers.astype(np.int64) - 1 + FIRST[category]


def _categories(root: Path) -> dict[str, str]:
    """Synset -> category, from lines `Airplane<tab>02691156`."""
    categories: dict[str, str] = {}
    for line in read_lines(root, CATEGORIES):
        name, _, synset = line.partition(" ")
        if name not in PARTS or not safe_name(synset):
            raise RefusedObject("bad-catalog", f"{CATEGORIES}: '{line[:60]}'; expected one of {' '.join(PARTS)} and its synset")
        categories[synset] = name
    return categories
