"""The hot loops over pixels of rooms, compiled by Numba: pictures on faces, and rays to lamps; no arrays of every step in between."""

import numpy as np
from numba import njit
from numpy import ndarray


@njit(cache=True)
def turned_by(vectors: ndarray, rotation: ndarray) -> ndarray:
    """float32 (n, 3) vectors through a float32 (3, 3) rotation."""
    turned = np.empty_like(vectors)
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        for axis in range(3):
            turned[i, axis] = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
    return turned


@njit(cache=True)
def rays_to_lamp(points: ndarray, normals: ndarray, place: ndarray, clear: float, nearest: float) -> tuple[ndarray, ndarray, ndarray]:
    """For points whose side faces a lamp: rays to it (float32 (m, 6), its direction as long as the way), the points' numbers, brightness.

    clear    metres along the normal by which a ray begins off its face
    nearest  square of the distance, metres, below which brightness does not grow
    """
    rays, numbers, brightness = np.empty((len(points), 6), np.float32), np.empty(len(points), np.int64), np.empty(len(points), np.float32)
    lit = 0
    for i in range(len(points)):
        x, y, z = place[0] - points[i, 0], place[1] - points[i, 1], place[2] - points[i, 2]
        along = normals[i, 0] * x + normals[i, 1] * y + normals[i, 2] * z
        if along <= 0:
            continue
        square = x * x + y * y + z * z
        numbers[lit] = i
        brightness[lit] = along / np.sqrt(square) / max(square, nearest)
        for axis in range(3):
            begin = points[i, axis] + clear * normals[i, axis]
            rays[lit, axis] = begin
            rays[lit, 3 + axis] = place[axis] - begin
        lit += 1
    return rays[:lit], numbers[:lit], brightness[:lit]


@njit(cache=True)
def add_light(light: ndarray, numbers: ndarray, brightness: ndarray, hidden: ndarray, power: ndarray) -> None:
    """Add a lamp's light to the points that it reaches: float32 (n, 3), by the numbers that `rays_to_lamp` gave."""
    for k in range(len(numbers)):
        if not hidden[k]:
            for channel in range(3):
                light[numbers[k], channel] += brightness[k] * power[channel]


@njit(cache=True)
def paint_pictures(
    albedo: ndarray,
    faces: ndarray,
    at: ndarray,
    material_of: ndarray,
    uv: ndarray,
    sizes: ndarray,
    offsets: ndarray,
    pixels: ndarray,
    light_of: ndarray,
) -> None:
    """Multiply float32 (n, 3) colours by what their faces' pictures show there, between the four nearest pixels; pictures repeat.

    at        weights of each face's second and third corner
    sizes     width and height of each material's picture, 0 for none; `offsets`: where its rows begin in `pixels`
    light_of  light of each of the 256 values of a byte
    """
    for i in range(len(faces)):
        face = faces[i]
        width, height = sizes[material_of[face], 0], sizes[material_of[face], 1]
        if width == 0:
            continue
        first = 1 - at[i, 0] - at[i, 1]
        u = first * uv[face, 0, 0] + at[i, 0] * uv[face, 1, 0] + at[i, 1] * uv[face, 2, 0]
        v = first * uv[face, 0, 1] + at[i, 0] * uv[face, 1, 1] + at[i, 1] * uv[face, 2, 1]
        column, row = (u - np.floor(u)) * width - 0.5, (np.ceil(v) - v) * height - 0.5
        left, upper = int(np.floor(column)), int(np.floor(row))
        across, down = column - left, row - upper
        right, lower = (left + 1) % width, (upper + 1) % height
        left, upper = left % width, upper % height
        start = offsets[material_of[face]]
        for channel in range(3):
            above = (1 - across) * light_of[pixels[start + upper * width + left, channel]]
            above += across * light_of[pixels[start + upper * width + right, channel]]
            below = (1 - across) * light_of[pixels[start + lower * width + left, channel]]
            below += across * light_of[pixels[start + lower * width + right, channel]]
            albedo[i, channel] *= (1 - down) * above + down * below
