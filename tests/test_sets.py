"""The sets of a recipe: classes of which something is left, stores that mend themselves, roots."""

import pytest

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.errors import UsageError
from l9.models.voxnet import VoxNet
from l9.pipeline import make_jobs
from l9.prep.sets import Options, card_root, prepare_sets
from l9.progress import quiet
from l9.recipe import checked
from l9.stages import normalise, occupancy
from l9.tasks.classify import Classify

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


@pytest.fixture
def options(home, tmp_path):
    """Two good classes, and a third whose only object cannot be used."""
    for name in ("a/0.obj", "a/1.obj", "b/0.obj"):
        path = tmp_path / "meshes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TETRAHEDRON)
    (tmp_path / "meshes" / "c").mkdir()
    (tmp_path / "meshes" / "c" / "bad.obj").write_text("")
    return Options(home=home, root=tmp_path / "meshes", workers=0)


def _pipeline(**settings) -> Pipeline:
    prep = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=11))
    training = Training(Use(Classify, votes=1), Use(VoxNet, resolution=11), Schedule(epochs=1, batch=2))
    return checked(Pipeline("toy", {"mine": Set("folder", prep, **settings)}, (training,)))


def test_a_class_of_which_nothing_is_left_is_said_and_left_out(options):
    lines = []
    (prepared,) = prepare_sets(_pipeline(), options, lines.append)
    assert prepared.classes == ("a", "b")
    assert any("no object is left of c" in line for line in lines)
    assert any("1 of 4 quarantined; l9 quarantine" in line for line in lines)
    (job,) = make_jobs(_pipeline(), [prepared], options)
    assert job.about["training"]["task"]["arguments"]["classes"] == ["a", "b"]


@pytest.mark.parametrize("damage", ["{", '{"format": 99}'])
def test_a_damaged_or_foreign_manifest_is_made_again(options, damage):
    (first,) = prepare_sets(_pipeline(), options, quiet)
    manifest = first.store.path / "manifest.json"
    good = manifest.read_bytes()
    manifest.write_text(damage)
    (again,) = prepare_sets(_pipeline(), options, quiet)
    assert again.counts.made == 0
    assert manifest.read_bytes() == good


def test_a_flipped_byte_in_the_index_is_mended(options):
    (first,) = prepare_sets(_pipeline(), options, quiet)
    index = first.store.path / "index.arrow"
    good = index.read_bytes()
    index.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
    prepare_sets(_pipeline(), options, quiet)
    assert index.read_bytes() == good


def test_the_key_of_a_training_knows_data_seed_and_settings_and_nothing_else(options, tmp_path):
    prepared = prepare_sets(_pipeline(), options, quiet)
    (job,) = make_jobs(_pipeline(), prepared, options)
    elsewhere = Options(home=options.home, root=options.root, workers=2, tracking="http://127.0.0.1:9")
    assert make_jobs(_pipeline(), prepared, elsewhere)[0].key == job.key
    assert make_jobs(_pipeline(), prepared, Options(home=options.home, overfit=1))[0].key != job.key


def test_a_licensed_card_asks_for_its_root(home):
    from l9.cards import load_card

    with pytest.raises(UsageError, match="--root DIR"):
        card_root(load_card("folder"), None, home, quiet)
