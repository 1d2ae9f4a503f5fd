"""A network around a trunk, and a task that only judges it: nothing moves unless it is told to learn. Importable on workers."""

import torch
from torch import nn

from l9.data.loader import Loader
from l9.tasks.contract import Player, Report, Task


class Around(nn.Module):
    """A trunk of one layer, from the three sides of a box to two numbers, and a head that no trunk's weights fit."""

    weight_prefix = "trunk."

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 2)
        self.head = nn.Linear(2, 2)

    def forward(self, sizes):
        return self.trunk(sizes)


class Judge(Task):
    """The mean of what the network answers, and what its weights added up to when `fit` saw them."""

    columns = ("box_size",)

    def __init__(self, learns: bool = False) -> None:
        self.learns = learns

    def players(self):
        return {"model": Player(list(self.model.trunk.parameters()), "sgd")} if self.learns else {}

    def fit(self, samples):
        self.seen = float(self.model.trunk.weight.detach().sum())

    def loss(self, turn, batch):
        return {"size": self.model(batch.fixed("box_size")).square().sum()}

    def evaluate(self, samples):
        with torch.no_grad():
            answers = [self.model(batch.fixed("box_size")) for batch in Loader(samples, self.columns, seed=0).sequential()]
        return Report({"answer": float(torch.cat(answers).mean()), "seen": self.seen})
