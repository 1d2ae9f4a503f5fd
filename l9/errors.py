"""Every error l9 raises on purpose, reachable from one base.

L9Error                  one line for the person at the terminal: what, what was expected, the command that mends it
├── UsageError           the words were wrong; the command line ends with 2
│   ├── RecipeError      a recipe, or a setting given by --set
│   └── CardError        a card of a dataset or of weights, or the files beside it
├── DataError            the data is not what it says it is; the command line ends with 1
│   ├── ShapeError       arrays that disagree on a dimension
│   ├── RefusedObject    one object cannot be used: a reason from a short list, and the detail; ends in quarantine
│   └── StoreError       a shard, index or manifest that is missing, changed or of another version
├── SandboxError         the child that reads foreign bytes broke a limit or died
├── FetchError           open data could not be brought
├── TrainingError        a training cannot go on (non-finite gradients, nothing copied by init, no samples)
├── TrackingError        MLflow did not answer, or refused
└── ClusterError         a cluster did not answer, refused, or lost what was sent to it
"""

__all__ = [
    "CardError",
    "ClusterError",
    "DataError",
    "FetchError",
    "L9Error",
    "RecipeError",
    "RefusedObject",
    "SandboxError",
    "ShapeError",
    "StoreError",
    "TrackingError",
    "TrainingError",
    "UsageError",
]


class L9Error(Exception):
    """Base of all; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(L9Error):
    """The words were wrong: an unknown name, a missing option, a path that is not there."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe or a `--set` names an unknown field or gives a value of the wrong type."""


class CardError(UsageError):
    """A card of a dataset or of weights, or a label, fold or attribution file beside it, is wrong."""


class DataError(L9Error):
    """The data is not what it says it is."""


class ShapeError(DataError):
    """Arrays that disagree on a dimension."""


class RefusedObject(DataError):
    """One object cannot be used.

    reason  a short hyphenated word that can be counted, such as `no-faces` or `not-finite`
    detail  one line with the numbers: "face 7 names vertex 99,999 of 1,204"
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class StoreError(DataError):
    """A shard, index or manifest is missing, changed on disk, or of another format version."""


class StoreAway(StoreError):
    """An object store did not answer in time: asked again later, it may."""


class SandboxError(L9Error):
    """The sandbox child broke a limit or died; `reason` is one of `memory-limit cpu-limit time-limit died`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class FetchError(L9Error):
    """Open data could not be brought by its package client."""


class TrainingError(L9Error):
    """A training cannot go on."""


class TrackingError(L9Error):
    """MLflow did not answer, or refused."""


class ClusterError(L9Error):
    """A cluster did not answer, refused, or lost what was sent to it."""
