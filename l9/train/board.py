"""What the workers of a group tell the process that waits for them: lines, that a checkpoint is durable, and an error of ours.

It is a Ray actor on the machine of the one who waits: workers on any machine reach it, also where they share no folder.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from l9.progress import Say

POLL = 0.5  # seconds between two looks at the board
ANSWER_SECONDS = 10.0  # a board that does not answer is passed over: a worker beyond a cut link goes down with its group


class Board:
    """The state of the actor."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._checkpoints = 0
        self._error: tuple[str, str] | None = None

    def add(self, line: str) -> None:
        """One line more."""
        self._lines.append(line)

    def saved(self) -> None:
        """One checkpoint more is durable."""
        self._checkpoints += 1

    def fail(self, kind: str, message: str) -> None:
        """An error of ours: it would only come again."""
        self._error = self._error or (kind, message)

    def failed(self) -> tuple[str, str] | None:
        """Kind and message of the first error."""
        return self._error

    def since(self, lines: int) -> tuple[list[str], int]:
        """The lines after the first `lines`, and how many checkpoints there were."""
        return self._lines[lines:], self._checkpoints


class Teller:
    """A worker's side of a board; telling never stops the work."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def say(self, line: str) -> None:
        """Add one line."""
        self._tell("add", line)

    def saved(self) -> None:
        """A checkpoint is durable."""
        self._tell("saved")

    def fail(self, error: Exception) -> None:
        """Leave an error, for the one who waits and for later attempts."""
        self._tell("fail", type(error).__name__, str(error))

    def failed(self) -> tuple[str, str] | None:
        """Kind and message of the error that an attempt left."""
        left: tuple[str, str] | None = self._tell("failed")
        return left

    def _tell(self, what: str, *words: str) -> Any:
        import ray

        with suppress(ray.exceptions.RayError):
            return ray.get(getattr(self._board, what).remote(*words), timeout=ANSWER_SECONDS)


@contextmanager
def board_read(say: Say, saved: Callable[[], None]) -> Iterator[Any]:
    """A board during the block, in a Ray session: each line of it goes to `say`, once and in order; `saved` follows checkpoints."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board = ray.remote(num_cpus=0)(Board).options(scheduling_strategy=here).remote()
    done = threading.Event()
    reader = threading.Thread(target=_read, args=(board, done, say, saved), name="l9-board", daemon=True)
    reader.start()
    try:
        yield board
    finally:
        done.set()
        reader.join()


def _read(board: Any, done: threading.Event, say: Say, saved: Callable[[], None]) -> None:
    import ray

    said = seen = 0
    while True:
        last = done.wait(POLL)
        with suppress(ray.exceptions.RayError):  # slow for once, or gone with the session
            lines, checkpoints = ray.get(board.since.remote(said), timeout=ANSWER_SECONDS)
            for line in lines:
                say(line)
            said += len(lines)
            if checkpoints > seen:
                saved()
                seen = checkpoints
        if last:
            return
