"""What runs on the head for a submitted job: `python -m l9.cluster.job VERB job.json …`, where Ray has put what came with it.

Waits for its turn, checks that what the wheels need is there, then runs the same `l9 VERB job.json` that a person would, and runs it again
where it was killed: by the kernel for want of memory, or with its Ray session. An error that l9 tells (exit 1 or 2) is not tried again.
Standard library only, so that a job that waits takes 20 MB.
"""

import importlib.metadata
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l9.cluster.turn import jobs_at_once, queue_folder, turn
from l9.progress import IN_A_JOB, note

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DEATHS = 3  # times the driver may be killed before the job gives up
BACKOFF = (5.0, 20.0, 60.0)  # seconds before each next attempt
WORDS_WRONG = 2


def main(arguments: Sequence[str]) -> int:
    """Run `l9 <arguments>` when it is our turn; returns what it ended with."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ[IN_A_JOB] = "1"
    lacking = missing_requirements(os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if lacking:
        print(f"l9: {lacking[0]}", flush=True)
        return WORDS_WRONG
    try:
        with turn(queue_folder(), jobs_at_once(), lambda place: note(state="waiting", place=place)):
            note(state="running", time=time.time())
            return attempts([sys.executable, "-m", "l9.cli", *arguments])
    except KeyboardInterrupt:
        note(state="stopped")
        return 1


def attempts(command: Sequence[str]) -> int:
    """Run the command, and run it again after a death that no one asked for, a few times and later each time."""
    code = 0
    for number in range(DEATHS + 1):
        code = _run(command)
        if code >= 0:
            return code
        name = signal.Signals(-code).name
        again = number < DEATHS
        note(state="retrying" if again else "failed", killed_by=name, attempt=number + 1)
        if again:
            print(f"the driver was killed ({name}); what it made stays, and it starts again in {BACKOFF[number]:.0f} s", flush=True)
            time.sleep(BACKOFF[number])
    print(
        f"l9: the driver was killed {DEATHS + 1} times; see the head's memory (dmesg, ray memory).  Submit again and it goes on", flush=True
    )
    return 1


def _run(command: Sequence[str]) -> int:
    """Run it to its end. Ray sends the signal of a stop to every process of a job, so on ours the child is only waited for."""
    with subprocess.Popen(command) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.wait()
            raise


def missing_requirements(folders: Sequence[str]) -> list[str]:
    """A line for each requirement of the wheels in these folders that this environment does not meet."""
    there = [folder for folder in folders if folder and Path(folder).is_dir()]
    return [line for distribution in importlib.metadata.distributions(path=there) for line in unmet(distribution).values()]


def unmet(distribution: importlib.metadata.Distribution) -> dict[str, str]:
    """Each requirement of a distribution that this environment does not meet: the package's name -> a line with the cure."""
    lines = {}
    for wanted in requirements(distribution):
        found = installed(wanted.name)
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            have = f"has {wanted.name} {found}" if found else f"has no {wanted.name}"
            cure = "install it on every node (setup_commands in cluster.yaml, the image on Kubernetes), or bring it with --package"
            lines[wanted.name] = f"package {distribution.name} needs {wanted}, and this cluster {have}; {cure}"
    return lines


def requirements(distribution: importlib.metadata.Distribution) -> list["Requirement"]:
    """What a distribution needs on this machine, its extras left out."""
    from packaging.requirements import Requirement

    found = [Requirement(text) for text in distribution.requires or ()]
    return [wanted for wanted in found if wanted.marker is None or wanted.marker.evaluate({"extra": ""})]


def installed(name: str) -> str | None:
    """The version of a package in this environment; None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
