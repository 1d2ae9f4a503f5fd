"""Sending a job: the resolved recipe with its cards as one JSON, and wheels. Nothing of the working folder, no secret, no pickle."""

import hashlib
import io
import json
import secrets
import shlex
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from l9.auth import refuse_secrets
from l9.cards import load_card
from l9.cluster.client import Cluster
from l9.cluster.wheels import Wheel
from l9.config import Pipeline
from l9.errors import ClusterError

JOB_FILE = "job.json"
ACCEPT_SECONDS = 120.0  # for a job to be taken: the agent of a head that has just started takes 10 to 30
STOP_SECONDS = 60  # from "please stop" to the kill: shards under way are left, a training in the driver writes a checkpoint
# The interpreter that runs Ray there, read from Ray's own command line: `python` of the path is another one as often as not.
INTERPRETER = (
    "raylet=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$PPID/status);"
    " python=$(tr '\\0' '\\n' < /proc/$raylet/cmdline | sed -n 's/^--python_worker_command=\\([^ ]*\\) .*/\\1/p');"
)


@dataclass(frozen=True)
class Request:
    """What a person asks of the cluster, besides the recipe.

    verb       "run" or "prep"
    home       a path as the cluster's nodes see it, or an s3:// address; None: L9_HOME there
    arguments  further options of the verb, as they stand on a command line
    """

    verb: str
    home: str | None
    arguments: tuple[str, ...] = ()


def submit(cluster: Cluster, pipeline: Pipeline, request: Request, wheels: Sequence[Wheel]) -> str:
    """Send a recipe and return the job's name. raises ClusterError, UsageError"""
    for argument in (request.home or "", *request.arguments):
        refuse_secrets(argument)
    name = job_name(pipeline.name)
    folder = _send(cluster, {JOB_FILE: resolved_recipe(pipeline)})
    modules = send_wheels(cluster, wheels)
    words = [request.verb, JOB_FILE, "--address", "auto", "--json", *(["--home", request.home] if request.home else []), *request.arguments]
    job = {
        "entrypoint": entrypoint("l9.cluster.job", words),
        "submission_id": name,
        "runtime_env": {"working_dir": folder, "py_modules": modules, "env_vars": environment()},
        "metadata": {"l9": "1", "verb": request.verb, "recipe": pipeline.name, "home": request.home or ""},
    }
    return accepted(cluster, name, job)


def accepted(cluster: Cluster, name: str, job: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> str:
    """Send until it is taken, for a head that has just started or is overrun; its name makes a second sending harmless."""
    end, wait = time.monotonic() + ACCEPT_SECONDS, 0.5
    while True:
        try:
            return cluster.submit(job)
        except ClusterError:
            if any(known.get("submission_id") == name for known in cluster.jobs()):
                return name  # it was taken; only the answer was lost
            if time.monotonic() > end:
                raise
            sleep(wait)
            wait = min(2 * wait, 8.0)


def entrypoint(module: str, words: Sequence[str]) -> str:
    """The command line of a job: a module of l9's, run by the interpreter that runs Ray there."""
    return f'{INTERPRETER} exec "${{python:-python3}}" -m {module} {shlex.join(words)}'


def send_wheels(cluster: Cluster, wheels: Sequence[Wheel]) -> list[str]:
    """Wheels as the modules of a job; returns their addresses for `runtime_env`."""
    return [cluster.send_package(_package_name(wheel.content), wheel.content) for wheel in wheels]


def environment() -> dict[str, str]:
    """What the job's processes find in their environment. The cluster shows it to everyone with the token: no secrets."""
    return {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), "RAY_USAGE_STATS_ENABLED": "0"}


def resolved_recipe(pipeline: Pipeline) -> bytes:
    """The recipe as canonical JSON, with the cards it names inlined."""
    cards: dict[str, Any] = {about.card: load_card(about.card).describe() for about in pipeline.sets.values()}
    return json.dumps({**pipeline.describe(), "cards": cards}, sort_keys=True, separators=(",", ":")).encode()


def job_name(recipe: str) -> str:
    """A name nobody else's job has: recipe, day and time (UTC), four random digits."""
    return f"{recipe}-{time.strftime('%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def _send(cluster: Cluster, files: dict[str, bytes]) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            about = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(about, content)
    return cluster.send_package(_package_name(packed.getvalue()), packed.getvalue())


def _package_name(content: bytes) -> str:
    """Ray tells packages apart by their names: equal bytes, equal name, sent once."""
    return f"_ray_pkg_{hashlib.sha256(content).hexdigest()[:32]}.zip"
