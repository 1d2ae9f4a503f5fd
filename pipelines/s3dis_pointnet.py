"""Label the points of S3DIS's rooms with PointNet (Qi, Su, Mo, Guibas, CVPR 2017): Area 5 is tested, the other five are learnt from.

run     l9 run pipelines/s3dis_pointnet.py --root Stanford3dDataset_v1.2          (the folder of Area_1 to Area_6)
takes   not measured: the data is its authors' to give
expect  the paper reports mIoU .477 and accuracy .785 over all six areas, each tested once: six copies of the card, test_area 1 to 6. l9 has
        run this on small trees of the layout only. Nothing is chosen on the test part: what is reported is the last epoch's.
Of the paper: 9 numbers a point, 4,096 points a block of 1 m, every half metre to learn from and every metre to test, one row of points
drawn of each block to learn from, blocks of fewer than 100 points left out of it, no T-Nets, dropout, Adam, rate 0.001 halved every 300,000
samples, batches of 24, 50 epochs. A sample is a block: 15 epochs are 300,000 if the five areas have 20,000 blocks, which was not counted;
`every` is 300,000 over their number. Not of it: `pointnet_seg`'s layers, of which the docstring of l9/models/pointnet_seg.py says how they
differ; in the test a full block takes as many rows as hold all of its points; points are drawn without replacement; the last block of a
row ends where the room does; batch norm keeps its momentum.
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.pointnet_seg import PointNetSeg
from l9.readers.s3dis import CLASSES
from l9.stages import scene_points
from l9.tasks.segment_scenes import SegmentScenes

pipeline = Pipeline(
    name="s3dis-pointnet",
    sets={
        "dense": Set("s3dis", Prep(Use(scene_points, stride=0.5, least=100, rows=1))),
        "rooms": Set("s3dis", Prep(Use(scene_points))),
    },
    trainings=(
        Training(
            Use(SegmentScenes, labels=CLASSES),
            Use(PointNetSeg, labels=len(CLASSES), channels=9, transforms=False, dropout=0.3),
            Schedule(epochs=50, batch=24, lr=1e-3, curve="step", decay=0.5, every=15),
            sets=("dense",),
            test=("rooms",),
        ),
    ),
)
