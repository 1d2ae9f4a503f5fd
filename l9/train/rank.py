"""What every worker of a group runs: one attempt at a training, in the home as its machine reaches it.

A home on a share is the same folder everywhere. Of a remote home each machine has its own working folder: what rank 0 has is pushed,
the others pull it, and all hold the shards before the first step. Checkpoints are pushed beside the training: ranks wait for each other
at each step, and not longer than 90 s.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from l9.cards import load_weights_card
from l9.errors import L9Error, StoreAway
from l9.progress import Say, quiet
from l9.sources.weights import fetch_weights
from l9.store.home import ScratchHome, scratch_home
from l9.store.remote import RemoteHome
from l9.store.store import Store
from l9.train.assemble import Job
from l9.train.board import Teller
from l9.train.in_step import pushed
from l9.train.ranks import Ranks
from l9.train.worker import train_worker

AWAY_SECONDS = 300.0  # an object store may be away before the first step; later on, work goes on without it
ALIVE_SECONDS = 5.0  # between two words of ranks that wait for each other's shards: a collective itself waits only 90 s


def work_as_rank(config: dict[str, Any]) -> None:
    """Called by Ray Train on every worker.

    config  job, board (a handle), cores (of this machine to be used, None: all), home (address of a remote one, ""), here (its
            working folder where the job was made)
    """
    import ray.train
    import ray.train.torch

    context = ray.train.get_context()
    torch.set_num_threads(max(1, (config["cores"] or cores()) // context.get_local_world_size()))
    ranks = Ranks(context.get_world_rank(), context.get_world_size(), ray.train.torch.get_device())
    attempt(config["job"], ranks, Teller(config["board"]), config["home"], config["here"])


def attempt(job: Job, ranks: Ranks, teller: Teller, home: str = "", here: str = "") -> None:
    """`train_worker` as one attempt of a group that is started again after any error.

    An error of ours would only come again: it is left on the board, and the next attempt ends at once.
    """
    if teller.failed() is not None:
        return
    say = teller.say if ranks.rank == 0 else quiet
    try:
        with _reached(job, ranks, say, home, here) as (reached, push):
            if (Path(reached["run_dir"]) / "result.json").exists():
                return

            def durable() -> None:
                push(Path(reached["run_dir"]))
                teller.saved()

            with beside(durable) as wanted:
                train_worker(reached, say=say, ranks=ranks, durable=wanted)
    except L9Error as error:
        teller.fail(error)
        raise


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def _reached(job: Job, ranks: Ranks, say: Say, home: str, here: str) -> Iterator[tuple[Job, Callable[[Path], None]]]:
    """The job as this machine has it, during the block; and what pushes its folder."""
    if not home:
        yield job, lambda run_dir: None
        return
    place = scratch_home(RemoteHome(home))
    moved = moved_job(job, here, place.path)
    run_dir = Path(moved["run_dir"])

    def agree() -> None:
        if ranks.rank == 0:
            place.pull_run(run_dir)
            place.push_run(run_dir)  # a checkpoint of an attempt that could not push it any more

    in_company(ranks, lambda: when_it_answers(agree, say))
    with ExitStack() as held:
        in_company(ranks, lambda: when_it_answers(lambda: _bring(place, moved, ranks, held, say), say))
        with pushed(place, run_dir, say) if ranks.rank == 0 else nullcontext(lambda run_dir: None) as push:
            yield moved, push


def _bring(place: ScratchHome, job: Job, ranks: Ranks, held: ExitStack, say: Say) -> None:
    if ranks.rank != 0:
        place.pull_run(Path(job["run_dir"]), exactly=True)
    if job["init"] and Path(job["init"]).is_relative_to(place.path / "runs"):
        place.pull_run(place.path / "runs" / Path(job["init"]).relative_to(place.path / "runs").parts[0])
    if job["init"] and Path(job["init"]).parent == place.path / "weights":  # of a card, which every machine has
        fetch_weights(load_weights_card(Path(job["init"]).stem), place, say)
    folders = [Path(facts["store"]) for facts in job["sets"].values()]
    for folder in folders:
        place.fetch_store(folder.name)
    held.enter_context(place.held([Store.open(folder) for folder in folders], say))


def in_company(ranks: Ranks, work: Callable[[], None]) -> None:
    """Do `work` while the other ranks do theirs, however long each takes; every few seconds all hear that all are alive."""
    with ThreadPoolExecutor(1) as pool:
        mine = pool.submit(work)
        ready = 0
        while ready < ranks.world:
            wait([mine], ALIVE_SECONDS)
            if mine.done():
                mine.result()
            count = torch.tensor([float(mine.done())], device=ranks.device)
            ranks.all_reduce_sum([count])
            ready = int(count)


def when_it_answers(work: Callable[[], None], say: Say) -> None:
    """Do `work`, again while the object store does not answer: links and machines are lost together. StoreAway after some minutes."""
    end = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return work()
        except StoreAway as error:
            if time.monotonic() > end:
                raise
            say(f"{error}; asked again")
            time.sleep(ALIVE_SECONDS)


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Yields what has `work` done once more, beside the caller: asked while it is at work, it is done again after that, however often."""
    asked, ended = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def serve() -> None:
        while not failed:
            asked.wait()
            if ended.is_set():
                return
            asked.clear()
            try:
                work()
            except BaseException as error:
                failed.append(error)

    server = threading.Thread(target=serve, name="l9-beside", daemon=True)
    server.start()
    try:
        yield asked.set
    finally:
        ended.set()
        asked.set()
        server.join()
    if failed:
        raise failed[0]


def moved_job(job: Job, old: str, new: Path) -> Job:
    """A job with its paths below `old` as they are below `new`."""

    def moved(text: str) -> str:
        path = Path(text)
        return str(new / path.relative_to(old)) if path.is_relative_to(old) else text

    sets = {name: {**facts, "store": moved(facts["store"])} for name, facts in job["sets"].items()}
    return {**job, "sets": sets, "run_dir": moved(job["run_dir"]), "init": moved(job["init"]) if job["init"] else None}
