"""The table of fuzzing targets: a reader of hostile bytes is one line here.

A target fails where its function raises anything but what readers refuse with, or gives arrays that no stage could use.
"""

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import fuzz_seeds as seeds
import numpy as np
from mesh_bytes import CATALOG, OBJ, archive
from torch_bytes import NUMBERS, zipped

from l9.errors import RefusedObject
from l9.readers.contract import Found


@dataclass(frozen=True)
class Target:
    """One reader under fuzzing.

    seeds     bytes to start from
    reader    "module:read" of a reader, called on `split(data)` as its files with `found`
    ending    of the file that a crasher is replayed from
    library   the bytes reach a C library: what kills the process must be contained by the sandbox, which is counted and no failure
    function  called on the bytes instead of a reader
    """

    seeds: Callable[[], list[bytes]]
    reader: str = ""
    ending: str = ""
    found: dict = field(default_factory=dict)
    split: Callable[[bytes], list[bytes]] = lambda data: [data]
    library: bool = False
    function: Callable[[bytes], object] | None = None

    def run(self, data: bytes) -> None:
        """Read `data`; what a reader may refuse with is for the caller."""
        if self.function is not None:
            self.function(data)
            return
        from l9.config import resolve_target

        files = [io.BytesIO(part) for part in self.split(data)]
        check(resolve_target(self.reader)(files, self.described(), "+Y"))

    def described(self) -> Found:
        """What `find` would have said of the object."""
        names = [f"x{number}{self.ending}" for number in range(len(self.split(b"")))]
        return Found(f"x{self.ending}", tuple(names), **self.found)


def check(subject: object) -> None:
    """AssertionError where a mesh, a cloud, fields or a picture are not what every stage relies on."""
    if hasattr(subject, "faces"):
        assert subject.vertices.dtype == np.float64 and subject.vertices.ndim == 2 and subject.vertices.shape[1] == 3
        assert subject.faces.dtype == np.int64 and subject.faces.min() >= 0 and subject.faces.max() < len(subject.vertices)
        assert np.isfinite(subject.vertices[subject.faces.reshape(-1)]).all()
    elif hasattr(subject, "pixels"):
        height, width, channels = subject.pixels.shape
        assert subject.pixels.dtype == np.uint8 and height and width and channels in (1, 3)
        assert subject.alpha is None or (subject.alpha.shape == (height, width) and subject.alpha.dtype == np.uint8)
    elif hasattr(subject, "partials"):
        assert subject.partials.shape[1:] == subject.complete.shape == (32, 32, 32) and len(subject.partials)
        assert subject.partials.dtype == subject.complete.dtype == np.float32 and (np.abs(subject.partials) <= 3).all()
        assert (subject.complete >= 0).all() and (subject.complete <= 3).all()
    else:
        assert subject.points.dtype == np.float64 and subject.points.shape[1] == 3 and np.isfinite(subject.points).all()
    assert all(isinstance(line, str) for line in subject.notes)


def mesh(ending: str, makes: Callable[[], list[bytes]]) -> Target:
    return Target(makes, "l9.readers.folder:read", ending)


def two_parts(data: bytes) -> list[bytes]:
    first, _, second = data.partition(b"\0")
    return [first, second]


def sweethome(data: bytes) -> None:
    from l9.readers.sweethome import listed_models, read

    for found in listed_models(io.BytesIO(data), PurePosixPath("a.sh3f"))[:3]:
        check(read([io.BytesIO(data)], found, "+Y"))


def catalog(data: bytes) -> None:
    """The bytes as the catalog of a sound archive: checksums keep the fuzzer from getting there by itself."""
    sweethome(archive({CATALOG: data, "a.obj": OBJ}, zipfile.ZIP_STORED))


