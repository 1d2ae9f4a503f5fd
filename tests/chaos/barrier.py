"""Points in a process where it can be held, so that a kill hits it there and not a moment sooner or later.

A point is armed by a file in the control folder, and taken by the first process that comes by: no other one stops, and the command
that is given again goes through. Nobody sleeps and hopes.

    <point>.wait<n>   armed: whoever takes it writes <point>.at<n> with its process id and waits for a signal or for <point>.go<n>
    <point>.die       armed: whoever takes it kills itself with SIGKILL
"""

import os
import signal
import time
from pathlib import Path

POLL = 0.005  # seconds between two looks
HELD = 120.0  # seconds after which a process that nobody killed goes on with an error
ARRIVES = 180.0  # seconds within which a process must have come to an armed point: a cold start of Ray on a busy machine takes 60


def arm(control: Path, point: str, act: str) -> None:
    """Arm a point: `act` is "die", or "wait" with a number behind it."""
    control.mkdir(parents=True, exist_ok=True)
    (control / f"{_name(point)}.{act}").touch()


def pass_by(control: Path, point: str) -> None:
    """Come by a point: nothing happens where it is not armed."""
    for armed in sorted(control.glob(f"{_name(point)}.*")):
        kind = armed.suffix.rstrip("0123456789")
        if kind in (".wait", ".die") and _taken(armed):
            if kind == ".die":
                os.kill(os.getpid(), signal.SIGKILL)
            _hold(control, armed.name.replace(".wait", ".{}"))


def arrived(control: Path, point: str, act: str) -> int | None:
    """Process id of whoever is held at an armed point; None where nobody has come yet."""
    marker = control / f"{_name(point)}.{act.replace('wait', 'at')}"
    return int(marker.read_text()) if marker.exists() else None


def let_go(control: Path, point: str, act: str) -> None:
    """Let whoever is held at a point go on."""
    (control / f"{_name(point)}.{act.replace('wait', 'go')}").touch()


def _name(point: str) -> str:
    return point.replace("/", "_").replace(".", "_")


def _taken(armed: Path) -> bool:
    try:
        armed.unlink()
    except FileNotFoundError:
        return False
    return True


def _hold(control: Path, name: str) -> None:
    marker = control / name.format("at")
    draft = marker.with_suffix(f".draft{os.getpid()}")
    draft.write_text(str(os.getpid()))
    draft.replace(marker)
    end = time.monotonic() + HELD
    while not (control / name.format("go")).exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{marker}: nobody came to kill")
        time.sleep(POLL)
