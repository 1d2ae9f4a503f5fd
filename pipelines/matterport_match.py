"""Key point matching by ResNet-50 as Matterport3D's authors train it (Chang et al., 3DV 2017, section 5.1), on their published pairs.

run     l9 run pipelines/matterport_match.py --root <the folder of the scenes' matches.txt>
takes   not measured: the data is its authors' to give, and 224-pixel ResNet-50 wants a GPU
expect  the paper reports an error of 10.6 % at 95 % recall on SUN3D's pairs, SIFT 37.8 %. l9 has run steps of this network and loss,
        and the stage on small lists of the same form; never on the published pairs
Of the paper: 64-pixel patches brought to 224, 512 numbers of length 1, hinge embedding with margin 1 on both distances, SGD with rate
0.001 and momentum 0.99, batches of 8, 2 epochs, frames of key points as they are. Not of it: its weights of ImageNet, which
`l9 import-weights resnet50.pth` brings (then --init resnet50); the error is interpolated and is of 50 other places a match.
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.resnet import ResNetDescriptor
from l9.stages import listed_matches
from l9.tasks.handcrafted import Handcrafted
from l9.tasks.match import Match

task = Use(Match, negatives="mined", optimizer="sgd", weight_decay=0.0, shift=0.0, zoom=0.0, turn=0.0, colour=0.0)

pipeline = Pipeline(
    name="matterport-match",
    sets={"pairs": Set("matterport_matches", Prep(Use(listed_matches)))},
    trainings=(
        Training(task, Use(ResNetDescriptor), Schedule(epochs=2, batch=8, lr=1e-3), name="resnet50"),
        Training(Use(Handcrafted, kind="sift"), None, name="sift"),
    ),
)
