import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from picture_store import CLASSES, picture_store
from toys import write_facts

from l9.data.samples import Samples
from l9.errors import RecipeError, ShapeError, TrainingError
from l9.models.picture_table import PictureTable
from l9.progress import quiet
from l9.store.home import Home
from l9.tasks.picture_of_class import PictureOfClass
from l9.train.fit import fit


@given(arrays(np.float64, (5, 7), elements=st.floats(0, 1)), arrays(np.float64, (7,), elements=st.floats(-1, 1)))
def test_the_minimiser_of_squared_errors_is_the_mean(pictures, step):
    """Any other answer costs the pictures' count times the squared distance from their mean more: the parallel axis theorem."""
    mean = pictures.mean(axis=0)
    least, other = (np.square(pictures - answer).sum() for answer in (mean, mean + step))
    np.testing.assert_allclose(other - least, len(pictures) * np.square(step).sum(), atol=1e-9)


@pytest.mark.parametrize("loss", ["l2", "l1"])
def test_trained_it_answers_with_the_mean_or_the_median(tmp_path, loss):
    store = picture_store(tmp_path, count=60, size=8)
    training = {
        "task": {"target": "l9.tasks.picture_of_class:PictureOfClass", "arguments": {"loss": loss}},
        "model": {"target": "l9.models.picture_table:PictureTable", "arguments": {"size": 8}},
        "name": "",
        "schedule": {"epochs": 200, "batch": 36, "curve": "cosine"},
    }
    sets = {"drawn": {"store": str(store.path), "manifest": store.digest, "classes": None, "fold": None}}
    facts = {
        "training": training,
        "seed": 0,
        "sets": sets,
        "up": "+Y",
        "train": {"workers": 0, "gpus": 0, "precision": "float32"},
        "overfit": 0,
        "init": None,
    }
    result = fit(write_facts(tmp_path / "run", facts), place=Home(tmp_path), say=quiet)
    # 0.02 a step at first: a pixel is at most 0.5 away. An absolute error's step does not shrink near its median, the rate does
    assert result["metrics"]["to_centre"] < (1e-3 if loss == "l2" else 0.02)
    assert {"answers.png", "strip.png", "strip_truth.png"} <= set(result["pictures"])
    samples = Samples.of(store, part="test")
    assert result["metrics"]["mse"] > 1 and result["metrics"]["mae"] > 1 and len(samples) == 12


def test_squared_errors_prefer_the_mean_and_absolute_ones_the_median(tmp_path):
    """Each is the better by its own measure on what was learnt from, and the mean is a grey that no picture of 0 and 255 has."""
    samples = Samples.of(picture_store(tmp_path, count=60, size=8), part="train")
    found = {}
    for loss in ("l2", "l1"):
        task, table = PictureOfClass(CLASSES, loss), PictureTable(CLASSES, size=8)
        task.bind(table)
        task.fit(samples)
        with torch.no_grad():
            table.pictures_KCSS.copy_(task._lowest)
        found[loss] = (task.evaluate(samples).metrics, task._lowest)
    assert found["l2"][0]["mse"] < found["l1"][0]["mse"] and found["l1"][0]["mae"] < found["l2"][0]["mae"]
    grey = [((centres > 0.05) & (centres < 0.95)).float().mean() for _, centres in found.values()]
    assert grey[0] > 0.1 and grey[1] == 0


def test_wrong_words_are_refused(tmp_path):
    samples = Samples.of(picture_store(tmp_path, count=20, size=6), part="train")
    with pytest.raises(TrainingError, match="needs a table of pictures"):
        PictureOfClass(CLASSES).bind(None)
    task = PictureOfClass(CLASSES)
    task.bind(PictureTable(CLASSES, size=8))
    with pytest.raises(TrainingError, match=r"pictures of shape \(1, 6, 6\) and PictureTable takes"):
        task.fit(samples)
    task = PictureOfClass(CLASSES)
    task.bind(PictureTable(CLASSES, size=6))
    task.fit(samples)
    coloured = Samples.of(picture_store(tmp_path / "other", count=20, size=6, channels=3), part="test")
    for asked in (task.check_test, task.evaluate):
        with pytest.raises(TrainingError, match=r"pictures of shape \(3, 6, 6\)"):
            asked(coloured)
    with pytest.raises(RecipeError, match="size 0"):
        PictureTable(CLASSES, size=0)
    with pytest.raises(ShapeError, match="labels -1 to 1; expected 0 to 1"):
        PictureTable(CLASSES)(torch.tensor([-1, 1]))
