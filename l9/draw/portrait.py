"""One object as its reader gives it, drawn: what the sandbox runs to show a dataset. The mesh or cloud itself never leaves the child."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, BinaryIO, cast

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.draw.picture_tile import picture_tile
from l9.draw.scan_sheet import scan_sheet, scan_tile
from l9.draw.splat import AZIMUTH, splat_points
from l9.errors import RefusedObject
from l9.fingerprint import Json
from l9.geometry.cloud import PointCloud, drawn_points
from l9.geometry.image import Image
from l9.geometry.mesh import Axis, Mesh, axis_vector
from l9.geometry.normalise import normalise_sphere, rotation_about
from l9.geometry.scan import Scan
from l9.geometry.views import render_views
from l9.readers.process import read_object
from l9.sandbox.contract import Answer

MOST_POINTS = 20_000  # of a cloud that are drawn: a picture of 200 pixels shows no more
TINT_AT = (0.0, 0.22, 0.9, 1.0)  # brightness of a grey picture: black, full shade, full light, the white ground
TINT = np.array([[0.0, 0.0, 0.0], [0.16, 0.22, 0.33], [0.66, 0.78, 0.96], [1.0, 1.0, 1.0]])  # its colours there


def portray_object(
    files: Sequence[BinaryIO], *, reader: str, found: dict[str, Any], up: str, front: str, parameters: dict[str, Any], size: int
) -> Answer:
    """Read one object and draw it upright, seen from 35 degrees to the right of its front and 30 degrees above the ground.

    front    the axis its front faces, as the card says; one that is not level counts as none
    size     pixels of the picture's sides
    returns  value {"kind": "mesh" | "cloud" | "scan" | "image", "vertices", "faces", "size": [x, y, z] in the card's unit, of a picture
             its width, height and channels, alpha included, "notes"}; one buffer, RGB uint8 (size, size, 3)
    raises   RefusedObject as the reader says, `no-area` where the object has no size that can be drawn, or `no-picture` for another kind
    """
    subject: Mesh | PointCloud | Scan | Image = read_object(files, found, reader=reader, up=up, parameters=parameters)
    if isinstance(subject, Scan):
        facts, picture = scan_tile(subject, size)
        return Answer({"kind": "scan", **facts, "notes": list(subject.notes)}, [picture])
    if isinstance(subject, Image):
        height, width, channels = subject.pixels.shape
        sides: list[Json] = [float(width), float(height), float(channels + (subject.alpha is not None))]
        facts = {"kind": "image", "vertices": 0, "faces": 0, "size": sides, "notes": list(subject.notes)}
        return Answer(facts, [picture_tile(subject.pixels, size, subject.alpha)])
    if not isinstance(subject, Mesh | PointCloud):
        raise RefusedObject("no-picture", f"a {type(subject).__name__} is drawn from its store alone")
    turned = rotation_about(cast(Axis, up), -_front_angle(cast(Axis, up), cast(Axis, front)))
    draw = _cloud if isinstance(subject, PointCloud) else _mesh
    facts, picture = draw(cast(Any, subject), turned, size)
    return Answer({**facts, "notes": list(subject.notes)}, [picture])


def portray_scan(files: Sequence[BinaryIO], *, reader: str, found: dict[str, Any], up: str, parameters: dict[str, Any]) -> Answer:
    """Read one scan and draw the whole page of it.

    returns  value: the figures of `scan_sheet.ScanFacts`, and "notes"; one buffer, RGB uint8 (h, w, 3)
    raises   RefusedObject as the reader says, or `no-scan` for a mesh or a cloud
    """
    subject = read_object(files, found, reader=reader, up=up, parameters=parameters)
    if not isinstance(subject, Scan):
        raise RefusedObject("no-scan", f"a {type(subject).__name__.lower()} has no frames")
    facts, picture = scan_sheet(subject, str(found["id"]))
    return Answer({**asdict(facts), "notes": list(subject.notes)}, [picture])


def _mesh(mesh: Mesh, turned: Float[ndarray, "3 3"], size: int) -> tuple[dict[str, Json], UInt8[ndarray, "size size 3"]]:
    used = mesh.vertices[mesh.faces.reshape(-1)]
    vertices = normalise_sphere(mesh.vertices, mesh.faces) @ (rotation_about(mesh.up, -float(AZIMUTH)) @ turned).T
    grey = render_views(vertices, mesh.faces, up=mesh.up, count=1, size=size)[0]
    return {"kind": "mesh", "vertices": len(mesh.vertices), "faces": len(mesh.faces), "size": _size(used)}, _tinted(grey)


def _cloud(cloud: PointCloud, turned: Float[ndarray, "3 3"], size: int) -> tuple[dict[str, Json], UInt8[ndarray, "size size 3"]]:
    chosen = drawn_points(len(cloud.points), min(MOST_POINTS, len(cloud.points)), seed=0)
    picture = splat_points(
        normalise_sphere(cloud.points, None)[chosen] @ turned.T,
        size,
        cloud.up,
        normals=None if cloud.normals is None else cloud.normals[chosen] @ turned.T,
        labels=None if cloud.labels is None else cloud.labels[chosen],
    )
    return {"kind": "cloud", "vertices": len(cloud.points), "faces": 0, "size": _size(cloud.points)}, picture


def _size(used: Float[ndarray, "n 3"]) -> list[Json]:
    return [float(side) for side in np.ptp(used, axis=0)]


def _front_angle(up: Axis, front: Axis) -> float:
    """Radians about `up` from the axis that pictures are taken from (the one after `up` in the order x y z x) to `front`."""
    upward, towards = axis_vector(up), axis_vector(front)
    taken = np.roll(np.abs(upward), 1)
    return math.atan2(float(np.cross(taken, towards) @ upward), float(taken @ towards))


def _tinted(grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w 3"]:
    """A grey picture in the colours of the other pictures; white stays white."""
    channels = [np.interp(grey / 255, TINT_AT, TINT[:, channel]) for channel in range(3)]
    return np.rint(255 * np.stack(channels, axis=-1)).astype(np.uint8)
