"""Features of pictures: what lite0's last layer sees, never trained, any size and grey too."""

import pytest
import torch
from torch import nn

from l9.errors import TrainingError
from l9.models.efficientnet_lite import DEVIATION, MEAN, EfficientNetLite0
from l9.models.lite_features import LiteFeatures
from l9.train.checkpoints import copy_by_name


@pytest.fixture(scope="module")
def whole():
    torch.manual_seed(0)
    network = EfficientNetLite0().eval()
    network._bn0.running_mean.fill_(0.1)
    return network


def test_weights_of_lite0_fill_it(whole):
    model = LiteFeatures()
    with pytest.raises(TrainingError, match="needs init='lite0'"):
        model.check_loaded()
    assert copy_by_name(model, whole.state_dict()) == []
    model.check_loaded()
    x = torch.rand(3, 3, 32, 32)
    features = model(x)
    scores = [features @ whole._fc.weight.T, whole((x - MEAN) / DEVIATION) - whole._fc.bias]  # without biases length alone differs
    torch.testing.assert_close(*(nn.functional.normalize(one) for one in scores), rtol=1e-3, atol=1e-4)  # float32 in another layout
    torch.testing.assert_close(features.square().mean(dim=1), torch.ones(3))


def test_nothing_of_it_moves(whole):
    model = LiteFeatures()
    copy_by_name(model, whole.state_dict())
    nn.Sequential(model).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x = torch.rand(4, 1, 28, 28, requires_grad=True)
    model(x).sum().backward()
    assert not model.training and not any(one.requires_grad for one in model.parameters()) and x.grad is not None
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_grey_is_grey_in_three_channels():
    model, x = LiteFeatures(), torch.rand(2, 1, 9, 17)
    assert torch.equal(model(x), model(x.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("shape", [(1, 2, 32, 32), (1, 3, 7, 32)])
def test_odd_pictures_are_refused(shape):
    with pytest.raises(TrainingError, match="1 or 3 channels, and edges of at least 8"):
        LiteFeatures()(torch.zeros(shape))
