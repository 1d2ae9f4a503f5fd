"""Curves of a whole run: one picture for each tested set, of several seeds the mean."""

import numpy as np
from PIL import Image

from l9.draw.curves import roc_picture
from l9.evaluate.curves import write_curves


def rows(power):
    return [{"recall": float(recall), "rate": float(recall**power)} for recall in np.linspace(0, 1, 21)]


def test_one_picture_a_tested_set(tmp_path):
    results = [
        ("sift", {"tables": {"roc/rooms": rows(2), "roc/stairs": rows(1), "classes": []}}),
        ("net", {"tables": {"roc/rooms": rows(9)}}),
    ]
    assert write_curves(tmp_path, results, "match") == ["roc_rooms.png", "roc_stairs.png"]
    with Image.open(tmp_path / "pictures" / "roc_rooms.png") as picture:
        assert picture.size == (760, 560)
    assert write_curves(tmp_path, [("net", {"tables": {}}), ("other", {})], "match") == []


def test_seeds_are_averaged_at_each_recall(tmp_path):
    write_curves(tmp_path, [("net", {"tables": {"roc": rows(1)}}), ("net", {"tables": {"roc": rows(3)}})], "match")
    recalls = np.linspace(0, 1, 21)
    with Image.open(tmp_path / "pictures" / "roc.png") as picture:
        drawn = np.asarray(picture.convert("RGB"))
    assert np.array_equal(drawn, roc_picture({"net": (recalls, (recalls + recalls**3) / 2)}, "match"))
