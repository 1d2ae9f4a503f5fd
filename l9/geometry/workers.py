"""The threads of one call: started once, for all of its steps."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from l9.errors import UsageError

Part = TypeVar("Part")
Result = TypeVar("Result")


class Workers:
    """So many threads; of one, the caller's own. To be used as a context, at whose end they are gone.

    raises  UsageError for fewer than one
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise UsageError(f"threads is {threads}; expected 1 or more")
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def map(self, work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
        """What `work` gives for each part, in order."""
        return [work(part) for part in parts] if self._pool is None else list(self._pool.map(work, parts))


ALONE = Workers(1)
