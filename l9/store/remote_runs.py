"""What is known of the runs of a remote home: the small files by which they are listed and found."""

from pathlib import Path

from l9.store.mirror import PARTS, Mirror, Stamp
from l9.store.patience import at_once
from l9.store.remote import RemoteHome

ABOUT = ("training.json", "run.json", "result.json", "tags.json", "track.json")


def pull_run_facts(home: Path, remote: RemoteHome) -> None:
    """Bring these files of every run that changed there; a run that was removed there and is unchanged here is removed here."""
    runs: dict[str, dict[str, Stamp]] = {}
    for file in remote.list_files("runs"):
        name, _, rest = file.name.removeprefix("runs/").partition("/")
        if rest and not name.startswith("."):
            runs.setdefault(name, {})[rest] = [file.bytes, file.modified_ns]

    def bring(name: str) -> None:
        for part in PARTS:
            Mirror(home, remote, f"runs/{name}", part).pull_only(ABOUT, runs[name])

    at_once(bring, runs)
    here = [path.name for path in (home / "runs").glob("*") if path.is_dir() and path.name not in runs]
    for name in here:
        for part in PARTS:
            mirror = Mirror(home, remote, f"runs/{name}", part)
            if mirror.known:
                mirror.pull({})
