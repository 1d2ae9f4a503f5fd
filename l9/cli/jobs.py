"""Verbs about a cluster: `submit`, `status`, `logs`, `stop`, `doctor`."""

from typing import Annotated, Any

import typer

from l9.cli.words import AsJson, CardName, Packages, Rehash, Settings, Workers, answer, row

ClusterAddress = Annotated[
    str, typer.Option("--address", envvar="L9_CLUSTER", help="The cluster's dashboard, http://127.0.0.1:8265 through a tunnel.")
]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="A job's name, a unique prefix, or latest.")]
DASHBOARD = "http://127.0.0.1:8265"


def submit(
    recipe: str,
    settings: Settings = [],  # noqa: B006 (typer reads the default, nothing writes to it)
    address: ClusterAddress = DASHBOARD,
    follow: Annotated[bool, typer.Option("--follow", help="Say what it says until it ends, and end as it ends.")] = False,
    verb: Annotated[str, typer.Option("--verb", help="run, or prep: only prepare the data.")] = "run",
    home: Annotated[str | None, typer.Option("--home", help="As the cluster's nodes see it; default: L9_HOME there.")] = None,
    card: CardName = None,
    root: Annotated[str | None, typer.Option("--root", help="Folder of the (first) dataset's files, as the nodes see it.")] = None,
    workers: Workers = None,
    packages: Packages = [],  # noqa: B006
    tracking: Annotated[str | None, typer.Option("--tracking", help="MLflow server, as the cluster sees it.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again even where the result is there.")] = False,
    rehash: Rehash = False,
    as_json: AsJson = False,
) -> None:
    """Send a recipe to a Ray cluster: the resolved recipe and wheels travel, never the working folder."""
    from l9.cli.recipes import resolved_pipeline
    from l9.cluster.client import Cluster
    from l9.cluster.follow import follow as follow_job
    from l9.cluster.submit import Request
    from l9.cluster.submit import submit as send
    from l9.cluster.wheels import bring_packages, own_wheel
    from l9.errors import UsageError
    from l9.progress import say

    if verb not in ("run", "prep"):
        raise UsageError(f"--verb {verb}: expected run or prep")
    wheels = bring_packages(packages)
    pipeline = resolved_pipeline(recipe, settings, card)
    cluster = Cluster(address)
    job = send(cluster, pipeline, Request(verb, home, _arguments(verb, root, workers, tracking, fresh, rehash)), [*wheels, own_wheel()])
    if not follow:
        answer({"job": job, "address": cluster.address}, as_json, f"{job} is sent.  l9 logs {job} -f --address {cluster.address}")
        return
    say(f"{job} is sent to {cluster.address}")
    code, report = follow_job(cluster, job, say)
    _report(job, report, as_json)
    raise typer.Exit(code)


def _arguments(verb: str, root: str | None, workers: int | None, tracking: str | None, fresh: bool, rehash: bool) -> tuple[str, ...]:
    """Options that travel as they are."""
    valued = {"--root": root, "--workers": workers, "--tracking": tracking}
    flags = {"--fresh": fresh and verb == "run", "--rehash": rehash}
    given = [word for name, value in valued.items() if value is not None for word in (name, str(value))]
    return (*given, *(name for name, wanted in flags.items() if wanted))


def _report(job: str, report: dict[str, Any] | None, as_json: bool) -> None:
    """What the job answered, as `l9 run` or `l9 prep` would have printed it here."""
    from l9.cli.recipes import report_text

    if report is not None:
        answer({"job": job, **report}, as_json, report_text(report))


def status(
    job: Annotated[str | None, typer.Argument(metavar="JOB")] = None, address: ClusterAddress = DASHBOARD, as_json: AsJson = False
) -> None:
    """Jobs on a cluster, newest first; with a name: how far that one is, node by node."""
    from l9.cluster.client import Cluster
    from l9.cluster.follow import find_job, job_row, own_jobs, progress_lines
    from l9.progress import duration

    cluster = Cluster(address)
    chosen = own_jobs(cluster) if job is None else [cluster.job(find_job(cluster, job))]
    for one in chosen:
        about = job_row(cluster, one)
        state = f"{about['state']} ({about['place']} before it)" if about["place"] else about["state"]
        took = duration(about["seconds"]) if about["seconds"] is not None else ""
        lines = [f"{about['job']:44} {state:22} {about['verb']:5} {took}".rstrip(), *progress_lines(about["progress"])]
        row(about, as_json, "\n".join(lines))


def logs(
    job: JobName,
    address: ClusterAddress = DASHBOARD,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Until the job ends; ends as the job ends.")] = False,
) -> None:
    """What a job said."""
    from l9.cluster.client import Cluster
    from l9.cluster.follow import find_job, read_words
    from l9.cluster.follow import follow as follow_job

    cluster = Cluster(address)
    name = find_job(cluster, job)
    if follow:
        code, report = follow_job(cluster, name, print)
        _report(name, report, as_json=False)
        raise typer.Exit(code)
    print("\n".join(read_words(cluster.logs(name)).lines))


def stop(job: JobName, address: ClusterAddress = DASHBOARD, as_json: AsJson = False) -> None:
    """Ask a job to end; sent again, it goes on: a training from its last checkpoint, at most about 30 s old."""
    from l9.cluster.client import Cluster
    from l9.cluster.follow import find_job
    from l9.errors import UsageError

    cluster = Cluster(address)
    name = find_job(cluster, job)
    if not cluster.stop(name):
        state = str(cluster.job(name)["status"]).lower()
        raise UsageError(f"{name} has ended already ({state}); nothing to stop.  l9 logs {name} --address {cluster.address}")
    answer({"job": name, "stopped": True}, as_json, f"{name} is asked to stop.  l9 status {name} --address {cluster.address}")


def doctor(
    address: ClusterAddress = DASHBOARD,
    home: Annotated[str | None, typer.Option("--home", help="As the cluster's nodes see it; default: L9_HOME there.")] = None,
    tracking: Annotated[str | None, typer.Option("--tracking", help="MLflow server, as the cluster sees it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find out what is wrong with a cluster before a job does; ends with 1 where something is."""
    from l9.cluster.doctor import examine, findings, report_lines, report_rows
    from l9.progress import say

    facts = examine(address, home, tracking, say)
    found = findings(facts)
    if as_json:
        for one in report_rows(facts, found):
            row(one, as_json, "")
    else:
        print("\n".join(report_lines(facts, found)))
    raise typer.Exit(1 if found else 0)
