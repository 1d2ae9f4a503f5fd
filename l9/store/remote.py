"""A home that is no local folder: files go there whole (`push`) and come from there whole (`pull`), through pyarrow's file systems.

An S3 object appears at the end of its upload; elsewhere a file is written under a temporary name and moved. Nothing waits for ever: a
request that is not answered is tried again a few times, and given up after a stated number of seconds.
"""

import ctypes
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

import pyarrow.fs as arrow_fs

from l9.errors import StoreAway, StoreError
from l9.store.address import BY_ENVIRONMENT, Address, confined, masked, protocol_of, read_address
from l9.store.patience import Beat, GivenUp, watched
from l9.store.publish import temporary_name, writing

CHUNK = 8 << 20  # bytes of one request or write: smaller ones wait longer than they travel
DENIED = ("ACCESS_DENIED", "SIGNATURE", "INVALID_ACCESS_KEY", "TOKEN", "CREDENTIAL", "Forbidden", "HTTP status 403", "Permission denied")
UNREACHABLE = ("NETWORK_CONNECTION", "REQUEST_TIMEOUT", "SERVICE_UNAVAILABLE", "SLOW_DOWN", "curlCode")
GOES_ON = "the same command goes on where it stopped"
T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds.

    connect, request  for a connection, and for the next byte of an answer; then the request is tried again, `attempts` times in all
    silence           of one piece of work, whatever it is doing: then it is given up
    """

    connect: float = 5.0
    request: float = 10.0
    attempts: int = 3
    silence: float = 60.0


LISTING = 10  # times the silence: a listing of a million files is one call that cannot say it is alive


@dataclass(frozen=True)
class RemoteFile:
    """One file of a remote home: its name below the home, its size, and when it was written, in ns since 1970."""

    name: str
    bytes: int
    modified_ns: int


class RemoteHome:
    """The files of one remote home. `url` names it and holds no key; any thread may use it.

    raises  StoreError in one line with the cure, everywhere: no such bucket, access denied, no answer within so many seconds
    """

    def __init__(self, words: str, patience: Patience | None = None) -> None:
        self.address = read_address(words)
        self.url = self.address.url
        self.patience = patience or Patience()
        with self._explained(""):
            self._files: Any = _file_system(self.address, self.patience)

    def check(self) -> None:
        """Ask once whether the bucket is there and may be read."""
        self._within(self.address.folder, recursive=False)

    def push(self, local: Path, name: str) -> None:
        """Put a local file there under `name`: whole, or not at all. What was there before is replaced."""
        place = self._place(name)
        if self.address.scheme == "s3":
            self._watched(name, lambda beat: _upload(self._files, local, place, beat))
        else:
            self._watched(name, lambda beat: _write_and_move(self._files, local, place, beat))

    def pull(self, name: str, local: Path, sha256: str | None = None) -> None:
        """Bring a file: it appears as `local` whole or not at all, and only if its bytes are those that `sha256` names, where given."""
        place = self._place(name)

        def bring(beat: Beat) -> None:
            state = hashlib.sha256()
            with self._files.open_input_stream(place) as source, writing(local) as target:
                for chunk in _chunks(source, beat):
                    state.update(chunk)
                    target.write(chunk)
                if sha256 not in (None, state.hexdigest()):
                    raise ChangedRemotely(f"{self.url}: {name} is not what was written (its sha256 differs)")

        self._watched(name, bring)

    def pull_or_undo(self, name: str, local: Path, sha256: str, done: str, cure: str) -> None:
        """As `pull`, twice where the bytes are wrong, since a wire may be to blame; then what says "done" there is removed as well.

        done  name of the file that says so, without which the next preparation makes it again; `cure` what to say of that
        """
        for last in (False, True):
            try:
                self.pull(name, local, sha256)
                return
            except ChangedRemotely as error:
                if last:
                    self.remove(done)
                    raise StoreError(f"{error}; {cure}") from error

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""
        place = self._place(name)

        def read(beat: Beat) -> bytes:
            with self._files.open_input_stream(place) as source:
                return b"".join(_chunks(source, beat))

        return self._watched(name, read)

    def digest(self, name: str) -> str:
        """sha256 of a file as it is there now; nothing is written here."""
        place, state = self._place(name), hashlib.sha256()

        def read(beat: Beat) -> None:
            with self._files.open_input_stream(place) as source:
                for chunk in _chunks(source, beat):
                    state.update(chunk)

        self._watched(name, read)
        return state.hexdigest()

    def about(self, name: str) -> RemoteFile | None:
        """Size and time of a file, None where it is not there."""
        place = self._place(name)
        info = self._watched(name, lambda beat: self._files.get_file_info(place))
        return RemoteFile(name, info.size, info.mtime_ns or 0) if info.type == arrow_fs.FileType.File else None

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self.about(name) is not None

    def list_files(self, prefix: str) -> list[RemoteFile]:
        """Every file below the folder `prefix`, sorted by name; none where there is no such folder.

        raises  StoreError also for a name that would lead out of a home
        """
        found = self._within(self._place(prefix), recursive=True)
        start = len(self.address.folder) + 1
        files = [RemoteFile(confined(info.path[start:]), info.size, info.mtime_ns or 0) for info in found if info.size is not None]
        return sorted(files, key=lambda file: file.name)

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders right below `prefix`, sorted, without what is in them."""
        found = self._within(self._place(prefix), recursive=False, kind=arrow_fs.FileType.Directory)
        return sorted(confined(info.base_name) for info in found)

    def remove(self, name: str) -> None:
        """Take a file away; nothing happens where there is none."""
        place = self._place(name)

        def remove(beat: Beat) -> None:
            if self._files.get_file_info(place).type == arrow_fs.FileType.File:
                self._files.delete_file(place)

        self._watched(name, remove)

    def _place(self, name: str) -> str:
        return f"{self.address.folder}/{confined(name)}"

    def _within(self, place: str, *, recursive: bool, kind: Any = arrow_fs.FileType.File) -> list[Any]:
        """Files or folders below a folder; a bucket that is missing is an error, which the client's own `allow_not_found` would hide."""
        selector = arrow_fs.FileSelector(place, recursive=recursive)

        def look(beat: Beat) -> list[Any]:
            try:
                return [info for info in self._files.get_file_info(selector) if info.type == kind]
            except FileNotFoundError:
                return []

        return self._watched(place, look, LISTING)

    def _watched(self, name: str, work: Callable[[Beat], T], times: int = 1) -> T:
        with self._explained(name):
            return watched(work, self.patience.silence * times)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Whatever the client raises, as one line with the cure."""
        start = time.monotonic()
        try:
            yield
        except GivenUp as error:
            raise StoreAway(f"{self.url}: {name} was given up; {GOES_ON}") from error
        except OSError as error:
            if error.filename is not None:  # of the local file, not of the remote one
                raise
            text = masked(" ".join(str(error).split()))
            away = isinstance(error, TimeoutError) or any(word in text for word in UNREACHABLE)
            kind = StoreAway if away else StoreError
            raise kind(self._one_line(error, text, name, time.monotonic() - start, away=away)) from error

    def _one_line(self, error: OSError, text: str, name: str, seconds: float, *, away: bool) -> str:
        if "NO_SUCH_BUCKET" in text:
            return f"{self.url}: there is no bucket '{self.address.bucket}' at {protocol_of(self.address)}; make it, or give another --home"
        if any(word in text for word in DENIED):
            return f"{self.url}: access denied ({_code(text)}); expected keys that may read and write there: {BY_ENVIRONMENT}"
        if away:
            detail = text.rpartition("Details: ")[2][:120]
            return (
                f"{self.url}: {protocol_of(self.address)} did not answer within {seconds:.0f} s ({detail}); see that it is up.  {GOES_ON}"
            )
        if isinstance(error, FileNotFoundError):
            return f"{self.url}: {name} is not there; l9 prep or l9 run with the same recipe makes it again"
        return f"{self.url}: {name}: {text[:300]}; {GOES_ON}"


class ChangedRemotely(StoreError):
    """A file of a remote home does not have the bytes that were written."""


def _file_system(address: Address, patience: Patience) -> Any:
    if address.scheme == "file":
        return arrow_fs.LocalFileSystem()
    region = address.region or ("us-east-1" if address.endpoint else None)  # a server of one's own has none, and the client asks for one
    return arrow_fs.S3FileSystem(
        endpoint_override=address.endpoint or None,
        scheme=address.protocol,
        region=region,
        connect_timeout=patience.connect,
        request_timeout=patience.request,
        retry_strategy=arrow_fs.AwsStandardS3RetryStrategy(max_attempts=patience.attempts),
        background_writes=False,  # else a whole file waits in memory
        allow_delayed_open=True,  # a small file is one request
    )


def _chunks(source: Any, beat: Beat) -> Iterator[bytes]:
    while chunk := source.read(CHUNK):
        beat()
        yield chunk


def _upload(files: Any, local: Path, place: str, beat: Beat) -> None:
    """Upload to S3: the object is there when its stream is closed, and never if anything fails before that.

    Arrow closes a stream that is let go of, and completes its upload from the parts that arrived, even after one did not: so a stream
    that failed is never let go of. What it holds (a part of 10 MB) is the price.
    """
    with local.open("rb") as source:
        stream = files.open_output_stream(place)
        try:
            _copy(source, stream, beat)
            stream.close()
        except BaseException:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(stream))
            raise


def _write_and_move(files: Any, local: Path, place: str, beat: Beat) -> None:
    final = Path(PurePosixPath(place))
    temporary = str(temporary_name(final))
    files.create_dir(str(final.parent), recursive=True)
    with local.open("rb") as source:
        try:
            with files.open_output_stream(temporary) as stream:
                _copy(source, stream, beat)
            files.move(temporary, place)
        except BaseException:
            if files.get_file_info(temporary).type == arrow_fs.FileType.File:
                files.delete_file(temporary)
            raise


def _copy(source: BinaryIO, stream: Any, beat: Beat) -> None:
    while chunk := source.read(CHUNK):
        stream.write(chunk)
        beat()


def _code(text: str) -> str:
    """`ACCESS_DENIED` of "… AWS Error ACCESS_DENIED during HeadObject operation: …"."""
    return text.partition("AWS Error ")[2].partition(" during")[0] or text[:80]
