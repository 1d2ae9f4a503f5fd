"""Free labels of 50 scanned rooms: pairs of frames with overlap, pose and flow, dense matches, and key point matches with patches.

run     l9 run rooms_pairs          (l9 fetch rooms composes the 50 rooms first, once)
takes   5.1 minutes on 2 CPU cores: 3.4 for the matches, 1.7 for the rest
expect  50 of 50 done in both sets, 62,929 rows in each: pairs of frames that share a cell of 5 cm
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import dense_matches, key_point_matches, view_pairs

pipeline = Pipeline(
    name="rooms-pairs",
    sets={
        "matches": Set("rooms", Prep(Use(key_point_matches, matches=400))),
        "views": Set("rooms", Prep(Use(view_pairs, flow=40), Use(dense_matches, count=64))),
    },
)
