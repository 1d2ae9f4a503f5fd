"""Secrets: Ray's token, which says who may send work to a cluster; and addresses that hold a password, which are refused.

Ray executes what it is sent, so a cluster without a token is anybody's. Ray itself decides by what an earlier session left in the home
folder; here the mode is always said: "token", unless RAY_AUTH_MODE says otherwise. The token is looked for in three places, never shown.
"""

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from l9.errors import UsageError

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
TOKEN_CURE = "expected it in RAY_AUTH_TOKEN, in the file RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token.  See docs/cluster.md"
SECRET_NAME = re.compile(r"secret|passw|token|access.?key|credential|signature|^sig$", re.IGNORECASE)  # of a setting in an address


def say_auth_mode() -> str:
    """The mode in which this process and its children talk to Ray, put into the environment where it was not said."""
    return os.environ.setdefault(MODE, "token")


def find_token() -> str | None:
    """The token for a cluster that is there; None where RAY_AUTH_MODE asks for another way than a token.

    raises  UsageError where there is none, or its file cannot be read or is empty
    """
    if say_auth_mode() != "token":
        return None
    if token := os.environ.get(TOKEN, "").strip():
        return token
    named = os.environ.get(TOKEN_PATH)
    path = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        raise UsageError(f"no Ray token; {TOKEN_CURE}")
    return token


def holds_secret(address: str) -> bool:
    """Whether an address has a password, the user of a web page (often a token), or a setting such as `?secret_key=` in it."""
    if "://" not in address:
        return False
    try:
        parts = urlsplit(address)
        settings = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "@" in address
    user = bool(parts.username) and parts.scheme in ("http", "https")
    return user or bool(parts.password) or any(SECRET_NAME.search(name) for name, _ in settings)


def refuse_secrets(argument: str) -> None:
    """UsageError for an address with a secret in it: what names an address is stored with the run, and shown to everyone with the token."""
    if holds_secret(argument):
        parts = urlsplit(argument.rpartition("@")[2] if "@" in argument else argument)
        host = parts.hostname or parts.path.partition("/")[0].partition(":")[0]
        raise UsageError(
            f"an address of {argument.partition(':')[0]}://…{host} holds a secret, which would be stored with the run; expected it in the"
            " environment of what uses it (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, AWS_SECRET_ACCESS_KEY)"
        )
