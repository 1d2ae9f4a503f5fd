"""Label the voxels of rooms column by column (Dai et al., ScanNet, CVPR 2017, section 5.2), beside labels that need no network.

run     l9 run rooms_columns          (l9 fetch rooms composes the 50 rooms first, once)
takes   11 minutes a seed on two cores, and once 42 s to prepare
expect  `miou` of vertices and `voxel_accuracy` on the 10 test rooms: .342 +- .033 and .746 +- .050 (seeds 0 to 2; seed 0 .371 and .777); by
        height .096 and .616, majority .020 and .367, without seeds (docs/labels.md)
"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.column_net import ColumnNet
from l9.stages import scene_columns
from l9.tasks.frequent_labels import FrequentLabels
from l9.tasks.label_columns import LabelColumns

few = Schedule(epochs=10, batch=32, lr=0.03, curve="plateau", every=1, warmup=0.05, checkpoint_every=1)  # the authors have 200 epochs

pipeline = Pipeline(
    name="rooms-columns",
    sets={"rooms": Set("rooms", Prep(Use(scene_columns)))},
    trainings=(
        Training(Use(LabelColumns, turned=True), Use(ColumnNet), few, name="column_net"),
        Training(Use(FrequentLabels, by_height=True), None, name="height"),
        Training(Use(FrequentLabels), None, name="majority"),
    ),
    train=Train(precision="bfloat16"),  # twice as fast as float32 here
)
