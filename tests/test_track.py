import errno
import json
import subprocess
import sys
import threading

import pytest

from l9.track import Tracker, catch_up, default_uri, serve
from l9.track.cursor import read_state, save_state
from l9.track.facts import csv_text, durable_records, flattened
from l9.track.lock import SEND_LOCK, WORK_LOCK, held_elsewhere, locked
from l9.track.sender import Sender

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def _training(home, name, steps=10, checkpoint=6):
    """A training as it looks on disk when step `checkpoint` is durable and `steps` are made."""
    folder = home / "runs" / name
    folder.mkdir(parents=True)
    sets = {"furniture": {"store": "store/furniture-1", "manifest": "ab" * 32, "classes": ["a"], "fold": 0}}
    training = {"task": {"target": "l9.tasks:Classify", "arguments": {"votes": 12, "note": "x" * 9000}}, "model": None}
    about = {"recipe": "toys", "key": "cd" * 32, "training": training, "train": {"workers": 0}, "seed": 7, "sets": sets}
    (folder / "training.json").write_text(json.dumps(about))
    _records(folder, steps)
    _checkpoint(folder, checkpoint)
    return folder


def _records(folder, steps):
    order = [{"order": "ff"} if n % 3 == 0 else {} for n in range(steps)]  # in each epoch's first line
    lines = [{"step": n, "epoch": n // 3, **order[n], "loss": 1 / (n + 1), "lr_factor": 1.0, "samples": 8} for n in range(steps)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _checkpoint(folder, step):
    (folder / "checkpoints" / f"{step:08d}").mkdir(parents=True)
    (folder / "checkpoints" / f"{step:08d}" / "state.json").write_text("{}")


def _finish(folder):
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "pictures" / "confusion.png").write_bytes(b"png")
    (folder / "outcomes.jsonl").write_text("{}\n")
    tables = {"classes": [{"class": "a", "accuracy": 0.5}, {"class": "b", "accuracy": 1.0, "most": "a"}]}
    (folder / "result.json").write_text(json.dumps({"metrics": {"accuracy": 0.75, "loss": 0.9}, "tables": tables}))


def _steps(home, folder, name="loss", uri=None):
    """Every step MLflow has of a metric, in ascending order: twice where it was sent twice."""
    uri = default_uri(home, uri)
    return sorted(point.step for point in Sender(home, uri).client.get_metric_history(read_state(folder, uri)["run_id"], name))


def _run(home, folder):
    uri = default_uri(home, None)
    return Sender(home, uri).client.get_run(read_state(folder, uri)["run_id"])


def test_steps_are_sent_when_a_checkpoint_makes_them_durable(home):
    folder, tracker = _training(home, "durable"), Tracker(home)
    tracker.sync(folder)
    assert _steps(home, folder) == list(range(6))
    tracker.sync(folder)
    assert _steps(home, folder) == list(range(6))
    _checkpoint(folder, 9)
    Tracker(home).sync(folder)
    assert _steps(home, folder) == list(range(9)) and _run(home, folder).info.status == "RUNNING"


@pytest.mark.parametrize("reached", [False, True])
def test_a_death_between_sending_and_noting_costs_no_step_and_doubles_none(home, reached, monkeypatch):
    """MLflow has taken the batch, or has not, when the process dies: either way each step is there once."""
    folder, tracker = _training(home, f"death-{reached}"), Tracker(home)
    tracker.sync(folder)
    _checkpoint(folder, 9)
    client = tracker._sender.client
    log_batch = client.log_batch

    def dying(run_id, metrics=(), **more):
        if reached:
            log_batch(run_id, metrics=metrics, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "log_batch", dying)
    with pytest.raises(KeyboardInterrupt):
        tracker.sync(folder)
    monkeypatch.undo()
    assert read_state(folder, tracker.uri)["sending"] == 8
    _checkpoint(folder, 10)
    Tracker(home).sync(folder)
    assert _steps(home, folder) == list(range(10))


def test_a_death_after_making_the_run_makes_no_second_one(home, monkeypatch):
    folder, tracker = _training(home, "made"), Tracker(home)
    create_run = tracker._sender.client.create_run

    def dying(*arguments, **more):
        create_run(*arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(tracker._sender.client, "create_run", dying)
    with pytest.raises(KeyboardInterrupt):
        tracker.sync(folder)
    monkeypatch.undo()
    Tracker(home).sync(folder)
    client = tracker._sender.client
    experiment = client.get_experiment_by_name("toys").experiment_id
    assert len(client.search_runs([experiment], "tags.`l9.folder` = 'made'")) == 1


def test_steps_that_a_resume_takes_back_were_never_sent(home):
    """Steps 6 to 9 were made, lost with the process, and made again."""
    folder = _training(home, "resume", steps=10, checkpoint=6)
    Tracker(home).sync(folder)
    _records(folder, 6)
    Tracker(home).sync(folder)
    _records(folder, 14)
    _checkpoint(folder, 12)
    Tracker(home).sync(folder)
    assert _steps(home, folder) == list(range(12))
    _finish(folder)
    Tracker(home).sync(folder)
    assert _steps(home, folder) == list(range(14))


def test_more_metrics_than_one_batch_holds_are_all_sent_once(home):
    folder = _training(home, "many", steps=900, checkpoint=900)
    Tracker(home).sync(folder)
    assert _steps(home, folder) == list(range(900))


def test_what_the_settings_decide_is_sent_once_an_epoch(home):
    folder = _training(home, "epochs", steps=10, checkpoint=9)
    Tracker(home).sync(folder)
    assert [_steps(home, folder, name) for name in ("loss", "epoch", "lr_factor", "samples")] == [list(range(9)), *[[0, 3, 6]] * 3]


def test_a_finished_training_has_its_facts_metrics_files_and_status(home):
    folder, tracker = _training(home, "finished"), Tracker(home)
    with tracker.training(folder):
        tracker.sync(folder)
        _checkpoint(folder, 10)
        _finish(folder)
    run = _run(home, folder)
    assert run.info.status == "FINISHED" and run.info.run_name == "finished"
    assert run.data.params["training.task.arguments.votes"] == "12" and len(run.data.params["training.task.arguments.note"]) == 6000
    assert run.data.tags["l9.key"] == "cd" * 32 and run.data.tags["l9.store.furniture"] == "ab" * 32
    assert run.data.tags["l9.version.torch"].startswith("2.")
    assert run.data.metrics["accuracy"] == 0.75 and run.data.metrics["test/loss"] == 0.9
    assert _steps(home, folder) == list(range(10))
    dataset = run.inputs.dataset_inputs[0].dataset
    assert dataset.name == "furniture" and dataset.digest == ("ab" * 32)[:36]
    place = home / "mlartifacts" / "toys" / run.info.run_id / "artifacts"
    assert (place / "pictures" / "confusion.png").read_bytes() == b"png"
    assert (place / "tables" / "classes.csv").read_text() == "class,accuracy,most\na,0.5,\nb,1.0,a\n"
    before = (folder / "track.json").stat().st_mtime_ns
    with Tracker(home).training(folder):
        pass
    assert (folder / "track.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_an_ended_training_says_how_and_goes_on_in_the_same_run(home, error, status):
    folder = _training(home, f"ended-{status}")
    with pytest.raises(error), Tracker(home).training(folder):
        raise error
    run = _run(home, folder)
    assert run.info.status == status
    with Tracker(home).training(folder):
        Tracker(home).sync(folder)
        assert _run(home, folder).info.status == "RUNNING"
        _finish(folder)
    assert _run(home, folder).info.run_id == run.info.run_id and _run(home, folder).info.status == "FINISHED"


def test_sending_during_training_is_off_the_step_path(home):
    """`sync` returns while the server still hangs; what waited is sent at the end of the block."""
    folder, tracker = _training(home, "aside"), Tracker(home)
    hangs, sending = threading.Event(), threading.Event()
    send = tracker._sender.send

    def slow(*arguments):
        sending.set()
        hangs.wait(30)
        send(*arguments)

    tracker._sender.send = slow
    with tracker.training(folder):
        tracker.sync(folder)
        assert sending.wait(30)
        tracker.sync(folder)
        assert not (folder / "track.json").exists()
        hangs.set()
        _finish(folder)
    assert _steps(home, folder) == list(range(10))


def test_a_server_that_is_away_costs_one_line_and_catch_up_sends_it_all(tmp_path):
    home, said = tmp_path / "home", []
    folder, tracker = _training(home, "away"), Tracker(home, NOBODY, said.append)
    reports = {"furniture": {"store": "store/furniture-1", "manifest": "ab" * 32, "done": 5}}
    parent = home / "runs" / "parent"
    with tracker.run(parent, "toys", {"seeds": [0, 1]}, reports) as run_id:
        assert run_id is None
        with tracker.training(folder):
            tracker.sync(folder)
            _finish(folder)
        tracker.log_metrics(parent, {"accuracy": 0.75})
    assert len(said) == 1 and NOBODY in said[0] and "\n" not in said[0]
    assert (folder / "track.pending").exists() and (parent / "track.pending").exists()
    assert catch_up(home) == 2 and catch_up(home) == 0
    assert _steps(home, folder) == list(range(10))
    child, above = _run(home, folder), _run(home, parent)
    assert child.data.tags["mlflow.parentRunId"] == above.info.run_id
    assert child.info.status == above.info.status == "FINISHED" and above.data.metrics["accuracy"] == 0.75
    assert above.data.params["seeds"] == "[0, 1]"


def test_a_server_that_is_away_is_not_asked_again_at_once(home, monkeypatch):
    asked = []

    def away(folder, parent=None):
        asked.append(folder)
        raise ConnectionError("nobody there")

    folder, tracker = _training(home, "away"), Tracker(home, NOBODY)
    monkeypatch.setattr(tracker._sender, "send", away)
    assert [tracker.send(folder) for _ in range(5)] == [False] * 5
    assert len(asked) == 1
    monkeypatch.setattr(tracker, "_away_until", 0.0)
    tracker.send(folder)
    assert len(asked) == 2


def test_a_training_belongs_to_the_run_around_it_and_a_run_done_again_is_another(home):
    folder, parent, tracker = _training(home, "child"), home / "runs" / "above", Tracker(home)
    ids = []
    for _ in range(2):
        with tracker.run(parent, "toys", {}, {}) as run_id:
            ids.append(run_id)
            with tracker.training(folder):
                _finish(folder)
    assert ids[0] != ids[1] and _run(home, folder).data.tags["mlflow.parentRunId"] == ids[0]


def test_a_preparation_is_a_run_of_its_own(home, tmp_path):
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}")
    reports = {"furniture": {"store": "store/furniture-1", "manifest": str(manifest), "planned": 5, "done": 4, "quarantined": 1}}
    Tracker(home).log_prep("toys", {"sets": {}}, reports, 1.5)
    client = Sender(home, default_uri(home, None)).client
    run = client.search_runs([client.get_experiment_by_name("toys").experiment_id], "tags.`l9.kind` = 'prep'")[0]
    assert run.data.metrics == {"planned/furniture": 5, "done/furniture": 4, "quarantined/furniture": 1, "seconds": 1.5}
    assert run.info.status == "FINISHED" and run.inputs.dataset_inputs[0].dataset.digest.startswith("44136fa355b3")


def _preps(home, name):
    client = Sender(home, default_uri(home, None)).client
    return [
        (run.info.status, run.data.metrics["seconds"]) for run in client.search_runs([client.get_experiment_by_name(name).experiment_id])
    ]


@pytest.mark.parametrize("noted", [False, True])
def test_a_preparation_killed_before_it_was_tracked_is_tracked_once_by_the_next(home, monkeypatch, noted):
    """Killed before it was noted, or between noting and sending: the next command makes nothing and sends what is missing, once."""
    name = f"again-{noted}"
    if noted:
        monkeypatch.setattr(Tracker, "send", lambda self, folder: False)
        Tracker(home).log_prep(name, {}, {}, 9.0)
        monkeypatch.undo()
    for _ in range(2):
        Tracker(home).log_prep(name, {}, {}, 0.5, made=False)
    assert _preps(home, name) == [("FINISHED", 9.0 if noted else 0.5)]
    Tracker(home).log_prep(name, {}, {}, 2.0)
    assert sorted(_preps(home, name)) == [("FINISHED", seconds) for seconds in sorted([9.0 if noted else 0.5, 2.0])]


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000])
def test_a_damaged_cursor_is_started_anew(home, content):
    folder = _training(home, f"damaged-{len(content)}-{content[:1]}")
    (folder / "track.json").write_text(content)
    assert Tracker(home).send(folder)
    assert _steps(home, folder) == list(range(6))


