"""The picture of docs/completion.md: one walk around a chair, what its cameras know, and what there is.

run     .venv/bin/python docs/pictures/virtual_scans.py FURNITURE    (5 seconds; writes virtual_scans.png beside itself)
        FURNITURE: the root of the card `furniture`, below raw/ of the home it was fetched to
object  blendswap-cc-0-antiquechair (Niuskir, CC0), scan 0 of seed 0 of the stage `virtual_scans`
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.cards import load_card
from l9.draw.grid import sample_grid
from l9.draw.png import write_png
from l9.geometry.camera import Pinhole
from l9.geometry.distance_fields import KNOWN
from l9.geometry.grid import grid_centres
from l9.geometry.mesh import Mesh
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene
from l9.readers.sweethome import find, read
from l9.stages import normalise, virtual_scans
from l9.stages.contract import run_stages
from l9.store.columns import Row

OBJECT = "blendswap-cc-0-antiquechair"
SIZE, FINER = 288, 3  # pixels of a tile; rays a pixel, each way
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 32
SIDES = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]])
FACES = np.concatenate([SIDES, [[1, 5, 7], [1, 7, 3]]])
BLUE, RED, GREY = (np.array(colour, float) for colour in ((60, 110, 200), (200, 60, 50), (150, 150, 150)))


def the_chair(root: Path) -> Mesh:
    """The object, normalised."""
    found = next(one for one in find(root) if one.id == OBJECT)
    with (root / found.files[0]).open("rb") as stream:
        return normalise(read([stream], found, load_card("furniture").axes.up))


def shaded(vertices: Float[ndarray, "v 3"], faces: ndarray, pose: Float[ndarray, "4 4"]) -> UInt8[ndarray, "h w 3"]:
    """Seen by a camera, light from there."""
    rays = Pinhole.of_field(SIZE * FINER, SIZE * FINER, 43.0).directions() @ pose[:3, :3].T
    given = np.concatenate([np.broadcast_to(pose[:3, 3], rays.shape), rays], axis=-1).astype(np.float32)
    seen = raycasting_scene(vertices, faces).cast_rays(open3d().core.Tensor(given))
    facing = np.abs((seen["primitive_normals"].numpy() * rays).sum(axis=-1)) / np.linalg.norm(rays, axis=-1)
    shade = np.where(np.isfinite(seen["t_hit"].numpy()), 0.25 + 0.65 * facing, 1)
    grey = np.rint(255 * shade.reshape(SIZE, FINER, SIZE, FINER).mean(axis=(1, 3))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def cubes(chosen: ndarray, pose: Float[ndarray, "4 4"]) -> UInt8[ndarray, "h w 3"]:
    """Voxels of a mask, as cubes."""
    middles = grid_centres(32)[np.argwhere(chosen)]
    vertices = (middles[:, None] + CUBE).reshape(-1, 3)
    return shaded(vertices, (8 * np.arange(len(middles))[:, None, None] + FACES).reshape(-1, 3), pose)


def slice_of(field: Float[ndarray, "x y z"], place: int) -> UInt8[ndarray, "h w 3"]:
    """Constant x, y up, z to the right: blue in front of a surface, white on it, red behind it, grey unknown."""
    plane = field[place].astype(float)[::-1]
    share = np.clip(plane / 3, -1, 1)[..., None]
    colours = 255 + np.abs(share) * (np.where(share > 0, BLUE, RED) - 255)
    colours[plane < KNOWN] = GREY
    return np.repeat(np.repeat(np.rint(colours).astype(np.uint8), SIZE // 32, axis=0), SIZE // 32, axis=1)


def drawn(mesh: Mesh, row: Row) -> UInt8[ndarray, "h w 3"]:
    """Six tiles."""
    partial, complete = np.asarray(row["partial"]), np.asarray(row["complete"])
    front = np.asarray(row["cameras"])[0].astype(float)
    behind = np.diag([-1.0, 1, -1, 1]) @ front  # half a turn about y
    known = (partial >= KNOWN) & (partial <= 1)
    place = int(known.sum(axis=(1, 2)).argmax())
    tiles = {
        "the mesh\nfrom the first of 4 cameras": shaded(mesh.vertices, mesh.faces, front),
        "known, within a voxel of a surface\nfrom the first camera": cubes(known, front),
        f"partial, x = {place}: free, behind, unknown\n{(partial < KNOWN).mean():.0%} of all voxels are unknown": slice_of(partial, place),
        "the mesh\nfrom the other side": shaded(mesh.vertices, mesh.faces, behind),
        "known, within a voxel of a surface\nfrom the other side": cubes(known, behind),
        f"complete, x = {place}\nunsigned distance, cut at 3 voxels": slice_of(complete, place),
    }
    return sample_grid(list(tiles.values()), list(tiles), columns=3)


if __name__ == "__main__":
    chair = the_chair(Path(sys.argv[1]))
    first = next(run_stages(chair, [(virtual_scans, {"scans": 1, "seed": 0})], object_id=OBJECT))
    write_png(Path(__file__).with_name("virtual_scans.png"), drawn(chair, first))
