"""One scan on one page: its frames, its surface by labels from above, and what its depth frames fuse to. Runs in the sandbox."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float32, Int, UInt8
from numpy import ndarray

from l9.draw.class_colours import class_colours
from l9.draw.grid import GAP, TITLE, sample_grid, stacked
from l9.draw.splat import splat_points
from l9.draw.surface_view import behind, surface_view
from l9.draw.text import font
from l9.errors import RefusedObject
from l9.fingerprint import Json
from l9.geometry.frame_colours import colours_from_frames
from l9.geometry.fused_surface import fused_surface
from l9.geometry.fusion import Fusion
from l9.geometry.scan import Frame, Frames, Scan, Surface
from l9.readers.scannet_labels import BENCHMARK

SHOWN, ACROSS = 12, 6  # frames on the page, and in a row of it
MOST_FUSED = 200  # frames; of a longer recording every k-th is taken
WIDTH = 200  # pixels of a frame's picture
PANEL = (616, 520)  # width and height of a picture of the surface, pixels
VOXEL = 0.02  # metres
ABOVE, ASLANT = 90.0, 50.0  # degrees
FLAT, ASIDE = 15.0, 0.25  # degrees and radians, of a recording that looks one way
NEAR, FAR = np.array([250, 225, 90]), np.array([40, 30, 110])  # colours of the least depth of a frame and of the greatest
BARE = (170, 178, 190)  # RGB of a surface that has no colours
OTHER = np.array([225, 225, 225])  # RGB of what has no class
LEGEND = 13  # height of its letters, pixels
MOST_POINTS = 20_000  # of a surface without faces that are drawn


@dataclass
class ScanFacts:
    """What was found in a scan; figures of `fused` are 0 where no frame measured depth."""

    frames: int = 0
    fused_frames: int = 0
    fused_vertices: int = 0
    fused_faces: int = 0
    things: int = 0
    classes: int = 0


def scan_sheet(scan: Scan, name: str) -> tuple[ScanFacts, UInt8[ndarray, "h w 3"]]:
    """Figures and the page, RGB. Frames are read one at a time, four times over.

    raises  RefusedObject as the frames' reader says
    """
    facts = ScanFacts()
    panels: list[tuple[str, UInt8[ndarray, "h w 3"]]] = []
    tiles: list[tuple[str, UInt8[ndarray, "h w 3"]]] = []
    if scan.frames is not None:
        facts.frames = sum(1 for _ in scan.frames(False, False))
        tiles = list(_frame_tiles(scan.frames, facts.frames))
    if scan.surface is not None:
        panels.append(_seen_from_above(scan.surface, scan, facts))
    if (fused := _fused(scan, facts)) is not None:
        panels.append((f"{facts.fused_frames} frames fused at {100 * VOXEL:g} cm: {facts.fused_faces:,} faces", fused))
    elif scan.surface is not None:
        panels.append((f"surface: {len(scan.surface.faces):,} faces", _view(scan.surface, _colours(scan.surface), scan, ASLANT)))
    pages = [sample_grid([tile for _, tile in tiles], [text for text, _ in tiles], ACROSS, f"{name}: {facts.frames:,} frames")]
    if panels:
        pages.append(sample_grid([panel for _, panel in panels], [text for text, _ in panels], 2))
    if scan.surface is not None and scan.surface.labels is not None:
        pages.append(_legend(scan.surface.labels, pages[-1].shape[1]))
    return facts, stacked(pages)


def scan_tile(scan: Scan, size: int) -> tuple[dict[str, Json], UInt8[ndarray, "size size 3"]]:
    """A small picture of a scan among others: its surface, or the first frame that can be drawn; and what it is made of.

    raises  RefusedObject as the frames' reader says, or `no-frames` where there is nothing to draw
    """
    if scan.surface is not None:
        surface = scan.surface
        page = _drawn(surface, _colours(surface), scan, ASLANT, (size, size))
        used = surface.vertices[surface.faces.reshape(-1)] if len(surface.faces) else surface.vertices
        sides: list[Json] = [float(side) for side in np.ptp(used, axis=0)]
        return {"vertices": len(surface.vertices), "faces": len(surface.faces), "size": sides}, page
    for frame in scan.frames(True, True) if scan.frames is not None else ():
        pictures = _pictures(frame, size)
        if pictures:
            page = np.full((size, size, 3), 255, np.uint8)
            shown = np.concatenate(pictures)[:size]
            page[: len(shown)] = shown
            return {"vertices": 0, "faces": 0, "size": [0.0, 0.0, 0.0]}, page
    raise RefusedObject("no-frames", "no frame and no surface; expected one of them")


def _pictures(frame: Frame, width: int) -> list[UInt8[ndarray, "_h w 3"]]:
    colour = [] if frame.colour is None else [_scaled(frame.colour, width)]
    return colour + ([] if frame.depth is None else [_scaled(depth_picture(frame.depth), width)])


def _frame_tiles(frames: Frames, count: int) -> Iterator[tuple[str, UInt8[ndarray, "h w 3"]]]:
    """Colour above depth of frames that are evenly spread over the recording."""
    chosen = set(np.linspace(0, count - 1, min(count, SHOWN)).astype(int).tolist())
    for place, frame in enumerate(frames(True, True)):
        if place in chosen:
            yield _caption(frame), np.concatenate(_pictures(frame, WIDTH))


def _caption(frame: Frame) -> str:
    seen = np.zeros(0) if frame.depth is None else frame.depth[frame.depth > 0]
    depths = f"{seen.min():.1f} to {seen.max():.1f} m" if len(seen) else "no depth"
    return f"frame {frame.number}\n{depths}"


def depth_picture(depth: Float32[ndarray, "h w"]) -> UInt8[ndarray, "h w 3"]:
    """Near is light, far is dark, between the least and the greatest depth of the frame; white where nothing was measured."""
    seen = depth > 0
    picture = np.full((*depth.shape, 3), 255, np.uint8)
    if seen.any():
        low, high = float(depth[seen].min()), float(depth[seen].max())
        share = ((depth[seen] - low) / max(high - low, 1e-6))[:, None]
        picture[seen] = np.rint(NEAR + share * (FAR - NEAR)).astype(np.uint8)
    return picture


def _scaled(picture: UInt8[ndarray, "_h _w 3"], width: int) -> UInt8[ndarray, "rows width 3"]:
    from PIL import Image

    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def _seen_from_above(surface: Surface, scan: Scan, facts: ScanFacts) -> tuple[str, UInt8[ndarray, "h w 3"]]:
    if surface.labels is None or surface.instances is None:
        return "from above", _view(surface, _colours(surface), scan, ABOVE)
    facts.things = len(np.unique(surface.instances[surface.instances > 0]))
    facts.classes = len(np.unique(surface.labels[surface.labels > 0]))
    text = f"from above: {facts.things:,} things, {facts.classes:,} of {len(BENCHMARK)} classes"
    return text, _view(surface, label_colours()[np.clip(surface.labels, 0, 40)], scan, ABOVE)


def _view(surface: Surface, colours: UInt8[ndarray, "v 3"], scan: Scan, elevation: float) -> UInt8[ndarray, "h w 3"]:
    return _drawn(surface, colours, scan, elevation, PANEL)


def _drawn(
    surface: Surface, colours: UInt8[ndarray, "v 3"], scan: Scan, elevation: float, size: tuple[int, int]
) -> UInt8[ndarray, "h w 3"]:
    """A picture of `size` (width, height) pixels; points without faces as dots, from one side whatever `elevation` says."""
    if len(surface.faces):
        return surface_view(surface.vertices, surface.faces, colours, up=scan.up, elevation_degrees=elevation, size=size)
    chosen = np.linspace(0, len(surface.vertices) - 1, min(len(surface.vertices), MOST_POINTS)).astype(np.int64)
    side = min(size)
    page = np.full((size[1], size[0], 3), 255, np.uint8)
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    page[top : top + side, left : left + side] = splat_points(surface.vertices[chosen], side, scan.up, colours=colours[chosen])
    return page


def _colours(surface: Surface) -> UInt8[ndarray, "v 3"]:
    return np.full((len(surface.vertices), 3), BARE, np.uint8) if surface.colours is None else surface.colours


def label_colours() -> UInt8[ndarray, "41 3"]:
    """RGB of each id of NYU's 40 classes, 0 for none, the same in every picture."""
    table = np.tile(OTHER.astype(np.uint8), (41, 1))
    table[sorted(BENCHMARK.values())] = class_colours(len(BENCHMARK))
    return table


