"""Fuzz the readers, one target after the other: `make fuzz SHORT=1`, or without SHORT for half a processor hour each.

    python tests/fuzz/fuzz_run.py [--seconds N] [--corpus DIR] [TARGET ...]

DIR (default build/fuzz, or L9_FUZZ) holds for each target its corpus, so that a run goes on where the last one ended, the inputs that
failed, and totals.json: executions and processor seconds of all runs so far. An input that kills a C library is read again through
the real sandbox: where that holds, it is counted as contained and the target goes on. Prints a table, then one line of JSON; ends
with 1 where a target failed, naming the input. Put that input into tests/attacks/ with the mend.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
IMPORTABLE = [str(HERE.parent), str(HERE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
sys.path[:0] = IMPORTABLE[:2]

from fuzz_targets import TARGETS, Target, names  # noqa: E402

from l9.errors import RefusedObject, SandboxError  # noqa: E402
from l9.prep.work import new_sandbox  # noqa: E402
from l9.sandbox.contract import Limits  # noqa: E402

ONE_INPUT_SECONDS, MEMORY_MIB = 10, 2048
MAX_BYTES = 1 << 16  # of one input: enough for every shape of a header, small enough for thousands a second
SHORT_SECONDS, LONG_SECONDS = 12, 1800  # of each target; a start takes 2 more


@dataclasses.dataclass
class Totals:
    """What was done to one target in all runs so far."""

    executions: int = 0
    cpu_seconds: float = 0.0
    crashes: int = 0
    contained: int = 0
    slowest_seconds: float = 0.0
    peak_mib: int = 0


def main() -> int:
    """0 where every target held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=SHORT_SECONDS if os.environ.get("SHORT") else LONG_SECONDS)
    parser.add_argument("--corpus", type=Path, default=Path(os.environ.get("L9_FUZZ", HERE.parent.parent / "build" / "fuzz")))
    options = parser.parse_args()
    totals = _kept(options.corpus / "totals.json")
    failed: list[Path] = []
    chosen = names(options.targets)
    print(f"{'target':14}{'executions':>12}{'a second':>10}{'contained':>11}{'slowest s':>11}{'peak MiB':>10}", flush=True)
    for name in chosen:
        total, before = totals.setdefault(name, Totals()), dataclasses.replace(totals.get(name, Totals()))
        failed += _fuzz(name, options.corpus / name, options.seconds, total)
        _keep(options.corpus / "totals.json", totals)
        rate = (total.executions - before.executions) / max(0.1, total.cpu_seconds - before.cpu_seconds)
        print(
            f"{name:14}{total.executions:12,}{rate:10,.0f}{total.contained:11,}{total.slowest_seconds:11.3f}{total.peak_mib:10,}",
            flush=True,
        )
    for path in failed:
        print(f"failed on {path}", file=sys.stderr)
    print(json.dumps(_summary([totals[name] for name in chosen], len(failed))))
    return 1 if failed else 0


def _summary(totals: list[Totals], crashes: int) -> dict[str, float]:
    return {
        "targets": len(totals),
        "executions": sum(total.executions for total in totals),
        "crashes": crashes,
        "contained": sum(total.contained for total in totals),
        "slowest_seconds": max(total.slowest_seconds for total in totals),
        "peak_mib": max(total.peak_mib for total in totals),
    }


def _fuzz(name: str, folder: Path, seconds: int, total: Totals) -> list[Path]:
    """Run one target for so many seconds, going on behind inputs that were contained; the inputs that failed."""
    target = TARGETS[name]
    for part in ("corpus", "found", "contained"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for path in (folder / "found").iterdir():  # of an earlier run: mended or not, it is tried again
        path.rename(folder / "corpus" / path.name)
    for seed in target.seeds():
        (folder / "corpus" / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 1:
        ended_well = _session(name, folder, int(left), total)
        found = sorted((folder / "found").iterdir())
        kept = [path for path in found if not (target.library and _contained(target, path))]
        for path in set(found) - set(kept):
            path.rename(folder / "contained" / path.name)
            total.contained += 1
        if kept or not (ended_well or found):
            total.crashes += 1
            return kept or [folder / "log"]
    return []


def _session(name: str, folder: Path, seconds: int, total: Totals) -> bool:
    """One process of the fuzzer, which ends at its first failing input; False where it did."""
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={ONE_INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-max_len={MAX_BYTES}",
        f"-artifact_prefix={folder / 'found'}/",
        "-print_final_stats=1",
    ]
    slowest = folder / "slowest"
    slowest.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "log").open("wb") as log:
        command = [sys.executable, str(HERE / "fuzz_one.py"), name, str(slowest), *options, str(folder / "corpus")]
        code = subprocess.run(
            command, stdout=log, stderr=log, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(IMPORTABLE)}
        ).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = dict(re.findall(r"stat::(\w+):\s+(\d+)", (folder / "log").read_text(encoding="utf-8", errors="replace")))
    total.executions += int(told.get("number_of_executed_units", 0))
    total.cpu_seconds += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    total.slowest_seconds = max(total.slowest_seconds, float(slowest.read_text()) if slowest.exists() else 0.0)
    total.peak_mib = max(total.peak_mib, int(told.get("peak_rss_mb", 0)))
    return code == 0


def _contained(target: Target, path: Path) -> bool:
    """Whether the real sandbox outlives this input and says what became of the object."""
    parts = target.split(path.read_bytes())
    files = [path.with_suffix(f".part{number}") for number in range(len(parts))]
    try:
        for file, part in zip(files, parts, strict=True):
            file.write_bytes(part)
        found = {**target.described().describe(), "files": [file.name for file in files]}
        arguments = {"reader": target.reader, "found": found, "up": "+Y", "parameters": {}, "stages": []}
        with new_sandbox(Limits(cpu_seconds=ONE_INPUT_SECONDS)) as sandbox:
            try:
                sandbox.call("l9.stages.process:process_object", arguments, files)
            except (RefusedObject, SandboxError) as refusal:
                print(f"{path.name} contained: {refusal}", file=sys.stderr)
            return True
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _kept(path: Path) -> dict[str, Totals]:
    return {name: Totals(**told) for name, told in json.loads(path.read_text()).items()} if path.exists() else {}


def _keep(path: Path, totals: dict[str, Totals]) -> None:
    path.write_text(json.dumps({name: dataclasses.asdict(total) for name, total in totals.items()}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
