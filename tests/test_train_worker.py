import json
import signal

import pytest
import torch
from safetensors.torch import load_file
from toys import lines_of, toy_facts, toy_store, write_facts

from l9.errors import RecipeError, StoreError, TrainingError, UsageError
from l9.store.home import Home
from l9.track.lock import locked
from l9.train import worker
from l9.train.assemble import assemble
from l9.train.checkpoints import latest
from l9.train.fit import fit, read_job

EPOCHS = {"epochs": 4, "batch": 8, "checkpoint_every": 2}
FORMS = {
    "classifier": ("Label", "Noisy", {"optimizer": "adam"}),
    "momentum": ("Label", "Noisy", {"optimizer": "sgd"}),
    "game": ("Game", "Pair", {}),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home):
    return toy_store(home)


def _fit(home, run_dir, facts, **more):
    said = []
    result = fit(write_facts(run_dir, facts) if not run_dir.exists() else run_dir, place=Home(home), say=said.append, **more)
    return result, said


def _outcome(run_dir):
    """Every byte that training must make again: weights, optimizer, buffers, metrics, outcomes, result."""
    names = ("metrics.jsonl", "outcomes.jsonl", "result.json")
    checkpoint = latest(run_dir)
    parts = {part: (checkpoint.folder / f"{part}.safetensors").read_bytes() for part in ("model", "optimizer", "buffers")}
    return {**{name: (run_dir / name).read_bytes() for name in names}, **parts}


def test_a_training_leaves_its_result_metrics_pictures_and_checkpoints(home, store, tmp_path):
    result, said = _fit(home, tmp_path / "run", toy_facts(store, home, "Label", "Noisy", schedule={**EPOCHS, "epochs": 20}))
    assert result["metrics"]["accuracy"] >= 0.75
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert len(lines_of(tmp_path / "run" / "outcomes.jsonl")) == 8
    assert {path.name for path in (tmp_path / "run" / "pictures").iterdir()} == {"first_batch.png", "answers.png"}
    assert [path.name for path in sorted((tmp_path / "run" / "checkpoints").iterdir())] == ["00000054", "00000060"]
    records = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(60))
    assert [record["step"] for record in records if "order" in record] == list(range(0, 60, 3))
    assert any("0.6931 is expected" in line for line in said)
    start = json.loads((tmp_path / "run" / "start.json").read_text())
    assert start["steps"] == 60 and start["loss_at_start"] == records[0]["loss"] and start["seconds_per_step"] > 0


def test_a_finished_training_is_not_done_again_unless_fresh(home, store, tmp_path):
    facts = toy_facts(store, home, "Label", "Plain", schedule={"steps": 3, "batch": 8})
    first, _ = _fit(home, tmp_path / "run", facts)
    stamp = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    again, said = _fit(home, tmp_path / "run", facts)
    assert again == first and said == [] and (tmp_path / "run" / "result.json").stat().st_mtime_ns == stamp
    fresh, said = _fit(home, tmp_path / "run", facts, fresh=True)
    assert fresh == first and said and len(lines_of(tmp_path / "run" / "metrics.jsonl")) == 3


def test_a_baseline_is_fitted_and_evaluated_only(home, store, tmp_path):
    result, _ = _fit(home, tmp_path / "run", toy_facts(store, home, "Mean", None, schedule=None))
    assert result["metrics"]["accuracy"] >= 0.75 and result["steps"] == 0
    assert not (tmp_path / "run" / "checkpoints").exists() and not (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [1, 4, 11])
