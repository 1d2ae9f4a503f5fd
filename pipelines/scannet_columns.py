"""Label the voxels of ScanNet column by column (Dai et al., ScanNet, CVPR 2017, section 5.2), beside labels that need no network.

run     l9 run scannet_columns --root ScanNet          (the folder that holds scans/; l9 prep ... --plan first)
        l9 export latest --to answers --format scannet          (labels of the test scans' vertices)
takes   not measured: the data is its authors' to give
expect  nothing that l9 has seen: it ran on small trees of ScanNet's layout, and on the 50 rooms (rooms_columns). The paper has a voxel
        accuracy of 73.0 % on version 1's test scans; here version 2's validation scans are reported. The card reads meshes alone, so that
        the surface is all that is known: for free and unseen space too, give a copy of the card without `parameters` (--card)
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.column_net import ColumnNet
from l9.stages import scene_columns
from l9.tasks.frequent_labels import FrequentLabels
from l9.tasks.label_columns import LabelColumns

halved = Schedule(epochs=200, batch=64, curve="step", every=20)  # as in the authors' code

pipeline = Pipeline(
    name="scannet-columns",
    sets={"scannet": Set("scannet", Prep(Use(scene_columns)))},
    trainings=(
        Training(Use(LabelColumns), Use(ColumnNet), halved, name="column_net", parts="train/validation"),
        Training(Use(FrequentLabels, by_height=True), None, name="height", parts="train/validation"),
        Training(Use(FrequentLabels), None, name="majority", parts="train/validation"),
    ),
)
