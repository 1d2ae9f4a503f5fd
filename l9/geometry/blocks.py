"""Blocks of 16^3 voxels, found by their place in the world: what a fused scan is kept in.

Every block that was looked into has a bit a voxel (512 bytes): whether it was seen. Only blocks that a surface passes have numbers
(32 KiB) as well. Memory so grows with the surface, by a sixty-fourth of that with the free space in view, and not with the frames.
"""

import numpy as np
from jaxtyping import Float32, Int, Int32, UInt16
from numpy import ndarray

from l9.geometry._block_kernels import EMPTY, SIDE, enter, numbers_of

FIRST = 64  # blocks there is room for at the start
MORE = 1.5  # so much more room, once it is used up


class Blocks:
    """Blocks in the order in which they were entered.

    places   block (x, y, z) holds voxels 16x to 16x + 15, and so on
    seen     bit z of [block, x, y] is set where a voxel was seen
    fine     row of a block in `sums` and `weights`, -1 for one without numbers
    sums     weighted sum of the distances seen, metres
    weights  sum of the weights
    """

    def __init__(self) -> None:
        self.count = self.fine_count = 0
        self.places: Int32[ndarray, "room 3"] = np.empty((FIRST, 3), np.int32)
        self.seen: UInt16[ndarray, "room 16 16"] = np.zeros((FIRST, SIDE, SIDE), np.uint16)
        self.fine: Int32[ndarray, " room"] = np.full(FIRST, EMPTY, np.int32)
        self.sums: Float32[ndarray, "rooms 16 16 16"] = np.zeros((FIRST, SIDE, SIDE, SIDE), np.float32)
        self.weights: Float32[ndarray, "rooms 16 16 16"] = np.zeros((FIRST, SIDE, SIDE, SIDE), np.float32)
        self.keys = np.full(4 * FIRST, EMPTY, np.int64)
        self.numbers = np.zeros(4 * FIRST, np.int32)

    def entered(self, places: Int32[ndarray, "n 3"]) -> Int32[ndarray, "n"]:
        """Numbers of blocks; those that are not there yet are entered."""
        self._make_room(self.count + len(places))
        found = np.empty(len(places), np.int32)
        before, self.count = self.count, enter(self.keys, self.numbers, places, self.count, found)
        new = found >= before
        self.places[found[new]] = places[new]
        return found

    def refine(self, numbers: Int[ndarray, "n"]) -> None:
        """Give numbers to blocks that have none."""
        wanted = self.fine_count + len(numbers)
        self.sums, self.weights = _grown(self.sums, wanted, 0), _grown(self.weights, wanted, 0)
        self.fine[numbers] = np.arange(self.fine_count, wanted, dtype=np.int32)
        self.fine_count = wanted

    def found(self, places: Int32[ndarray, "n 3"]) -> Int32[ndarray, "n"]:
        """Numbers of blocks, -1 for those that are not there."""
        return numbers_of(self.keys, self.numbers, places)

    def table(self) -> tuple[ndarray, ndarray]:
        """Keys and numbers, as the kernels take them."""
        return self.keys, self.numbers

    def voxels(self) -> tuple[ndarray, ndarray, ndarray, ndarray]:
        """Seen, fine, sums and weights, as the kernels take them."""
        return self.seen, self.fine, self.sums, self.weights

    def _make_room(self, wanted: int) -> None:
        self.places, self.seen = _grown(self.places, wanted, 0), _grown(self.seen, wanted, 0)
        self.fine = _grown(self.fine, wanted, EMPTY)
        if 2 * wanted > len(self.keys):
            self.keys = np.full(1 << (4 * wanted - 1).bit_length(), EMPTY, np.int64)
            self.numbers = np.zeros(len(self.keys), np.int32)
            enter(self.keys, self.numbers, self.places[: self.count], 0, np.empty(self.count, np.int32))


def _grown(rows: ndarray, wanted: int, value: int) -> ndarray:
    """The same rows, with room for `wanted`."""
    if wanted <= len(rows):
        return rows
    room = max(wanted, int(MORE * len(rows)))
    return np.concatenate([rows, np.full((room - len(rows), *rows.shape[1:]), value, rows.dtype)])
