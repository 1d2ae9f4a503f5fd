"""Label the parts of ShapeNetPart's models with PointNet's larger network (Qi, Su, Mo, Guibas, CVPR 2017), which knows the category.

run     l9 run pipelines/shapenetpart_pointnet.py --root shapenetcore_partanno_segmentation_benchmark_v0
takes   not measured: the data is its authors' to give
expect  the paper reports .837 (`instance_miou`) and .804 (`class_miou`) on the 2,874 models of the official test part. l9 has run this on a
        small tree of the layout only. Nothing is chosen on the test part: what is reported is the last epoch's.
Of the paper: 2,048 points, 50 parts, no augmentation, Adam, rate 0.001 halved every 337,620 samples (28 epochs of the train part), batches
of 32, 200 epochs. Not of it: the sphere is centred on the box, batch norm keeps its momentum, and what is scored are the 2,048 drawn
points, of which a smaller cloud gives some twice, where the authors' `test.py` scores every point of the model once.
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.pointnet_seg import PartSeg
from l9.readers.shapenetpart import PARTS
from l9.stages import labelled_points, normalise
from l9.tasks.segment_parts import SegmentParts

cloud = Prep(Use(normalise, kind="sphere"), Use(labelled_points, count=2048, repeat=True))

pipeline = Pipeline(
    name="shapenetpart-pointnet",
    sets={"shapenetpart": Set("shapenetpart", cloud, classes="shapenetpart16")},
    trainings=(
        Training(
            Use(SegmentParts, parts=PARTS),
            Use(PartSeg, labels=sum(PARTS.values())),
            Schedule(epochs=200, batch=32, lr=1e-3, curve="step", decay=0.5, every=28),
        ),
    ),
)
