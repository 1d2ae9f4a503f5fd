"""What `l9 doctor` does on the laptop: reach a cluster, have a small job look at its nodes, and gather what both saw.

A cluster that cannot be reached is a finding like any other, not an error; only words that are wrong are (an address that is none).
"""

import importlib.metadata
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from l9.auth import refuse_secrets
from l9.cluster.client import Cluster, OpenCluster, Unreachable, checked_address
from l9.cluster.findings import GIB, Facts, Finding, findings
from l9.cluster.follow import ENDED, read_words
from l9.cluster.submit import accepted, entrypoint, environment, job_name, send_wheels
from l9.cluster.wheels import own_wheel
from l9.errors import ClusterError, UsageError
from l9.progress import Say

JOB_SECONDS = 240.0  # for the job that looks: it ends by itself after at most 180, on a head that starts jobs slowly a bit later
POLL = 1.0  # seconds between two looks at the job


def examine(address: str, home: str | None, tracking: str | None, say: Say) -> dict[str, Any]:
    """The facts about a cluster, for `findings`.

    home, tracking  as the cluster's nodes see them; None: what L9_HOME and MLFLOW_TRACKING_URI say there
    raises          UsageError where the words are wrong
    """
    address = checked_address(address)
    refuse_secrets(tracking or "")
    facts: dict[str, Any] = {"address": address}
    try:
        cluster = Cluster(address)
    except OpenCluster as error:
        return facts | {"reach": {"problem": "open", "told": str(error)}}
    except UsageError as error:
        return facts | {"reach": {"problem": "token", "told": str(error)}}
    except ClusterError as error:
        return facts | {"reach": {"problem": "unreachable", "told": str(error)}}
    if cluster.is_open:
        facts["reach"] = {"problem": "open", "told": ""}
    facts["ray"] = {"here": importlib.metadata.version("ray"), "there": cluster.ray_version}
    try:
        return facts | _looked(cluster, {"home": home, "tracking": tracking}, say)
    except ClusterError as error:
        return facts | {"probe_failed": str(error).partition("; ")[0]}


def _looked(cluster: Cluster, words: dict[str, Any], say: Say, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Send the job that looks, and wait for what it saw."""
    name = job_name("doctor")
    job = {
        "entrypoint": entrypoint("l9.cluster.probe", [json.dumps(words)]),
        "submission_id": name,
        "runtime_env": {"py_modules": send_wheels(cluster, [own_wheel()]), "env_vars": environment()},
        "metadata": {"l9": "doctor"},  # not "1": it is none of the jobs that `l9 status` lists
    }
    accepted(cluster, name, job)
    say(f"{name} looks at the nodes of {cluster.address}; a node that does not answer costs a minute")
    end = time.monotonic() + JOB_SECONDS
    while time.monotonic() < end:
        try:
            about, said = cluster.job(name), read_words(cluster.logs(name))
        except Unreachable:
            sleep(POLL)
            continue
        if "doctor" in said.facts:
            return {"cluster": said.facts["doctor"]}
        if about["status"] in ENDED:
            last = said.lines[-1] if len(said.lines) > 1 else about.get("message") or "without a word"  # the first line is Ray's
            return {"probe_failed": f"{name} ended without an answer ({' '.join(str(last).split())[:300]})"}
        sleep(POLL)
    cluster.stop(name)
    return {"probe_failed": f"{name} did not end in {JOB_SECONDS:.0f} s"}


def report_lines(facts: Facts, found: list[Finding]) -> list[str]:
    """For people: a line for each node, a line for each finding, a line for the whole."""
    nodes = (facts.get("cluster") or {}).get("nodes", [])
    count = f"{len(found)} finding{'' if len(found) == 1 else 's'}" if found else "nothing is wrong"
    of = f", {len(nodes)} node{'' if len(nodes) == 1 else 's'}, Ray {facts['ray']['there']}" if facts.get("ray") else ""
    return [*map(_node_line, nodes), *(one.line for one in found), f"{facts['address']}{of}: {count}"]


def report_rows(facts: Facts, found: list[Finding]) -> list[dict[str, Any]]:
    """As JSON: an object for each finding, then the summary."""
    nodes = [_node_row(node) for node in (facts.get("cluster") or {}).get("nodes", [])]
    summary = {"address": facts["address"], "ray": (facts.get("ray") or {}).get("there"), "nodes": nodes, "findings": len(found)}
    return [*map(asdict, found), summary]


def _node_row(node: Facts) -> dict[str, Any]:
    kept = ("name", "ip", "head", "versions", "disks", "memory", "clock", "auth_mode", "seconds", "silent")
    return {name: node[name] for name in kept if name in node}


def _node_line(node: Facts) -> str:
    words = [node["name"], *(["head"] if node["head"] else [])]
    if node.get("silent"):
        return "  ".join([*words, node["silent"]])
    words.append(f"Python {node['versions']['python']}")
    free = {**node["disks"], "memory": node["memory"]}
    words.append("free: " + ", ".join(f"{what} {room['free'] / GIB:.1f} of {room['total'] / GIB:.1f} GiB" for what, room in free.items()))
    if node.get("clock"):
        words.append(f"clock {node['clock']['skew']:+.3f} s")
    return "  ".join(words)


__all__ = ["examine", "findings", "report_lines", "report_rows"]
