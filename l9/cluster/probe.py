"""What runs on the head for `l9 doctor`: `python -m l9.cluster.probe '{"home": …, "tracking": …}'` measures and judges nothing.

Every wait has an end, and what did not answer by then is written down by name. The facts go into the job's log as one note.
"""

import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from l9.cluster.examiner import Examiners, asked, clock, examiners
from l9.cluster.shared import common_folder, read_back
from l9.cluster.tracking import tracking_facts
from l9.progress import IN_A_JOB, note

Facts = dict[str, Any]

FIRST_SECONDS = 45.0  # for a node's first answer: it unpacks the wheel and starts a process first, 5 to 20 s on a busy one
NEXT_SECONDS = 20.0  # for each further answer
LOST_SECONDS = 3600.0  # how long a node that was lost is spoken of


def main(arguments: Sequence[str]) -> int:
    """Look at the cluster this job runs on and note what was seen."""
    os.environ[IN_A_JOB] = "1"
    words = json.loads(arguments[0])
    from l9.session import ray_session

    with ray_session("auto", cpus=0):
        note(doctor=cluster_facts(words.get("home") or os.environ.get("L9_HOME") or None, words.get("tracking")))
    return 0


def cluster_facts(home: str | None, tracking: str | None) -> Facts:
    """All that is to be known of the cluster, in plain JSON."""
    import ray

    listed = ray.nodes()
    there = sorted((about for about in listed if about["Alive"]), key=lambda about: (not is_head(about), about["NodeManagerAddress"]))
    nodes = {about["NodeID"]: _described(about, there) for about in there}
    with examiners({node: about["ip"] for node, about in nodes.items()}) as actors:
        _examine(nodes, actors, home)
    _given_up(nodes)
    return {
        "home": home,
        "gcs": ray.get_runtime_context().gcs_address,
        "nodes": list(nodes.values()),
        "lost": lost_nodes(listed),
        "tracking": tracking_facts(tracking, home),
    }


def is_head(about: Mapping[str, Any]) -> bool:
    """Whether a node of Ray's list is the head."""
    return "node:__internal_head__" in about["Resources"]


def _described(about: Mapping[str, Any], there: list[Any]) -> Facts:
    """A node as Ray knows it; its name is its host's, with the address where several hosts have the same."""
    hosts = Counter(one["NodeManagerHostname"] for one in there)
    host, address = about["NodeManagerHostname"], about["NodeManagerAddress"]
    return {
        "name": host if hosts[host] == 1 else f"{host} ({address})",
        "ip": address,
        "port": about["NodeManagerPort"],
        "head": is_head(about),
    }


def _examine(nodes: dict[str, Facts], actors: Examiners, home: str | None) -> None:
    """Ask the nodes one thing after another; a node that is silent once is not asked again."""
    began = time.monotonic()
    _add(nodes, *asked(actors, lambda node, actor: actor.facts.remote(home), FIRST_SECONDS))
    for node, actor in (actors := _awake(nodes, actors)).items():
        nodes[node] |= {"clock": clock(actor, NEXT_SECONDS), "seconds": round(time.monotonic() - began, 1)}
    peers = {node: _peers(node, nodes) for node in actors}
    _add(nodes, *_named(asked(actors, lambda node, actor: actor.unreached.remote(peers[node]), NEXT_SECONDS), "unreached"))
    if home is not None and "://" not in home:
        _share(nodes, actors := _awake(nodes, actors), home)
    if len(actors := _awake(nodes, actors)) > 1:
        _meet(nodes, actors)


def _awake(nodes: Mapping[str, Facts], actors: Examiners) -> Examiners:
    return {node: actor for node, actor in actors.items() if "silent" not in nodes[node]}


def _given_up(nodes: dict[str, Facts]) -> None:
    """Say of a silent node that Ray has given it up meanwhile."""
    import ray

    gone = {about["NodeID"]: about["DeathReasonMessage"].strip() for about in ray.nodes() if not about["Alive"]}
    for node in nodes:
        if "silent" in nodes[node] and node in gone:
            nodes[node]["silent"] = f"gave no answer, and Ray has lost it meanwhile ({gone[node] or 'no reason told'})"


def _add(nodes: dict[str, Facts], answers: Mapping[str, Facts], silent: Mapping[str, str]) -> None:
    for node, answer in answers.items():
        nodes[node] |= answer
    for node, why in silent.items():
        nodes[node]["silent"] = why


def _named(answered: tuple[dict[str, Any], dict[str, str]], name: str) -> tuple[dict[str, Facts], dict[str, str]]:
    return {node: {name: answer} for node, answer in answered[0].items()}, answered[1]


def _peers(node: str, nodes: Mapping[str, Facts]) -> list[tuple[str, str, list[int]]]:
    """The other nodes with Ray's port there and, where it answered, an ordinary one; those that come after this one first."""
    names = sorted(nodes)
    after = names.index(node) + 1
    others = [nodes[one] for one in (*names[after:], *names[: after - 1])]
    return [(one["name"], one["ip"], [one["port"], *([one["door"]] if "door" in one else [])]) for one in others]


def _share(nodes: dict[str, Facts], actors: Examiners, home: str) -> None:
    """The head writes, every node reads and writes, the head reads all back."""
    with common_folder(home) as (folder, word, wrong):
        if wrong is not None:  # nothing is to be read then: it is the head's own problem
            next(node for node in nodes.values() if node["head"])["home"] = wrong
            return
        answers, silent = asked(actors, lambda node, actor: actor.share.remote(home, folder, word, node), NEXT_SECONDS)
        _add(nodes, *_named((read_back(folder, answers), silent), "home"))


def _meet(nodes: dict[str, Facts], actors: Examiners) -> None:
    """A sum over all nodes that answered, as a training needs at every step."""
    from ray.util import get_node_ip_address

    from l9.train.meeting import MEET_SECONDS, Meeting

    host, ranks = get_node_ip_address(), {node: rank for rank, node in enumerate(actors)}
    meeting = Meeting(host)

    def invite(node: str, actor: Any) -> Any:
        return actor.meet.remote(host, meeting.port, ranks[node], len(ranks), nodes[node]["ip"])

    answers, silent = asked(actors, invite, 1.5 * MEET_SECONDS)
    for node, rank in ranks.items():
        told = answers.get(node) or {"done": False, "told": silent.get(node, "")}
        nodes[node]["meeting"] = {**told, "came": meeting.came(rank)}


def lost_nodes(listed: Sequence[Mapping[str, Any]]) -> list[Facts]:
    """Nodes that were lost within the hour and have not come back; those sent away by the autoscaler are not among them."""
    from ray.util.state import list_nodes

    unexpected = {about["NodeID"]: about for about in listed if not about["Alive"] and about["DeathReason"] == 2}  # UNEXPECTED_TERMINATION
    if not unexpected:
        return []
    back = {about["NodeManagerAddress"] for about in listed if about["Alive"]}
    ended: dict[str, float] = {}
    with contextlib.suppress(Exception):  # the dashboard that knows the times may be busy: then all are named
        ended = {one.node_id: (one.end_time_ms or 0) / 1000 for one in list_nodes(limit=10_000, detail=True, timeout=10)}
    return [
        {
            "name": f"{about['NodeManagerHostname']} ({about['NodeManagerAddress']})",
            "why": about["DeathReasonMessage"].strip() or "no reason told",
        }
        for node, about in unexpected.items()
        if about["NodeManagerAddress"] not in back and time.time() - ended.get(node, time.time()) < LOST_SECONDS
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
