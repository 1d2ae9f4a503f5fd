"""How a file comes to be: written under a temporary name, flushed to the disk, then renamed. It is there whole or not at all."""

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from l9.errors import StoreError

TEMPORARY = ".tmp-"  # what a name starts with while its file is being written
LEFTOVER_SECONDS = 86_400.0  # temporary files of killed writers go after a day: no writer of one file takes that long


def temporary_name(final: Path) -> Path:
    """A name nobody else uses, in the folder of `final`, so that the rename stays within one file system."""
    return final.parent / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"


@contextmanager
def disk_full_named(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Turn "no space left" into one line that names the folder and, where known, how many bytes were to be written there."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        amount = f"; {needed:,} bytes were to be written" if needed is not None else ""
        raise StoreError(f"{folder}: no space left on the disk{amount}.  Free some, or give another place with --home DIR") from error


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file or folder its final name: fsync it, rename over what was there, fsync the folder."""
    with disk_full_named(final.parent):
        _sync(temporary, os.O_RDONLY)
        temporary.replace(final)
        sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: what was renamed into it or removed from it stays so after a power cut."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


@contextmanager
def writing(final: Path, needed: int | None = None) -> Iterator[BinaryIO]:
    """A stream whose bytes appear as `final` when the block ends well, and leave nothing behind when it does not.

    needed  bytes that will be written, for the error message of a full disk
    raises  StoreError when the disk is full
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(final)
    try:
        with disk_full_named(final.parent, needed):
            with temporary.open("xb") as stream:
                yield stream
            publish(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write bytes, or what a callback writes to the stream it is given, as `path`: whole or not at all."""
    with writing(path, len(content) if isinstance(content, bytes) else None) as stream:
        if isinstance(content, bytes):
            stream.write(content)
        else:
            content(stream)


class HashedSink:
    """What Arrow writes into: a stream that counts and hashes."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.state, self.count = stream, hashlib.sha256(), 0

    def write(self, buffer: bytes) -> int:
        """Pass bytes on."""
        self.state.update(buffer)
        self.count += len(buffer)
        return self.stream.write(buffer)

    def tell(self) -> int:
        """Bytes so far."""
        return self.count

    def flush(self) -> None:
        """Pass on what the stream still holds."""
        self.stream.flush()


def remove_leftovers(folder: Path, older_than_seconds: float = LEFTOVER_SECONDS) -> list[Path]:
    """Remove temporary files and folders that a killed process left in `folder`; younger ones may belong to one still at work."""
    removed = []
    for path in sorted(folder.glob(f"{TEMPORARY}*")):
        try:
            if time.time() - path.stat().st_mtime >= older_than_seconds:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed.append(path)
        except FileNotFoundError:
            continue  # its process finished it, or another sweep took it
    return removed


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
