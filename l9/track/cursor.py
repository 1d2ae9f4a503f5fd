"""`track.json` in a run's folder: what it is called in MLflow, and how far sending has come. Written before and after each sending.

kind experiment name params datasets metrics status parent     what to send, besides what the folder's own files say
uri token run_id                                                which server, and which run there
sent_step sending sent_tags described finished                  how far: see `l9/track/sender.py`
"""

import json
import secrets
from pathlib import Path
from typing import Any

from l9.errors import TrackingError
from l9.store.publish import atomic_write
from l9.track.facts import read_json

State = dict[str, Any]

NOTHING_SENT: State = {"run_id": None, "sent_step": -1, "sending": None, "sent_tags": [], "described": False, "finished": False}
CURSOR = ("uri", "token", *NOTHING_SENT)


def read_state(folder: Path, uri: str) -> State:
    """The folder's state towards the server `uri`, {} where it has none; towards another server nothing has been sent yet."""
    state = stored(folder)
    if state.get("uri") != uri:
        state = {name: value for name, value in state.items() if name not in CURSOR}
    return state and {**NOTHING_SENT, "uri": uri, "token": secrets.token_hex(16), **state}


def new_state(uri: str, **facts: Any) -> State:
    """A state of which nothing has been sent."""
    return {**NOTHING_SENT, "uri": uri, "token": secrets.token_hex(16), "status": "RUNNING", **facts}


def stored(folder: Path) -> State:
    """What `track.json` holds; a damaged one counts as none, and its folder is sent anew as another run."""
    try:
        return read_json(folder / "track.json")
    except TrackingError:
        return {}


def save_state(folder: Path, state: State) -> None:
    """Write `track.json`, whole or not at all."""
    atomic_write(folder / "track.json", json.dumps(state, indent=1, sort_keys=True).encode())