def test_another_server_has_got_nothing_yet(tmp_path):
    save_state(tmp_path, {"uri": "http://one", "run_id": "1", "sent_step": 9, "finished": True, "kind": "run", "status": "FINISHED"})
    state = read_state(tmp_path, "http://two")
    assert state["run_id"] is None and state["sent_step"] == -1 and not state["finished"] and state["kind"] == "run"
    assert read_state(tmp_path, "http://one")["run_id"] == "1"


def test_where_tracking_goes(tmp_path, monkeypatch):
    assert default_uri(tmp_path, None) == f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert default_uri(tmp_path, None) == "http://there" and default_uri(tmp_path, "http://here") == "http://here"
    with pytest.raises(Exception, match="open http://there"):
        serve(tmp_path, None, 5000)


def test_flattened_settings_and_tables():
    value = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": None}, {"e": "text"}], "f": []}
    assert flattened(value) == {"a.b": "1", "a.c": "[1, 2]", "d.0.e": "null", "d.1.e": "text", "f": "[]"}
    assert csv_text([{"a": 1, "b": 'x,"y"'}]) == 'a,b\n1,"x,""y"""\n' and csv_text([]) == "\n"


def test_nothing_is_durable_before_the_first_checkpoint(tmp_path):
    assert list(durable_records(tmp_path, -1)) == []
    _records(tmp_path, 5)
    assert list(durable_records(tmp_path, -1)) == []


