"""The one real Ray Train run of the tests: two workers, of which one is killed with -9 on the way."""

import shutil
import signal
from pathlib import Path

import pytest
from toys import lines_of, toy_facts, toy_store, write_facts

from l9.errors import TrainingError
from l9.train.checkpoints import latest
from l9.train.fit import fit, forget, note_error, raise_noted, read_job
from l9.train.group import _followed, _log, run_rank
from l9.train.ranks import Ranks

SCHEDULE = {"epochs": 4, "batch": 8, "checkpoint_every": 1}


@pytest.mark.filterwarnings("ignore")  # Ray's own deprecations and open sockets
def test_a_killed_worker_costs_no_step_and_no_order(tmp_path, monkeypatch):
    """Two workers, one dies in step 7 of 12: the group restarts from the checkpoint of step 6 and ends as one process does."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    home, kill = tmp_path / "home", tmp_path / "kill"
    store = toy_store(home)
    kill.touch()
    said, told = [], []
    facts = toy_facts(store, home, "Label", "Plain", schedule=SCHEDULE, workers=2, arguments={"kill": str(kill)})
    result = fit(write_facts(tmp_path / "group", facts), home=home, say=said.append, on_checkpoint=told.append)
    assert not kill.exists(), "no worker was killed"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "Ray kept Ctrl-C for itself"
    assert "resuming after step 6" in said and told == [tmp_path / "group"]
    alone = toy_facts(store, home, "Label", "Plain", schedule=SCHEDULE)
    expected = fit(write_facts(tmp_path / "alone", alone), home=home, say=said.append)
    grouped, single = (lines_of(tmp_path / name / "metrics.jsonl") for name in ("group", "alone"))
    assert [record["step"] for record in grouped] == list(range(12))
    assert [record.get("order") for record in grouped] == [record.get("order") for record in single]
    assert [record["loss"] for record in grouped] == pytest.approx([record["loss"] for record in single], rel=1e-4)
    assert result["metrics"] == pytest.approx(expected["metrics"])
    assert latest(tmp_path / "group").progress.step == 12


def test_an_error_of_ours_is_noted_and_not_tried_again(tmp_path):
    """What Ray does after any error is to start the workers again."""
    home = tmp_path / "home"
    facts = toy_facts(toy_store(home), home, "Label", "Plain", schedule=SCHEDULE, arguments={"poison": 7})
    run_dir = write_facts(tmp_path / "run", facts)
    with pytest.raises(TrainingError, match="step 7"):
        run_rank(read_job(run_dir, home), Ranks())
    before = (run_dir / "progress.log").read_text()
    run_rank(read_job(run_dir, home), Ranks())
    assert (run_dir / "progress.log").read_text() == before
    with pytest.raises(TrainingError, match="step 7, turn 0 of player model: term cross_entropy is nan"):
        raise_noted(run_dir)
    assert latest(run_dir).progress.step == 6


def test_workers_lines_are_said_in_order_and_once(tmp_path):
    said, log = [], tmp_path / "progress.log"
    add = _log(log)
    with _followed(log, said.append):
        for number in range(20):
            add(f"line {number}")
    assert said == [f"line {number}" for number in range(20)]


def test_a_noted_error_is_raised_as_it_was(tmp_path):
    raise_noted(tmp_path)
    note_error(tmp_path, TrainingError("step 3: loss is nan"))
    with pytest.raises(TrainingError, match="step 3: loss is nan"):
        raise_noted(tmp_path)


def test_forget_leaves_what_the_caller_wrote(tmp_path):
    for name in ("training.json", "result.json", "metrics.jsonl"):
        (tmp_path / name).touch()
    (tmp_path / "checkpoints" / "00000001").mkdir(parents=True)
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]
    shutil.rmtree(tmp_path)
