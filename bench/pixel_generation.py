"""Generating pictures with PixelCNNs, pixel by pixel: caches against the whole network for every pixel.

run     python bench/pixel_generation.py
peers   the naive way: the whole network over the whole picture for each pixel, 784 times
prints  for the gated and the plain network as built by default, binary, 28x28 pixels, a batch of 64: seconds of both ways, their ratio
        round by round, pictures/s, and how many of the 50,176 values differ (none is wanted; both are drawn from the same numbers)

First weights: what is measured does not depend on them. float32, as trained; the naive way takes minutes, so one round unless told otherwise.
"""

import sys
import time
from collections.abc import Callable

import torch
from rounds import medians, options, ratio, report, round_robin, say
from torch import Tensor

from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn
from l9.models.pixel_generation import generate, uniform_draws

SHAPE = (1, 28, 28)
BUILDS: dict[str, Callable[[], PixelCnn | GatedPixelCnn]] = {"gated": GatedPixelCnn, "plain": PixelCnn}


def contestants(model: PixelCnn | GatedPixelCnn, draws: Tensor, found: dict[str, Tensor]) -> dict[str, Callable[[int], float]]:
    """Both ways, each leaving its pictures in `found`."""

    def way(name: str) -> Callable[[int], float]:
        def measure(_round: int) -> float:
            start = time.perf_counter()
            found[name] = generate(model, draws, cached=name == "cached")
            return time.perf_counter() - start

        return measure

    return {name: way(name) for name in ("cached", "naive")}


def main() -> None:
    """Measure, and print."""
    chosen = options(
        __doc__.splitlines()[0],
        batch={"type": int, "default": 64},
        threads={"type": int, "default": 1},
        networks={"nargs": "+", "choices": sorted(BUILDS), "default": list(BUILDS)},
    )
    rounds = chosen.rounds if any(word.startswith("--rounds") for word in sys.argv) else 1
    torch.set_num_threads(chosen.threads)
    rows = {}
    for name in chosen.networks:
        torch.manual_seed(chosen.seed)
        draws, found = uniform_draws(chosen.seed, range(chosen.batch), SHAPE), dict[str, Tensor]()
        seconds = round_robin(contestants(BUILDS[name](), draws, found), rounds)
        middle = medians(seconds)
        rows[name] = {
            "seconds": middle,
            "naive_over_cached": ratio(seconds, "naive", "cached"),
            "pictures_per_second": chosen.batch / middle["cached"],
            "values_that_differ": int((found["cached"] != found["naive"]).sum()),
        }
        say(f"{name}: naive {middle['naive']:.1f} s, cached {middle['cached']:.2f} s, ratio {rows[name]['naive_over_cached']:.0f}")
    report({"bench": "pixel_generation", "batch": chosen.batch, "threads": chosen.threads, "rounds": rounds, "rows": rows})


if __name__ == "__main__":
    main()
