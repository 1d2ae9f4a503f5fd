"""Small importable targets and builders that tests of several modules share."""

from typing import Literal

from torch import Tensor, nn

from l9.tasks.contract import Task


class ToyTask(Task):
    def __init__(self, classes: tuple[str, ...], up: Literal["+Y", "+Z"] = "+Y", weight: float = 1.0) -> None:
        self.classes, self.up, self.weight = classes, up, weight


class ToyModel(nn.Module):
    def __init__(self, classes: tuple[str, ...] = (), width: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(width, max(len(classes), 1))

    def forward(self, value: Tensor) -> Tensor:
        return self.layer(value)