def test_pages_are_served_on_loopback_only(home, monkeypatch):
    import l9.track.tracker as tracker

    commands = []
    monkeypatch.setattr(tracker.subprocess, "run", lambda command, **_: commands.append(command))
    tracker.serve(home, None, 5001)
    command = commands[0]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5001"


def test_a_lock_goes_with_the_process_that_held_it(tmp_path):
    path = tmp_path / "lock"
    hold = f"import os, fcntl; s = open({str(path)!r}, 'w'); fcntl.flock(s, 2); print('held', flush=True); input(); os.kill(os.getpid(), 9)"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        holder.stdout.readline()
        assert held_elsewhere(path)
        with locked(path) as mine:
            assert not mine
        holder.communicate("die\n")
    with locked(path) as mine:
        assert mine and held_elsewhere(path)
    assert not held_elsewhere(path)


def test_a_folder_that_another_process_sends_is_waited_for_and_not_sent_twice(tmp_path, monkeypatch):
    home, said = tmp_path / "home", []
    folder, tracker = _training(home, "shared"), Tracker(home, None, said.append)
    monkeypatch.setattr("l9.track.tracker.LONGEST_WAIT", 0.1)
    with locked(folder / SEND_LOCK):
        assert not tracker.send(folder) and (folder / "track.pending").exists()
        assert catch_up(home) == 0 and not (folder / "track.json").exists()
    assert len(said) == 1 and "another process" in said[0]
    assert catch_up(home) == 1 and _steps(home, folder) == list(range(6))


