"""A wall with a pattern on it that a camera passes: key point matches that can be told by hand, as a scan, as a store, and as lists."""

import io

import numpy as np
from PIL import Image

from l9.geometry.camera import Pinhole
from l9.geometry.scan import Frame, Scan
from l9.stages import key_point_matches
from l9.stages.contract import columns_of, run_stages
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store

WIDTH, HEIGHT, FOCAL, WALL = 240, 180, 200.0, 2.0  # pixels, pixels, pixels, metres
STEP = 10  # pixels that the pattern moves from one frame to the next: 10 cm
SCAN = "hall/scene0000_00"
STILL = {"shift": 0, "zoom": 0, "turn": 0}  # no jitters: those of mined and of listed matches are drawn apart
SETTINGS = {"matches": 60, "side": 32, "response": 0.01, **STILL}


def pattern(seed=0):
    """Smooth blobs, RGB, wide enough for four frames."""
    rough = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 6, (WIDTH + 4 * STEP) // 6 + 1, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize((WIDTH + 4 * STEP, HEIGHT), Image.Resampling.BICUBIC))


def picture(number):
    """What frame `number` sees: frames 3, 5 and 6 are the first, second and third place; a recording with gaps."""
    place = PLACES[number]
    return np.ascontiguousarray(pattern()[:, STEP * place : STEP * place + WIDTH])


PLACES = {3: 0, 5: 1, 6: 2}


def scan():
    camera = Pinhole(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)

    def frames(colour, depth):
        for number, place in PLACES.items():
            pose = np.eye(4)
            pose[0, 3] = place * STEP * WALL / FOCAL
            measured = np.full((HEIGHT, WIDTH), WALL, np.float32) if depth else None
            yield Frame(number, picture(number) if colour else None, measured, camera, camera, pose, pose)

    return Scan(frames)


def mined():
    """Rows of the stage, as they are."""
    return list(run_stages(scan(), [(key_point_matches, SETTINGS)], object_id=SCAN))


def store_of_rows(home, rows, columns=None, name=SCAN):
    columns = columns or columns_of([(key_point_matches, SETTINGS)])
    objects = (PlannedObject(name, name, "key", "", "train"),)
    key = shard_key(objects, columns)
    with ShardWriter(shards_folder(home), key, columns) as writer:
        writer.add(name, rows)
        facts = writer.close()
    return write_store(home, "matches", PlanFacts("matches", "+Z", columns, objects), [facts])


def encoded(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return out.getvalue()


def put_pictures(scene, numbers=tuple(PLACES), kind="PNG", seen=picture):
    (scene / "images").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (scene / f"images/color-00-{number:06d}.{'png' if kind == 'PNG' else 'jpg'}").write_bytes(encoded(seen(number), kind))
    return scene


def line(match, sensor, frame, pixel=(120, 90), **other):
    """One key point as MatchFinder writes it."""
    told = {
        "depth": "2",
        "point": "0.5 0.25 2",
        "offset": "0 0",
        "size": "4.5",
        "angle": "30",
        "octave": "0",
        "scale": "1",
        "packed": "256",
    }
    told |= other
    return "\t".join([str(match), str(sensor), str(frame), f"{pixel[0]} {pixel[1]}", *told.values()])


HEADER = "SceneName 17DRP5sb8fy ( 2 matches )\n\nmatchIdx\tm_sensorIdx\n"


def lists(other_frame=6):
    """Lines of matches.txt and negatives.txt: two matches of the pictures of `PLACES`."""
    first, second = line(0, 0, 3), line(1, 0, 3, (130, 80))
    return (
        [first, line(0, 0, 5, (110, 90)), second, line(1, 0, 5, (120, 80), offset="0.5 -0.25")],
        [first, line(0, 0, other_frame, (70, 70)), second, line(1, 0, 5, (99, 66), offset="-1.#INF -1.#INF")],
    )


def put_lists(scene, positives, negatives, header=HEADER, names=("matches.txt", "negatives.txt")):
    scene.mkdir(parents=True, exist_ok=True)
    for name, lines in zip(names, (positives, negatives), strict=True):
        (scene / name).write_text(header + "".join(one + "\n" for one in lines))
    return scene
