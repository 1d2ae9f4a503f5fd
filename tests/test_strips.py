"""One figure of a run's trainings side by side."""

import numpy as np
from PIL import Image

from l9.draw.png import write_png
from l9.evaluate.strips import write_side_by_side


def strip(value):
    return np.full((6, 800, 3), value, np.uint8)  # wider than the title


def training(folder, answers, truth, prefix=""):
    write_png(folder / "pictures" / f"{prefix}strip.png", strip(answers))
    write_png(folder / "pictures" / f"{prefix}strip_truth.png", strip(truth))
    return folder


def bands(path):
    """Grey values of the strips from top to bottom: rows of one colour where strips are."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("L")).astype(int)
    columns = pixels[:, 20:780]
    rows = [int(row[0]) for row in columns if len(set(row.tolist())) == 1 and row[0] != 255]
    return [value for at, value in enumerate(rows) if at == 0 or rows[at - 1] != value]


def test_the_truth_stands_once_above_all_that_were_asked_the_same(tmp_path):
    trainings = [
        ("ae", training(tmp_path / "a", 50, 10)),
        ("vae", training(tmp_path / "b", 80, 10)),
        ("grey", training(tmp_path / "c", 90, 20)),
    ]
    assert write_side_by_side(tmp_path / "run", trainings, "run") == ["side_by_side.png"]
    assert bands(tmp_path / "run" / "pictures" / "side_by_side.png") == [10, 50, 80, 20, 90]


def test_what_is_made_of_nothing_stands_without_a_truth(tmp_path):
    trainings = [("ae", training(tmp_path / "a", 50, 10)), ("gan", training(tmp_path / "b", 80, 10))]
    (tmp_path / "b" / "pictures" / "strip_truth.png").unlink()
    write_side_by_side(tmp_path / "run", trainings, "run")
    assert bands(tmp_path / "run" / "pictures" / "side_by_side.png") == [10, 50, 80]


def test_a_training_may_be_called_truth(tmp_path):
    trainings = [("truth", training(tmp_path / "a", 50, 10)), ("vae", training(tmp_path / "b", 80, 10))]
    write_side_by_side(tmp_path / "run", trainings, "run")
    assert bands(tmp_path / "run" / "pictures" / "side_by_side.png") == [10, 50, 80]


def test_of_several_seeds_the_first_is_drawn(tmp_path):
    trainings = [
        ("ae", training(tmp_path / "a", 50, 10)),
        ("ae", training(tmp_path / "b", 60, 10)),
        ("vae", training(tmp_path / "c", 80, 10)),
    ]
    write_side_by_side(tmp_path / "run", trainings, "run")
    assert bands(tmp_path / "run" / "pictures" / "side_by_side.png") == [10, 50, 80]


def test_each_tested_set_has_a_figure_of_its_own(tmp_path):
    for name, value in (("a", 50), ("b", 60)):
        for prefix in ("left_", "right_"):
            training(tmp_path / name, value, 10, prefix)
    trainings = [(name, tmp_path / name) for name in ("a", "b")]
    assert write_side_by_side(tmp_path / "run", trainings, "run") == ["side_by_side_left.png", "side_by_side_right.png"]


def test_where_there_is_nothing_to_compare_there_is_no_figure(tmp_path):
    (tmp_path / "none").mkdir()
    assert write_side_by_side(tmp_path / "run", [("ae", training(tmp_path / "a", 50, 10)), ("other", tmp_path / "none")], "run") == []
    assert not (tmp_path / "run").exists()
