"""The table of blocks: from a block's place in the world to its number, compiled by Numba.

Open addressing with linear steps; a block's place (x, y, z, whole numbers from -2^20 to 2^20 - 1) is packed into one key.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy import ndarray

SIDE = 16  # voxels a side of a block
FARTHEST = 1 << 20  # blocks from the origin: three places then fit into one key
EMPTY = -1
Parts = tuple[Any, ...]
"""Several arrays and numbers handed on together."""

table_kernel = njit(cache=True, nogil=True, error_model="numpy")


@table_kernel
def _key(x: int, y: int, z: int) -> int:
    return ((x + FARTHEST) << 42) | ((y + FARTHEST) << 21) | (z + FARTHEST)


@table_kernel
def _slot(keys: ndarray, key: int) -> int:
    """Where a key stands, or the empty slot where it would."""
    mask = len(keys) - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    slot = int(mixed >> np.uint64(32)) & mask
    while keys[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@table_kernel
def number_of(keys: ndarray, numbers: ndarray, x: int, y: int, z: int) -> int:
    """A block's number, -1 for one that is not there."""
    if min(x, y, z) < -FARTHEST or max(x, y, z) >= FARTHEST:
        return EMPTY
    slot = _slot(keys, _key(x, y, z))
    return int(numbers[slot]) if keys[slot] != EMPTY else EMPTY


@table_kernel
def numbers_of(keys: ndarray, numbers: ndarray, places: ndarray) -> ndarray:
    """`number_of` for places int32 (n, 3)."""
    found = np.empty(len(places), np.int32)
    for k in range(len(places)):
        found[k] = number_of(keys, numbers, places[k, 0], places[k, 1], places[k, 2])
    return found


@table_kernel
def enter(keys: ndarray, numbers: ndarray, places: ndarray, count: int, found: ndarray) -> int:
    """Numbers of blocks into `found`; those that are not there get the next ones from `count` on. Returns the new count.

    keys     int64 (a power of two, more than twice the blocks), EMPTY where a slot is free
    numbers  int32, beside `keys`
    places   int32 (n, 3)
    """
    for k in range(len(places)):
        key = _key(places[k, 0], places[k, 1], places[k, 2])
        slot = _slot(keys, key)
        if keys[slot] == EMPTY:
            keys[slot], numbers[slot] = key, count
            count += 1
        found[k] = numbers[slot]
    return count
