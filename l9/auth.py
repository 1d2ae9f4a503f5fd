"""Ray's token: who may send work to a cluster. Always asked for by name, looked for in three places, never shown.

Ray executes what it is sent, so a cluster without a token is anybody's. Ray itself decides by what an earlier session left in the home
folder; here the mode is always said: "token", unless RAY_AUTH_MODE says otherwise.
"""

import os
from pathlib import Path

from l9.errors import UsageError

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
TOKEN_CURE = "expected it in RAY_AUTH_TOKEN, in the file RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token.  See docs/cluster.md"


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
