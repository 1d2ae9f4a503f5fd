"""Whether an MLflow server answers, lets us in, and whom else it lets in: two questions over HTTP, without mlflow."""

import base64
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from l9.auth import holds_secret
from l9.cluster.client import NoRedirect, is_loopback

ANSWER_SECONDS = 10.0  # as long as l9 waits for MLflow in a run
QUESTION = "/api/2.0/mlflow/experiments/search?max_results=1"


def tracking_facts(uri: str | None, home: str | None) -> dict[str, Any]:
    """{"uri", "problem", "told"} of the server, else of MLFLOW_TRACKING_URI, else of the database in home; nothing secret in it.

    problem  None, "file", "secret", "away", "refused" or "open" (to anyone, on an address that is not this machine's alone)
    """
    given = uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if holds_secret(given):
        return {"uri": given.partition(":")[0] + "://…", "problem": "secret", "told": ""}
    if urllib.parse.urlsplit(given).scheme not in ("http", "https"):
        return {"uri": given or f"sqlite in {home or 'the home'}", "problem": "file", "told": ""}
    try:
        stranger = _status(given, None)
        status = _status(given, credentials()) if stranger != 200 and credentials() else stranger
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return {"uri": given, "problem": "away", "told": " ".join(str(reason).split())[:200]}
    return {"uri": given, "problem": _problem(given, stranger, status), "told": f"{status} {MEANING.get(status, '')}".strip()}


MEANING = {401: "(it wants a user and a password)", 403: "(it refuses this host, or this user)", 404: "(it is no MLflow)"}


def credentials() -> str | None:
    """What MLflow itself would show the server, from the environment: a user's name and password, or a token."""
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else None


def _problem(uri: str, stranger: int, status: int) -> str | None:
    if status != 200:
        return "refused"
    return "open" if stranger == 200 and not is_loopback(urllib.parse.urlsplit(uri).hostname or "") else None


def _status(uri: str, authorization: str | None) -> int:
    request = urllib.request.Request(uri.rstrip("/") + QUESTION)
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.build_opener(NoRedirect()).open(request, timeout=ANSWER_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
