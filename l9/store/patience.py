"""Work that may never answer, done in a thread of its own and given up when it has been silent for too long."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Item = TypeVar("Item")
Beat = Callable[[], None]
"""What work calls after each piece: it is alive. Raises `GivenUp` where nobody waits any more."""

LOOK_SECONDS = 0.2  # between two looks: a signal that another thread received is heard no later
AT_ONCE = 8  # small files on their way at one time: each waits for the network, none for the processor


class GivenUp(Exception):
    """Nobody waits for this work any more."""


_group = threading.local()  # of a thread of `at_once`: `ended` is set when nobody waits for any of them any more


class _Pulse:
    def __init__(self) -> None:
        self.last, self.given_up = time.monotonic(), False

    def beat(self) -> None:
        if self.given_up:
            raise GivenUp
        self.last = time.monotonic()


def watched(work: Callable[[Beat], T], silence_seconds: float) -> T:
    """What `work` returns or raises; TimeoutError where it does not beat for `silence_seconds`.

    The thread cannot be stopped: it ends by itself at its next beat. Since Ctrl-C reaches the main thread alone, it comes between no
    two steps of the work either, but ends the wait.
    """
    pulse, done = _Pulse(), threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(pulse.beat))
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="l9-remote", daemon=True).start()
    try:
        while not done.wait(LOOK_SECONDS):
            if hasattr(_group, "ended") and _group.ended.is_set():
                raise GivenUp
            if time.monotonic() - pulse.last >= silence_seconds:
                raise TimeoutError(f"no answer for {silence_seconds:.0f} s")
    except BaseException:
        pulse.given_up = True
        raise
    if errors:
        raise errors[0]
    return results[0]


def at_once(work: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """`work` on every item, several at a time, results in order; the first error ends it all, what is on its way and what has not begun."""
    ended = threading.Event()
    with ThreadPoolExecutor(AT_ONCE, "l9-remote", initializer=lambda: setattr(_group, "ended", ended)) as pool:
        tasks = [pool.submit(work, item) for item in items]
        try:
            return [task.result() for task in tasks]
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)
