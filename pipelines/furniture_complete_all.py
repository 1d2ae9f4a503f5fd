"""The five networks of 3D-EPN's code on the scans of furniture_complete, trained alike: what joining, and knowing the class, is worth.

run     l9 run furniture_complete_all
takes   18 minutes on two busy cores; the scans are those of furniture_complete
expect  `l1_unknown` on fold 0, seed 0: epn_unet .509, epn_unet_class .520, epn_class .611, epn .629, epn_base .629. Eight epochs, where
        furniture_complete has thirty: to be compared among themselves
"""

from l9.config import Pipeline, Prep, Schedule, Set, Training, Use
from l9.models.epn import Epn, EpnBase, EpnUnet
from l9.models.nin3d import Nin3d
from l9.stages import normalise, virtual_scans
from l9.tasks.classify_partial import ClassifyPartial
from l9.tasks.complete import Complete

scans = Prep(Use(normalise, kind="cube"), Use(virtual_scans, scans=6))
task = Use(Complete, mirror=True)
networks = {
    "epn_base": Use(EpnBase),
    "epn_unet": Use(EpnUnet),
    "epn_unet_class": Use(EpnUnet, class_scores=True, classifier_width=24),
    "epn": Use(Epn),
    "epn_class": Use(Epn, class_scores=True, classifier_width=24),
}

pipeline = Pipeline(
    name="furniture-complete-all",
    sets={"furniture": Set("furniture", scans, classes="furniture19", fold=0)},
    trainings=(
        Training(
            Use(ClassifyPartial, mirror=True),
            Use(Nin3d, width=24),
            Schedule(epochs=6, batch=32, lr=1e-3, curve="cosine"),
            name="classifier",
            parts="train+validation/test",
        ),
        *(
            Training(
                task,
                network,
                Schedule(epochs=8, batch=16, lr=2e-3, curve="cosine"),
                name=name,
                parts="train+validation/test",
                init="classifier" if name.endswith("_class") else None,
            )
            for name, network in networks.items()
        ),
    ),
)
