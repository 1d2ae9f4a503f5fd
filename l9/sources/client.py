"""What the package clients have in common: how one is run, what it brings, and what to do without it."""

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from l9.errors import FetchError
from l9.fingerprint import Json, file_digest

FALLBACK = "the card `shapes` needs no download:  l9 prep --card shapes"
ERROR = re.compile(r"(E|error):", re.IGNORECASE)  # how apt and pip begin the lines that tell

Say = Callable[[str], None]


@dataclass(frozen=True)
class Brought:
    """One package as its client brought it.

    archive  the file: .deb, .tar.gz, .tgz, .whl or .zip
    folder   what stands for the one folder that all of the archive lies in; "": its paths are as they are
    """

    package: str
    version: str
    archive: Path
    folder: str = ""

    def describe(self) -> dict[str, Json]:
        """For the manifest: package, version, and the archive's name and sha256."""
        return {"package": self.package, "version": self.version, "archive": self.archive.name, "sha256": file_digest(self.archive)}


def run_client(command: Sequence[str], folder: Path, seconds: int, fallback: str = FALLBACK, first: re.Pattern[str] | None = None) -> str:
    """Run a client in `folder` as the user who called l9; "" if it succeeds, else the last error it printed.

    first   how the lines of its errors begin, where the first of them tells and not the last
    raises  FetchError if it takes too long, ending with `fallback`
    """
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        name = " ".join(Path(part).name for part in command[:4] if not part.startswith("-"))
        raise FetchError(f"{name} took more than {seconds} s; try again when the network answers, or {fallback}") from None
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines() if line.strip()]
    if first is not None and (told := [line for line in lines if first.match(line)]):
        return told[0][:300]
    errors = [line for line in lines if ERROR.match(line)] or lines
    return errors[-1][:300] if errors else f"exit code {done.returncode}"
