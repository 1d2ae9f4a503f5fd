"""What generated pictures must beat, and cannot: real pictures, copies, a blur and a Gaussian, measured as generators are.

A task without players around a frozen LiteFeatures: give its training the model and `init="lite0"`.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.models.lite_features import LiteFeatures
from l9.tasks.contract import Picture, Report, Task
from l9.tasks.generated_measures import Measures, compared_tests, compared_training, measured
from l9.tasks.nearest_training import memorisation_page
from l9.tasks.unit_pictures import COLUMN, check_pictures, picture_tiles

Kind = Literal["floor", "copies", "blur", "pca_gaussian"]
TITLES = {
    "floor": "real pictures of the test part",
    "copies": "pictures of the training part",
    "blur": "pictures of the test part, each pixel the mean of 3 x 3",
    "pca_gaussian": "drawn from a Gaussian fitted to the training pictures",
}
LEAST = 2  # pictures of a kind that can be compared
PAGE, ACROSS, TILE = 64, 16, 64  # pictures on the page, in a row, and pixels of a tile


class PictureBaseline(Task):
    """One of four, against the test pictures as `l9.tasks.generated_measures.measured` has it.

    kind        "floor": half of the test pictures against the other half, drawn by `seed`: nothing differs but the draw
                "copies": as many training pictures, drawn by `seed`, as there are test pictures, or all where they are fewer: what
                learning by heart gets
                "blur": the same half, each pixel the mean of its 3 x 3 neighbours (edges repeated), against the other half
                "pca_gaussian": as many draws as there are test pictures, by `seed`, from the Gaussian of the training pictures' largest
                principal components, cut to 0..1
    components  of "pca_gaussian"; fewer where pictures or pixels are fewer
    """

    columns = (COLUMN,)

    def __init__(self, kind: Kind = "floor", components: int = 256, seed: int = 0) -> None:
        if kind not in TITLES or components < 1:
            raise TrainingError(f"PictureBaseline: kind is '{kind}', components {components}; expected {', '.join(TITLES)}, and 1 or more")
        self.kind, self.components, self.seed = kind, components, seed

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if it is no LiteFeatures."""
        if not isinstance(model, LiteFeatures):
            raise TrainingError("PictureBaseline needs features; give its training Use(LiteFeatures) as its model, and init='lite0'")
        self._features = model
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Keep the training pictures that are compared. TrainingError where the features have no weights, or there are less than two."""
        self._features.check_loaded()
        if len(samples) < LEAST:
            raise TrainingError(f"PictureBaseline got {len(samples)} training pictures; expected at least {LEAST}")
        self._train = compared_training(samples)

    def check_test(self, samples: Samples) -> None:
        """TrainingError where test pictures are of another shape than the training pictures, or too few to be halved."""
        channels, size, _ = self._train.shape[1:]
        check_pictures(samples, channels, size, "this baseline, as it was fitted,")
        if len(samples) < 2 * LEAST:
            raise TrainingError(f"PictureBaseline got {len(samples)} test pictures; expected at least {2 * LEAST}")

    def evaluate(self, samples: Samples) -> Report:
        """The metrics of `measured`; refused as `check_test` does."""
        self.check_test(samples)
        test = compared_tests(samples)
        self._generated, against = self._pair(test)
        self._measures: Measures = measured(self._generated, against, self._train, self._features, self.seed)
        return Report(dict(self._measures.metrics))

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`samples` and `memorisation`, of the last evaluation."""
        shown = picture_tiles(self._generated[:PAGE], TILE)
        yield Picture("samples", sample_grid(shown, (), ACROSS, f"{self.kind}: {TITLES[self.kind]}"))
        yield memorisation_page(self._measures.nearest, self._generated, self._train)

    def _pair(self, test: Float[Tensor, "m c h w"]) -> tuple[Tensor, Tensor]:
        """What is measured, and the test pictures that it is measured against."""
        draw = np.random.default_rng(self.seed)
        if self.kind == "copies":
            return self._train[draw.permutation(len(self._train))[: len(test)]], test
        if self.kind == "pca_gaussian":
            return gaussian_pictures(self._train, self.components, len(test), self.seed), test
        order = draw.permutation(len(test))
        one, other = test[order[: len(test) // 2]], test[order[len(test) // 2 :]]
        return (blurred(one) if self.kind == "blur" else one), other


def blurred(x_BCHW: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Each pixel the mean of its 3 x 3 neighbours, the pixels at the edge repeated outside."""
    return nn.functional.avg_pool2d(nn.functional.pad(x_BCHW, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def gaussian_pictures(x_KCHW: Float[Tensor, "k c h w"], components: int, count: int, seed: int) -> Float[Tensor, "n c h w"]:
    """`count` draws from the Gaussian of the pictures' mean and largest principal components, cut to 0..1; `seed` draws both.

    The components are those of scikit-learn's randomised PCA (Halko, Martinsson & Tropp, 2011).
    """
    from sklearn.decomposition import PCA

    flat = x_KCHW.flatten(1).numpy()
    found = PCA(min(components, *flat.shape), svd_solver="randomized", random_state=seed).fit(flat)
    weights = np.random.default_rng(seed).standard_normal((count, found.n_components_)) * np.sqrt(found.explained_variance_)
    drawn = np.clip(found.mean_ + weights @ found.components_, 0, 1).astype(np.float32)
    return torch.from_numpy(drawn).reshape(count, *x_KCHW.shape[1:])
