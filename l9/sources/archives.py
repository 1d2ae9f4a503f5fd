"""Archives as packages come in (.deb, .tar.gz, .tgz, .whl, .zip), read member by member as what a stranger may have written.

Only regular files are given out: no link, device or folder. What an archive unpacks to is counted while it is read.
"""

import gzip
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Self, cast

from l9.errors import FetchError, StoreError
from l9.sources.kept import Keeper, inside

MOST_BYTES = 16 << 30  # of one unpacked archive, with what is skipped
MOST_MEMBERS = 500_000
MOST_HEADER = 1 << 14  # bytes of a long name or of extended attributes: a path has 4,096; tarfile's patterns take their square in time
CHUNK = 1 << 20

IN_MEMORY = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
KINDS = IN_MEMORY | set(tarfile.SUPPORTED_TYPES) - {tarfile.GNUTYPE_SPARSE}  # sparse files have lists of holes without end

Member = tuple[str, Callable[[], IO[bytes]]]


def unpack(archive: Path, keeper: Keeper, folder: str = "") -> None:
    """Give `keeper` those members of an archive that it wants.

    folder  stands for the first folder of every member's path, so that two archives do not meet; "": paths are as they are
    raises  FetchError in one line, naming the archive
    """
    try:
        with _members(archive) as members:
            for number, (written, opened) in enumerate(members):
                if number >= MOST_MEMBERS:
                    raise FetchError(f"more than {MOST_MEMBERS:,} files")
                name = f"{folder}/{inside(written).partition('/')[2]}" if folder else written
                if keeper.wants(name):
                    with opened() as stream:
                        keeper.take(name, stream)
    except (MemoryError, StoreError):  # the machine's, and no fault of the archive
        raise
    except Exception as error:  # broken bytes raise ValueError, zlib.error, struct.error, EOFError, TarError, BadZipFile ...
        raise FetchError(f"{archive.name} cannot be unpacked: {' '.join(str(error).split())[:200]}") from error


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(opened)
    elif archive.name.endswith((".tar.gz", ".tgz")):
        with gzip.open(archive) as stream:
            yield _tar_members(cast(IO[bytes], stream))
    elif archive.suffix == ".deb":
        with _data_of_deb(archive) as stream:
            yield _tar_members(stream)
    else:
        raise FetchError("expected .deb, .tar.gz, .tgz, .whl or .zip")


@contextmanager
def _data_of_deb(archive: Path) -> Iterator[IO[bytes]]:
    """The tar of a Debian package's files, as dpkg-deb prints it."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
            if process.wait():
                raise FetchError(f"dpkg-deb ended with {process.returncode}")
        finally:
            process.kill()


class _Counted:
    """A stream that ends with an error where an archive unpacks to more than MOST_BYTES."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise FetchError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        return data


class _Header(tarfile.TarInfo):
    """A member's header, held to what tarfile may take into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type not in KINDS:
            raise FetchError(f"a member of type {header.type!r}; expected files, folders and links")
        if header.type in IN_MEMORY and header.size > MOST_HEADER:
            raise FetchError(f"a header of {header.size:,} bytes; expected at most {MOST_HEADER:,}")
        return header

    def _refuse_sparse(self, *_given: object) -> Self:
        """Sparse files in extended headers, which `type` does not tell: tarfile would hold a list of holes without end."""
        raise FetchError("a sparse file; expected files, folders and links")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


def _tar_members(stream: IO[bytes]) -> Iterator[Member]:
    counted = cast(IO[bytes], _Counted(stream))
    with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Header) as tar:
        for header in tar:
            tar.members.clear()  # type: ignore[attr-defined]  # else every header stays in memory
            if header.isreg() and not header.issparse():
                yield header.name, partial(_file, tar, header)
    while counted.read(CHUNK):  # beyond the last member: gzip's checksum is there, and dpkg-deb must not find its reader gone
        pass


def _file(tar: tarfile.TarFile, header: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(header)
    assert stream is not None, "a regular file has bytes"
    return stream


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in (0, stat.S_IFREG):
            continue
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others are inflated whole, whatever they become
            raise FetchError(f"{info.filename[:100]!r} is compressed by method {info.compress_type}; expected deflate or none")
        yield info.filename, partial(archive.open, info)
