"""3D-EPN's five networks against the paper and its code: sizes, parameters, an output that is never below 0, the classifier within."""

import pytest
import torch
from torch import nn

from l9.errors import RecipeError, ShapeError, TrainingError
from l9.models.epn import Epn, EpnBase, EpnUnet, UpConvolution
from l9.models.nin3d import Nin3d
from l9.train.checkpoints import copy_by_name

CLASSES = tuple(f"class {number}" for number in range(55))
BUILDS = {
    "epn_unet": lambda: EpnUnet(width=2),
    "epn_unet_class": lambda: taught(EpnUnet(CLASSES, True, width=2, classifier_width=3)),
    "epn_base": lambda: EpnBase(width=2),
    "epn": lambda: Epn(width=8),
    "epn_class": lambda: taught(Epn(CLASSES, True, width=8, classifier_width=3)),
}


def taught(model):
    """With a classifier's weights, as `init` brings them."""
    missed = copy_by_name(model, Nin3d(model.classes, width=3).state_dict())
    assert not [name for name in missed if name.startswith("classifier.")]
    return model


@pytest.fixture
def scans():
    random = torch.Generator().manual_seed(1)
    distances = 3 * torch.rand(3, 32, 32, 32, generator=random)
    known = torch.randint(0, 2, (3, 32, 32, 32), generator=random).float() * 2 - 1
    return torch.stack([distances, known], 1)


def sizes_of(model, scans):
    """Edge after every convolution, in order."""
    sizes = []
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d) and not name.startswith("classifier."):
            layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(output.shape[-1]))
    with torch.no_grad():
        model(scans)
    return sizes


@pytest.mark.parametrize("name", ["epn_unet", "epn_unet_class", "epn_base"])
def test_sizes_go_to_one_voxel_and_back(name, scans):
    assert sizes_of(BUILDS[name](), scans) == [16, 8, 4, 1, 4, 8, 16, 32]


@pytest.mark.parametrize("name", ["epn", "epn_class"])
def test_sizes_of_the_small_network(name, scans):
    assert sizes_of(BUILDS[name](), scans) == [14, 12, 6, 8, 16, 32, 32]


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: EpnUnet(width=80), 52_455_681),
        (lambda: EpnUnet(CLASSES, True, width=80, classifier_width=3), 52_490_881),
        (lambda: EpnBase(width=80), 35_247_521),
        (lambda: Epn(), 4_740_969),
        (lambda: Epn(CLASSES, True, classifier_width=3), 4_769_129),
        (lambda: EpnUnet(), 2_102_529),
    ],
)
def test_parameters(build, count):
    """Class scores are 55 columns of the first fully connected layer: of 640, or of 512."""
    named = build().named_parameters()
    assert sum(one.numel() for name, one in named if not name.startswith("classifier.")) == count


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_every_network_begins_with_everything_far(name, scans):
    """Not with half of the last layer below 0, where |y| turns the bias about."""
    for seed in range(3):
        torch.manual_seed(seed)
        with torch.no_grad():
            answer = BUILDS[name]().train()(scans).expm1()
        assert float(answer.mean()) == pytest.approx(3, abs=0.5) and float((answer < 1).float().mean()) < 0.1


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_the_answer_is_never_below_0_and_gradients_reach_every_layer(name, scans):
    torch.manual_seed(0)
    model = BUILDS[name]().train()
    answer = model(scans)
    assert answer.shape == (3, 32, 32, 32) and answer.dtype == torch.float32 and float(answer.detach().min()) >= 0
    nn.functional.smooth_l1_loss(answer, scans[:, 0].log1p()).backward()
    for part, parameter in model.named_parameters():
        if part.startswith("classifier."):
            assert parameter.grad is None
        elif parameter.grad.abs().max() == 0:
            assert part.endswith("bias"), part  # before a batch norm, which takes every offset away
        assert parameter.grad is None or parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_bfloat16_has_finite_gradients(name, scans):
    torch.manual_seed(0)
    model = BUILDS[name]().train()
    with torch.autocast("cpu", torch.bfloat16):
        answer = model(scans)
    assert answer.dtype == torch.float32
    answer.mean().backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in model.parameters())


