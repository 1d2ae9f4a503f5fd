"""A whole run: prepare the sets, run every training for every seed, gather metrics, track it all; nothing that is there is done again."""

import dataclasses
import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l9.cards import load_card
from l9.config import Pipeline, Training, Use, with_defaults
from l9.evaluate.curves import write_curves
from l9.evaluate.initial import bring_weights, initial_weights
from l9.evaluate.runs import mlflow_id
from l9.evaluate.strips import write_side_by_side
from l9.fingerprint import digest
from l9.prep.sets import Options, Prepared, prepare_sets
from l9.progress import Say
from l9.store.publish import atomic_write
from l9.track.server import require_server
from l9.typed import to_plain


def prepare(pipeline: Pipeline, options: Options, say: Say) -> dict[str, Any]:
    """`l9 prep`: every set prepared and tracked. The first set's figures stand at the top, each set's under `sets`."""
    from l9.track import Tracker

    start = time.monotonic()
    require_server(options.place, options.tracking)
    prepared = prepare_sets(pipeline, options, say)
    reports = {one.name: one.report() for one in prepared}
    first = next(iter(reports.values()))
    seconds = round(time.monotonic() - start, 3)
    options.place.pull_run(options.home / "runs" / ".prep")
    tracker = Tracker(options.home, options.tracking, say)
    tracker.catch_up()
    machines = {one.name: one.counts.machines for one in prepared}
    made = any(one.counts.made for one in prepared)
    tracker.log_prep(pipeline.name, pipeline.describe(), reports, seconds, machines=machines, made=made)
    options.place.push_run(options.home / "runs" / ".prep")
    return {**first, "seconds": seconds, "recipe": pipeline.name, "sets": reports}


@dataclass(frozen=True)
class Job:
    """One training with one seed: what the training worker is given, and where it keeps its files."""

    training: Training
    seed: int
    key: str
    folder: Path
    about: dict[str, Any]


def run_pipeline(pipeline: Pipeline, options: Options, say: Say) -> dict[str, Any]:
    """`l9 run`: prepare, train, evaluate, track. raises UsageError, TrainingError; interrupted work continues when asked again."""
    from l9.track import Tracker

    start = time.monotonic()
    pipeline = placed(pipeline, options)
    require_server(options.place, options.tracking)
    check_schedules(pipeline)
    bring_weights(pipeline.trainings, options.init, options.place, say)
    prepared = prepare_sets(pipeline, options, say)
    jobs = make_jobs(pipeline, prepared, options)
    key = digest([pipeline.name, [one.manifest_digest for one in prepared], [job.key for job in jobs]])
    folder = options.home / "runs" / f"{pipeline.name}-{key[:12]}"
    finished = folder / "run.json"
    options.place.pull_run(folder)
    tracker = Tracker(options.home, options.tracking, say)
    tracker.catch_up()
    if finished.is_file() and not options.fresh:
        say(f"{folder.name} is finished: nothing to do (--fresh trains again)")
        return {**_stored(finished), "seconds": round(time.monotonic() - start, 3)}
    finished.unlink(missing_ok=True)
    with tracker.run(folder, pipeline.name, pipeline.describe(), {one.name: one.report() for one in prepared}) as run_id:
        options.place.push_run(folder)
        results = [_train(job, pipeline, options, tracker, say) for job in jobs]
        metrics = gather_metrics([(job.training.name, result["metrics"]) for job, result in zip(jobs, results, strict=True)])
        write_curves(folder, [(job.training.name, result) for job, result in zip(jobs, results, strict=True)], pipeline.name)
        write_side_by_side(folder, [(job.training.name, job.folder) for job in jobs], pipeline.name)
        tracker.log_metrics(folder, metrics)
    first = prepared[0].report()
    report = {
        "kind": "run",
        "recipe": pipeline.name,
        "run": folder.name,
        "run_id": run_id or folder.name,
        "store": first["store"],
        "manifest": first["manifest"],
        "stores": {one.name: one.report() for one in prepared},
        "trainings": [job.folder.name for job in jobs],
        "metrics": metrics,
        "finished": time.time(),
        "seconds": round(time.monotonic() - start, 3),
    }
    atomic_write(finished, json.dumps(report, indent=1).encode())
    options.place.push_run(folder)
    return report


def check_schedules(pipeline: Pipeline) -> None:
    """RecipeError where a network that learns has no schedule: only a frozen one, whose task has no players, does without.

    To ask that before any work, task and network are built once more; with classes of no meaning where only the data tells them.
    """
    from l9.train.assemble import check_schedule

    for training in pipeline.trainings:
        if training.model is None or training.schedule is not None:
            continue
        about = pipeline.sets[(training.sets or tuple(pipeline.sets))[0]]
        card = load_card(about.card)
        known = card.class_names(about.classes) if about.classes else sorted({row["class"] for row in card.label_rows.values()})
        check_schedule(training, tuple(known) or ("first", "second"), card.axes.up)