def test_an_interrupted_training_ends_in_the_same_bytes(home, store, tmp_path, monkeypatch, form, step):
    """Ctrl-C within step `step`, mid-epoch or not: the step is finished, checkpointed, and the rest is bit-equal."""
    task, model, arguments = FORMS[form]
    facts = toy_facts(store, home, task, model, schedule=EPOCHS, arguments=arguments)
    _fit(home, tmp_path / "whole", facts)
    target = assemble(read_job(tmp_path / "whole", home), torch.device("cpu")).task
    turns = type(target).turns

    def interrupted(self, number):
        if number == step:
            signal.raise_signal(signal.SIGINT)
        return turns(self, number)

    monkeypatch.setattr(type(target), "turns", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _fit(home, tmp_path / "cut", facts)
    monkeypatch.undo()
    assert latest(tmp_path / "cut").progress.step == step + 1
    _, said = _fit(home, tmp_path / "cut", facts)
    assert f"resuming after step {step + 1}" in said
    assert _outcome(tmp_path / "cut") == _outcome(tmp_path / "whole")


def test_a_second_interrupt_is_not_deferred(home, store, tmp_path, monkeypatch):
    facts = toy_facts(store, home, "Label", "Plain", schedule=EPOCHS)
    target = type(assemble(read_job(write_facts(tmp_path / "run", facts), home), torch.device("cpu")).task)

    def interrupted(self, turn, batch):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(target, "loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _fit(home, tmp_path / "run", facts)
    assert latest(tmp_path / "run") is None


def test_work_after_the_last_checkpoint_is_cut_back_and_made_again(home, store, tmp_path, monkeypatch):
    """A process that dies (here: by an error in step 8) leaves metrics ahead of its checkpoint of step 6."""
    facts = toy_facts(store, home, "Label", "Noisy", schedule=EPOCHS)
    _fit(home, tmp_path / "whole", facts)
    target = type(assemble(read_job(tmp_path / "whole", home), torch.device("cpu")).task)
    loss = target.loss

    def dying(self, turn, batch):
        if self.step == 8:
            raise MemoryError("as if the machine had given up")
        return loss(self, turn, batch)

    monkeypatch.setattr(target, "loss", dying)
    with pytest.raises(MemoryError):
        _fit(home, tmp_path / "cut", facts)
    monkeypatch.undo()
    assert len(lines_of(tmp_path / "cut" / "metrics.jsonl")) == 8 and latest(tmp_path / "cut").progress.step == 6
    _fit(home, tmp_path / "cut", facts)
    assert _outcome(tmp_path / "cut") == _outcome(tmp_path / "whole")


def test_a_loss_that_is_not_finite_stops_with_the_checkpoint_kept(home, store, tmp_path):
    facts = toy_facts(store, home, "Label", "Plain", schedule=EPOCHS, arguments={"poison": 7})
    with pytest.raises(TrainingError, match="step 7, turn 0 of player model: term cross_entropy is nan"):
        _fit(home, tmp_path / "run", facts)
    assert latest(tmp_path / "run").progress.step == 6
    assert json.loads((tmp_path / "run" / "error.json").read_text())["error"] == "TrainingError"


def test_overfit_learns_the_first_samples_by_heart(home, store, tmp_path):
    schedule = {"epochs": 1, "batch": 8, "lr": 0.05, "curve": "cosine"}
    result, _ = _fit(home, tmp_path / "run", toy_facts(store, home, "Label", "Plain", schedule=schedule, overfit=3))
    records = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert result["metrics"]["accuracy"] == 1.0 and result["metrics"]["overfit_loss"] == records[-1]["loss"] < 1e-3
    assert len(records) == result["steps"] < 300 and records[-2]["loss"] >= 1e-3
    assert {record["lr_factor"] for record in records} == {1.0}
    assert [row["object"] for row in lines_of(tmp_path / "run" / "outcomes.jsonl")] == ["0004.obj", "0005.obj", "0006.obj"]


def test_init_copies_by_name_and_lists_the_rest(home, store, tmp_path):
    facts = toy_facts(store, home, "Label", "Plain", schedule={"steps": 3, "batch": 8})
    _fit(home, tmp_path / "first", facts)
    facts = toy_facts(store, home, "Label", "Noisy", schedule={"steps": 3, "batch": 8, "lr": 1e-12}, init=str(tmp_path / "first"))
    _, said = _fit(home, tmp_path / "second", facts)
    line = next(line for line in said if line.startswith("init:"))
    assert "layers.1.running_mean" in line and "layers.0.weight" not in line
    weights = [load_file(latest(tmp_path / name).folder / "model.safetensors")["layers.0.weight"] for name in ("first", "second")]
    torch.testing.assert_close(*weights)


def test_what_a_task_shows_while_it_trains(home, store, tmp_path):
    """Its numbers join the step's line, its lines are said, its pictures stand in the run's folder: after each epoch's last step here."""
    result, said = _fit(home, tmp_path / "run", toy_facts(store, home, "Game", "Pair", schedule=EPOCHS))
    records = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert [record["step"] for record in records if "last" in record] == [2, 5, 8, 11]
    assert [line for line in said if line.startswith("seen")] == [f"seen after step {step}" for step in (2, 5, 8, 11)]
    shown = [record["last"] for record in records if "last" in record]
    assert shown[-1] == pytest.approx(result["metrics"]["critic_loss"]) and len(set(shown)) == 4
    assert (tmp_path / "run" / "pictures" / "made.png").is_file()


def test_what_could_not_be_evaluated_is_refused_before_the_first_step(home, store, tmp_path, monkeypatch):
    asked = []

    def refuse(task, samples):
        asked.append(len(samples))
        raise TrainingError("of another size")

    monkeypatch.setattr("toys.Label.check_test", refuse, raising=False)
    with pytest.raises(TrainingError, match="of another size"):
        _fit(home, tmp_path / "run", toy_facts(store, home, "Label", "Plain", schedule=EPOCHS))
    assert asked == [8] and latest(tmp_path / "run") is None and not (tmp_path / "run" / "metrics.jsonl").exists()


def test_init_that_fits_nothing_is_refused(home, store, tmp_path):
    _fit(home, tmp_path / "first", toy_facts(store, home, "Game", "Pair", schedule={"steps": 1, "batch": 8}))
    facts = toy_facts(store, home, "Label", "Plain", schedule={"steps": 1, "batch": 8}, init=str(tmp_path / "first"))
    with pytest.raises(TrainingError, match="init: no tensor"):
        _fit(home, tmp_path / "second", facts)


def test_a_network_that_learns_needs_a_schedule(home, store, tmp_path):
    with pytest.raises(RecipeError, match="schedule is missing; expected Schedule"):
        _fit(home, tmp_path / "run", toy_facts(store, home, "Label", "Plain", schedule=None))
    assert latest(tmp_path / "run") is None


def test_two_test_sets_are_told_apart_by_name(home, store, tmp_path):
    facts = toy_facts(store, home, "Label", "Plain", schedule={"steps": 3, "batch": 8})
    facts["sets"]["other"] = {**facts["sets"]["toys"], "fold": 1}
    facts["training"]["test"] = ["toys", "other"]
    result, _ = _fit(home, tmp_path / "run", facts)
    assert set(result["metrics"]) == {"accuracy/toys", "accuracy/other"} and set(result["tables"]) == {"classes/toys", "classes/other"}
    assert {row["set"] for row in lines_of(tmp_path / "run" / "outcomes.jsonl")} == {"toys", "other"}


def test_errors_are_one_line_that_names_the_cure(home, store, tmp_path):
    for number, (schedule, change, error, words) in enumerate(
        [
            ({"steps": 3, "batch": 100}, {}, TrainingError, "smaller"),
            ({"steps": 3, "batch": 8}, {"store": "store/none"}, StoreError, "no finished store"),
            ({"steps": 3, "batch": 8}, {"classes": ["high"]}, None, ""),
        ]
    ):
        facts = toy_facts(store, home, "Label", "Plain", schedule=schedule)
        facts["sets"]["toys"].update(change)
        if error is None:
            assert _fit(home, tmp_path / str(number), facts)[0]["classes"] == ["high"]
            continue
        with pytest.raises(error, match=words) as caught:
            _fit(home, tmp_path / str(number), facts)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("fold", "cure"), [(None, "labels csv"), (4, "l9 data check")])
def test_a_missing_test_part_is_found_before_the_first_step(home, tmp_path, fold, cure):
    """4 objects, none of which the hash of its id, or fold 4, makes a test sample."""
    alone = tmp_path / "few"
    facts = toy_facts(toy_store(alone, count=4), alone, "Label", "Plain", schedule={"steps": 3, "batch": 2})
    facts["sets"]["toys"] |= {"fold": fold, "classes": ["low"]}
    with pytest.raises(TrainingError, match=cure) as caught:
        _fit(alone, tmp_path / "run", facts)
    assert "\n" not in str(caught.value) and not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_second_process_at_one_training_is_refused(home, store, tmp_path):
    facts = toy_facts(store, home, "Label", "Plain", schedule={"steps": 3, "batch": 8})
    run_dir = write_facts(tmp_path / "run", facts)
    with locked(run_dir / "lock"), pytest.raises(UsageError, match="another l9 run is at work on run"):
        _fit(home, run_dir, facts, fresh=True)
    assert sorted(path.name for path in run_dir.iterdir()) == ["lock", "training.json"]
    assert _fit(home, run_dir, facts)[0]["steps"] == 3


@pytest.mark.parametrize("lr", [0.05, 1e-9])
def test_an_overfit_run_killed_in_evaluation_ends_as_it_would_have(home, store, tmp_path, monkeypatch, lr):
    """Learnt by heart early, or after all its 300 steps: no step is made again, the loss is the last one on disk."""
    facts = toy_facts(store, home, "Label", "Plain", schedule={"epochs": 1, "batch": 8, "lr": lr}, overfit=3)
    whole, _ = _fit(home, tmp_path / "whole", facts)
    target = type(assemble(read_job(tmp_path / "whole", home), torch.device("cpu")).task)

    def dying(self, samples):
        raise MemoryError

    monkeypatch.setattr(target, "evaluate", dying)
    with pytest.raises(MemoryError):
        _fit(home, tmp_path / "cut", facts)
    monkeypatch.undo()
    assert _fit(home, tmp_path / "cut", facts)[0] == whole
    assert whole["metrics"]["overfit_loss"] == lines_of(tmp_path / "cut" / "metrics.jsonl")[-1]["loss"]


def test_auto_precision_is_recorded_and_kept_on_resume(home, store, tmp_path, monkeypatch):
    """Begun where "auto" is bfloat16, gone on with where it is float32."""
    facts = toy_facts(store, home, "Label", "Plain", schedule=EPOCHS)
    facts["train"]["precision"] = "auto"
    monkeypatch.setattr("l9.train.precision.has_bfloat16", lambda device: True)
    whole, _ = _fit(home, tmp_path / "whole", facts)
    assert whole["precision"] == latest(tmp_path / "whole").precision == "bfloat16"
    facts["training"]["task"]["arguments"] = {"poison": 7}
    with pytest.raises(TrainingError):
        _fit(home, tmp_path / "cut", facts)
    facts["training"]["task"]["arguments"] = {}
    (tmp_path / "cut" / "training.json").write_text(json.dumps(facts))
    monkeypatch.setattr("l9.train.precision.has_bfloat16", lambda device: False)
    assert _fit(home, tmp_path / "cut", facts)[0] == whole
    assert _outcome(tmp_path / "cut") == _outcome(tmp_path / "whole")
    assert _fit(home, tmp_path / "other", facts)[0]["precision"] == "float32"


def test_a_device_without_the_stored_precision_is_refused_in_one_line(home, store, tmp_path, monkeypatch):
    facts = toy_facts(store, home, "Label", "Plain", schedule={"steps": 3, "batch": 8})
    facts["train"]["precision"] = "bfloat16"
    monkeypatch.setattr("l9.train.precision.can_bfloat16", lambda device: False)
    with pytest.raises(TrainingError, match="cannot compute in bfloat16"):
        _fit(home, tmp_path / "run", facts)


@pytest.mark.parametrize(
    ("parts", "learnt", "reported"),
    [("train/test", (2, 3, 4), (0,)), ("train/validation", (2, 3, 4), (1,)), ("train+validation/test", (1, 2, 3, 4), (0,))],
)
def test_a_training_says_what_it_learns_from_and_what_it_reports(home, store, tmp_path, parts, learnt, reported):
    facts = toy_facts(store, home, "Label", "Noisy", schedule=EPOCHS)
    facts["training"]["parts"] = parts
    assembly = assemble(read_job(write_facts(tmp_path / "run", facts), home), torch.device("cpu"))

    def folds(samples):
        return sorted(set(store.index.column("fold").to_numpy()[samples.rows].tolist()))

    assert (tuple(folds(assembly.samples)), tuple(folds(assembly.tests["toys"]))) == (learnt, reported)
    assert len(assembly.samples) == 8 * len(learnt)


def test_a_checkpoint_is_written_by_the_clock_too(home, store, tmp_path, monkeypatch):
    """What dies in the middle of a long epoch goes on from there, and ends with the bytes of one that nobody disturbed."""
    schedule = {"epochs": 4, "batch": 8, "checkpoint_every": 100}
    facts = toy_facts(store, home, "Label", "Noisy", schedule=schedule)
    _fit(home, tmp_path / "alone", facts)
    monkeypatch.setattr(worker, "SAVED_SECONDS", 0.0)
    monkeypatch.setattr(worker, "SAVING_SHARE", 1e9)
    poisoned = {**facts, "training": {**facts["training"], "task": {**facts["training"]["task"]}}}
    poisoned["training"]["task"]["arguments"] = {**facts["training"]["task"]["arguments"], "poison": 7}
    with pytest.raises(TrainingError, match="step 7"):
        _fit(home, tmp_path / "run", poisoned)
    assert latest(tmp_path / "run").progress.step == 7, "the middle of the third epoch"
    (tmp_path / "run" / "training.json").write_text(json.dumps(facts))
    _, said = _fit(home, tmp_path / "run", facts)
    assert "resuming after step 7" in said
    assert _outcome(tmp_path / "run") == _outcome(tmp_path / "alone")
