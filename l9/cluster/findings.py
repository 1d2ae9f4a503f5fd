"""What is wrong with a cluster, judged from what was measured: pure functions from facts to findings, each one line with its cure.

The facts are plain JSON: `l9/cluster/doctor.py` gathers what the laptop sees, `l9/cluster/probe.py` what the cluster's nodes do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]

GIB = 1 << 30
LEAST_DISK = 2 * GIB  # a shard is up to some hundred MiB, a checkpoint likewise, and several are written at once
RAY_FOLDER = "Ray's folder"
FULLEST_RAY = 0.95  # of the disk of Ray's folder in use: beyond it Ray keeps no objects there
LEAST_MEMORY = 1 * GIB  # a driver takes as much, a preparation's step up to two
CLOCK_SECONDS = 2.0  # ages of files and steps in MLflow are compared between nodes
TUNNEL_CURE = "ray dashboard cluster.yaml, ssh -L 8265:127.0.0.1:8265 HEAD, or kubectl port-forward opens a tunnel to it"
TOKEN_CURE = "scp HEAD:.ray/auth_token ~/.ray/auth_token && chmod 600 ~/.ray/auth_token"
MODE_CURE = "ray stop, then RAY_AUTH_MODE=token ray start … on every node"
SAME_CURE = "bring every node to the same environment: setup_commands of cluster.yaml, or the image"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    kind      a short hyphenated word that can be counted
    node      the node's name; "" where it is the whole cluster's
    severity  "error": work fails or is open to strangers; "warning": it may
    """

    kind: str
    what: str
    expected: str
    cure: str
    node: str = ""
    severity: str = "error"

    @property
    def line(self) -> str:
        """For people: what; expected; cure."""
        return f"{f'{self.node}: ' if self.node else ''}{self.what}; expected {self.expected}; {self.cure}"


def findings(facts: Facts) -> list[Finding]:
    """Everything that is wrong, in the order in which it should be mended: who is let in, who is there, then what each one has."""
    found = [*_reach(facts), *_versions_here(facts), *_probe(facts)]
    cluster = facts.get("cluster")
    if cluster is not None:
        nodes = [node for node in cluster["nodes"] if not node.get("silent")]
        found += [*_silent(cluster), *_shut(nodes), *_alike(nodes), *_room(nodes), *_clocks(nodes)]
        found += [*_home(cluster, nodes), *_links(nodes), *_meeting(nodes), *_tracking(cluster)]
    return found


def _reach(facts: Facts) -> Iterator[Finding]:
    """Whether the dashboard answers, asks strangers for a token, and takes ours."""
    reach = facts.get("reach") or {}
    told = str(reach.get("told", "")).partition("; ")[0]
    match reach.get("problem"):
        case "unreachable":
            yield Finding("unreachable", told, "Ray's dashboard there", TUNNEL_CURE)
        case "token":
            yield Finding("token", told, "the cluster's token in RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token", TOKEN_CURE)
        case "open":
            yield Finding("open", f"{facts['address']} takes work from anyone who reaches it", "a token to be asked for", MODE_CURE)


def _versions_here(facts: Facts) -> Iterator[Finding]:
    versions = facts.get("ray") or {}
    here, there = versions.get("here"), versions.get("there")
    if here and there and here != there:
        yield Finding(
            "ray-version",
            f"Ray is {there} there and {here} here",
            "one version",
            f"pip install 'ray[default,train]=={there}'",
            severity="warning",
        )


def _probe(facts: Facts) -> Iterator[Finding]:
    """The small job that looks at the nodes did not come to its end, or the head lacks what l9 needs."""
    if told := facts.get("probe_failed"):
        yield Finding(
            "no-job", told, "the cluster to run a small job to its end", "ray status, and the job's log on the dashboard, say more"
        )


def _silent(cluster: Facts) -> Iterator[Finding]:
    for node in cluster["nodes"]:
        if node.get("silent"):
            cure = "look at its network and at raylet.out in its session's logs; ray stop and ray start there bring it back"
            cut = sum(node["name"] in other.get("unreached", ()) for other in cluster["nodes"])
            told = node["silent"] + (f", and {cut} of the other nodes cannot reach it" if cut else "")
            yield Finding("silent", told, "an answer from every node", cure, node["name"])
    for node in cluster.get("lost", ()):
        told = f"was lost ({node['why']})"
        cure = f"look at its network and memory (dmesg there); ray start --address {cluster['gcs']} brings it back"
        yield Finding("lost", told, "nodes to end only when they are sent away", cure, node["name"], "warning")


