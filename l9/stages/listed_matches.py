"""Yield: the rows of `key_point_matches`, of matches that somebody else found and lists of which are kept beside the pictures."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int, Int32, UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.match_lists import ListedMatches, MatchLists, unpacked_octaves
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_size
from l9.stages.match_cells import MOST_MATCHES, ROLES, SHOWN, SeenCells, check_match_bytes, match_columns, most_matches, small
from l9.store.columns import Column, Row

WIDTH = 640  # pixels of a picture: wider ones are made smaller, as for `key_point_matches`
OF_PAIR = 512  # matches that a pair is expected to have at most: the key points that MatchFinder keeps of a picture
LAYERS = 5  # the highest that OpenCV's SIFT has in an octave: 3 that it searches, and 3 for their differences, from 0


def _columns(
    width: int = WIDTH,
    matches: int = 1000,
    side: int = 96,
    shift: int | float = 1.5,
    zoom: int | float = 0.1,
    turn: int | float = 8.0,
    shown: int = 2,
    seed: int = 0,
) -> tuple[Column, ...]:
    check_number("listed_matches", "width", width, least=0, most=8192)
    check_number("listed_matches", "matches", matches, most=MOST_MATCHES)
    check_number("listed_matches", "side", side, least=16, most=256)
    check_number("listed_matches", "shown", shown, least=0, most=100)
    for name, value, unit in (("shift", shift, "pixels"), ("zoom", zoom, "a share"), ("turn", turn, "degrees")):
        check_size("listed_matches", name, value, least=0, most=90, unit=unit)
    check_match_bytes("listed_matches", matches, OF_PAIR, side)
    return match_columns(side)


@yields(columns=_columns, version=1)
def listed_matches(
    lists: MatchLists,
    width: int = WIDTH,
    matches: int = 1000,
    side: int = 96,
    shift: int | float = 1.5,
    zoom: int | float = 0.1,
    turn: int | float = 8.0,
    shown: int = 2,
    seed: int = 0,
) -> Iterator[Row]:
    """A row for each pair of pictures that has a match, by the number of the second, then of the first; matches in the list's order.

    The cells are those of `key_point_matches`, in pixels of the pictures as they are here. The list does not say which key point of its
    frame one is: `match_key_points` counts those of each frame in the order in which they come.

    width    pixels to which wider pictures are made smaller; 0: none is
    matches  of the scene, at most; more are thinned at random
    side, shift, zoom, turn, shown  as in `key_point_matches`
    raises   RefusedObject `outside-picture` for a key point beside its picture, `wrong-size` for a picture of another shape than the list
             is of, `bad-match` for an octave that the picture does not have, or as `lists.picture`
    """
    _columns(width, matches, side, shift, zoom, turn, shown, seed)
    random = np.random.default_rng(seed)
    chosen = _by_pair(_thinned(lists.matches, matches, random))
    jitters = (random.normal(size=(len(chosen), ROLES, 4)) * (shift, shift, zoom, turn)).astype(np.float32)
    pairs, starts = _pairs_of(chosen)
    kept = most_matches(np.diff(starts), shown)
    looked = _Looked(lists, width, jitters, SeenCells(len(chosen), side), set(pairs[kept].ravel().tolist()))
    placed = looked.at(chosen)
    cells = _told(placed) | {"jitters": jitters} | looked.seen.cells()
    for place, pair in enumerate(pairs):
        mine = slice(starts[place], starts[place + 1])
        row: Row = {name: values[mine] for name, values in cells.items()}
        both = [[looked.pictures[number] for number in pair.tolist()]] if place in kept else np.zeros((0, 2, *SHOWN, 3))
        row["pair"] = pair
        row["picture_sizes"] = np.array([looked.sizes[number] for number in pair.tolist()], np.int32)
        row["shown"] = np.array(both, np.uint8)
        yield row


def _thinned(listed: ListedMatches, most: int, random: np.random.Generator) -> ListedMatches:
    return listed if len(listed) <= most else listed.subset(np.sort(random.choice(len(listed), size=most, replace=False)))


def _by_pair(listed: ListedMatches) -> ListedMatches:
    return listed.subset(np.lexsort((listed.frames[:, 0], listed.frames[:, 1])))


def _pairs_of(listed: ListedMatches) -> tuple[Int32[ndarray, "p 2"], Int[ndarray, "q"]]:
    """The pairs of frames of matches in order, and where each one's matches begin; last, how many there are."""
    pairs = listed.frames[:, :2]
    begins = np.flatnonzero(np.concatenate([np.ones(min(1, len(pairs)), bool), (pairs[1:] != pairs[:-1]).any(axis=1)]))
    return pairs[begins], np.append(begins, len(pairs))


