"""Generating pictures with PixelCNNs, pixel by pixel: caches against the whole network for every pixel.

run     python bench/pixel_generation.py            (5 minutes beside other work; --whole: an hour)
peers   the naive way: the whole network over the whole picture for each of the 784 pixels. It is timed on 14 of them a round, other ones
        each round, and scaled: every pixel costs it the same. With --whole it draws whole pictures, once
prints  for the gated and the plain network as built by default, binary, 28x28 pixels, a batch of 64: seconds of both ways, their ratio
        round by round, pictures/s, and how many of the naive way's values differ (none is wanted; both are drawn from the same numbers)

First weights: what is measured does not depend on them. float32, as trained; one thread unless told otherwise.
"""

import time
from collections.abc import Callable

import torch
from rounds import medians, options, ratio, report, round_robin, say
from torch import Tensor

from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn, as_input
from l9.models.pixel_generation import WholeNetwork, chosen_values, generate, uniform_draws

EDGE = 28
PIXELS = EDGE * EDGE
TIMED = 14  # pixels a round that the naive way is timed on
BUILDS: dict[str, Callable[[], PixelCnn | GatedPixelCnn]] = {"gated": GatedPixelCnn, "plain": PixelCnn}


class Ways:
    """Both ways over the same draws; values are compared with those of the cached way."""

    def __init__(self, model: PixelCnn | GatedPixelCnn, draws: Tensor) -> None:
        self.model, self.draws = model, draws
        self.values = torch.zeros(0)
        self.compared = self.different = 0

    def cached(self, _round: int) -> float:
        """Seconds for all pictures."""
        start = time.perf_counter()
        self.values = generate(self.model, self.draws)
        return time.perf_counter() - start

    def naive(self, _round: int) -> float:
        """Seconds for all pictures, every pixel drawn."""
        start = time.perf_counter()
        values = generate(self.model, self.draws, cached=False)
        seconds = time.perf_counter() - start
        self.compare(values, self.values)
        return seconds

    @torch.no_grad()
    def naive_scaled(self, number: int) -> float:
        """Seconds for all pictures, from every 56th pixel: what comes after a pixel, filled in already, has no part in it."""
        whole = WholeNetwork(self.model, tuple(self.draws.shape), None)
        whole.x_BCHW[:] = as_input(self.values, self.model.values)
        pixels = [(pixel // EDGE, pixel % EDGE) for pixel in range(11 * number % (PIXELS // TIMED), PIXELS, PIXELS // TIMED)]
        start = time.perf_counter()
        found = [chosen_values(whole.logits(y, x, 0), self.draws[:, 0, y, x]) for y, x in pixels]
        seconds = (time.perf_counter() - start) * PIXELS / len(pixels)
        for (y, x), values in zip(pixels, found, strict=True):
            self.compare(values, self.values[:, 0, y, x])
        return seconds

    def compare(self, values: Tensor, others: Tensor) -> None:
        """Count those that differ."""
        self.compared += values.numel()
        self.different += int((values != others).sum())


def main() -> None:
    """Measure, and print."""
    chosen = options(
        __doc__.splitlines()[0],
        batch={"type": int, "default": 64},
        threads={"type": int, "default": 1},
        whole={"action": "store_true"},
        networks={"nargs": "+", "choices": sorted(BUILDS), "default": list(BUILDS)},
    )
    torch.set_num_threads(chosen.threads)
    rows = {}
    for name in chosen.networks:
        torch.manual_seed(chosen.seed)
        ways = Ways(BUILDS[name](), uniform_draws(chosen.seed, range(chosen.batch), (1, EDGE, EDGE)))
        naive = ways.naive if chosen.whole else ways.naive_scaled
        seconds = round_robin({"cached": ways.cached, "naive": naive}, 1 if chosen.whole else chosen.rounds)
        middle = medians(seconds)
        rows[name] = {
            "seconds": middle,
            "naive_over_cached": ratio(seconds, "naive", "cached"),
            "pictures_per_second": chosen.batch / middle["cached"],
            "values_compared": ways.compared,
            "values_that_differ": ways.different,
        }
        say(f"{name}: naive {middle['naive']:.1f} s, cached {middle['cached']:.2f} s, ratio {rows[name]['naive_over_cached']:.0f}")
    report({"bench": "pixel_generation", "batch": chosen.batch, "threads": chosen.threads, "wanted": {"gated": 50}, "rows": rows})


if __name__ == "__main__":
    main()
