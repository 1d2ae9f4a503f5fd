"""Packages of Debian and its kin, brought by apt as an ordinary user: nothing is installed, the machine's own lists stay as they are."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from l9.errors import FetchError
from l9.sources.client import FALLBACK, Brought, Say, run_client

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian policy 5.6.1; also keeps options from being taken for packages
UPDATE_SECONDS, DOWNLOAD_SECONDS, FIELDS_SECONDS = 900, 3600, 600


def download(card: str, wanted: Any, folder: Path, say: Say, fallback: str = FALLBACK) -> list[Brought]:
    """The archives of the packages that a card's `source.apt` lists, in a folder below `folder`.

    fallback  what an error tells to do without the client
    raises  FetchError in one line: no list of packages, no client here, or it failed
    """
    packages = _packages(card, wanted)
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise FetchError(f"card {card} is brought by {tool}, which this machine has not; {fallback}")
    archives = folder / "archives"
    archives.mkdir()
    options = _private_apt(folder / "apt")
    say(f"{card}: asking apt where {' and '.join(packages)} are")
    # A failed update alone is no end: one broken third-party list must not hide packages that the others have.
    update_error = run_client(["apt-get", *options, "-q", "update"], archives, UPDATE_SECONDS, fallback)
    say(f"{card}: apt downloads {' and '.join(packages)}")
    error = run_client(["apt-get", *options, "-q", "download", *packages], archives, DOWNLOAD_SECONDS, fallback)
    if error:
        raise FetchError(f"card {card}: apt-get download failed: {update_error or error}; {fallback}")
    found = sorted(archives.glob("*.deb"))
    if len(found) != len(packages):
        raise FetchError(f"card {card}: apt-get brought {len(found)} of {len(packages)} archives; {fallback}")
    return [_described(path) for path in found]


def _packages(card: str, wanted: Any) -> list[str]:
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) and PACKAGE.fullmatch(one) for one in wanted):
        raise FetchError(f"card {card}: source.apt is {wanted!r}; expected a list of package names")
    return wanted


def _private_apt(folder: Path) -> list[str]:
    """Options under which apt keeps lists and cache in `folder`: works for any user, and leaves the machine's own alone."""
    for name in ("state/lists/partial", "cache/archives/partial", "log"):
        (folder / name).mkdir(parents=True)
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::Lists": folder / "state" / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::Log": folder / "log",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",  # as root apt would hand the work to _apt, who may not write here
        "APT::Get::List-Cleanup": "0",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _described(archive: Path) -> Brought:
    fields = subprocess.run(
        ["dpkg-deb", "-f", str(archive), "Package", "Version"], capture_output=True, text=True, timeout=FIELDS_SECONDS, check=False
    ).stdout
    named = dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)
    return Brought(named.get("Package", ""), named.get("Version", ""), archive)
