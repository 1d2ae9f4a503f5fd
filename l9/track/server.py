"""Tracking beside a remote home is by http: no database can be kept on an object store, and one on this machine would tell a part only."""

import os

from l9.errors import UsageError
from l9.store.home import Home


def require_server(home: Home, uri: str | None) -> None:
    """UsageError where the home is a remote one and no MLflow server is named, by `uri` or MLFLOW_TRACKING_URI."""
    place = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    if home.url and not place.startswith(("http://", "https://")):
        raise UsageError(f"--home {home.url}: no database can be kept there; name an MLflow server: --tracking http://HOST:PORT")
