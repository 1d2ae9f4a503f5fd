"""One process at a time in a run's folder (l9/store/lock.py).

lock         held while an `l9 run` is at work on the folder
track.lock   held while the folder is being sent to MLflow
"""

from l9.store.lock import held_elsewhere, locked

__all__ = ["LONGEST_WAIT", "SEND_LOCK", "WORK_LOCK", "held_elsewhere", "locked"]

WORK_LOCK, SEND_LOCK = "lock", "track.lock"
LONGEST_WAIT = 30.0  # seconds for track.lock: longer than a server that is away takes to be given up