def coloured(data: bytes) -> None:
    """An object, its material file and its picture, parted by zero bytes, in a sound archive."""
    from l9.readers.coloured import read_model

    model, material, picture = [*data.split(b"\0", 2), b"", b""][:3]
    packed = archive({"a.obj": model, "a.mtl": material, "a.png": picture}, zipfile.ZIP_STORED)
    read = read_model([io.BytesIO(packed)], Found("a", ("a.sh3f",), member="a.obj", facts={"size": [1.0, 2.0, 3.0]}), "+Y")
    check(read)
    assert read.uv.shape == (len(read.faces), 3, 2) and np.isfinite(read.uv).all()
    assert len(read.material_of) == len(read.faces) and read.material_of.max() < len(read.materials)
    assert all(line.isprintable() and len(line) <= 1300 for line in read.notes)


def sens(data: bytes) -> None:
    from l9.readers.sens import read_sens

    for frame in read_sens(io.BytesIO(data), []).frames():
        assert frame.colour.shape == (frame.colour_camera.height, frame.colour_camera.width, 3) and frame.colour.dtype == np.uint8
        assert frame.depth.shape == (frame.depth_camera.height, frame.depth_camera.width) and frame.depth.dtype == np.float32
        assert np.isfinite(frame.pose).all() and np.isfinite(frame.colour_pose).all()


def depth(data: bytes) -> None:
    from l9.readers.loose_frames import DepthCode
    from l9.readers.pictures import depth_picture

    for code in (DepthCode(5000), DepthCode(1000, (65535,), turned=True)):
        metres = code.metres(depth_picture(data))
        assert metres.dtype == np.float32 and metres.ndim == 2 and (metres >= 0).all() and (metres <= 65.535).all()


def poses(data: bytes) -> None:
    """The bytes as each of the files that hold one matrix."""
    from l9.readers.matterport_raw import read_intrinsics
    from l9.readers.poses import is_pose, matrix_camera, matrix_pose, numbers_of

    with contextlib.suppress(RefusedObject):
        pose = matrix_pose(data)
        assert pose is None or is_pose(pose)
    for camera in (lambda: matrix_camera(data, (16, 12)), lambda: read_intrinsics(data)[0]):
        with contextlib.suppress(RefusedObject):
            assert np.isfinite(list(vars(camera()).values())).all() and camera().fx > 0
    assert numbers_of(data, 5000, "bad-pose").dtype == np.float64


def tum(data: bytes) -> None:
    """Lists of colour and depth and a path, parted by zero bytes."""
    from l9.readers.moments import paired
    from l9.readers.poses import is_pose
    from l9.readers.tum_rgbd import poses_at, read_path, read_pictures

    shown, hidden, path = [*data.split(b"\0", 2), b"", b""][:3]
    colour = read_pictures(shown)
    assert np.isfinite(colour.times).all() and (np.diff(colour.times) >= 0).all()
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in colour.paths)
    assert all(pose is None or is_pose(pose) for pose in poses_at(read_path(path), colour.times))
    pairs = paired(colour.times, read_pictures(hidden).times, 0.02)
    assert all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1))


def conf(data: bytes) -> None:
    from l9.readers.matterport3d import read_conf
    from l9.readers.poses import checked_camera, checked_pose

    for one in read_conf(data).listed:
        assert one.colour.count("/") == one.depth.count("/") == 1 and ".." not in (*one.colour.split("/"), *one.depth.split("/"))
        for check in (lambda one=one: checked_camera(16, 12, one.intrinsics), lambda one=one: checked_pose(one.pose)):
            with contextlib.suppress(RefusedObject):
                check()


def disparity(data: bytes) -> None:
    """A calibration, a zero byte, and a disparity of three by two pixels."""
    from l9.geometry.camera import depth_of_disparity
    from l9.readers.disparity import read_disparity
    from l9.readers.middlebury import read_calibration

    text, _, values = data.partition(b"\0")
    found = read_disparity(values, (3, 2))
    assert found.shape == (2, 3) and found.dtype == np.float32
    cameras = read_calibration(io.BytesIO(text))
    depth = depth_of_disparity(found, cameras.focal, cameras.baseline, cameras.doffs)
    assert np.isfinite(depth).all() and (depth >= 0).all()


