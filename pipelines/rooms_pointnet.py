"""Label the vertices of scanned rooms with PointNet (Qi, Su, Mo, Guibas, CVPR 2017): 9 numbers a point, blocks of 1 m, no T-Nets.

run     l9 run rooms_pointnet          (l9 fetch rooms composes the 50 rooms first, once)
takes   6 minutes on two cores, preparation included
expect  on the 10 test rooms `miou` .354 and accuracy .669 (seed 0); by height alone .086 and .476, the most frequent class .020 and .303.
        Short: 1,024 of a row's 4,096 points a step, 13 epochs; the paper has 50 of all
"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.pointnet_seg import PointNetSeg
from l9.readers.scannet_labels import BENCHMARK
from l9.stages import scene_points
from l9.tasks.by_height import ScenesByHeight
from l9.tasks.segment_scenes import SegmentScenes

pipeline = Pipeline(
    name="rooms-pointnet",
    sets={"rooms": Set("rooms", Prep(Use(scene_points)))},
    trainings=(
        Training(
            Use(SegmentScenes, labels=BENCHMARK, points=1024, turn="quarter"),
            Use(PointNetSeg, labels=len(BENCHMARK), channels=9, transforms=False, dropout=0.3),
            Schedule(steps=800, batch=24, lr=1e-3, curve="cosine", warmup=0.02),
            name="pointnet",
        ),
        Training(Use(ScenesByHeight, labels=BENCHMARK), None, name="height"),
        Training(Use(ScenesByHeight, labels=BENCHMARK, bins=1), None, name="majority"),
    ),
    train=Train(precision="bfloat16"),
)
