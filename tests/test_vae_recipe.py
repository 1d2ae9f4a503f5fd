"""Pre-train, then fine-tune, end to end on a few solids; and the recipe of the furniture is fair to both sides."""

import dataclasses
import json

import pytest

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.errors import TrainingError
from l9.evaluate.again import evaluate_run
from l9.evaluate.predict import predict_file
from l9.models.voxel_vae import VoxelAutoencoder, VoxelClassifier
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import checked, load_recipe
from l9.stages import normalise, occupancy
from l9.tasks.classify import Classify
from l9.tasks.reconstruct import Reconstruct

CARD = """name: toys
what: a few procedural solids
licence: none needed
reader: l9.readers.shapes:read
source: {made: l9.readers.shapes}
shards: 2
parameters: {count_per_class: 4, seed: 1}
"""
SMALL = {"code": 8, "resolution": 12, "width": 2}
ONCE = Schedule(steps=2, batch=8, lr=1e-3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Autoencoders of all solids, and classifiers from 12 labels, on 12^3 grids; what the run said."""
    folder = tmp_path_factory.mktemp("vae")
    (folder / "toys.yaml").write_text(CARD)
    prep = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=12, rotations=2))
    few, network = Use(Classify, labels=12, votes=2), Use(VoxelClassifier, **SMALL)
    trainings = (
        Training(Use(Reconstruct), Use(VoxelAutoencoder, **SMALL), ONCE, name="ae"),
        Training(Use(Reconstruct), Use(VoxelAutoencoder, **SMALL, variational=True), ONCE, name="vae"),
        Training(few, network, ONCE, name="scratch_12"),
        Training(few, network, ONCE, name="finetuned_12", init="ae"),
        Training(few, Use(VoxelClassifier, **(SMALL | {"code": 9})), ONCE, name="other_code", init="ae"),
    )
    pipeline = checked(Pipeline("vae", {"toys": Set(str(folder / "toys.yaml"), prep)}, trainings, Train(precision="float32")))
    said = []
    options = Options(home=folder / "home", workers=0)
    return pipeline, options, run_pipeline(pipeline, options, said.append), said


def test_metrics_have_the_names_of_their_trainings(run):
    metrics = run[2]["metrics"]
    assert {"iou/ae", "bce/ae", "knn_accuracy/ae", "iou/vae", "kl/vae", "accuracy/scratch_12", "accuracy/finetuned_12"} <= set(metrics)
    assert "kl/ae" not in metrics and all(0 <= metrics[f"iou/{name}"] <= 1 for name in ("ae", "vae"))


def test_init_copies_the_encoder_and_says_what_it_did_not(run):
    """From a code of another length the layer of the code is not copied, and the training says so."""
    lines = [line for line in run[3] if line.startswith("init:")]
    assert lines[0].endswith("not copied: head.1.weight, head.1.bias")
    assert "encoder.mean.0.weight" in lines[1] and "encoder.features" not in lines[1].partition("not copied")[2]


def test_pictures_stand_in_the_folders_of_the_run(run):
    for name in ("ae", "vae"):
        folder = next((run[1].home / "runs").glob(f"vae-{name}-s0-*")) / "pictures"
        assert {one.stem for one in folder.iterdir()} == {"reconstructions", "morph", "codes", "drawn", "first_batch"}


def test_evaluated_again_it_answers_the_same(run, tmp_path):
    """Nearest neighbours included: the training objects are there again."""
    home = run[1].home
    folder = next((home / "runs").glob("vae-vae-s0-*"))
    stored = json.loads((folder / "result.json").read_text())["metrics"]
    assert evaluate_run(home, folder.name)["metrics"] == stored


def test_a_file_is_named_by_its_nearest_codes(run, tmp_path):
    file = tmp_path / "tetrahedron.off"
    file.write_text("OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n")
    folder = next((run[1].home / "runs").glob("vae-ae-s0-*"))
    answers = predict_file(run[1].home, folder.name, file)["answers"]
    assert 1 <= len(answers) <= 5 and sum(one["probability"] for one in answers) == pytest.approx(1.0)


def test_more_labels_than_there_are_stop_the_training(run):
    pipeline, options, *_ = run
    task = Use(Classify, labels=1000, votes=2)
    asked = checked(dataclasses.replace(pipeline, trainings=(Training(task, Use(VoxelClassifier, **SMALL), ONCE, name="many"),)))
    with pytest.raises(TrainingError, match="labels is 1,000 and there are"):
        run_pipeline(asked, options, quiet)


def test_a_checkpoint_of_another_code_does_not_continue(run, tmp_path):
    """The stored weights of one code, under the settings of another."""
    from l9.train.checkpoints import latest, restore
    from l9.train.optimizers import movers_of

    folder = next((run[1].home / "runs").glob("vae-ae-s0-*"))
    other = VoxelAutoencoder(**(SMALL | {"code": 9}))
    task = Reconstruct()
    task.bind(other)
    with pytest.raises(TrainingError, match="start over with --fresh"):
        restore(latest(folder), other, movers_of(task.players(), other, None), task)


def test_the_recipe_gives_both_sides_the_same(run):
    """Scratch and fine-tuned differ in `init` alone, and every classifier's encoder is that of the autoencoder."""
    pipeline = load_recipe("furniture_vae")
    by_name = {one.name: one for one in pipeline.trainings}
    pairs = [name.removeprefix("scratch_") for name in by_name if name.startswith("scratch_")]
    assert {"50", "100", "all"} <= set(pairs) and any(name.endswith("_augmented") for name in pairs)
    for name in pairs:
        scratch, finetuned = by_name[f"scratch_{name}"], by_name[f"finetuned_{name}"]
        assert finetuned == dataclasses.replace(scratch, name=finetuned.name, init="ae")
    sizes = ("code", "resolution", "width")
    coder = by_name["ae"].model.arguments
    for one in pipeline.trainings:
        assert [one.model.arguments.get(size) for size in sizes] == [coder.get(size) for size in sizes]
