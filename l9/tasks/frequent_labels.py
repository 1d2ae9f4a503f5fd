"""Labels that need no network: the most frequent one, of all voxels or of those of the same height. Baselines of labelled columns."""

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.scan_columns import EMPTY, HEIGHT, UNANNOTATED
from l9.tasks.column_scans import IDS, ColumnScan, any_labelled, checked_columns, class_names, column_pictures, column_report, scans_of
from l9.tasks.contract import Picture, Report, Task


class FrequentLabels(Task):
    """The same answer for every occupied voxel, or one for each height.

    by_height  whether heights differ: of each the label that most voxels of that height have in the scans to learn from; where none has
               one, the most frequent of all
    ids        NYU's ids of the classes that count
    """

    version = 2
    samples, whole_tests = "shares", True
    columns = ("column_labels",)

    def __init__(self, by_height: bool = False, ids: tuple[int, ...] = IDS) -> None:
        self.by_height, self.ids = by_height, ids
        self._answers = np.zeros(HEIGHT, np.uint8)

    def fit(self, samples: Samples) -> None:
        """Count the labels of all voxels. TrainingError where samples are no columns, or none has a class that counts."""
        counts = np.zeros((HEIGHT, UNANNOTATED + 1), np.int64)
        for scan in scans_of(checked_columns(samples)):
            counts += label_heights(scan.labels)
        of_ids = counts[:, list(self.ids)]
        if not of_ids.any():
            raise TrainingError(f"no voxel to learn from has one of the classes {', '.join(class_names(self.ids)[:5])}, ...")
        overall = of_ids.sum(axis=0)
        chosen = np.where(of_ids.any(axis=1), of_ids.argmax(axis=1), overall.argmax()) if self.by_height else overall.argmax()
        self.restore({"answers": np.broadcast_to(np.array(self.ids, np.uint8)[chosen], HEIGHT).copy()})

    def state(self) -> dict[str, ndarray]:
        """`answers` uint8 (62): NYU's id for each height."""
        return {"answers": self._answers}

    def restore(self, state: Mapping[str, ndarray]) -> None:
        """What `state` gave."""
        self._answers = np.ascontiguousarray(state["answers"])

    def labelled(self, samples: Samples) -> bool:
        """Whether any vertex and voxel has a class that counts."""
        return any_labelled(samples, self.ids)

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.column_scans.column_report`."""
        return column_report(checked_columns(samples), self.ids, self.answers)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`confusion` and `labels`."""
        return column_pictures(samples, report, self.ids, self.answers)

    def answers(self, scan: ColumnScan) -> UInt8[ndarray, "x y z"]:
        """NYU's id for each occupied voxel, 0 elsewhere."""
        return np.where(scan.labels != EMPTY, self._answers, EMPTY).astype(np.uint8)


def label_heights(labels: UInt8[ndarray, "x y z"]) -> Int64[ndarray, "62 42"]:
    """Voxels of each height (row) with each label (column)."""
    numbers = np.arange(HEIGHT) * (UNANNOTATED + 1) + labels
    return np.bincount(numbers.ravel(), minlength=HEIGHT * (UNANNOTATED + 1)).reshape(HEIGHT, -1)
