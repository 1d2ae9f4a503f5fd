"""The recipes of GANs on a folder of drawn pictures, end to end: first weights stand in for lite0's, networks are narrow, steps few."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from picture_store import drawn_picture
from safetensors.torch import save_file

from l9.config import Set
from l9.draw.png import write_png
from l9.errors import TrainingError
from l9.evaluate.again import evaluate_run
from l9.evaluate.runs import find_run, network_of
from l9.models.lite_features import LiteFeatures
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import checked, load_recipe, override

CARD = """name: drawn
what: bars and discs
licence: none needed
source: {}
reader: l9.readers.images:read
axes: {unit: pixel}
shards: 2
"""
MEASURES = {"kid", "kid_std", "fid_lite0", "precision", "recall", "novelty_pixels", "novelty_features", "copied"}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A card, its pictures, and weights of the features: first ones, with running means that are not 0."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "drawn.yaml").write_text(CARD)
    for number in range(80):
        pixels = drawn_picture(number, 32, 3).transpose(1, 2, 0)
        write_png(folder / "pictures" / ("bar", "disc")[number % 2] / f"{number:04d}.png", np.ascontiguousarray(pixels))
    torch.manual_seed(0)
    weights = {name: value.clone() for name, value in LiteFeatures().trunk.state_dict().items()}
    for name, value in weights.items():
        if name.endswith("running_mean"):
            value += 0.01
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "lite0.safetensors")
    return folder


def learning(name, width):
    settings = ("schedule.epochs=2", "schedule.batch=16", f"model.width={width}")
    return [f"trainings.{name}.{setting}" for setting in settings]


def small(folder, name, settings, init="lite0.safetensors"):
    recipe = override(load_recipe(name), settings)
    card = str(folder / "drawn.yaml")
    sets = {key: Set(card, one.prep) for key, one in recipe.sets.items()}
    given = tuple(dataclasses.replace(one, init=str(folder / init) if init else None) for one in recipe.trainings)
    return checked(dataclasses.replace(recipe, sets=sets, trainings=given))


def options(folder):
    return Options(home=folder / "home", workers=0, root=folder / "pictures")


def test_mnist_gan(folder):
    recipe = small(folder, "mnist_gan", learning("*", 4))
    report = run_pipeline(recipe, options(folder), quiet)
    assert set(report["metrics"]) >= MEASURES | {"diversity"}
    run = network_of(find_run(folder / "home", "latest"))
    pictures = {path.stem for path in (run / "pictures").iterdir()}
    assert pictures == {"first_batch", "strip", "samples", "over_time", "interpolation", "memorisation"}
    stored = json.loads((run / "result.json").read_text())["metrics"]
    assert evaluate_run(folder / "home", "latest")["metrics"] == pytest.approx(stored, rel=1e-6)


def test_features_without_weights_are_refused_before_the_first_step(folder):
    recipe = small(folder, "mnist_gan", learning("*", 2), init=None)
    with pytest.raises(TrainingError, match="needs init='lite0'"):
        run_pipeline(recipe, options(folder), quiet)


def test_emoji_dcgan(folder):
    recipe = small(folder, "emoji_dcgan", [*learning("dcgan", 4), *learning("dcgan_shifted", 4)])
    metrics = run_pipeline(recipe, options(folder), quiet)["metrics"]
    assert {f"kid/{name}" for name in ("dcgan", "dcgan_shifted", "floor", "blur", "pca_gaussian")} <= set(metrics)
    assert (find_run(folder / "home", "latest/dcgan") / "pictures" / "memorisation.png").is_file()


def test_mnist_averages(folder):
    """All four in one figure: the table's two rows below one truth, the autoencoder's below another, and the GAN's without any."""
    settings = [f"trainings.{name}.schedule.epochs=2" for name in ("l2", "l1", "vae", "gan")]
    settings += ["trainings.*.schedule.batch=16", "trainings.vae.model.hidden=[16]", "trainings.gan.model.width=4"]
    report = run_pipeline(small(folder, "mnist_averages", settings, init=None), options(folder), quiet)
    assert {"mse/l2", "mae/l1", "to_centre/l2", "to_centre/l1", "elbo_nats/vae", "diversity/gan"} <= set(report["metrics"])
    assert (folder / "home" / "runs" / report["run"] / "pictures" / "side_by_side.png").is_file()
