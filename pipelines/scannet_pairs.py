"""Free labels of ScanNet's recordings: pairs of frames with overlap and pose, dense matches, and key point matches with patches.

run     l9 prep pipelines/scannet_pairs.py --root ScanNet          (the folder that holds scans/; first --plan)
takes   not measured: the data is its authors' to give; --plan estimates objects, bytes and hours from 1 % of it
expect  done + quarantined = the scans that are there. l9 has run this on the 50 rooms, which have its format; never on ScanNet's own
At most 500 frames of a scan, evenly spread, and 1,000 matches, as Matterport3D's authors took of ScanNet.
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import dense_matches, key_point_matches, view_pairs

pipeline = Pipeline(
    name="scannet-pairs",
    sets={
        "matches": Set("scannet_frames", Prep(Use(key_point_matches))),
        "views": Set("scannet_frames", Prep(Use(view_pairs), Use(dense_matches))),
    },
)
