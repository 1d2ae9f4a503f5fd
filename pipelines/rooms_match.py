"""Key point matching learnt from scanned rooms alone (Chang et al., Matterport3D, 3DV 2017, table 2), beside hand-crafted descriptors.

run     l9 run rooms_match
takes   <minutes>
expect  <figures>
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.patch_net import PatchNet
from l9.stages import key_point_matches
from l9.tasks.handcrafted import Handcrafted
from l9.tasks.match import Match

TESTS = ("rooms", "motorcycle", "aloe", "stairs")
stereo = Prep(Use(key_point_matches, width=0, pixels=2))


def handcrafted(kind: str) -> Training:
    """A baseline."""
    return Training(Use(Handcrafted, kind=kind), None, name=kind, test=TESTS)


pipeline = Pipeline(
    name="rooms-match",
    sets={
        "rooms": Set("rooms", Prep(Use(key_point_matches, matches=400))),
        "motorcycle": Set("motorcycle", stereo),
        "aloe": Set("aloe", stereo),
        "stairs": Set("stairs", Prep(Use(key_point_matches))),
    },
    trainings=(
        Training(Use(Match), Use(PatchNet), Schedule(epochs=10, batch=256, lr=1e-3, curve="cosine"), name="scratch", test=TESTS),
        handcrafted("sift"),
        handcrafted("rootsift"),
        handcrafted("orb"),
    ),
)
