"""Label the parts of tables, chairs, lamps and mugs that l9 makes, point by point, with PointNet (Qi, Su, Mo, Guibas, CVPR 2017).

run     l9 run shapes_parts          (nothing to fetch: the shapes are computed)
takes   1 min 39 s of two cores, the first preparation aside
expect  instance mIoU .914, class mIoU .913 on the 14 models that a hash leaves to the test, by height alone .763 and .714 (seed 0)
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.geometry.solids import PARTS
from l9.models.pointnet_seg import PointNetSeg
from l9.stages import labelled_points, normalise
from l9.tasks.by_height import PartsByHeight
from l9.tasks.segment_parts import SegmentParts

cloud = Prep(Use(normalise, kind="sphere"), Use(labelled_points, count=2048))

pipeline = Pipeline(
    name="shapes-parts",
    sets={"shapes": Set("shapes", cloud, classes="shapes4")},  # the classes of several parts; the others are always right
    trainings=(
        Training(
            Use(SegmentParts, parts=PARTS, points=512),
            Use(PointNetSeg, labels=sum(PARTS.values())),
            Schedule(epochs=40, batch=16, lr=1e-3, curve="cosine", warmup=0.02),
            name="pointnet_seg",
        ),
        Training(Use(PartsByHeight, parts=PARTS), None, name="height"),
    ),
)
