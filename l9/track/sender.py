"""From a folder to MLflow: make its run, describe it, send its steps once, its results and its files. The only file that imports mlflow.

Exactly once: a batch of whole steps is noted as `sending` before and `sent_step` after. MLflow takes a batch whole or not at all, so after
a death in between the last step it has tells which of the two happened. A run is found again by its token, noted before it is made.
"""

import fcntl
import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from l9.errors import TrackingError
from l9.track.cursor import State, new_state, read_state, save_state
from l9.track.facts import Facts, csv_text, durable_records, flattened, read_json, training_facts
from l9.track.lock import LONGEST_WAIT, SEND_LOCK, locked
from l9.track.tags import read_tags

METRICS_PER_BATCH, PARAMS_PER_BATCH = 1000, 100  # MLflow's own limits
KEY_LENGTH, PARAM_LENGTH, DIGEST_LENGTH = 250, 6000, 36  # likewise, in characters
TAG_PREFIX = "l9.tag."  # of a person's own tags in MLflow
TELLING = ("loss", "lr_factor")  # whose last steps in MLflow say how far sending really came
ONCE_AN_EPOCH = ("epoch", "lr_factor", "samples")  # what the settings decide: MLflow takes 0.1 ms a number, so not at every step
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds: a server that is away must not hold up the end of a run
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing is reported to anyone but the server that was named
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what goes wrong is told in one line of ours, not in MLflow's tracebacks
    "GIT_PYTHON_REFRESH": "quiet",
}
SENT_FILES = ("training.json", "result.json", "outcomes.jsonl", "error.json")


