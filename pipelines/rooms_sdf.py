"""Rooms as grids: signed distances of their meshes with labels and things, and of their depth frames with what was seen.

run     l9 run rooms_sdf          (l9 fetch rooms composes the 50 rooms first, once)
takes   TAKES
expect  EXPECT
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