def s3dis(data: bytes) -> None:
    """Two things of a room, parted by a zero byte."""
    from l9.readers.s3dis import CLASSES, read

    files = tuple(f"Area_1/office_1/Annotations/{name}_1.txt" for name in ("chair", "stairs"))
    scan = read(list(map(io.BytesIO, two_parts(data))), Found("Area_1/office_1", files), "+Z")
    surface = scan.surface
    assert len(surface.vertices) == len(surface.colours) == len(surface.labels) == len(surface.instances) > 0
    assert surface.vertices.dtype == np.float64 and np.isfinite(surface.vertices).all() and surface.colours.dtype == np.uint8
    assert set(surface.labels.tolist()) <= {CLASSES["chair"], CLASSES["clutter"]} and len(scan.notes) <= 7


def vertex_labels(data: bytes) -> None:
    """Segments, groups and the table, parted by zero bytes, of a mesh of six vertices."""
    from l9.readers.scannet_labels import read_table, vertex_labels

    segments, groups, table = map(io.BytesIO, [*data.split(b"\0", 2), b"", b""][:3])
    found = vertex_labels(segments, groups, read_table(table), 6)
    assert found.labels.shape == found.instances.shape == (6,) and found.labels.min() >= 0 and found.instances.min() >= 0
    assert len(found.notes) <= 2 and all(len(line) < 400 for line in found.notes)


def match_lists(data: bytes) -> None:
    """Both lists, parted by a zero byte."""
    from l9.readers.match_lists import A_SENSOR, LARGEST, read_lists

    found, size = read_lists(*map(io.BytesIO, two_parts(data)))
    assert len(found) and size != (0, 0) and found.frames.min() >= 0 and found.frames.max() < 100 * A_SENSOR
    assert found.frames.dtype == found.octaves.dtype == np.int32 and (found.sizes >= 0).all()
    for values in (found.pixels, found.depths, found.points, found.offsets[:, :2], found.sizes, found.angles):
        assert values.dtype == np.float32 and (np.abs(values) <= LARGEST).all()


def distance_fields(data: bytes) -> None:
    """The bytes as a complete field and as a partial one, one in four with a sound header first: few get there by themselves.

    Not all: under the fuzzer's instrumentation some 12 KB stay in memory for each whole field that is read, which they do not otherwise.
    """
    from l9.readers.cnncomplete import FIELD_BYTES, HEADER, read

    found = Found("03001627/x", ("x__0__.df", "x__0__.sdf"))
    sound = HEADER.pack(32, 32, 32) + data.ljust(FIELD_BYTES, b"\0")[:FIELD_BYTES]
    if sum(data) % 4 == 0:
        with contextlib.suppress(RefusedObject):
            check(read([io.BytesIO(sound), io.BytesIO(sound)], found, "+Y"))
    check(read([io.BytesIO(data), io.BytesIO(data)], found, "+Y"))


def properties(data: bytes) -> None:
    from l9.readers.properties import parse_properties

    parsed = parse_properties(data)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in parsed.items())


def materials(data: bytes) -> None:
    from l9.readers.materials import texture_notes

    lines = texture_notes(io.BytesIO(data))
    assert len(lines) <= 4 and all(line.isprintable() and len(line) <= 1300 for line in lines)


def lists(data: bytes) -> None:
    from l9.readers.lists import read_json, read_lines

    descriptor = os.memfd_create("list")  # a file of its own each time would take ten times as long
    try:
        os.write(descriptor, data)
        root, name = Path("/proc/self/fd"), str(descriptor)
        with contextlib.suppress(RefusedObject):
            read_lines(root, name)
        read_json(root, name, lambda value: isinstance(value, str), "a name")
    finally:
        os.close(descriptor)


def checkpoint(data: bytes) -> None:
    from l9.readers.torch_weights import opened_checkpoint

    given = 0
    with opened_checkpoint(io.BytesIO(data)) as found:
        for name, values in found.arrays():
            assert name.isprintable() and values.dtype.kind in "biuf" and values.flags.c_contiguous
            given += values.nbytes
    assert given <= 1 << 30


def tensors(data: bytes) -> None:
    """The bytes as the pickle in a sound zip with two storages of six and four numbers: its checksum keeps the fuzzer out otherwise."""
    checkpoint(zipped(data, {"data/0": NUMBERS.tobytes(), "data/1": bytes(16)}))