class Sender:
    """Sends folders of one home to one server; connects when first needed. Whatever MLflow raises comes through."""

    def __init__(self, home: Path, uri: str) -> None:
        self.home, self.uri = home, uri
        self._connected: Any = None

    def send(self, folder: Path, parent: str | None = None) -> None:
        """Send everything of a folder that is new and durable. `parent` names the folder of the run that a new training is part of."""
        state = read_state(folder, self.uri) or new_state(self.uri, kind="training", parent=parent)
        if state["finished"]:
            self._send_tags(folder, state)
            return
        facts = training_facts(folder) if state["kind"] == "training" else state
        run_id = self._run_id(folder, state, facts)
        if not state["described"]:
            _describe(self.client, run_id, facts)
            save_state(folder, state := {**state, "described": True})
        state = self._send_tags(folder, state)
        if state["kind"] == "training":
            state = self._send_steps(folder, state, run_id)
        result = read_json(folder / "result.json")
        _send_summary(self.client, run_id, folder, state.get("metrics") or result.get("metrics", {}))
        ended = state["status"] if state["status"] != "RUNNING" else ""
        if ended:
            _send_files(self.client, run_id, folder, result)
            self.client.set_terminated(run_id, ended)
        elif self.client.get_run(run_id).info.status != "RUNNING":
            self.client.update_run(run_id, "RUNNING")
        save_state(folder, {**state, "finished": ended == "FINISHED"})

    @property
    def client(self) -> Any:
        """MLflow's client, its database made: by one process at a time, since two that make one sqlite file crash."""
        if self._connected is None:
            self.home.mkdir(parents=True, exist_ok=True)
            with (self.home / "mlflow.lock").open("w") as lock, _quiet():
                fcntl.flock(lock, fcntl.LOCK_EX)
                from mlflow import MlflowClient

                client = MlflowClient(tracking_uri=self.uri)
                client.search_experiments(max_results=1)
            self._connected = client
        return self._connected

    def _run_id(self, folder: Path, state: State, facts: Facts) -> str:
        """The folder's MLflow run: noted, or found by its token (if we died between making and noting it), or made now."""
        if state["run_id"]:
            return str(state["run_id"])
        save_state(folder, state)
        experiment = self._experiment(facts["experiment"])
        found = self.client.search_runs([experiment], f"tags.`l9.token` = '{state['token']}'", max_results=1)
        tags = {"l9.token": state["token"], "l9.kind": state["kind"], "l9.folder": folder.name, **facts.get("tags", {})}
        above = folder.parent / str(state.get("parent"))
        if state.get("parent") and (above / "track.json").is_file():
            tags |= self._parent_tag(above)
        run = found[0] if found else self.client.create_run(experiment, run_name=facts["name"], tags=tags)
        state["run_id"] = run.info.run_id
        save_state(folder, state)
        return str(run.info.run_id)

    def _parent_tag(self, above: Path) -> dict[str, str]:
        """What binds a run to the run of the folder `above`; alone there, so that two of its trainings do not make it twice."""
        with locked(above / SEND_LOCK, LONGEST_WAIT) as mine:
            if not mine:
                raise TrackingError(f"another process has been sending {above.name} for {LONGEST_WAIT:.0f} s")
            parent = read_state(above, self.uri)
            return {"mlflow.parentRunId": self._run_id(above, parent, parent)} if parent else {}

    def _experiment(self, name: str) -> str:
        known = self.client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        place = (self.home / "mlartifacts" / name).as_uri() if self.uri.startswith("sqlite:") else None
        return str(self.client.create_experiment(name, artifact_location=place))

    def _send_tags(self, folder: Path, state: State) -> State:
        """Each of the person's tags as `l9.tag.NAME`, and none that was taken away; noted, so that nothing is asked for nothing."""
        tags = read_tags(folder)
        if tags == state["sent_tags"]:
            return state
        wanted = {f"{TAG_PREFIX}{name}" for name in tags}
        there = {name for name in self.client.get_run(state["run_id"]).data.tags if name.startswith(TAG_PREFIX)}
        for name in sorted(wanted - there):
            self.client.set_tag(state["run_id"], name, "true")
        for name in sorted(there - wanted):
            self.client.delete_tag(state["run_id"], name)
        save_state(folder, state := {**state, "sent_tags": tags})
        return state

    def _send_steps(self, folder: Path, state: State, run_id: str) -> State:
        """Steps that no resume can take back, each once."""
        if state["sending"] is not None:
            there = [point.step for name in TELLING for point in self.client.get_metric_history(run_id, name)]
            reached = max(there, default=-1)
            save_state(folder, state := {**state, "sending": None, "sent_step": max(reached, state["sent_step"])})
        for batch, last in _batches(durable_records(folder, state["sent_step"])):
            save_state(folder, state := {**state, "sending": last})
            self.client.log_batch(run_id, metrics=batch)
            save_state(folder, state := {**state, "sending": None, "sent_step": last})
        return state


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow without its noise: bounded waits, its own and SQLAlchemy's deprecations, its log and that of database migrations."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _describe(client: Any, run_id: str, facts: Facts) -> None:
    """Settings as parameters, stores as data sets and tags. Sent again it changes nothing."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    params = [Param(_name(name)[:KEY_LENGTH], value[:PARAM_LENGTH]) for name, value in flattened(facts["params"]).items()]
    for start in range(0, len(params), PARAMS_PER_BATCH):
        client.log_batch(run_id, params=params[start : start + PARAMS_PER_BATCH])
    known = [Dataset(one["name"], one["digest"][:DIGEST_LENGTH], "local", json.dumps({"uri": one["source"]})) for one in facts["datasets"]]
    client.log_inputs(run_id, [DatasetInput(one, [InputTag("mlflow.data.context", "training")]) for one in known])
    for one in facts["datasets"]:
        client.set_tag(run_id, f"l9.store.{_name(one['name'])}", one["digest"])


def _name(name: str) -> str:
    """MLflow takes letters, digits and `_-. :/` in names; anything else becomes `_`."""
    return "".join(letter if letter.isalnum() or letter in "_-. :/" else "_" for letter in name)


def _batches(records: Iterator[Facts]) -> Iterator[tuple[list[Any], int]]:
    """Whole steps, as many as MLflow takes at once, and the last step of each batch."""
    from mlflow.entities import Metric

    batch: list[Any] = []
    last, now = -1, int(time.time() * 1000)
    for record in records:
        values = {name: value for name, value in record.items() if isinstance(value, int | float) and _wanted(name, record)}
        if batch and len(batch) + len(values) > METRICS_PER_BATCH:
            yield batch, last
            batch = []
        batch += [Metric(_name(name), float(value), now, record["step"]) for name, value in values.items()]
        last = record["step"]
    if batch:
        yield batch, last


def _wanted(name: str, record: Facts) -> bool:
    """Whether MLflow is told: what was found at every step, what was set at each epoch's first, where the order stands too."""
    return name != "step" and (name not in ONCE_AN_EPOCH or "order" in record)


def _send_summary(client: Any, run_id: str, folder: Path, metrics: Mapping[str, float]) -> None:
    """Final metrics, once: `test/NAME` where NAME is already a metric of the steps (the test loss beside the training loss)."""
    from mlflow.entities import Metric

    if not metrics:
        return
    there, taken = client.get_run(run_id).data.metrics, {name for record in durable_records(folder, -1) for name in record}
    named = {_name(f"test/{name}" if name in taken else name): float(value) for name, value in metrics.items()}
    new = [Metric(name, value, int(time.time() * 1000), 0) for name, value in named.items() if there.get(name) != value]
    for start in range(0, len(new), METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=new[start : start + METRICS_PER_BATCH])


def _send_files(client: Any, run_id: str, folder: Path, result: Facts) -> None:
    """Pictures, tables as CSV, outcomes, settings and result; sent again they replace themselves."""
    with tempfile.TemporaryDirectory(prefix="l9-tables-") as place:
        for name, rows in result.get("tables", {}).items():
            path = Path(place) / f"{name.replace('/', '_')}.csv"
            path.write_text(csv_text(rows), encoding="utf-8")
            client.log_artifact(run_id, str(path), "tables")
    for name in SENT_FILES:
        if (folder / name).is_file():
            client.log_artifact(run_id, str(folder / name))
    if (folder / "pictures").is_dir():
        client.log_artifacts(run_id, str(folder / "pictures"), "pictures")