def _shut(nodes: list[Facts]) -> Iterator[Finding]:
    """Who is let in to a node: Ray's mode, and what of Ray listens on a public interface without asking for the token."""
    for node in nodes:
        name, mode = node["name"], node.get("auth_mode")
        public = [one for one in node.get("listening", ()) if one["public"]]
        if mode not in ("token", "unknown"):
            ports = ", ".join(f"{one['process']} {one['address']}" for one in public if one["answers"] != "metrics")
            told = f"Ray runs without a token (RAY_AUTH_MODE={mode})" + (f" and listens to everyone: {ports}" if ports else "")
            yield Finding("no-token-mode", told, "RAY_AUTH_MODE=token", MODE_CURE, name)
        for one in public:
            if one["process"] == "dashboard" and one["answers"] != "metrics" and not (node.get("kubernetes") and mode == "token"):
                cure = "ray start --head --dashboard-host 127.0.0.1, and a tunnel to reach it"
                yield Finding("dashboard", f"the dashboard listens on {one['address']}", "127.0.0.1", cure, name, "warning")
            elif one["answers"] == "anyone" and mode == "token":
                cure = "ray stop and ray start with RAY_AUTH_MODE=token, or a firewall around the cluster"
                yield Finding("open-port", f"{one['process']} answers strangers on {one['address']}", "it to ask for the token", cure, name)


def _alike(nodes: list[Facts]) -> Iterator[Finding]:
    """Versions that differ from the head's, and packages that l9 needs and a node lacks."""
    head = next((node for node in nodes if node["head"]), None)
    for node in nodes:
        lacking = node.get("lacking", {})
        for line in lacking.values():
            told, _, cure = line.partition("; ")
            yield Finding("package", told, "what l9 needs", cure, node["name"])
        theirs = node.get("versions", {})
        ours = {name: version for name, version in (head or {}).get("versions", {}).items() if name not in lacking}
        other = [
            f"{name} {theirs.get(name) or 'none'} (head: {ours.get(name) or 'none'})"
            for name in sorted(ours)
            if theirs.get(name) != ours[name]
        ]
        if other:
            yield Finding("versions", f"has {', '.join(other)}", "the head's versions", SAME_CURE, node["name"])


def _room(nodes: list[Facts]) -> Iterator[Finding]:
    for node in nodes:
        for whats, disk in _by_disk(node.get("disks", {})):
            told = f"{disk['free'] / GIB:.2f} GiB of {disk['total'] / GIB:.1f} are free for {' and '.join(whats)} ({disk['path']})"
            cure = f"make room there (du -sh {disk['path']}/*), or put it on a larger disk"
            if disk["free"] < LEAST_DISK:
                yield Finding("disk", told, f"at least {LEAST_DISK // GIB} GiB", cure, node["name"])
            elif RAY_FOLDER in whats and disk["free"] < (1 - FULLEST_RAY) * disk["total"]:
                yield Finding("disk", told, f"at least {1 - FULLEST_RAY:.0%}, or Ray keeps no objects there", cure, node["name"], "warning")
        memory = node.get("memory", {})
        if memory and memory["free"] < LEAST_MEMORY:
            told = f"{memory['free'] / GIB:.2f} GiB of {memory['total'] / GIB:.1f} of memory are free"
            yield Finding(
                "memory", told, f"at least {LEAST_MEMORY // GIB} GiB", "ray memory and ps aux --sort -rss say who has it", node["name"]
            )


def _by_disk(disks: Facts) -> Iterator[tuple[list[str], Facts]]:
    """What lies on each disk, and the first of these places."""
    for device in {disk["device"]: None for disk in disks.values()}:
        whats = [what for what, disk in disks.items() if disk["device"] == device]
        yield whats, disks[whats[0]]


