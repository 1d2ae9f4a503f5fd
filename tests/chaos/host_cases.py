"""A cluster of hosts in network namespaces, jobs sent to it, and what happens there: a machine dies, a link is cut, a driver is killed.

Every job is `l9 submit --follow` on the head, by token. What must come out: the job ends by itself with 0, the store's bytes are those of
an undisturbed `l9 prep` on this machine, metrics.jsonl holds every step once, an order for each epoch. Needs root and iproute2.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import torch
from chaos.hosts import DASHBOARD, RAY, Host, Hosts, possible, processes_in, ray_hosts
from chaos.tally import Case, Outcome

from l9.data.loader import Loader
from l9.progress import NOTE
from l9.store.store import list_stores
from l9.train.assemble import assemble
from l9.train.fit import read_job
from l9.train.result import read_result

ADDRESS = f"http://127.0.0.1:{DASHBOARD}"
L9 = [sys.executable, "-m", "l9.cli"]
PREP_SECONDS, TRAIN_SECONDS, CUT_SECONDS = 30.0, 90.0, 120.0  # in which work goes on after a loss
BEGIN_SECONDS = 10.0  # that `l9 submit` may add to Ray's own start of a job
LONGEST = 3600.0
BEGINS = r"^(resuming after step|loss at the start)"  # what a group says first: with a checkpoint, or before the first one
FIFTY = 50
SMALL = ["quickstart", "--card", "shapes", "--set", "trainings.*.schedule.epochs=8", "--set", "trainings.*.schedule.checkpoint_every=100"]
WHOLE = ["furniture_voxnet"]
ELASTIC = ["--set", "train.workers=[1,2]"]


def cases(recipe: list[str]) -> list[Case]:
    """All of them, none where namespaces cannot be made."""
    if not possible():
        return []
    trials: dict[str, Callable[[Path], Outcome]] = {
        "hosts-kills": partial(machines_die, recipe=recipe),
        "hosts-bucket": bucket_is_home,
        "hosts-cut": links_are_cut,
        "hosts-driver": driver_dies,
        "hosts-twice": sent_twice,
        "hosts-begin": jobs_begin_soon,
        "hosts-fifty": fifty_jobs,
        "hosts-doctor": faults_are_found,
    }
    return [Case(name, partial(_in_folder, trial)) for name, trial in trials.items()]


def _in_folder(trial: Callable[[Path], Outcome]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="l9-hosts-") as folder:
        return trial(Path(folder))


class Said:
    """What a job's follower says, each line with the moment it was seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[tuple[float, str]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            text = self.path.read_text(errors="replace").splitlines() if self.path.exists() else []
            self.lines += [(time.monotonic(), line) for line in text[len(self.lines) :]]
            time.sleep(0.2)

    def wait(self, pattern: str, after: float = 0.0, seconds: float = LONGEST) -> float:
        """The moment of the first line since `after` in which the pattern is found."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for moment, line in list(self.lines):
                if moment >= after and re.search(pattern, line):
                    return moment
                assert not line.startswith("l9: "), line
            time.sleep(0.1)
        told = [f"{moment - after:.1f} s: {line[:200]}" for moment, line in self.lines if moment >= after]
        raise AssertionError("\n".join([f"'{pattern}' was not said in {seconds:.0f} s, but:", *told[:20], "...", *told[-20:]]))


def _send(hosts: Hosts, folder: Path, words: list[str], home: Path | str, name: str = "job") -> "tuple[subprocess.Popen[bytes], Said]":
    out = folder / f"{name}.txt"
    process = hosts.begin(*L9, "submit", *words, "--home", str(home), "--follow", "--json", "--address", ADDRESS, out=out)
    return process, Said(out)


def machines_die(folder: Path, recipe: list[str]) -> Outcome:
    """One machine dies in the preparation and comes back, another in the training and comes back: 2, 1, 2, 1, 2 workers."""
    outcome, home = Outcome(), folder / "home"
    if recipe == WHOLE:  # the hosts have no way out
        subprocess.run([*L9, "fetch", "furniture", "--home", str(home)], check=True, capture_output=True, timeout=LONGEST)
    with ray_hosts(2) as hosts:
        process, said = _send(hosts, folder, [*recipe, *ELASTIC], home)
        said.wait(r"^prep .* objects")
        _lose(hosts, hosts.hosts[1], said, r"^prep .* objects", PREP_SECONDS, outcome)
        said.wait(r"^epoch \d+/\d+ .* left")
        time.sleep(35)  # a checkpoint is written by then
        _lose(hosts, hosts.hosts[2], said, BEGINS, TRAIN_SECONDS, outcome)
        said.wait(BEGINS, after=time.monotonic(), seconds=300)  # the group grows again
        _ended(process, outcome)
    _compare_store(folder, recipe, home, outcome)
    _compare_order(home, outcome)
    outcome.kills = 2
    return outcome


def _lose(hosts: Hosts, host: Host, said: Said, goes_on: str, limit: float, outcome: Outcome, disk: bool = False) -> None:
    """Kill a machine, wait until work goes on, bring it back; without what was on its `disk`, if that is lost too."""
    hosts.kill(host)
    if disk:
        shutil.rmtree(hosts.scratch(host), ignore_errors=True)
    began = time.monotonic()
    seconds = said.wait(goes_on, after=began, seconds=300) - began
    note(f"killed {host.ip}: goes on after {seconds:.1f} s")
    if seconds > limit:
        outcome.wrong.append(f"work went on {seconds:.0f} s after {host.ip} died; expected within {limit:.0f} s")
    hosts.start(host)


def links_are_cut(folder: Path) -> Outcome:
    """A link is cut in the preparation and one in the training; each is mended after the other machine has gone on alone."""
    outcome, home = Outcome(), folder / "home"
    with ray_hosts(2) as hosts:
        process, said = _send(hosts, folder, [*SMALL, *ELASTIC], home)
        said.wait(r"^prep .* objects")
        _cut(hosts, hosts.hosts[1], said, "is gone", outcome)
        said.wait(r"^epoch \d+/\d+ .* left")
        time.sleep(35)  # a checkpoint is written by then
        _cut(hosts, hosts.hosts[2], said, BEGINS, outcome)
        _ended(process, outcome)
    _compare_store(folder, SMALL, home, outcome)
    _compare_order(home, outcome)
    outcome.faults = 2
    return outcome


def _cut(hosts: Hosts, host: Host, said: Said, goes_on: str, outcome: Outcome) -> None:
    hosts.cut(host)
    began = time.monotonic()
    seconds = said.wait(goes_on, after=began, seconds=300) - began
    note(f"cut {host.ip}: goes on after {seconds:.1f} s")
    if seconds > CUT_SECONDS:
        outcome.wrong.append(f"work went on {seconds:.0f} s after the link of {host.ip} was cut; expected within {CUT_SECONDS:.0f} s")
    hosts.mend(host)
    hosts.kill(host)  # Ray's node ends itself once it hears that it counts as dead; ours is started again, as a service would be
    hosts.start(host)


def bucket_is_home(folder: Path) -> Outcome:
    """As `machines_die`, and no machine has a folder with another: the home is in an object store on the head; what dies loses its disk."""
    outcome = Outcome()
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}  # work goes on without
    with ray_hosts(2, **away) as hosts:
        url = _bucket(hosts, folder)
        process, said = _send(hosts, folder, [*SMALL, *ELASTIC, "--set", "trainings.*.schedule.epochs=24"], url)
        said.wait(r"^prep .* objects")
        _lose(hosts, hosts.hosts[1], said, r"^prep .* objects", PREP_SECONDS, outcome, disk=True)
        said.wait(r"^epoch \d+/\d+ .* left")
        time.sleep(35)  # a checkpoint is written and pushed by then
        _lose(hosts, hosts.hosts[2], said, "^resuming after step", TRAIN_SECONDS, outcome, disk=True)
        said.wait(BEGINS, after=time.monotonic(), seconds=300)  # the group grows again
        _ended(process, outcome)
        (about,) = hosts.scratch(hosts.head).glob("*/home.json")
        home = folder / "head"
        shutil.copytree(about.parent, home)
        if list(home.rglob("shards/*.arrow")):
            outcome.wrong.append("the head has shards, which only the workers need")
        done = hosts.run(*L9, "store", "verify", "latest", "--home", url)
        if done.returncode:
            outcome.wrong.append(done.stderr)
    _compare_manifest(folder, SMALL, home, outcome)
    _compare_order(home, outcome)
    outcome.kills = 2
    return outcome


def _bucket(hosts: Hosts, folder: Path) -> str:
    """A real S3 server on the head, reached by all hosts; the address of a home in it."""
    hosts.begin(sys.executable, "-m", "moto.server", "-H", hosts.head.ip, "-p", "5000", out=folder / "moto.txt")
    place = f"endpoint_url='http://{hosts.head.ip}:5000', region_name='us-east-1'"
    code = f"import boto3; boto3.client('s3', {place}).create_bucket(Bucket='homes')"
    end = time.monotonic() + 60
    while hosts.run(sys.executable, "-c", code).returncode:
        assert time.monotonic() < end, (folder / "moto.txt").read_text()
    return f"s3://homes/l9?endpoint_override={hosts.head.ip}:5000&scheme=http"


def driver_dies(folder: Path) -> Outcome:
    """SIGKILL to the driver of a job: it starts again by itself, and goes on with what is there."""
    outcome, home = Outcome(), folder / "home"
    with ray_hosts(2) as hosts:
        process, said = _send(hosts, folder, [*SMALL, "--verb", "prep"], home)
        said.wait(r"^prep .* objects")
        _driver(hosts).send_signal(signal.SIGKILL)
        said.wait("the driver was killed")
        _ended(process, outcome)
    _compare_store(folder, SMALL, home, outcome)
    outcome.kills = 1
    return outcome


def _driver(hosts: Hosts) -> psutil.Process:
    """The `l9 prep job.json` of the one job on the head."""
    for pid in processes_in(hosts.head.name):
        words = psutil.Process(pid).cmdline()
        if "l9.cli" in words and "job.json" in words:
            return psutil.Process(pid)
    raise AssertionError("no driver runs on the head")


def sent_twice(folder: Path) -> Outcome:
    """One run sent twice at once: one does it, the other ends with a line that names it; sent again, it is found done."""
    outcome, home = Outcome(), folder / "home"
    with ray_hosts(1, L9_JOBS_AT_ONCE="2") as hosts:
        sent = [_send(hosts, folder, SMALL, home, f"job{number}") for number in range(2)]
        codes = sorted(process.wait(LONGEST) for process, _ in sent)
        time.sleep(1)  # the last lines are read
        refused = [line for _, said in sent for _, line in said.lines if "another l9 run is at work on" in line]
        if codes != [0, 2] or len(refused) != 1 or "l9 stop" not in refused[0]:
            outcome.wrong.append(f"two at once ended with {codes}, and said {refused}")
        again, said = _send(hosts, folder, SMALL, home, "again")
        if again.wait(LONGEST) or not any("nothing to do" in line for _, line in said.lines):
            outcome.wrong.append(f"sent again it ended with {again.returncode}")
    _compare_store(folder, SMALL, home, outcome)
    _compare_order(home, outcome)
    return outcome


def jobs_begin_soon(folder: Path) -> Outcome:
    """From a command to a job that runs: `l9 submit` with its wheel beside `ray job submit` of a line of Python, three times in turn."""
    outcome = Outcome()
    line = "import time; print('it begins', time.time())"
    with ray_hosts(1) as hosts:
        for number in range(3):
            sent = time.time()
            told = hosts.run(RAY, "job", "submit", "--address", ADDRESS, "--", "python3", "-c", line).stdout
            rays = float(re.findall(r"it begins ([\d.]+)", told)[-1]) - sent
            sent = time.time()
            process, said = _send(hosts, folder, [*SMALL, "--verb", "prep"], folder / "home", f"job{number}")
            said.wait("is sent to")
            _ended(process, outcome)
            log = hosts.head.folder / "session_latest" / "logs" / f"job-driver-{said.lines[0][1].split()[0]}.log"
            noted = [json.loads(text.removeprefix(NOTE)) for text in log.read_text().splitlines() if text.startswith(NOTE)]
            ours = next(fact["time"] for fact in noted if fact.get("state") == "running") - sent
            note(f"Ray's own job runs after {rays:.1f} s, l9's after {ours:.1f} s")
            if ours - rays > BEGIN_SECONDS:
                outcome.wrong.append(f"a job ran {ours - rays:.0f} s after Ray's own; expected within {BEGIN_SECONDS:.0f} s")
    return outcome


def fifty_jobs(folder: Path) -> Outcome:
    """Fifty jobs in a row: all taken, each waits for its turn, none is lost."""
    outcome, home = Outcome(), folder / "home"
    words = [*L9, "submit", *SMALL, "--verb", "prep", "--home", str(home), "--json", "--address", ADDRESS]
    with ray_hosts(1, L9_JOBS_AT_ONCE="2") as hosts:
        names = [json.loads(hosts.run(*words).stdout.splitlines()[-1])["job"] for _ in range(FIFTY)]
        end, rows = time.monotonic() + LONGEST, {}
        while time.monotonic() < end:
            lines = hosts.run(*L9, "status", "--json", "--address", ADDRESS).stdout.splitlines()
            rows = {row["job"]: row["state"] for row in map(json.loads, lines)}
            if not set(rows.values()) & {"starting", "waiting", "running"}:
                break
            time.sleep(5)
    missing = sorted(set(names) - rows.keys())
    failed = [name for name, state in rows.items() if state != "succeeded"]
    if missing or failed or len(names) != FIFTY:
        outcome.wrong.append(f"{len(names)} were taken, {len(missing)} are not known any more, {len(failed)} did not succeed")
    return outcome


def faults_are_found(folder: Path) -> Outcome:
    """Faults planted on hosts, each found by `l9 doctor` (chaos/doctor_faults.py)."""
    words = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).with_name("doctor_faults.py"))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False)
    return Outcome(faults=int(done.returncode == 0), wrong=done.stdout.splitlines()[-5:] if done.returncode else [])


def _ended(process: "subprocess.Popen[bytes]", outcome: Outcome) -> None:
    code = process.wait(LONGEST)
    if code:
        outcome.wrong.append(f"the job ended with {code}")


def _compare_store(folder: Path, recipe: list[str], home: Path, outcome: Outcome) -> None:
    """The store of the disturbed job beside that of an undisturbed preparation here, and every byte of it."""
    _compare_manifest(folder, recipe, home, outcome)
    subprocess.run([*L9, "store", "verify", "latest", "--home", str(home)], check=True, capture_output=True, timeout=LONGEST)


def _compare_manifest(folder: Path, recipe: list[str], home: Path, outcome: Outcome) -> None:
    """The digest of every shard, of index and quarantine."""
    alone = folder / "alone"
    if (home / "raw").is_dir():
        alone.mkdir()
        shutil.copytree(home / "raw", alone / "raw")
    subprocess.run([*L9, "prep", *recipe, "--home", str(alone)], check=True, capture_output=True, timeout=LONGEST)
    (mine,), (expected,) = ([(path / "manifest.json").read_bytes() for path in list_stores(place)] for place in (home, alone))
    if mine != expected:
        outcome.wrong.append("the manifest is another than that of an undisturbed preparation")
    outcome.objects += json.loads(expected)["counts"]["planned"]


def _compare_order(home: Path, outcome: Outcome) -> None:
    """Every step of every training once, and for each epoch the order in which one process that nobody disturbs sees its samples."""
    for path in sorted(home.glob("runs/*/metrics.jsonl")):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        if [record["step"] for record in records] != list(range(len(records))):
            outcome.wrong.append(f"{path.parent.name}: not every step once")
        orders = [record["order"] for record in records if "order" in record]
        job = read_job(path.parent, home)
        assembly = assemble(job, torch.device("cpu"))
        batch, elements = assembly.schedule.batch, assembly.schedule.elements
        alone = Loader(assembly.learnt, assembly.columns, seed=job["seed"], batch=batch, elements=elements)
        if orders != [alone.order_digest(epoch) for epoch in range(records[-1]["epoch"] + 1)]:
            outcome.wrong.append(
                f"{path.parent.name}: {len(orders)} orders of {records[-1]['epoch'] + 1} epochs are not those of one process"
            )
        note(f"{path.parent.name}: {len(records)} steps, {len(orders)} orders; {read_result(path.parent)['metrics']}")


def note(line: str) -> None:
    """A figure that was seen."""
    print(f"{time.strftime('%H:%M:%S')}   {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    chosen = {"machines_die": partial(machines_die, recipe=WHOLE if "whole" in sys.argv else SMALL), "links_are_cut": links_are_cut}
    chosen |= {"driver_dies": driver_dies, "fifty_jobs": fifty_jobs, "faults_are_found": faults_are_found}
    chosen |= {"bucket_is_home": bucket_is_home, "sent_twice": sent_twice, "jobs_begin_soon": jobs_begin_soon}
    for word in (word for word in sys.argv[1:] if word in chosen):
        found = _in_folder(chosen[word])
        note(f"{word}: {found.wrong or 'as it should be'}")
