"""Ray's job server over HTTP: the few questions l9 asks it, each with a time-out, each failure one line with its cure.

Ray's own client waits without end for a server that does not answer and takes its token from wherever it finds one. The interface is
Ray's documented REST interface of jobs, and the place where its own client puts packages (Ray 2.60, dashboard/modules/job).
"""

import ipaddress
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from l9.auth import MODE, TOKEN_CURE, find_token
from l9.errors import ClusterError, UsageError

ANSWER_SECONDS = 30.0  # of one question: starting a job agent on a busy head takes 10
REACH_SECONDS = 10.0  # of the first question: is anybody there?
MAX_ANSWER = 256 << 20  # bytes: the log of a very long job
PLAIN_HTTP = "L9_ALLOW_PLAIN_HTTP"
TUNNEL = "expected http://127.0.0.1:8265 through a tunnel (ray dashboard cluster.yaml, ssh -L 8265:127.0.0.1:8265, kubectl port-forward)"

Answer = dict[str, Any]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: the token goes to the address that was named and nowhere else."""

    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        """Called by urllib: None leaves the redirect as the answer."""
        return None


class Cluster:
    """One cluster, by the address of its dashboard.

    address  "http://HOST:PORT"; https, or http on loopback
    raises   UsageError for an address that cannot be used, no token, a wrong token, or a cluster that takes work from anyone

    is_open  it takes work from anyone, and RAY_AUTH_MODE here says that this is wanted
    """

    def __init__(self, address: str) -> None:
        self.address = checked_address(address)
        self.token = find_token()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
        self.ray_version = self._greet()

    def _greet(self) -> str:
        """The cluster's Ray version, once it is known that it asks strangers for a token and takes ours."""
        status, answer = self._ask("GET", "/api/version", seconds=REACH_SECONDS, token=None)
        self.is_open = status == 200
        if self.is_open and self.token is not None:
            raise OpenCluster(
                f"{self.address} takes work from anyone who reaches it; start it with RAY_AUTH_MODE=token.  See docs/cluster.md"
                f" ({MODE}=disabled here says that this is wanted)"
            )
        if status == 401 and self.token is None:
            raise UsageError(f"{self.address} asks for a token, and {MODE}={os.environ[MODE]} here; set {MODE}=token")
        if self.token is not None:
            status, answer = self._ask("GET", "/api/version", seconds=REACH_SECONDS)
        return str(json.loads(self._checked(status, answer, "/api/version")).get("ray_version", ""))

    def submit(self, job: Answer) -> str:
        """Send a job (`entrypoint`, `submission_id`, `runtime_env`, `metadata`); returns its name."""
        return str(self._json("POST", "/api/jobs/", json.dumps(job).encode())["submission_id"])

    def jobs(self) -> list[Answer]:
        """Every job the cluster remembers, l9's and others'."""
        answer = self._json("GET", "/api/jobs/")
        return [job for job in answer if isinstance(job, dict)] if isinstance(answer, list) else []

    def job(self, name: str) -> Answer:
        """What the cluster says of one job; UsageError where it knows none of that name."""
        return dict(self._json("GET", f"/api/jobs/{_quoted(name)}"))

    def logs(self, name: str) -> str:
        """All a job has said."""
        return str(self._json("GET", f"/api/jobs/{_quoted(name)}/logs").get("logs") or "")

    def stop(self, name: str) -> bool:
        """Ask a job to end: true if it was running."""
        return bool(self._json("POST", f"/api/jobs/{_quoted(name)}/stop").get("stopped"))

    def send_package(self, name: str, content: bytes) -> str:
        """Put a zip where every node finds it, unless it is there; returns its address for `runtime_env`."""
        where = f"/api/packages/gcs/{_quoted(name)}"
        if self._ask("GET", where)[0] != 200:
            self._checked(*self._ask("PUT", where, content), where)
        return f"gcs://{name}"

    def _json(self, method: str, path: str, content: bytes | None = None) -> Any:
        text = self._checked(*self._ask(method, path, content), path)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ClusterError(f"{self.address}{path}: answered something else than JSON; expected Ray's dashboard there") from error

    def _ask(
        self, method: str, path: str, content: bytes | None = None, *, seconds: float = ANSWER_SECONDS, token: str | None = ""
    ) -> tuple[int, bytes]:
        """Status and body of one request; ClusterError where nobody answers in time. `token` None: as a stranger."""
        request = urllib.request.Request(self.address + path, data=content, method=method)
        if content is not None:
            request.add_header("Content-Type", "application/json" if path.startswith("/api/jobs") else "application/octet-stream")
        if token is not None and self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with self._opener.open(request, timeout=seconds) as stream:
                return stream.status, stream.read(MAX_ANSWER)
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read(1 << 20)
        except (OSError, ValueError) as error:  # refused, timed out, reset, or no HTTP at all
            reason = getattr(error, "reason", None) or error
            raise Unreachable(f"{self.address}: no answer ({reason}) in {seconds:.0f} s; {TUNNEL}") from error

    def _checked(self, status: int, body: bytes, path: str) -> bytes:
        if status == 200:
            return body
        told = " ".join(body.decode(errors="replace").split())[:300]
        if status == 401:
            raise UsageError(f"{self.address} asks for a token and got none; {TOKEN_CURE}")
        if status == 403:
            raise UsageError(f"{self.address} does not take this token; {TOKEN_CURE.replace('it', 'the token of this cluster', 1)}")
        if status == 404 and path.startswith("/api/jobs/"):
            raise UsageError(f"{self.address} knows no job '{path.split('/')[3]}'.  l9 status --address {self.address}")
        raise ClusterError(f"{self.address}{path}: {status} {told or 'without a word'}")


class OpenCluster(UsageError):
    """It takes work from anyone, and we were not told that this is wanted."""


class Unreachable(ClusterError):
    """Nobody answered in time: worth asking again, where the cluster was there before."""


def checked_address(address: str) -> str:
    """The address without a path; UsageError where it is none, holds a password, or would send the token in the clear."""
    parts = urllib.parse.urlsplit(address)
    if parts.username or parts.password:
        raise UsageError("--address holds a user or password; expected http://HOST:PORT, and the token in RAY_AUTH_TOKEN or its file")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(f"--address {address}: {TUNNEL}")
    if parts.scheme == "http" and not is_loopback(host) and os.environ.get(PLAIN_HTTP) != "1":
        raise UsageError(f"--address {address}: the token would cross the network unencrypted; {TUNNEL}, https, or {PLAIN_HTTP}=1")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port}" if port else f"{parts.scheme}://{shown}"


def is_loopback(host: str) -> bool:
    """Whether a name or number is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
