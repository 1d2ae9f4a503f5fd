"""Send what runs leave on disk to MLflow, each step once, off the step path.

The truth is in the run's folder (training.json, metrics.jsonl, result.json, pictures/); MLflow is a copy of it for people. Beside it
lies `track.json`: what to send, and how far sending has come. A server that does not answer costs one line and a marker
`track.pending`; `catch_up` sends everything later. By default the copy is `<home>/mlflow.db`, with artifacts in `<home>/mlartifacts`.
"""

from l9.track.tracker import Tracker, catch_up, default_uri, serve

__all__ = ["Tracker", "catch_up", "default_uri", "serve"]
