"""A room of boxes by hand, labelled, as `scene_columns` takes it; and a small store of such rooms."""

import numpy as np

from l9.data.samples import Samples
from l9.geometry.scan import Scan, Surface
from l9.stages import scene_columns
from l9.stages.contract import columns_of, run_stages
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store

WALL, FLOOR, CHAIR, TABLE, NONE = 1, 2, 5, 7, 0


def quad(corner, first, second, label):
    """Corners, two faces, labels of a parallelogram."""
    corner, first, second = (np.array(one, float) for one in (corner, first, second))
    return np.stack([corner, corner + first, corner + first + second, corner + second]), np.full(4, label)


def joined(*quads):
    """A surface of quads, none of which share a corner."""
    vertices = np.concatenate([corners for corners, _ in quads])
    faces = (np.array([[0, 1, 2], [0, 2, 3]])[None] + 4 * np.arange(len(quads))[:, None, None]).reshape(-1, 3)
    labels = np.concatenate([labels for _, labels in quads]).astype(np.int64)
    return Surface(vertices, faces, None, labels, labels)


def room(side=2.4, height=1.8, base=0.0, chair=(0.6, 0.6), labels=(FLOOR, WALL, CHAIR)):
    """A floor, two walls, and a seat 0.48 m above the floor with a side; `base` is the floor's height in metres."""
    floor, wall, seat = labels
    x, y = chair
    return joined(
        quad((0, 0, base), (side, 0, 0), (0, side, 0), floor),
        quad((0, 0, base), (side, 0, 0), (0, 0, height), wall),
        quad((0, 0, base), (0, side, 0), (0, 0, height), wall),
        quad((x, y, base + 0.48), (0.48, 0, 0), (0, 0.48, 0), seat),
        quad((x, y, base), (0.48, 0, 0), (0, 0, 0.48), seat),
    )


def furnished(seat=(0.2, 0.2), table=(1.3, 1.3)):
    """Two tops of a square metre and one height, of which one has a back: height alone does not tell them apart."""
    things = joined(
        quad((*seat, 0.48), (0.96, 0, 0), (0, 0.96, 0), CHAIR),
        quad((*seat, 0.48), (0.96, 0, 0), (0, 0, 0.7), CHAIR),
        quad((*table, 0.48), (0.96, 0, 0), (0, 0.96, 0), TABLE),
    )
    plain = room()
    keep, count = slice(0, 12), 12  # floor and walls
    both = np.concatenate([plain.labels[keep], things.labels])
    vertices, faces = np.concatenate([plain.vertices[keep], things.vertices]), np.concatenate([plain.faces[:6], things.faces + count])
    return Surface(vertices, faces, None, both, both)


def row_of(surface, frames=None, up="+Z", **arguments):
    """What the stage makes of a surface, and the notes."""
    scan = Scan(frames, surface, up)
    (row,) = run_stages(scan, [(scene_columns, arguments)], object_id="scene0000_00")
    return row, scan.notes


def columns_store(home, surfaces=None, splits=(), name="toy", **arguments):
    """A store of rooms, a scan each; of four rooms that differ in where the chair stands unless surfaces are given."""
    surfaces = surfaces or [room(chair=(0.3 + 0.4 * number, 0.5)) for number in range(4)]
    columns = columns_of([(scene_columns, arguments)])
    ids = [f"scene{number:04d}_00" for number in range(len(surfaces))]
    parts = [*splits, *[""] * (len(ids) - len(splits))]
    objects = tuple(PlannedObject(one, one, f"key {one} {name}", split=split) for one, split in zip(ids, parts, strict=True))
    with ShardWriter(shards_folder(home), shard_key(objects, columns), columns) as writer:
        for one, surface in zip(ids, surfaces, strict=True):
            writer.add(one, [row_of(surface, **arguments)[0]])
        facts = writer.close()
    return write_store(home, name, PlanFacts(name, "+Z", columns, objects), [facts])


def column_samples(home, surfaces=None, **arguments):
    """The shares of all its scans."""
    return Samples.of(columns_store(home, surfaces, **arguments), part="all", item_column="shares")
