"""Averaged weights: by hand, warm-up, what is copied, and that a restored average goes on as the one that was stored."""

import pytest
import torch
from torch import nn

from l9.errors import TrainingError
from l9.tasks.averaged import Averaged

pytestmark = pytest.mark.usefixtures("one_thread")


def filled(module, value):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(value)
    return module


def test_by_hand():
    """The first update copies; then of the average stay 2/11 and 3/12, and never more than the decay."""
    module = nn.Linear(2, 1)
    average = Averaged(module, 0.2)
    expected = None
    for step, value in enumerate((5.0, 1.0, -3.0)):
        average.update(filled(module, value))
        kept = (0.0, 2 / 11, 0.2)[step]
        expected = value if expected is None else kept * expected + (1 - kept) * value
        torch.testing.assert_close(average.module.weight, torch.full((1, 2), expected))
    torch.testing.assert_close(average.module.bias, torch.full((1,), expected))


def test_without_decay_it_is_the_module():
    module = nn.Linear(3, 3)
    average = Averaged(module, 0.0)
    for value in (1.0, 2.0):
        average.update(filled(module, value))
        assert torch.equal(average.module.weight, module.weight)


def test_statistics_follow_and_counters_are_copied():
    """Of a batch normalisation: the running mean by the decay, the count of batches as it is."""
    module = nn.BatchNorm1d(2)
    average = Averaged(module, 0.999)
    average.update(module)
    before = module.running_mean.clone()
    module(torch.randn(8, 2) + 4)
    average.update(module)
    torch.testing.assert_close(average.module.running_mean, before * 2 / 11 + module.running_mean * 9 / 11)
    assert average.module.num_batches_tracked == 1 and not average.module.training and module.training


def test_it_is_a_copy_that_nothing_learns():
    module = nn.Linear(2, 2)
    average = Averaged(module, 0.9)
    kept = average.module.weight.clone()
    filled(module, 7.0)
    assert torch.equal(average.module.weight, kept)
    assert not any(parameter.requires_grad for parameter in average.module.parameters())


def test_what_is_stored_and_restored_in_place_goes_on_alike():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    first, second = Averaged(module, 0.9), Averaged(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), 0.9)
    for value in (1.0, 4.0, -2.0):
        first.update(filled(module, value))
    stored = {name: tensor.clone() for name, tensor in first.buffers("average").items()}
    assert "average/updates" in stored and "average/0.weight" in stored
    for name, tensor in second.buffers("average").items():
        tensor.copy_(stored[name])
    for one in (first, second):
        one.update(filled(module, 9.0))
    for name, tensor in first.buffers("average").items():
        assert torch.equal(tensor, second.buffers("average")[name]), name


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_no_average_of_such_a_decay(decay):
    with pytest.raises(TrainingError, match="expected 0 or more, and below 1"):
        Averaged(nn.Linear(1, 1), decay)
