"""Rooms as grids: signed distances of their meshes with labels and things, and of their depth frames, with fused meshes.

run     l9 run rooms_sdf          (l9 fetch rooms composes the 50 rooms first, once)
takes   2 min 21 s on 2 cores, 8.8 GB
expect  50 of 50 done in each set: 812 and 3,194 blocks of the meshes at 5 and 2 cm, 795 and 3,202 of the depth frames, 50 fused meshes
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import fused_blocks, fused_mesh, scene_blocks

pipeline = Pipeline(
    name="rooms-sdf",
    sets={
        "coarse": Set("rooms", Prep(Use(scene_blocks, voxel=0.05))),
        "fine": Set("rooms", Prep(Use(scene_blocks, voxel=0.02))),
        "depth": Set("rooms", Prep(Use(fused_blocks, voxel=0.05))),
        "mesh": Set("rooms", Prep(Use(fused_mesh, voxel=0.02))),
        "fine_depth": Set("rooms", Prep(Use(fused_blocks, voxel=0.02))),
    },
)
