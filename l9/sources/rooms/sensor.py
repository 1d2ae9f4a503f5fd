"""What a depth sensor makes of exact depths: noise that grows with distance, whole millimetres, and pixels without an answer."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray


@dataclass(frozen=True)
class Sensor:
    """A structured-light camera such as ScanNet's.

    noise    standard deviation of a depth z is noise * z^2, metres; 3.6 cm at 5 m
    nearest  metres; what is nearer gives no depth
    farthest metres; likewise
    grazing  cosine between ray and normal below which no depth is given at all; up to twice it some pixels are lost
    step     share of its depth by which a pixel's neighbour differs where a surface ends: half the pixels there are lost
    source   noise: Khoshelham & Elberink, Sensors 12 (2012) 1437: 2.85e-5 z^2 per pixel of disparity (z in cm), of 0.5 pixel
    """

    noise: float = 1.425e-3
    nearest: float = 0.3
    farthest: float = 8.0
    grazing: float = 0.1
    step: float = 0.03

    def measured(
        self, depth: Float32[ndarray, "h w"], cosine: Float32[ndarray, "h w"], random: np.random.Generator
    ) -> Float32[ndarray, "h w"]:
        """Depths as the sensor gives them: metres, whole millimetres, 0 where it has none.

        depth   exact, metres along the optical axis, 0 where nothing was hit
        cosine  between each pixel's ray and the normal of what it hit, 0..1
        """
        normal, chance = random.standard_normal(depth.shape, np.float32), random.random(depth.shape, np.float32)
        noisy = np.rint((depth + np.float32(self.noise) * depth**2 * normal) * 1000) / np.float32(1000)
        lost = (depth < self.nearest) | (depth > self.farthest) | (noisy < self.nearest) | (noisy > self.farthest)
        lost |= cosine < self.grazing * (1 + chance)
        lost |= _edges(depth, self.step) & (chance < 0.5)
        return np.where(lost, np.float32(0), noisy).astype(np.float32)


def _edges(depth: Float32[ndarray, "h w"], step: float) -> Bool[ndarray, "h w"]:
    """Pixels beside a neighbour, across or down, whose depth is another by more than `step` of the nearer one.

    A plane seen at a slant changes evenly: what counts is the difference of differences.
    """
    edges = np.zeros(depth.shape, bool)
    for values, marked in ((depth, edges), (depth.T, edges.T)):
        bend = np.abs(values[2:] - 2 * values[1:-1] + values[:-2]) > step * values[1:-1]
        marked[1:-1] |= bend
    return edges
