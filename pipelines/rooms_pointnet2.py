"""Label the vertices of scanned rooms with PointNet++ (Qi, Yi, Su, Guibas, NIPS 2017): 9 numbers a point, blocks of 1.5 m.

run     l9 run rooms_pointnet2          (l9 fetch rooms composes the 50 rooms first, once)
takes   13 minutes of steps at 17 sets a second of two cores, and 2 to prepare and test (seen whole beside other work alone)
expect  on the 10 test rooms `miou` .313 and accuracy .639 (seed 0); after 500 steps .214. By height alone .086 and .476. Short: 2,048 of a
        row's 8,192 points a step, and half of the paper's centres, 512 128 32 8; its layers, radii, 32 neighbours, weights of classes,
        turns by any angle and points dropped (up to .875 of a set) stay
"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.pointnet2 import PointNet2Seg
from l9.readers.scannet_labels import BENCHMARK
from l9.stages import scene_points
from l9.tasks.by_height import ScenesByHeight
from l9.tasks.segment_scenes import SegmentScenes

pipeline = Pipeline(
    name="rooms-pointnet2",
    sets={"rooms": Set("rooms", Prep(Use(scene_points, count=8192, block=1.5, stride=1.5)))},
    trainings=(
        Training(
            Use(SegmentScenes, labels=BENCHMARK, points=2048, class_weights=True, turn="any", drop=0.875),
            Use(PointNet2Seg, labels=len(BENCHMARK), centres=(512, 128, 32, 8)),
            Schedule(steps=1600, batch=8, lr=1e-3, curve="cosine", warmup=0.02),
            name="pointnet2",
        ),
        Training(Use(ScenesByHeight, labels=BENCHMARK), None, name="height"),
    ),
    train=Train(precision="bfloat16"),
)