def _fused(scan: Scan, facts: ScanFacts) -> UInt8[ndarray, "h w 3"] | None:
    """The fused surface in the colours of the frames; None where no frame measured depth."""
    if scan.frames is None:
        return None
    every = max(1, -(-facts.frames // MOST_FUSED))
    fusion, looks = Fusion(VOXEL), []
    for frame in islice(scan.frames(False, True), 0, None, every):
        if frame.depth is not None:
            fusion.add(frame.depth, frame.depth_camera, frame.pose)
            facts.fused_frames += 1
            looks.append(frame.pose[:3, 2])
    vertices, faces = fused_surface(fusion)
    facts.fused_vertices, facts.fused_faces = len(vertices), len(faces)
    if not len(faces):
        return None
    colours = colours_from_frames(vertices, islice(scan.frames(True, True), 0, None, every), 3 * VOXEL)
    azimuth = behind(np.array(looks).reshape(-1, 3), scan.up)
    if azimuth is None:
        return surface_view(vertices, faces, colours, up=scan.up, elevation_degrees=ASLANT, size=PANEL)
    return surface_view(vertices, faces, colours, up=scan.up, elevation_degrees=FLAT, size=PANEL, azimuth=azimuth + ASIDE)


def _legend(labels: Int[ndarray, "v"], width: int) -> UInt8[ndarray, "h w 3"]:
    """A square and a name for each class that is there, in rows."""
    from PIL import Image, ImageDraw

    table, present = label_colours(), set(np.unique(labels).tolist())
    names = [(name, table[number]) for name, number in BENCHMARK.items() if number in present] + [("other", OTHER)]
    places: list[tuple[int, int]] = []
    x, y = GAP, GAP
    for name, _ in names:
        wide = 3 * GAP + LEGEND + round(font(LEGEND).getlength(name))
        if x + wide > width:
            x, y = GAP, y + TITLE + GAP
        places.append((x, y))
        x += wide
    image = Image.new("RGB", (width, y + TITLE + GAP), "white")
    pen = ImageDraw.Draw(image)
    for (name, colour), (left, top) in zip(names, places, strict=True):
        pen.rectangle((left, top, left + LEGEND, top + LEGEND), fill=tuple(int(value) for value in colour), outline=(120, 120, 120))
        pen.text((left + LEGEND + GAP, top), name, fill=(40, 40, 40), font=font(LEGEND))
    return np.array(image)