def picture(data: bytes) -> None:
    """The bytes as a PNG and as a JPEG, of any size and of one."""
    from l9.readers.pictures import whole_picture

    for kind in ("PNG", "JPEG"):
        for size in (None, (5, 6)):
            with contextlib.suppress(RefusedObject):
                check(whole_picture(data, kind, size))
    whole_picture(data, "PNG")


def idx(data: bytes) -> None:
    from l9.readers.idx import count_images, read_images, read_labels

    with contextlib.suppress(RefusedObject):
        assert read_labels(io.BytesIO(data)).dtype == np.uint8
    found = read_images(io.BytesIO(data))
    assert found.shape == (count_images(io.BytesIO(data)), 28, 28) and found.dtype == np.uint8


def digits(data: bytes) -> None:
    from l9.readers.mnist import read_digits

    found = read_digits(io.BytesIO(data))
    assert found.shape[1:] == (28, 28) and found.dtype == np.uint8


def batch(data: bytes) -> None:
    """The bytes as a batch of CIFAR-10, pickled and binary."""
    from l9.readers.cifar10 import read_binary, read_pickled

    for read in (read_binary, read_pickled):
        try:
            found = read(io.BytesIO(data))
        except RefusedObject:
            if read is read_pickled:
                raise
            continue
        assert found.pixels.shape == (len(found.labels), 3, 32, 32) and found.pixels.dtype == np.uint8
        assert not len(found.labels) or found.labels.max() < 10


TARGETS: dict[str, Target] = {
    "obj": mesh(".obj", seeds.obj),
    "off": mesh(".off", seeds.off),
    "ply": mesh(".ply", seeds.ply),
    "stl": mesh(".stl", seeds.stl),
    "glb": mesh(".glb", seeds.gltf),
    "sweethome": Target(seeds.archives, function=sweethome),
    "catalog": Target(seeds.catalogs, function=catalog),
    "coloured": Target(seeds.coloured, function=coloured),
    "sens": Target(seeds.sens_files, function=sens),
    "depth": Target(seeds.depths, function=depth),
    "poses": Target(seeds.poses, function=poses),
    "tum": Target(seeds.tum_lists, function=tum),
    "conf": Target(seeds.confs, function=conf),
    "disparity": Target(seeds.disparities, function=disparity),
    "labels": Target(seeds.labels, function=vertex_labels),
    "match_lists": Target(seeds.match_lists, function=match_lists),
    "distance_fields": Target(seeds.distance_fields, function=distance_fields),
    "scan_rows": Target(seeds.scan_rows, "l9.readers.cnncomplete_h5:read", ".h5", {"member": "0"}, library=True),
    "picture": Target(seeds.pictures, function=picture),
    "idx": Target(seeds.idx_files, function=idx),
    "digits": Target(seeds.digits, function=digits),
    "batch": Target(seeds.batches, function=batch),
    "properties": Target(seeds.properties, function=properties),
    "mtl": Target(seeds.materials, function=materials),
    "lists": Target(seeds.lists, function=lists),
    "checkpoint": Target(seeds.checkpoints, function=checkpoint),
    "tensors": Target(seeds.tensor_pickles, function=tensors),
    "hdf5": Target(seeds.hdf5, "l9.readers.modelnet_h5:read", ".h5", {"member": "0"}, library=True),
    "table": Target(seeds.table, "l9.readers.modelnet_resampled:read", ".txt"),
    "s3dis": Target(seeds.things, function=s3dis),
    "shapenetpart": Target(seeds.parts, "l9.readers.shapenetpart:read", ".pts", {"facts": {"category": "Airplane"}}, two_parts),
}


def names(words: Sequence[str]) -> list[str]:
    """The targets that were asked for, all where none was; SystemExit naming what there is."""
    if unknown := set(words) - TARGETS.keys():
        raise SystemExit(f"no target {', '.join(sorted(unknown))}; there is {' '.join(TARGETS)}")
    return list(words) or list(TARGETS)
