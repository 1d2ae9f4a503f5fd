"""Truncated signed distances of ScanNet's meshes in blocks of 64^3 voxels of 5 cm and of 2 cm, with labels and things: preparation only.

run     l9 prep pipelines/scannet_sdf.py --root ScanNet          (the folder that holds scans/; first --plan)
takes   not measured: the data is its authors' to give; --plan estimates objects, bytes and hours from 1 % of it
expect  done + quarantined = the scans that are there. l9 has run this on small trees of its layout, and on the 50 rooms, which
        have its format: 50 of 50 done, 812 and 3,194 blocks, 2 min 21 s on 2 cores; never on ScanNet's own
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import scene_blocks

pipeline = Pipeline(
    name="scannet-sdf",
    sets={
        "coarse": Set("scannet", Prep(Use(scene_blocks, voxel=0.05))),
        "fine": Set("scannet", Prep(Use(scene_blocks, voxel=0.02))),
    },
)
