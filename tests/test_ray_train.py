"""The one real Ray Train run of the tests: two workers, of which one is killed with -9 on the way."""

import shutil
import signal
from pathlib import Path

import pytest
from toys import BoardHere, lines_of, toy_facts, toy_store, write_facts

from l9.errors import StoreError, TrainingError
from l9.store.home import Home
from l9.train.checkpoints import latest
from l9.train.fit import fit, forget, read_job
from l9.train.noted import remade_error
from l9.train.rank import attempt
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
    result = fit(write_facts(tmp_path / "group", facts), place=Home(home), say=said.append, on_checkpoint=told.append)
    assert not kill.exists(), "no worker was killed"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "Ray kept Ctrl-C for itself"
    assert "resuming after step 6" in said and said.index("resuming after step 6") < len(said) - 1
    assert len(said) == len(set(said)), "a line of the workers was said twice"
    assert len(told) > 1 and set(told) == {tmp_path / "group"}, "the caller hears of checkpoints meanwhile, and at the end"
    alone = toy_facts(store, home, "Label", "Plain", schedule=SCHEDULE)
    expected = fit(write_facts(tmp_path / "alone", alone), place=Home(home), say=said.append)
    grouped, single = (lines_of(tmp_path / name / "metrics.jsonl") for name in ("group", "alone"))
    assert [record["step"] for record in grouped] == list(range(12))
    assert [record.get("order") for record in grouped] == [record.get("order") for record in single]
    assert [record["loss"] for record in grouped] == pytest.approx([record["loss"] for record in single], rel=1e-4)
    assert result["metrics"] == pytest.approx(expected["metrics"])
    assert latest(tmp_path / "group").progress.step == 12


def test_an_error_of_ours_is_left_on_the_board_and_not_tried_again(tmp_path):
    """What Ray does after any error is to start the workers again."""
    home, board = tmp_path / "home", BoardHere()
    facts = toy_facts(toy_store(home), home, "Label", "Plain", schedule=SCHEDULE, arguments={"poison": 7})
    run_dir = write_facts(tmp_path / "run", facts)
    with pytest.raises(TrainingError, match="step 7"):
        attempt(read_job(run_dir, home), Ranks(), board)
    before = board.since(0)
    assert before[1] in (1, 2), "a checkpoint after each of two epochs, which may be told together"
    attempt(read_job(run_dir, home), Ranks(), board)
    assert board.since(0) == before
    kind, message = board.failed()
    assert kind == "TrainingError" and message.startswith("step 7, turn 0 of player model: term cross_entropy is nan")
    assert latest(run_dir).progress.step == 6


@pytest.mark.parametrize(("kind", "made"), [("StoreError", StoreError), ("RefusedObject", TrainingError), ("Path", TrainingError)])
def test_an_error_of_another_process_is_made_again(kind, made):
    error = remade_error(kind, "step 3: loss is nan")
    assert type(error) is made and str(error) == "step 3: loss is nan"


def test_forget_leaves_what_the_caller_wrote(tmp_path):
    for name in ("training.json", "result.json", "metrics.jsonl"):
        (tmp_path / name).touch()
    (tmp_path / "checkpoints" / "00000001").mkdir(parents=True)
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]
    shutil.rmtree(tmp_path)