def test_slopes_and_batch_norms():
    """EpnUnet: no batch norm in the first layer, LeakyReLU .2 on the way in; EpnBase: one there, ReLU everywhere, none after 1^3."""
    unet, base = EpnUnet(width=2), EpnBase(width=2)
    assert [sum(isinstance(one, nn.BatchNorm3d) for one in step) for step in unet.inward] == [0, 1, 1, 1]
    assert {one.negative_slope for one in unet.modules() if isinstance(one, nn.LeakyReLU)} == {0.2}
    assert {one.eps for one in unet.modules() if isinstance(one, nn.BatchNorm3d)} == {1e-3}
    assert isinstance(base.layers[1], nn.BatchNorm3d) and not any(isinstance(one, nn.LeakyReLU) for one in base.modules())
    assert isinstance(base.layers[10], nn.BatchNorm3d) and isinstance(base.layers[11], nn.Flatten)


def test_only_unets_join_what_went_in(scans):
    """What does not pass the middle: with its answer held fixed, EpnBase says the same of every scan, EpnUnet does not."""
    for model, alike in ((EpnUnet(width=2).eval(), False), (EpnBase(width=2).eval(), True)):
        first = (model.middle if isinstance(model, EpnUnet) else model.layers[12])[0]
        nn.init.zeros_(first.weight)
        with torch.no_grad():
            answer = model(scans)
        assert torch.allclose(answer[0], answer[1], atol=1e-6) == alike


def test_classes_are_heard(scans):
    """Another classifier, another answer; its own mode and weights stay."""
    torch.manual_seed(0)
    model = BUILDS["epn_unet_class"]().train()
    assert not model.classifier.training and model.inward.training
    before = [one.clone() for one in model.classifier.state_dict().values()]
    model.eval()
    with torch.no_grad():
        first = model(scans)
        assert all(torch.equal(one, two) for one, two in zip(before, model.classifier.state_dict().values(), strict=True))
        model.classifier.head[-1].bias[:] += 1.0
        assert not torch.allclose(first, model(scans))
    assert not any(one.requires_grad for one in model.classifier.parameters())


def test_a_classifier_that_nobody_brought_is_refused():
    with pytest.raises(TrainingError, match="its classifier has no weights; expected init to name a training of ClassifyPartial"):
        EpnUnet(CLASSES, True, width=2, classifier_width=3).check_classifier()
    EpnUnet(width=2).check_classifier()
    BUILDS["epn_unet_class"]().check_classifier()


@pytest.mark.parametrize(
    ("classes", "width", "words"),
    [
        (CLASSES[:-1], 3, "classifier of other classes"),
        (CLASSES[::-1], 3, "classifier of other classes than these 55"),
        (CLASSES, 6, "no weights for trunk.0.weight"),
    ],
)
def test_a_classifier_of_other_classes_or_another_width_is_refused(classes, width, words):
    model = EpnUnet(CLASSES, True, width=2, classifier_width=3)
    copy_by_name(model, Nin3d(classes, width=width).state_dict())
    with pytest.raises(TrainingError, match=words):
        model.check_classifier()


def test_class_scores_need_classes():
    with pytest.raises(RecipeError, match="class_scores needs classes"):
        EpnUnet((), True)
    with pytest.raises(RecipeError, match="width is 12; expected a multiple of 8"):
        Epn(width=12)


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_grids_of_another_size_are_refused(name):
    with pytest.raises(ShapeError, match=r"\(1, 2, 24, 24, 24\); expected \(B, 2, 32, 32, 32\)"):
        BUILDS[name]()(torch.zeros(1, 2, 24, 24, 24))


def test_an_up_convolution_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = UpConvolution(3, 2, 4, stride=2, padding=1), nn.ConvTranspose3d(3, 2, 4, stride=2, padding=1)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 5, 5, 5)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-5)
