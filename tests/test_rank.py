"""Ranks on machines that share no folder: two processes with working folders of their own, and a remote home on a real S3 server."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from object_store import object_store
from toys import lines_of, published_toys, toy_facts, toy_store, write_facts

from l9.errors import StoreAway, StoreError
from l9.progress import quiet
from l9.store.home import Home, open_home
from l9.train.checkpoints import latest
from l9.train.fit import fit, read_job
from l9.train.rank import beside, in_company, moved_job, when_it_answers
from l9.train.ranks import Ranks

SCHEDULE = {"epochs": 4, "batch": 8, "checkpoint_every": 1}
RANK = """
import json, sys
import torch.distributed as dist
from toys import BoardHere
from l9.errors import L9Error
from l9.train.rank import attempt
from l9.train.ranks import Ranks
rank, meet, job, home, here = sys.argv[1:]
dist.init_process_group("gloo", init_method=f"file://{meet}", rank=int(rank), world_size=2)
board = BoardHere()
try:
    attempt(json.loads(job), Ranks(int(rank), 2), board, home, here)
except L9Error:
    pass
print(json.dumps([*board.since(0), board.failed()]))
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def server():
    with object_store() as running:
        yield running


@pytest.fixture
def driver(server, tmp_path, monkeypatch):
    """The home as the process knows it that waits for the ranks; the toy store is in it, and nowhere else than there and in the bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("L9_SCRATCH", str(tmp_path / "driver"))
    return published_toys(open_home(server.url(tmp_path.name)))


def _ranks(driver, run_dir, tmp_path, machines, kill=""):
    """Rank 0 on the first machine, rank 1 on the second: what each has printed, or None of one that died.

    kill  file of which rank 1 dies: rank 0 still pushes the checkpoint that it was at when the other was gone
    """
    job, meet = read_job(run_dir, driver.path), tmp_path / f"meet-{time.monotonic_ns()}"
    running = []
    for rank, machine in enumerate(machines):
        job["training"]["task"]["arguments"] = {"kill": str(kill)} if rank else {}
        command = [sys.executable, "-c", RANK, str(rank), str(meet), json.dumps(job), driver.url, str(driver.path)]
        there = {**os.environ, "L9_SCRATCH": str(tmp_path / machine), "PYTHONPATH": str(Path(__file__).parent)}
        running.append(subprocess.Popen(command, env=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    said = [one.communicate(timeout=240) for one in running]
    return [json.loads(out) if one.returncode == 0 else None for one, (out, _) in zip(running, said, strict=True)]


def test_killed_on_one_machine_it_goes_on_with_rank_0_on_the_other(driver, tmp_path):
    """Two ranks, one dies in step 7 of 12; the next attempt has them the other way round, and ends as one process does."""
    (tmp_path / "kill").touch()
    facts = toy_facts(driver.store, driver.path, "Label", "Plain", schedule=SCHEDULE)
    run_dir = write_facts(driver.path / "runs" / "toy", facts)
    driver.push_run(run_dir)
    (run_dir / "track.json").write_text("{}")  # of the one who waits, and of nobody else

    first = _ranks(driver, run_dir, tmp_path, ["a", "b"], tmp_path / "kill")
    assert first == [None, None] and not (tmp_path / "kill").exists()
    second = _ranks(driver, run_dir, tmp_path, ["b", "a"])
    assert ["resuming after step 6" in second[0][0], second[1]] == [True, [[], 0, None]]
    driver.exchange_run(run_dir, trains=False)

    whole = tmp_path / "whole"
    alone = toy_facts(toy_store(whole), whole, "Label", "Plain", schedule=SCHEDULE)
    expected = fit(write_facts(tmp_path / "alone", alone), place=Home(whole), say=quiet)
    grouped, single = (lines_of(folder / "metrics.jsonl") for folder in (run_dir, tmp_path / "alone"))
    assert [record.get("order") for record in grouped] == [record.get("order") for record in single]
    assert [record["loss"] for record in grouped] == pytest.approx([record["loss"] for record in single], rel=1e-4)
    assert json.loads((run_dir / "result.json").read_text())["metrics"] == pytest.approx(expected["metrics"])
    assert latest(run_dir).progress.step == 12
    assert (run_dir / "track.json").read_text() == "{}"


def test_what_a_machine_cannot_reach_is_left_on_the_board(driver, server, tmp_path):
    facts = toy_facts(driver.store, driver.path, "Label", "Plain", schedule=SCHEDULE)
    run_dir = write_facts(driver.path / "runs" / "toy", facts)
    driver.push_run(run_dir)
    for name in [name for name in server.objects(tmp_path.name) if "shards/" in name]:
        driver.remote.remove(name)
    said = _ranks(driver, run_dir, tmp_path, ["a", "b"])
    kinds = {one[2][0] for one in said if one is not None}
    assert kinds == {"StoreError"}, said


def test_ranks_wait_for_each_other_as_long_as_one_is_at_work(monkeypatch):
    """Each says every few seconds that it is alive, so that no single sum waits for the whole work."""
    monkeypatch.setattr("l9.train.rank.ALIVE_SECONDS", 0.01)
    done, sums, meet = [], [0, 0], threading.Barrier(2)
    counts = [torch.zeros(1), torch.zeros(1)]

    class Pair(Ranks):
        def _sum(self, buffer):
            counts[self.rank] = buffer.clone()
            meet.wait()
            total = counts[0] + counts[1]
            meet.wait()
            buffer.copy_(total)
            sums[self.rank] += 1

    def work(rank):
        time.sleep(0.3 * rank)
        done.append(rank)

    ends = []
    ranks = [
        threading.Thread(target=lambda rank=rank: (in_company(Pair(rank, 2), lambda: work(rank)), ends.append(list(done))))
        for rank in (0, 1)
    ]
    for thread in ranks:
        thread.start()
    for thread in ranks:
        thread.join()
    assert ends == [[0, 1], [0, 1]], "a rank went on before both were done"
    assert sums[0] == sums[1] > 2


def test_an_error_of_the_work_ends_the_waiting():
    def fails():
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"):
        in_company(Ranks(), fails)


def test_a_store_that_is_away_is_asked_again_and_another_error_is_not(monkeypatch):
    monkeypatch.setattr("l9.train.rank.ALIVE_SECONDS", 0.01)
    said, answers = [], [StoreAway("away"), StoreAway("away"), None, StoreError("denied")]

    def work():
        answer = answers.pop(0)
        if answer:
            raise answer

    when_it_answers(work, said.append)
    assert said == ["away; asked again"] * 2
    with pytest.raises(StoreError, match="denied"):
        when_it_answers(work, said.append)
    monkeypatch.setattr("l9.train.rank.AWAY_SECONDS", 0.0)
    answers[:] = [StoreAway("away")]
    with pytest.raises(StoreAway, match="away"):
        when_it_answers(work, said.append)


def test_work_beside_is_done_after_the_last_word_before_and_never_twice_at_once():
    at_work, most, done = [], [], []
    begun, go_on, again = threading.Event(), threading.Event(), threading.Event()

    def work():
        at_work.append(1)
        most.append(len(at_work))
        begun.set()
        go_on.wait(60)
        at_work.pop()
        done.append(1)
        if len(done) == 2:
            again.set()

    with beside(work) as asked:
        asked()
        assert begun.wait(60)
        for _ in range(4):
            asked()
        assert done == [], "the caller waits for nothing"
        go_on.set()
        assert again.wait(60)
    assert max(most) == 1 and len(done) == 2


def test_an_error_beside_is_raised_at_the_end():
    begun = threading.Event()

    def work():
        begun.set()
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"), beside(work) as asked:
        asked()
        assert begun.wait(60)


def test_paths_are_as_they_are_on_this_machine():
    job = {"run_dir": "/a/runs/x", "init": "/a/runs/y/model", "sets": {"s": {"store": "/a/stores/1", "fold": 0}}, "seed": 1}
    assert moved_job(job, "/a", Path("/b/c")) == {
        "run_dir": "/b/c/runs/x",
        "init": "/b/c/runs/y/model",
        "sets": {"s": {"store": "/b/c/stores/1", "fold": 0}},
        "seed": 1,
    }
    assert moved_job({**job, "init": "/w.safetensors"}, "/a", Path("/b"))["init"] == "/w.safetensors"
    assert moved_job({**job, "init": None}, "/a", Path("/b"))["init"] is None
