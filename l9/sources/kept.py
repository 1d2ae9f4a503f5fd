"""Which files of an archive are kept, and where they go: the patterns of a card, within bounds that no archive can leave."""

import hashlib
import re
from pathlib import Path
from typing import IO, Any

from l9.errors import FetchError
from l9.fingerprint import Json
from l9.store.publish import disk_full_named

MANIFEST = "source.json"
MOST_BYTES = 8 << 30  # of all files kept of a card; the largest, furniture, has 140 MB
CHUNK = 1 << 20


class Keeper:
    """Writes what a card keeps below `folder`.

    patterns  paths within the archive: `*` stands for anything but a slash, `**` for anything, `?` for one letter but a slash
    root      the archive's folder that becomes the card's root: what is kept below it goes without it, all else with its whole path
    files     path below `folder` -> sha256
    """

    def __init__(self, patterns: list[str], root: str, folder: Path) -> None:
        self.files: dict[str, Json] = {}
        self._patterns = {pattern: re.compile(_expression(pattern), re.DOTALL) for pattern in patterns}
        self._root = f"{root}/" if root else ""
        self._folder = folder
        self._used: set[str] = set()
        self._left = MOST_BYTES

    def wants(self, name: str) -> bool:
        """Whether the member `name` is kept. raises  FetchError if its path leads outside the archive"""
        path = inside(name)
        matching = {pattern for pattern, expression in self._patterns.items() if expression.fullmatch(path)}
        self._used |= matching
        return bool(matching)

    def take(self, name: str, stream: IO[bytes]) -> None:
        """Write one member. raises  FetchError if it stands there twice or all are too many bytes; StoreError: full disk"""
        below = inside(name).removeprefix(self._root)
        if below == MANIFEST:
            raise FetchError(f"{below}: a name that l9 keeps for itself")
        if below in self.files:
            raise FetchError(f"{below} stands there twice")
        target = self._folder / below
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with disk_full_named(self._folder), target.open("xb") as written:
            while chunk := stream.read(CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise FetchError(f"{name}: the files kept unpack to more than {MOST_BYTES:,} bytes")
                digest.update(chunk)
                written.write(chunk)
        self.files[below] = digest.hexdigest()

    def unused(self) -> list[str]:
        """The patterns that no member matched."""
        return [pattern for pattern in self._patterns if pattern not in self._used]


def checked_patterns(card: str, wanted: Any) -> list[str]:
    """A card's `source.keep`. raises  FetchError if it is no list of patterns"""
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) and one for one in wanted):
        raise FetchError(f"card {card}: source.keep is {wanted!r}; expected a list of patterns such as data/*.png")
    return wanted


def inside(name: str) -> str:
    """A member's path in its plainest form. raises  FetchError if it leads outside, or is none"""
    path = "/".join(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or not is_inside(path):
        raise FetchError(f"{name[:100]!r} leads outside the archive")
    return path


def is_inside(path: str) -> bool:
    """Whether a path is in its plainest form and stays below the folder that it starts from."""
    return not {"", ".", ".."} & set(path.split("/")) and "\0" not in path


def _expression(pattern: str) -> str:
    meanings = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", pattern))
