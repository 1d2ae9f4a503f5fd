"""The random forest that a network must beat: Breiman (Machine Learning 45, 2001) on a coarse occupancy grid. A baseline, no network.

It reads the column `coarse_occupancy` (15^3 counts of occupied neighbours, 0..27) as shares of 27. It sees objects as they stand,
upright and aligned, and never turned.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.contract import Picture, Report, Task
from l9.tasks.inputs import BOX_SIZE, log_box_size
from l9.tasks.pictures import classification_pictures
from l9.tasks.scores import best_answers, classification_report, labelled

COLUMN = "coarse_occupancy"
NEIGHBOURS = 27  # voxels of a 3^3 neighbourhood: the largest count


class Forest(Task):
    """scikit-learn's RandomForestClassifier, fitted once.

    classes  names of the K classes, in the order of the labels
    trees    how many
    seed     of the samples and features each tree draws: one seed, one forest, on any number of cores
    box_size whether the trees also see the logarithms of the box's sides (column `box_size`)
    """

    def __init__(self, classes: tuple[str, ...], trees: int = 400, seed: int = 0, box_size: bool = False) -> None:
        self.classes, self.trees, self.seed = classes, trees, seed
        self.columns = (COLUMN, BOX_SIZE) if box_size else (COLUMN,)
        self._state: dict[str, ndarray] = {}
        self._forest: Any = None

    def fit(self, samples: Samples) -> None:
        """Grow the trees on all samples; TrainingError where one has no label."""
        batches = Loader(labelled(samples, self.classes), self.columns, seed=0, training=False).sequential()
        features = [self._features(batch) for batch in batches]
        self.restore({"features": np.concatenate(features), "labels": samples.labels})

    def state(self) -> dict[str, ndarray]:
        """What the forest was grown from: `features` uint8 (n, 3375) and `labels` int64 (n). Growing again takes seconds and is exact."""
        return self._state

    def restore(self, state: Mapping[str, ndarray]) -> None:
        """Grow the forest that `state` describes, on all cores."""
        from sklearn.ensemble import RandomForestClassifier

        self._state = {name: np.ascontiguousarray(state[name]) for name in ("features", "labels")}
        forest = RandomForestClassifier(self.trees, random_state=self.seed, n_jobs=-1)
        forest.fit(self._state["features"], self._state["labels"])
        forest.n_jobs = 1  # threads would add up the trees' answers in any order, and sums of floats depend on it
        self._forest = forest

    def evaluate(self, samples: Samples) -> Report:
        """Accuracy, class accuracy and loss; see l9/tasks/scores.py. A probability is the mean over the trees."""
        batches = Loader(labelled(samples, self.classes), self.columns, seed=0, training=False).sequential()
        return classification_report(samples, np.concatenate([self._probabilities(batch) for batch in batches]))

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`confusion` and `worst_mistakes`."""
        return classification_pictures(samples, report)

    def predict(self, batch: Batch) -> list[list[dict[str, Any]]]:
        """The five best classes of each sample with their probabilities."""
        return best_answers(self._probabilities(batch), self.classes)

    def _probabilities(self, batch: Batch) -> ndarray:
        """float64 (B, K); 0 for a class that was not there to learn from."""
        if self._forest is None:
            raise TrainingError("the forest is not grown yet; call fit or restore first")
        found = np.zeros((len(batch), len(self.classes)))
        found[:, self._forest.classes_] = self._forest.predict_proba(self._features(batch))
        return found

    def _features(self, batch: Batch) -> ndarray:
        shares = batch.fixed(COLUMN).flatten(1).cpu().numpy().astype(np.float32) / NEIGHBOURS
        return np.concatenate([shares, log_box_size(batch).cpu().numpy()], axis=1) if BOX_SIZE in self.columns else shares
