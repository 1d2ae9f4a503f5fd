"""Pictures rebuilt from their principal components: what an autoencoder must beat. A baseline, no network.

source  Pearson, On lines and planes of closest fit to systems of points in space, 1901; as a baseline of autoencoders Hinton &
        Salakhutdinov, Science 2006
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.code_pictures import code_map
from l9.tasks.contract import Picture, Report, Task
from l9.tasks.image_code_pictures import reconstruction_page, strips
from l9.tasks.neighbours import principal_directions
from l9.tasks.rebuilt_report import map_title, rebuilt_report
from l9.tasks.unit_pictures import COLUMN, batches_of, check_pictures, spread, stored_pictures

MOST_NUMBERS = 2**25  # of the pictures that directions are found from, 0.25 GiB in float64


class PrincipalComponents(Task):
    """Mean and directions of largest variance of the training pictures, values 0..1; rebuilt values are not cut off at 0 and 1.

    code  how many directions

    They are found from at most 0.25 GiB of training pictures in float64, evenly spread (42,799 of 28 x 28 grey pixels): the work takes some
    five times as much memory.
    """

    columns = (COLUMN,)

    def __init__(self, code: int = 30) -> None:
        if code < 1:
            raise TrainingError(f"PrincipalComponents: code is {code}; expected at least 1")
        self.code = code
        self._state: dict[str, ndarray] = {}

    def fit(self, samples: Samples) -> None:
        """Find them; TrainingError where there are no pictures, or of several shapes."""
        shapes = {tuple(store.column(COLUMN).shape) for store in samples.stores}
        if len(samples) == 0 or len(shapes) > 1:
            raise TrainingError(f"PrincipalComponents got {len(samples)} pictures of shapes {sorted(shapes)}; expected some, of one shape")
        self._known, self._shape = samples, shapes.pop()
        seen = spread(samples, max(1, MOST_NUMBERS // int(np.prod(self._shape))))
        mean, directions, _ = principal_directions(_flat(stored_pictures(seen)), self.code)
        self.restore({"mean": mean, "directions": directions})

    def state(self) -> dict[str, ndarray]:
        """`mean` float64 (P), P numbers of a picture, and `directions` float64 (code, P)."""
        return self._state

    def restore(self, state: Mapping[str, ndarray]) -> None:
        """Take these."""
        self._state = {name: np.ascontiguousarray(state[name]) for name in ("mean", "directions")}

    def codes(self, samples: Samples) -> Float64[ndarray, "n z"]:
        """Places of all samples along the directions, in their order."""
        parts = [(_flat(x) - self._state["mean"]) @ self._state["directions"].T for x in batches_of(samples)]
        return np.concatenate([np.zeros((0, len(self._state["directions"]))), *parts])

    def decoded(self, codes: Float64[ndarray, "b z"]) -> Float[Tensor, "b c s s"]:
        """Pictures of codes; values may lie outside of 0..1."""
        flat = codes @ self._state["directions"] + self._state["mean"]
        return torch.from_numpy(flat.astype(np.float32)).reshape(-1, *self._shape)

    def check_test(self, samples: Samples) -> None:
        """TrainingError for pictures of another shape."""
        channels, size, _ = self._shape
        check_pictures(samples, channels, size, type(self).__name__)

    def evaluate(self, samples: Samples) -> Report:
        """`mse`, `psnr`, `probe_accuracy`, `kmeans_accuracy` and outcomes as of RebuildImages."""
        codes = self.codes(samples)
        return rebuilt_report(samples, stored_pictures(samples), codes, self.decoded(codes), [], self._known, self)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`reconstructions`, `codes`, and the strips of the run's figure."""
        yield reconstruction_page(samples, report, self)
        yield code_map(self.codes(samples), samples.labels, samples.classes, map_title(len(samples), report))
        yield from strips(samples, self)


def _flat(x_BCHW: Float[Tensor, "b c h w"]) -> Float64[ndarray, "b p"]:
    return x_BCHW.flatten(1).double().numpy()