def test_a_second_run_of_the_same_leaves_tracking_to_the_first(home):
    """It ends by an error of its own; the first one's runs are not said to have failed."""
    folder, parent, first = _training(home, "worked"), home / "runs" / "worked-above", Tracker(home)
    with first.run(parent, "toys", {}, {}), first.training(folder), locked(folder / WORK_LOCK):
        first.send(folder)
        second = Tracker(home)
        with pytest.raises(ValueError), second.run(parent, "toys", {}, {}) as run_id, second.training(folder):
            assert run_id is None
            raise ValueError
        assert _run(home, folder).info.status == _run(home, parent).info.status == "RUNNING"
        _finish(folder)
    assert _run(home, folder).info.status == _run(home, parent).info.status == "FINISHED"


def test_a_full_disk_costs_tracking_one_line_and_the_work_nothing(tmp_path, monkeypatch):
    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    home, said = tmp_path / "home", []
    folder, parent, tracker = _training(home, "full"), home / "runs" / "above", Tracker(home, None, said.append)
    monkeypatch.setattr("l9.track.tracker.save_state", full)
    monkeypatch.setattr("l9.track.sender.save_state", full)
    monkeypatch.setattr("pathlib.Path.touch", full)
    with tracker.run(parent, "toys", {}, {}) as run_id, tracker.training(folder):
        assert run_id is None
        tracker.sync(folder)
    tracker.log_metrics(parent, {"accuracy": 1.0})
    tracker.log_prep("toys", {}, {}, 1.0)
    assert len(said) == 1 and "No space left" in said[0]
