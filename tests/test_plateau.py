import numpy as np
import pytest
import torch
from toys import Game, Label, Pair, Plain, lines_of, toy_facts, toy_store, write_facts

from l9.config import Schedule, Training, Use
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import RecipeError, TrainingError
from l9.store.home import Home
from l9.train import loop
from l9.train.checkpoints import latest
from l9.train.fit import fit
from l9.train.plateau import Plateau, held_out_sums

HALVED = {"epochs": 12, "batch": 8, "curve": "plateau", "every": 2, "lr": 0.3, "checkpoint_every": 1}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home):
    return toy_store(home)


def _label(samples):
    task, model = Label(("high", "low")), Plain(("high", "low"))
    task.bind(model.train())
    return task, model, Loader(samples, task.columns, seed=3, batch=8, training=False)


def test_rates_fall_after_as_many_epochs_as_are_waited_for():
    plateau, drops = Plateau(), []
    for loss in (3.0, 2.0, 2.0, 2.1, 1.9, 2.5, 2.4, 2.3, 2.2):
        plateau.tell(loss, 2)
        drops.append(plateau.drops)
    assert drops == [0, 0, 0, 1, 1, 1, 2, 2, 3] and plateau.least == 1.9


def test_they_fall_as_pytorchs_own():
    """ReduceLROnPlateau waits one epoch more than its `patience`."""
    losses = np.random.default_rng(0).normal(1, 0.2, 60).tolist()
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, factor=0.5, patience=2, threshold=0.0, min_lr=0.0, eps=0.0)
    ours, schedule = Plateau(), Schedule(epochs=60, curve="plateau", every=3)
    for loss in losses:
        scheduler.step(loss)
        ours.tell(loss, schedule.every)
        assert loop.factor(schedule, 0, 60, 0, ours.drops) == theirs.param_groups[0]["lr"]
    assert ours.drops > 5


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(TrainingError, match="loss on the validation part is nan"):
        Plateau().tell(float("nan"), 2)


def test_what_is_held_out_counts_without_augmentation_and_in_evaluation_mode(store):
    samples = Samples.of(store, part="validation", fold=0)
    task, model, loader = _label(samples)
    loss, count = held_out_sums(task, model, loader.epoch(0))
    vectors = next(loader.sequential(100)).fixed("vector")
    with torch.no_grad():
        wanted = torch.nn.functional.cross_entropy(model(vectors), torch.from_numpy(samples.labels), reduction="sum")
    assert count == len(samples) == 8 and loss == pytest.approx(float(wanted), rel=1e-5)
    assert task.augment and model.training


def test_sums_of_ranks_are_the_whole(store):
    samples = Samples.of(store)  # 40, the last cut is short
    task, model, loader = _label(samples)
    whole, _ = held_out_sums(task, model, loader.epoch(0))
    parts = [
        held_out_sums(task, model, Loader(samples, task.columns, seed=3, batch=16, training=False, rank=rank, world=3).epoch(0))
        for rank in range(3)
    ]
    assert sum(loss for loss, _ in parts) == pytest.approx(whole, rel=1e-5) and {count for _, count in parts} == {40}


def test_a_game_is_refused(store):
    task, model = Game(), Pair()
    task.bind(model)
    with pytest.raises(TrainingError, match="follows one loss, and a step of Game has"):
        held_out_sums(task, model, [])


def test_a_part_that_is_learnt_cannot_be_waited_for():
    with pytest.raises(RecipeError, match="expected parts that do not learn from validation"):
        Training(Use(Label), Use(Plain), Schedule(epochs=1, curve="plateau"), parts="train+validation/test")


def test_a_set_without_validation_is_refused(home, store, tmp_path):
    facts = toy_facts(store, home, "Label", "Plain", schedule=HALVED)
    facts["sets"]["toys"] |= {"fold": None, "store": str(toy_store(tmp_path / "few", count=4).path)}  # 3 to learn from, 1 of test
    with pytest.raises(TrainingError, match="no validation samples in toys"):
        fit(write_facts(tmp_path / "run", facts), place=Home(home), say=lambda line: None)


def test_a_training_halves_its_rate_and_goes_on_so_after_a_stop(home, store, tmp_path, monkeypatch):
    facts = toy_facts(store, home, "Label", "Plain", schedule=HALVED)
    fit(write_facts(tmp_path / "whole", facts), place=Home(home), say=lambda line: None)
    records = lines_of(tmp_path / "whole" / "metrics.jsonl")
    told = {record["epoch"]: record["held_out_loss"] for record in records if "held_out_loss" in record}
    plateau, rates = Plateau(), []
    for epoch in range(12):
        rates += [0.5**plateau.drops] * 3
        plateau.tell(told[epoch], 2)
    assert [record["lr_factor"] for record in records] == rates and len(set(rates)) > 2
    stopped = write_facts(tmp_path / "cut", facts)
    tell = Plateau.tell

    def dying(self, loss, patience):
        tell(self, loss, patience)
        if self.drops == 1 and self.waited == 1:
            raise MemoryError("as if the machine had given up")

    monkeypatch.setattr(Plateau, "tell", dying)
    with pytest.raises(MemoryError):
        fit(stopped, place=Home(home), say=lambda line: None)
    monkeypatch.undo()
    assert latest(stopped).progress.plateau.drops == 1
    fit(stopped, place=Home(home), say=lambda line: None)
    assert (stopped / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    assert latest(stopped).progress == latest(tmp_path / "whole").progress
