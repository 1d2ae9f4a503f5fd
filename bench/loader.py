"""Loaders side by side: 5,000 records of a 32^3 float16 grid and 2,048 x 6 float32 points, batches of 64 in random order, warm cache.

run     python bench/loader.py                      (make bench ONLY=loader)
peers   arrays in RAM gathered into reused memory (the limit), np.memmap with fancy indexing, Hugging Face `datasets` tuned by hand
        (records as bytes, read through Arrow) and as its documentation has it (Array3D), WebDataset tar shards with a shuffle buffer
prints  records/s of each, ratios to l9 round by round, time to the first batch of a fresh process, to the first after a resume, and
        whether an epoch showed every record once

Every contestant hands out tensors in the stored dtype, in one process, with the threads that torch has.
"""

import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from records import store_of
from rounds import medians, options, ratio, report, round_robin, say

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.store.columns import Column, Row
from l9.store.store import find_store

RECORDS, BATCH, SHARDS = 5_000, 64, 16
SECONDS = 1.0  # measured at least: an epoch of the fastest takes a twentieth of that
GRID, POINTS = (32, 32, 32), (2048, 6)
COLUMNS = (Column("grid", "float16", GRID), Column("points", "float32", POINTS))
Batch = tuple[torch.Tensor, torch.Tensor]


def record(number: int) -> Batch:
    """One record's arrays, a function of its number."""
    draw = np.random.default_rng(number)
    return draw.standard_normal(GRID, np.float32).astype(np.float16), draw.standard_normal(POINTS, np.float32)


def order(seed: int) -> np.ndarray:
    """The places of whole batches: (batches, 64)."""
    return np.random.default_rng(seed).permutation(RECORDS)[: RECORDS // BATCH * BATCH].reshape(-1, BATCH)


def row(number: int) -> Row:
    """One record as a row of a store."""
    grid, points = record(number)
    return {"grid": grid, "points": points}


class L9:
    """l9's own loader."""

    def __init__(self, folder: Path) -> None:
        store = store_of(folder / "home", "loader", COLUMNS, RECORDS, row, shards=SHARDS)
        self.loader = Loader(Samples.of(store), ("grid", "points"), seed=0, batch=BATCH)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Batches of an epoch."""
        for batch in self.loader.epoch(number):
            yield batch.fixed("grid"), batch.fixed("points")


class Arrays:
    """Two .npy files: mapped and indexed, or loaded whole and gathered into memory that is used again."""

    def __init__(self, folder: Path, *, mapped: bool) -> None:
        paths = [folder / "grid.npy", folder / "points.npy"]
        if not all(path.is_file() for path in paths):
            grids, points = zip(*(record(number) for number in range(RECORDS)), strict=True)
            np.save(paths[0], np.stack(grids))
            np.save(paths[1], np.stack(points))
        self.mapped = mapped
        self.arrays = [np.load(path, mmap_mode="r" if mapped else None) for path in paths]
        self.filled = [np.empty((BATCH, *array.shape[1:]), array.dtype) for array in self.arrays]

    def epoch(self, number: int) -> Iterator[Batch]:
        """Batches of an epoch."""
        for chosen in order(number):
            if self.mapped:
                grid, points = (array[chosen] for array in self.arrays)
            else:
                grid, points = (np.take(a, chosen, 0, out=f, mode="clip") for a, f in zip(self.arrays, self.filled, strict=True))
            yield torch.from_numpy(grid), torch.from_numpy(points)


class HuggingFace:
    """`datasets`: tuned by hand (bytes, Arrow format, NumPy views) or as documented (Array3D, torch format)."""

    def __init__(self, folder: Path, *, tuned: bool) -> None:
        import datasets

        datasets.disable_progress_bars()
        self.tuned = tuned
        path = folder / ("hf-tuned" if tuned else "hf-documented")
        if not path.is_dir():
            kinds: dict[str, Any] = {"grid": datasets.Value("binary"), "points": datasets.Value("binary")}
            if not tuned:
                kinds = {"grid": datasets.Array3D(GRID, "float16"), "points": datasets.Array2D(POINTS, "float32")}
            say(f"writing {path.name}")
            made = datasets.Dataset.from_generator(self._rows, features=datasets.Features(kinds), cache_dir=str(folder / "hf-cache"))
            made.save_to_disk(path)
            shutil.rmtree(folder / "hf-cache", ignore_errors=True)
        self.data = datasets.load_from_disk(str(path)).with_format("arrow" if tuned else "torch")

    def _rows(self) -> Iterator[dict[str, Any]]:
        for number in range(RECORDS):
            grid, points = record(number)
            yield {"grid": grid.tobytes(), "points": points.tobytes()} if self.tuned else {"grid": grid, "points": points}

    def epoch(self, number: int) -> Iterator[Batch]:
        """Batches of an epoch."""
        for chosen in order(number):
            rows = self.data[chosen]
            yield (
                (_of_bytes(rows["grid"], np.float16, GRID), _of_bytes(rows["points"], np.float32, POINTS))
                if self.tuned
                else (
                    rows["grid"],
                    rows["points"],
                )
            )


def _of_bytes(column: Any, dtype: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """A binary Arrow column of one batch as a tensor without a copy of its values."""
    array = column.combine_chunks()
    whole = np.frombuffer(array.buffers()[2], dtype)
    start = array.offset * int(np.prod(shape))
    return torch.from_numpy(whole[start : start + len(array) * int(np.prod(shape))].reshape(len(array), *shape))


class WebDataset:
    """Tar shards of .npy files, a shuffle buffer of 1,000."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "wds"
        if not (self.folder / "done").is_file():
            self.folder.mkdir(exist_ok=True)
            for shard in range(SHARDS):
                with tarfile.open(self.folder / f"{shard:02d}.tar", "w") as archive:
                    for number in range(shard, RECORDS, SHARDS):
                        for ending, array in zip(("grid.npy", "points.npy"), record(number), strict=True):
                            content = io.BytesIO()
                            np.save(content, array)
                            about = tarfile.TarInfo(f"{number:05d}.{ending}")
                            about.size = content.tell()
                            archive.addfile(about, io.BytesIO(content.getvalue()))
            (self.folder / "done").touch()

    def epoch(self, number: int) -> Iterator[Batch]:
        """Batches of an epoch."""
        import webdataset

        shards = [str(path) for path in sorted(self.folder.glob("*.tar"))]
        made = webdataset.WebDataset(shards, shardshuffle=SHARDS, seed=number, empty_check=False).shuffle(1000, seed=number)
        for grid, points in made.decode().to_tuple("grid.npy", "points.npy").batched(BATCH, partial=False):
            yield torch.as_tensor(np.asarray(grid)), torch.as_tensor(np.asarray(points))


def pace(epoch: Callable[[int], Iterator[Batch]]) -> Callable[[int], float]:
    """Records per second over whole epochs of at least a second; a batch is held until the next is there, as in a training loop."""

    def measure(number: int) -> float:
        start, seen = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            for grid, points in epoch(number + seen):
                assert grid.shape[1:] == GRID and points.shape[1:] == POINTS
                seen += len(grid)
        return seen / (time.perf_counter() - start)

    return measure


def first_batch(folder: Path) -> None:
    """In a fresh process, libraries imported: milliseconds to open the store and hand out the first batch, then after a resume."""
    start = time.perf_counter()
    loader = Loader(Samples.of(find_store(folder / "home", "latest")), ("grid", "points"), seed=0, batch=BATCH)
    next(loader.epoch(0))
    first = time.perf_counter() - start
    start = time.perf_counter()
    next(loader.epoch(3, start_step=40))
    print(json.dumps({"first_ms": 1e3 * first, "resume_ms": 1e3 * (time.perf_counter() - start)}))


def started(folder: Path, times: int) -> dict[str, float]:
    """Medians of `first_batch` over fresh processes."""
    command = [sys.executable, __file__, "--work", str(folder), "--first"]
    answers = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(times)]
    return {name: statistics.median(answer[name] for answer in answers) for name in answers[0]}


