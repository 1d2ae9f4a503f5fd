"""Whether a folder is one and the same on several machines: each writes a file of its own into it and reads the others'.

The head makes a folder of a random name in the home; a machine that sees another home does not find it there.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATIENCE = 5.0  # seconds for a share to show what another machine wrote: NFS looks again after 3
POLL = 0.2
HEAD = "head"  # the file that the head writes


@contextlib.contextmanager
def common_folder(home: str) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """On the head: a new folder in the home with the head's word in it, removed afterwards: (folder, word, what went wrong).

    A home that is not there is made, as the first preparation would make it, and removed again.
    """
    folder, word = Path(home) / f".l9-doctor-{secrets.token_hex(8)}", secrets.token_hex(16)
    made = [place for place in (Path(home), *Path(home).parents) if not place.exists()]
    wrong = None
    try:
        folder.mkdir(parents=True)
        (folder / HEAD).write_text(word)
    except OSError as error:
        wrong = _problem("unwritable", error)
    try:
        yield str(folder), word, wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            for place in made:
                place.rmdir()


def share(home: str, folder: str, word: str, name: str) -> dict[str, Any] | None:
    """On every machine: read the head's word, write our own name into a file of that name; None, or what went wrong."""
    if not Path(home).is_dir():
        return {"problem": "missing", "told": ""}
    if _read_soon(Path(folder) / HEAD) != word:
        return {"problem": "other", "told": "what the head wrote there is not to be seen"}
    try:
        with (Path(folder) / name).open("w") as stream:
            stream.write(name)
            os.fsync(stream.fileno())
    except OSError as error:
        return _problem("unwritable", error)
    return None


def read_back(folder: str, answers: Mapping[str, dict[str, Any] | None]) -> dict[str, dict[str, Any] | None]:
    """On the head: what every machine's answer becomes when its file is not to be seen here."""
    unseen = {"problem": "other", "told": "the head does not see what was written there"}
    return {name: answer or (None if _read_soon(Path(folder) / name) == name else unseen) for name, answer in answers.items()}


def _read_soon(path: Path) -> str:
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if text := path.read_text():
                return text
        if time.monotonic() > end:
            return ""
        time.sleep(POLL)


def _problem(problem: str, error: OSError) -> dict[str, Any]:
    return {"problem": problem, "told": error.strerror or type(error).__name__}
