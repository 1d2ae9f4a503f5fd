"""One sum over several machines, as a training needs it at every step: who takes part, and who does not.

The machines find each other through a small store on one of them, and leave word there, so that a machine that is missing has a name.
"""

import datetime
from typing import Any

from l9.train.interface import use_network_of

MEET_SECONDS = 30.0  # of each step: finding the store, finding each other, and the sum


class Meeting:
    """Where ranks meet: the store, opened by the one who invites, which takes no part in the sum."""

    def __init__(self, host: str) -> None:
        import torch.distributed as dist

        self.host = host
        self._store = dist.TCPStore(host, 0, None, is_master=True, timeout=_seconds(), wait_for_workers=False)  # type: ignore[attr-defined]
        self.port = int(self._store.port)

    def came(self, rank: int) -> bool:
        """Whether this rank has found the store."""
        return bool(self._store.check([f"came/{rank}"]))


def take_part(host: str, port: int, rank: int, size: int, address: str) -> dict[str, Any]:
    """Meet the others and sum one number over all: {"done", "told"}; blocks at most some times MEET_SECONDS.

    address  of this machine, as the cluster knows it: the ranks talk over its network
    """
    import torch
    import torch.distributed as dist

    use_network_of(address)
    try:
        store = dist.TCPStore(host, port, None, is_master=False, timeout=_seconds())  # type: ignore[attr-defined]
        store.set(f"came/{rank}", "1")
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_seconds())
        try:
            total = torch.ones(1)
            dist.all_reduce(total)
        finally:
            dist.destroy_process_group()
    except (RuntimeError, ValueError) as error:  # torch's own errors of a network are RuntimeErrors
        return {"done": False, "told": " ".join(str(error).split())[:200] or type(error).__name__}
    return {"done": int(total) == size, "told": f"{int(total)} of {size} were counted"}


def _seconds() -> datetime.timedelta:
    return datetime.timedelta(seconds=MEET_SECONDS)
