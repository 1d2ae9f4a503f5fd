"""3DMatch's descriptor of a surface, learnt from scanned rooms alone (Zeng et al., CVPR 2017), beside hand-crafted FPFH.

run     l9 run rooms_3dmatch
takes   24 minutes for seed 0 with one thread on 2 cores that other work kept busy; the store was there before
expect  error at 95 % recall on the 10 test rooms, 2,000 matches: 3DMatch .187 +- .007 (3 seeds, l9 0.1.0) below FPFH's .346, and below .285
        of FPFH compared by the roots of its shares
"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.match3d import Match3D
from l9.stages import volume_matches
from l9.tasks.handcrafted import Handcrafted
from l9.tasks.match_volumes import MatchVolumes

pipeline = Pipeline(
    name="rooms-3dmatch",
    sets={"rooms": Set("rooms", Prep(Use(volume_matches)))},
    trainings=(
        Training(Use(MatchVolumes), Use(Match3D), Schedule(steps=1200, batch=32, lr=1e-3, curve="cosine"), name="match3d"),
        *(Training(Use(Handcrafted, kind=kind), None, name=kind) for kind in ("fpfh", "rootfpfh")),
    ),
    train=Train(precision="bfloat16"),  # here a third faster than float32, without tiles in the processor too
)
