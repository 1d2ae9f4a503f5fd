"""Complete partial scans of furniture with 3D-EPN (Dai, Qi, Niessner, CVPR 2017), beside what needs no network.

run     l9 run furniture_complete
takes   11 minutes on two cores, of these 2 of one core for the 5,466 scans, which are made once
expect  `l1_unknown` in voxels on fold 0 (108 objects): epn_unet_class .469 (seed 0); input 1.469, retrieval .955, mean .838, which is told
        the class, and the mean of the five nearest objects .761 (l9 0.1.0)
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.epn import EpnUnet
from l9.models.nin3d import Nin3d
from l9.stages import normalise, virtual_scans
from l9.tasks.classify_partial import ClassifyPartial
from l9.tasks.complete import Complete
from l9.tasks.completion_baselines import ClassMean, NearestObject, ScanItself

scans = Prep(Use(normalise, kind="cube"), Use(virtual_scans, scans=6))

pipeline = Pipeline(
    name="furniture-complete",
    sets={"furniture": Set("furniture", scans, classes="furniture19", fold=0)},
    trainings=(
        Training(Use(ScanItself), None, name="input", parts="train+validation/test"),
        Training(Use(ClassMean), None, name="mean", parts="train+validation/test"),
        Training(Use(NearestObject), None, name="retrieval", parts="train+validation/test"),
        Training(Use(NearestObject, objects=5), None, name="retrieval_5", parts="train+validation/test"),
        Training(
            Use(ClassifyPartial, mirror=True),
            Use(Nin3d, width=24),
            Schedule(epochs=6, batch=32, lr=1e-3, curve="cosine"),
            name="classifier",
            parts="train+validation/test",
        ),
        Training(
            Use(Complete, mirror=True),
            Use(EpnUnet, class_scores=True, classifier_width=24),
            Schedule(epochs=30, batch=16, lr=2e-3, curve="cosine"),
            name="epn_unet_class",
            parts="train+validation/test",
            init="classifier",
        ),
    ),
)
