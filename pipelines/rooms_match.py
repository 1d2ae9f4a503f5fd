"""Key point matching learnt from scanned rooms alone (Chang et al., Matterport3D, 3DV 2017, table 2), beside hand-crafted descriptors.

run     l9 run rooms_match          (l9 fetch rooms composes the 50 rooms first, once)
takes   57 minutes for 3 seeds on 2 cores that other work shared, 7 of them for pairs
expect  `fpr95` on rooms, motorcycle, aloe, stairs, key points moved a little: lite0 .035 .008 .290 .093, scratch .058 .010 .167 .046,
        rootsift_upright .269 .115 .536 .260, rootsift .850 .429 .837 .596 (3 seeds, l9 0.1.0; all of it in docs/matches.md)
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.lite_descriptor import LiteDescriptor
from l9.models.patch_net import PatchNet
from l9.stages import key_point_matches
from l9.tasks.handcrafted import Handcrafted
from l9.tasks.match import Match

TESTS = ("rooms", "motorcycle", "aloe", "stairs")  # nothing but the rooms' train part is learnt from
stereo = Prep(Use(key_point_matches, width=0, pixels=2))

pipeline = Pipeline(
    name="rooms-match",
    sets={
        "rooms": Set("rooms", Prep(Use(key_point_matches, matches=400))),
        "motorcycle": Set("motorcycle", stereo, whole=True),
        "aloe": Set("aloe", stereo, whole=True),
        "stairs": Set("stairs", Prep(Use(key_point_matches, response=0.01))),
    },
    trainings=(
        Training(
            Use(Match), Use(PatchNet), Schedule(epochs=8, batch=128, lr=1e-3, curve="cosine", warmup=0.05), name="scratch", test=TESTS
        ),
        # before the training called lite0: after it, that name would be its weights
        Training(Use(Match, frozen=True), Use(LiteDescriptor, features=0), name="lite0_frozen", test=TESTS, init="lite0"),
        Training(
            Use(Match),
            Use(LiteDescriptor, kept=5),
            Schedule(epochs=1, batch=96, lr=1e-3, curve="cosine", warmup=0.1),
            name="lite0",
            test=TESTS,
            init="lite0",
        ),
        *(
            Training(Use(Handcrafted, kind=kind, upright=upright), None, name=kind + "_upright" * upright, test=TESTS)
            for upright in (False, True)
            for kind in ("sift", "rootsift", "orb")
        ),
    ),
)
