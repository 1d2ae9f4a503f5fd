"""One batch ahead: an iterator run in a thread of its own, one item before it is asked for."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")
WAIT_SECONDS = 0.1  # how often the thread looks whether it is still wanted


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items in the same order; the next is made while this one is used.

    An error of `items` is raised where its item would have come. Closing or dropping the iterator ends the thread.
    """
    ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(maxsize=1)
    unwanted = threading.Event()

    def offer(item: Item | None, error: BaseException | None) -> None:
        while not unwanted.is_set():
            try:
                ready.put((item, error), timeout=WAIT_SECONDS)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                offer(item, None)
                if unwanted.is_set():
                    return
            offer(None, StopIteration())
        except BaseException as error:  # whatever it is belongs to the thread that asked
            offer(None, error)

    thread = threading.Thread(target=work, name="l9-loader", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        unwanted.set()
        thread.join()
