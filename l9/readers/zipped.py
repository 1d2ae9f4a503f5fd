"""Zip archives that a stranger wrote: opened with one kind of error, and read member by member within a limit."""

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from l9.errors import RefusedObject


@contextmanager
def opened(stream: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The archive in an open stream; whatever zipfile raises on its bytes, within the block too, is a refusal."""
    try:
        with zipfile.ZipFile(stream) as archive:
            yield archive
    except (MemoryError, RefusedObject, ImportError):
        raise
    except Exception as error:  # zipfile and its decompressors have many errors for broken bytes: ValueError, struct.error, zlib.error ...
        for one in (error, error.__context__):  # zipfile takes a disk that fails for a file that is no archive
            if isinstance(one, OSError) and one.errno not in (None, errno.EINVAL):  # EINVAL: a place before the file's start
                raise one from None
        raise RefusedObject("unreadable", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def member_bytes(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Bytes of a member; what it declares and what it unpacks to are both held to `limit`."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise RefusedObject("missing-member", f"'{name[:100]}' is not in the archive") from None
    if info.file_size > limit:
        raise RefusedObject("too-large", f"'{name[:100]}' unpacks to {info.file_size:,} bytes; expected at most {limit:,}")
    with archive.open(info) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise RefusedObject("too-large", f"'{name[:100]}' unpacks to more than {limit:,} bytes")
    return data
