"""What the stages over pairs of frames share: which frames of a scan they look at, and which of these see the same."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from l9.errors import RefusedObject
from l9.geometry.borrowed_depth import with_depth
from l9.geometry.scan import Frame, Scan
from l9.stages.limits import check_number, check_size

if TYPE_CHECKING:
    from l9.geometry.view_graph import View, ViewGraph

MOST_FRAMES = 500  # of a scan, evenly spread: MatchFinder's, for ScanNet
WIDTH = 640  # pixels of a picture: wider ones are made smaller


@dataclass(frozen=True)
class Looked:
    """The frames that are looked at.

    stride  of how many frames one is taken
    width   pixels to which wider colour pictures are made smaller; 0: none is
    """

    scan: Scan
    stride: int
    width: int

    def frames(self, colour: bool) -> Iterator[Frame]:
        """Read them from the start, with depth, borrowed where one has none; one at a time."""
        return with_depth(self.measured(colour))

    def measured(self, colour: bool) -> Iterator[Frame]:
        """The same, each with the depth that it has itself."""
        assert self.scan.frames is not None
        chosen = islice(self.scan.frames(colour, True), 0, None, self.stride)
        return (_narrowed(frame, self.width) for frame in chosen)


def check_pairs(stage: str, overlap: int | float, every: int, frames: int, width: int) -> None:
    """UsageError where an argument that the stages over pairs share is none."""
    check_size(stage, "overlap", overlap, least=0, most=1, unit="a share")
    check_number(stage, "every", every, most=10_000)
    check_number(stage, "frames", frames, least=2, most=2000)
    check_number(stage, "width", width, least=0, most=8192)


def looked_at(scan: Scan, every: int, frames: int, width: int) -> Looked:
    """One of every `every` frames, and of these again only each n-th where they are more than `frames`.

    raises  RefusedObject `no-frames`
    """
    if scan.frames is None:
        raise RefusedObject("no-frames", "a surface alone; expected frames")
    there = sum(1 for _ in islice(scan.frames(False, False), 0, None, every))
    return Looked(scan, every * max(1, -(-there // frames)), width)


def agreed_graph(looked: Looked, views: list["View"], overlap: int | float) -> "ViewGraph":
    """Pairs of frames that see the same, without frames whose pose disagrees; reads all depth once more.

    raises  RefusedObject `no-depth`, `no-overlap` where no two frames share anything, `poses-disagree`
    """
    from l9.geometry.view_graph import PoseCheck, view_graph, without

    if not views:
        raise RefusedObject("no-depth", "no frame has any depth")
    graph = view_graph(views, float(overlap))
    if not len(graph.pairs):
        wanted = f"{100 * overlap:g} % of what they see" if overlap else "anything that they see"
        raise RefusedObject("no-overlap", f"no two of {len(views):,} frames with depth share {wanted}")
    check, places = PoseCheck(graph), {view.number: place for place, view in enumerate(views)}
    for frame in looked.frames(False):
        if frame.depth is not None and frame.number in places:
            check.look(places[frame.number], frame.depth)
        else:
            note_once(looked.scan, f"frame {frame.number}: no depth; left out")
    wrong = check.wrong()
    for place in wrong:
        note_once(looked.scan, f"frame {views[place].number}: its pose disagrees with what other frames see; left out")
    graph = without(graph, wrong)
    if not len(graph.pairs):
        raise RefusedObject("no-overlap", f"no two of {len(views):,} frames whose poses agree share what they see")
    return graph


def note_once(scan: Scan, note: str) -> None:
    """Note what had to be left out; another stage may have said so."""
    if note not in scan.notes:
        scan.notes.append(note)


def _narrowed(frame: Frame, width: int) -> Frame:
    """The frame with its colour picture made smaller where it is wider than `width`; its camera too, if the picture is not there."""
    camera = frame.colour_camera
    if not width or camera.width <= width:
        return frame
    smaller = camera.resized(width, max(1, round(camera.height * width / camera.width)))
    colour = frame.colour
    if colour is not None:
        import cv2

        colour = cv2.resize(colour, (smaller.width, smaller.height), interpolation=cv2.INTER_AREA)
    return replace(frame, colour=colour, colour_camera=smaller)