def _clocks(nodes: list[Facts]) -> Iterator[Finding]:
    for node in nodes:
        clock = node.get("clock")
        if clock and abs(clock["skew"]) - clock["within"] > CLOCK_SECONDS:
            ahead = "ahead of" if clock["skew"] > 0 else "behind"
            told = f"its clock is {abs(clock['skew']):.1f} s {ahead} the head's"
            yield Finding(
                "clock", told, f"at most {CLOCK_SECONDS:.0f} s", "start a time service there (timedatectl set-ntp true)", node["name"]
            )


def _home(cluster: Facts, nodes: list[Facts]) -> Iterator[Finding]:
    """Whether every node reads what the head writes into the home, and the head what every node writes."""
    if cluster.get("home") is None:
        cure = "l9 doctor --home DIR, or L9_HOME in every node's environment"
        yield Finding("no-home", "nothing says where the home is", "a folder that all nodes share", cure, severity="warning")
    for node in nodes:
        home = node.get("home") or {}
        match home.get("problem"):
            case "missing":
                cure = f"mount the share there, or mkdir {cluster['home']} if it is mounted above"
                yield Finding("home", f"there is no {cluster['home']}", "the home all nodes share", cure, node["name"])
            case "unwritable":
                told = f"cannot write to {cluster['home']} ({home['told']})"
                yield Finding("home", told, "a home every node writes to", "mount it read-write, for the user that runs Ray", node["name"])
            case "other":
                told = f"{cluster['home']} is another folder than on the head ({home['told']})"
                yield Finding(
                    "home", told, "one folder that all nodes share", "mount the head's share at the same path there", node["name"]
                )


def _links(nodes: list[Facts]) -> Iterator[Finding]:
    """Nodes that answer, and do not reach each other."""
    names = {node["name"] for node in nodes}
    for node in nodes:
        if cut := sorted(names & set(node.get("unreached", ()))):
            cure = "look at the links and firewalls between them: nodes must reach each other on every port"
            yield Finding("link", f"does not reach {', '.join(cut)}", "every node to reach every other", cure, node["name"])


def _meeting(nodes: list[Facts]) -> Iterator[Finding]:
    """Who did not come to a sum over all nodes; where all came, that it did not end: one link that is cut holds up every node."""
    expected = "all nodes to take part, as they do in a training"
    cure = "open every port between nodes; GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME name the network where there are several"
    failed = [(node["name"], node["meeting"]) for node in nodes if node.get("meeting") and not node["meeting"]["done"]]
    missing = [(name, meeting["told"]) for name, meeting in failed if not meeting["came"]]
    for name, told in missing:
        yield Finding("meeting", f"did not come to a sum over all nodes ({told})", expected, cure, name)
    if failed and not missing:
        told = "; ".join(f"{name}: {meeting['told']}" for name, meeting in failed).replace("; ", ", ")
        yield Finding("meeting", f"a sum over all nodes did not end ({told})", expected, cure)


def _tracking(cluster: Facts) -> Iterator[Finding]:
    """The MLflow server as the head sees it."""
    about = cluster.get("tracking") or {}
    uri, several = about.get("uri", ""), len(cluster["nodes"]) > 1
    server = "mlflow server --host 0.0.0.0 --app-name basic-auth on a machine of its own, and --tracking http://HOST:5000"
    match about.get("problem"):
        case "file" if several:
            yield Finding("tracking-file", f"MLflow is {uri}", "a server, where there are several nodes", server, severity="warning")
        case "secret":
            cure = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the cluster's environment"
            yield Finding("tracking-secret", f"MLFLOW_TRACKING_URI there ({uri}) holds a secret", "an address without one", cure)
        case "away":
            cure = "start it (mlflow server), or name another with --tracking; what is pending is sent when it is back"
            yield Finding("tracking-away", f"MLflow at {uri} does not answer ({about['told']})", "an answer", cure)
        case "refused":
            cure = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD where the head's Ray is started"
            if about["told"].startswith("403"):
                cure += ", or mlflow server --allowed-hosts with this host (and --cors-allowed-origins)"
            yield Finding("tracking-refused", f"MLflow at {uri} answers {about['told']}", "it to let l9 in", cure)
        case "open":
            cure = "mlflow server --app-name basic-auth (pip install 'mlflow[auth]'), or a firewall that lets in the cluster alone"
            yield Finding("tracking-open", f"MLflow at {uri} lets anyone in", "it to ask for a password", cure, severity="warning")
