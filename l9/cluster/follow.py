"""Jobs as a person sees them: a table, the lines of one as they come, what it said of its progress, and how it ended."""

import difflib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from l9.cluster.client import Cluster, Unreachable
from l9.errors import ClusterError, UsageError
from l9.progress import NOTE, Say

POLL = 1.0  # seconds between two questions
PATIENCE = 60.0  # seconds without an answer before following gives up; the job itself goes on
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
BYTES_A_SECOND = 4 << 20  # a long log is asked for less often: Ray gives it whole each time


@dataclass
class Words:
    """What a job said: lines for people, and the newest fact of each kind from its notes."""

    lines: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] | None = None


def find_job(cluster: Cluster, words: str) -> str:
    """The name of the job a person means: its name, a unique prefix, or `latest`; UsageError names near ones."""
    names = [job["submission_id"] for job in own_jobs(cluster)]
    if words == "latest" and names:
        return str(names[0])
    matches = [words] if words in names else [name for name in names if words and name.startswith(words)]
    if len(matches) == 1:
        return str(matches[0])
    if matches:
        raise UsageError(f"job '{words}' may be {', '.join(sorted(matches)[:4])}; give more letters")
    near = difflib.get_close_matches(words, names, 3, 0.4) or names[:3]
    told = f"near: {', '.join(near)}" if near else "none yet: l9 submit RECIPE"
    raise UsageError(f"no job '{words}' on {cluster.address}; {told}")


def own_jobs(cluster: Cluster) -> list[dict[str, Any]]:
    """l9's jobs, newest first."""
    jobs = [job for job in cluster.jobs() if (job.get("metadata") or {}).get("l9") == "1" and job.get("submission_id")]
    return sorted(jobs, key=lambda job: (job.get("start_time") or 0, job["submission_id"]), reverse=True)


def job_row(cluster: Cluster, job: dict[str, Any]) -> dict[str, Any]:
    """One line of the table of jobs."""
    running = job["status"] in ("PENDING", "RUNNING")
    facts = read_words(cluster.logs(job["submission_id"])).facts if job["status"] == "RUNNING" else {}
    began, ended = job.get("start_time"), job.get("end_time")
    return {
        "job": job["submission_id"],
        "state": facts.get("state", "starting") if running else str(job["status"]).lower(),
        "recipe": job["metadata"].get("recipe", ""),
        "verb": job["metadata"].get("verb", ""),
        "home": job["metadata"].get("home", ""),
        "place": facts.get("place") if facts.get("state") == "waiting" else None,
        "began": began / 1000 if began else None,
        "seconds": round(((ended or time.time() * 1000) - began) / 1000, 1) if began else None,
        "exit_code": exit_code(job),
        "progress": facts.get("progress") if running else None,
    }


def exit_code(job: dict[str, Any]) -> int | None:
    """What the job ended with: its driver's code; 1 where it was stopped or never began; None while it runs."""
    if job["status"] not in ENDED:
        return None
    code = job.get("driver_exit_code")
    return code if isinstance(code, int) and code >= 0 else 0 if job["status"] == "SUCCEEDED" else 1


def read_words(text: str) -> Words:
    """Lines for people and notes told apart; a line that only looks like a note is a line.

    What Ray says before our first note is left out.
    """
    words = Words()
    for line in text.splitlines():
        fact = _note_in(line)
        if fact is None:
            words.lines.append(line)
        elif not words.facts:
            words.lines, words.facts = [], dict(fact)
        else:
            words.facts.update(fact)
    if words.lines and words.lines[-1].startswith("{"):
        words.report = _object_in(words.lines[-1])
        words.lines = words.lines[:-1] if words.report is not None else words.lines
    return words


def follow(cluster: Cluster, name: str, say: Say, sleep: Callable[[float], None] = time.sleep) -> tuple[int, dict[str, Any] | None]:
    """Say a job's lines until it has ended; its exit code, and the report it printed.

    raises  ClusterError where the cluster does not answer for a minute: the job itself goes on
    """
    said, told, ended, last = 0, "", False, time.monotonic()
    while True:
        try:
            job = cluster.job(name)
            text = cluster.logs(name)
        except Unreachable as error:
            if time.monotonic() - last > PATIENCE:
                raise ClusterError(
                    f"{error}; job {name} goes on without us.  l9 logs {name} -f --address {cluster.address} follows it again"
                ) from error
            sleep(POLL)
            continue
        last, ended = time.monotonic(), job["status"] in ENDED
        words = read_words(text)
        if words.facts or ended:  # before its first note, only Ray has spoken
            for line in words.lines[said:] if ended or text.endswith("\n") else words.lines[said:-1]:
                say(line)
                said += 1
        if (now := state_line(words.facts)) and now != told:
            say(told := now)
        if ended:
            code = exit_code(job)
            if job["status"] == "FAILED" and not words.lines:
                say(f"l9: {' '.join(str(job.get('message')).split())[:300]}")
            return (1 if code is None else code), words.report
        sleep(max(POLL, len(text) / BYTES_A_SECOND))


def state_line(facts: dict[str, Any]) -> str:
    """Where a waiting job stands; "" where there is nothing to say."""
    return f"waiting for its turn: {facts['place']} before it" if facts.get("state") == "waiting" else ""


def _note_in(line: str) -> dict[str, Any] | None:
    return _object_in(line[len(NOTE) :]) if line.startswith(NOTE) else None


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def progress_lines(progress: dict[str, Any] | None) -> Iterator[str]:
    """The newest view of a distributed preparation: a line for the whole, a line for each node."""
    if not progress:
        return
    yield f"  {progress['text']}"
    for node in progress.get("nodes", []):
        yield f"    {node['text']}"