def full_permutation(loader: Loader) -> bool:
    """Whether an epoch shows every record of whole batches once, and the last short cut is all that is left out."""
    seen = np.concatenate([batch.samples for batch in loader.epoch(5)])
    return len(set(seen.tolist())) == len(seen) == RECORDS // BATCH * BATCH


def main() -> None:
    """Measure and report."""
    given = options(__doc__.splitlines()[0], first={"action": "store_true", "help": "only time to the first batch, in this process"})
    folder: Path = given.work / "loader" if not given.first else given.work
    folder.mkdir(parents=True, exist_ok=True)
    if given.first:
        first_batch(folder)
        return
    ours = L9(folder)
    makers: dict[str, Callable[[int], Iterator[Batch]]] = {
        "l9": ours.epoch,
        "ram": Arrays(folder, mapped=False).epoch,
        "memmap": Arrays(folder, mapped=True).epoch,
        "datasets tuned": HuggingFace(folder, tuned=True).epoch,
        "datasets documented": HuggingFace(folder, tuned=False).epoch,
        "webdataset": WebDataset(folder).epoch,
    }
    contestants = {name: pace(epoch) for name, epoch in makers.items()}
    say("one epoch each to warm the cache")
    round_robin(contestants, 1)
    figures = round_robin(contestants, given.rounds)
    ratios = {name: ratio(figures, "l9", name) for name in figures if name != "l9"}
    for name, value in medians(figures).items():
        say(f"{name:24} {value:10,.0f} records/s   l9 is {ratios.get(name, 1.0):.2f} x that")
    report(
        {
            "bench": "loader",
            "records_per_second": medians(figures),
            "l9_over": ratios,
            **started(folder, given.rounds),
            "full_permutation": full_permutation(ours.loader),
        }
    )


if __name__ == "__main__":
    main()
