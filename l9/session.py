"""A Ray session: an embedded one on loopback, or a cluster that is already there.

Embedded by default: it is started when first needed and belongs to this process. Ray executes what it is sent, so a session of ours
listens behind a token of its own, and nothing is reported home.
"""

import contextlib
import logging
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from l9.auth import TOKEN, find_token, say_auth_mode
from l9.errors import UsageError

PACKAGES = "L9_PACKAGES"  # folders of unpacked wheels that came with --package
LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for "find the outside address"
TIMES = {
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20",  # for room on machines, which an elastic group may seek on one that has just died
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "60",  # a worker beyond a cut link; Ray waits ten minutes
}
OBJECT_STORE_BYTES = 256 << 20  # only small answers pass through it: shards and checkpoints go by the file system


@contextlib.contextmanager
def ray_session(address: str | None, *, cpus: int) -> Iterator[None]:
    """Ray is up inside the block: joined at `address`, or embedded with `cpus` processors and stopped afterwards.

    raises  UsageError where the address does not answer
    """
    _environment(address)
    import ray

    if ray.is_initialized():
        yield
        return
    folder = None if address else tempfile.TemporaryDirectory(prefix="l9-", dir=_short_folder(), ignore_cleanup_errors=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own deprecations are none of the reader's business
            if address:
                _join(address)
            else:
                assert folder is not None
                ray.init(
                    address="local",
                    num_cpus=cpus,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _node_ip_address=LOOPBACK,
                    _temp_dir=folder.name,
                )
        yield
    finally:
        ray.shutdown()
        if folder is not None:
            folder.cleanup()


def _environment(address: str | None) -> None:
    """What Ray reads from the environment: the mode of authentication is always said, and an embedded session has a token of its own."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    for name, value in TIMES.items():
        os.environ.setdefault(name, value)
    if address is not None:
        find_token()
    elif say_auth_mode() == "token":
        os.environ.setdefault(TOKEN, secrets.token_hex(32))
    from ray._raylet import Config  # type: ignore[attr-defined]  # compiled: mypy sees only its stub

    Config.initialize("")  # Ray reads its settings where it is first imported, which somebody else may have done before


def _join(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=_brought() or None)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"--address {address}: no Ray cluster answers ({str(error).splitlines()[0]}); expected HOST:PORT or auto"
        ) from error


def _brought() -> dict[str, list[str]]:
    """The packages that this process was given with `--package`, for the workers of a cluster."""
    folders = [Path(folder) for folder in os.environ.get(PACKAGES, "").split(os.pathsep) if folder]
    modules = [str(child) for folder in folders for child in sorted(folder.iterdir()) if child.is_dir() and child.suffix != ".dist-info"]
    return {"py_modules": modules} if modules else {}


def _short_folder() -> str:
    """Ray's sockets must have paths under 107 bytes, so a deep TMPDIR is passed over."""
    place = tempfile.gettempdir()
    return place if len(place) < 30 else str(Path("/tmp"))