def _told(placed: ListedMatches) -> dict[str, ndarray]:
    """The cells that need no picture."""
    return {
        "match_frames": placed.frames,
        "match_key_points": _numbers_in_frames(placed),
        "match_pixels": placed.pixels,
        "match_depths": placed.depths,
        "match_points": placed.points,
        "match_offsets": placed.offsets,
        "match_sizes": placed.sizes,
        "match_angles": placed.angles,
        "match_octaves": placed.octaves,
    }


def _numbers_in_frames(placed: ListedMatches) -> Int32[ndarray, "m 3"]:
    """Of each key point its number among those of its frame, from 0 in the order in which they first come."""
    told = np.concatenate(
        [placed.frames[..., None].astype(np.float64), placed.pixels, placed.sizes[..., None], placed.angles[..., None]], axis=2
    ).reshape(-1, 5)
    _, first, same = np.unique(told, axis=0, return_index=True, return_inverse=True)
    frames, order = told[first, 0], np.lexsort((first, told[first, 0]))
    begins = np.searchsorted(frames[order], frames[order])
    numbers = np.empty(len(first), np.int32)
    numbers[order] = np.arange(len(first)) - begins
    return numbers[same.reshape(-1)].reshape(placed.frames.shape)


class _Looked:
    """Looks at every picture once: places key points in it, cuts their patches out of it, and keeps some small.

    sizes     number of a frame -> width and height of its picture
    pictures  number of a frame that is shown -> its picture, small
    """

    def __init__(self, lists: MatchLists, width: int, jitters: ndarray, seen: SeenCells, shown: set[int]) -> None:
        self._lists, self._width, self._jitters, self._shown = lists, width, jitters, shown
        self.seen = seen
        self.sizes: dict[int, tuple[int, int]] = {}
        self.pictures: dict[int, ndarray] = {}

    def at(self, listed: ListedMatches) -> ListedMatches:
        """The matches in pixels of the pictures as they are; fills what is to be seen."""
        placed = listed
        for number in np.unique(listed.frames).tolist():
            whole = self._lists.picture(number)
            colour = _narrowed(whole, self._width)
            here = (colour.shape[1], colour.shape[0])
            mine = listed.frames == number
            placed = _placed(placed, mine, number, self._lists.size or (whole.shape[1], whole.shape[0]), here)
            self.sizes[number] = here
            if number in self._shown:
                self.pictures[number] = small(colour)
            match, role = np.nonzero(mine)
            exact = np.concatenate([placed.pixels[mine], placed.sizes[mine][:, None], placed.angles[mine][:, None]], axis=1)
            self.seen.look(colour, match, role, exact, placed.octaves[mine], self._jitters[mine])
        return placed


def _placed(listed: ListedMatches, mine: ndarray, number: int, told: tuple[int, int], here: tuple[int, int]) -> ListedMatches:
    """The key points of one frame, listed in a picture of the size `told`, in its picture of the size `here`; each checked."""
    across, down = here[0] / told[0], here[1] / told[1]
    if abs(here[1] - told[1] * across) > 1:
        raise RefusedObject(
            "wrong-size",
            f"frame {number:,} is a picture of {here[0]}x{here[1]} pixels; the list is of {told[0]}x{told[1]}, which is another shape",
        )
    pixels = listed.pixels[mine]
    beside = ((pixels < 0) | (pixels > np.array(told) - 1)).any(axis=1)
    if beside.any():
        column, row = pixels[beside][0].tolist()
        raise RefusedObject("outside-picture", f"pixel ({column:g}, {row:g}) of frame {number:,}, a picture of {told[0]}x{told[1]} pixels")
    placed = listed if here == told else listed.scaled(mine, across, down)
    octaves, layers, _ = unpacked_octaves(placed.octaves[mine])
    wrong = (octaves < -1) | (octaves > int(np.log2(min(here)))) | (layers > LAYERS)
    if wrong.any():
        octave, layer = int(octaves[wrong][0]), int(layers[wrong][0])
        raise RefusedObject("bad-match", f"octave {octave}, layer {layer} in frame {number:,}; its picture has none such")
    return placed


def _narrowed(colour: UInt8[ndarray, "h w 3"], width: int) -> UInt8[ndarray, "rows columns 3"]:
    """A picture wider than `width` made so wide; 0: as it is."""
    import cv2

    if not width or colour.shape[1] <= width:
        return colour
    height = max(1, round(colour.shape[0] * width / colour.shape[1]))
    return np.asarray(cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA))