def placed(pipeline: Pipeline, options: Options) -> Pipeline:
    """The recipe as it runs at an address: a training of one process is one worker's, since a cluster's head computes nothing."""
    if options.address is None or pipeline.train.workers != 0:
        return pipeline
    return dataclasses.replace(pipeline, train=dataclasses.replace(pipeline.train, workers=1))


def _stored(path: Path) -> dict[str, Any]:
    """The report of a finished run, with the id that MLflow gave it since, if it was away then."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**report, "run_id": mlflow_id(path.parent) or report["run_id"]}


def make_jobs(pipeline: Pipeline, prepared: list[Prepared], options: Options) -> list[Job]:
    """Every training for every seed, with its key: settings, data and versions, and nothing else."""
    sets = {one.name: one for one in prepared}
    jobs: list[Job] = []
    for seed in pipeline.seeds:
        earlier: dict[str, Path] = {}
        for training in pipeline.trainings:
            job = _job(pipeline, training, seed, sets, earlier, options)
            earlier[training.name] = job.folder
            jobs.append(job)
    return jobs


def _job(pipeline: Pipeline, training: Training, seed: int, sets: dict[str, Prepared], earlier: dict[str, Path], options: Options) -> Job:
    learnt = [sets[name] for name in training.sets or ()]
    used = list({one.name: one for one in (*learnt, *(sets[name] for name in training.test or ()))}.values())
    up = used[0].card.axes.up
    fill: dict[str, Any] = {"classes": merged_classes(learnt), "up": up}
    resolved = dataclasses.replace(
        training,
        task=with_defaults(training.task, fill=fill),
        model=None if training.model is None else with_defaults(training.model, fill=fill),
        init=options.init if options.init and training.model else training.init,
    )
    init = initial_weights(resolved, earlier, options.place)
    train = {name: value for name, value in dataclasses.asdict(pipeline.train).items() if name != "gpus"}
    data = {one.name: [one.manifest_digest, list(one.classes), one.about.fold] + ["whole"] * one.about.whole for one in used}
    settings = to_plain(dataclasses.replace(resolved, init=None))  # weights are known by their bytes, not by how they were named
    key = digest([settings, data, seed, train, _versions(resolved), options.overfit, init[1]])
    folder = options.home / "runs" / f"{pipeline.name}{'-' if training.name else ''}{training.name}-s{seed}-{key[:12]}"
    about = {
        "kind": "training",
        "recipe": pipeline.name,
        "key": key,
        "training": to_plain(resolved),
        "train": dataclasses.asdict(pipeline.train),
        "seed": seed,
        "sets": {one.name: _set_facts(one, options.home) for one in used},
        "overfit": options.overfit,
        "up": up,
        "init": init[0],
    }
    return Job(resolved, seed, key, folder, about)


def merged_classes(learnt: list[Prepared]) -> list[str]:
    """The classes of sets learnt together: as they stand where all agree, else merged and sorted (as `Samples.concat` does)."""
    first = learnt[0].classes
    if all(one.classes == first for one in learnt):
        return list(first)
    return sorted({name for one in learnt for name in one.classes})


def _set_facts(one: Prepared, home: Path) -> dict[str, Any]:
    return {
        "store": os.path.relpath(one.store.path, home),
        "manifest": one.manifest_digest,
        "classes": list(one.classes),
        "fold": one.about.fold,
        "whole": one.about.whole,
        "card": one.card.describe() | {"tables": {}},
        "prep": one.about.prep.to_plain(),
    }


def _versions(training: Training) -> list[int]:
    targets: list[Use | None] = [training.task, training.model]
    return [int(getattr(use.resolve(), "version", 1)) for use in targets if use is not None]


def _train(job: Job, pipeline: Pipeline, options: Options, tracker: Any, say: Say) -> dict[str, Any]:
    from l9.train.fit import fit
    from l9.train.in_step import in_step

    say(f"training {job.folder.name}")
    stores = [] if options.address else [facts["store"] for facts in job.about["sets"].values()]  # there, workers bring what they need
    with in_step(options.place, job.folder, stores, fresh=options.fresh, say=say) as push:
        job.folder.mkdir(parents=True, exist_ok=True)
        atomic_write(job.folder / "training.json", json.dumps(job.about, indent=1).encode())

        def durable(run_dir: Path) -> None:
            tracker.sync(run_dir)
            push(run_dir)

        with tracker.training(job.folder):
            return fit(job.folder, place=options.place, address=options.address, fresh=options.fresh, say=say, on_checkpoint=durable)


def gather_metrics(results: list[tuple[str, dict[str, float]]]) -> dict[str, float]:
    """`metric[/test set][/training]`: the mean over seeds; with several seeds also `…/std` (n - 1) and `…/n`."""
    values: dict[str, list[float]] = {}
    for training, metrics in results:
        for name, value in metrics.items():
            values.setdefault(f"{name}/{training}" if training else name, []).append(float(value))
    gathered: dict[str, float] = {}
    for name, seen in values.items():
        gathered[name] = statistics.fmean(seen)
        if len(seen) > 1:
            gathered[f"{name}/std"] = statistics.stdev(seen)
            gathered[f"{name}/n"] = float(len(seen))
    return gathered
