"""PixelCNN, plain and gated: who sees whom, by gradients; what a class changes; parameters; what is refused."""

import math

import pytest
import torch

from l9.errors import RecipeError, ShapeError
from l9.models.pixel_cnn import GatedPixelCnn, MaskedConvolution, PixelCnn, as_input, groups_of

CLASSES = ("ring", "slab", "pole")


pytestmark = pytest.mark.usefixtures("one_thread")


def sight(model, channels, height, width):
    """(N, N) in order of generation: whether output i has any gradient by input j, over six pictures, all O outputs taken together."""
    model.double()
    random = torch.Generator().manual_seed(0)
    label = torch.zeros(1, dtype=torch.int64) if getattr(model, "classes", 0) else None
    seen = None
    for _ in range(6):
        x = torch.rand(1, channels, height, width, generator=random, dtype=torch.float64) * 2 - 1
        mix = torch.randn(model.outputs, generator=random, dtype=torch.float64)
        found = torch.autograd.functional.jacobian(lambda x, mix=mix: torch.einsum("bochw,o->hwcb", model(x, label), mix), x)
        found = found[:, :, :, 0, 0].permute(0, 1, 2, 4, 5, 3).reshape(channels * height * width, -1) != 0
        seen = found if seen is None else seen | found
    return seen


def expected_sight(channels, height, width, sees):
    """The same from a rule for whole pixels: `sees(rows up, columns to the right)`; at its own pixel a channel sees those before it."""
    order = [(y, x, c) for y in range(height) for x in range(width) for c in range(channels)]
    rows = []
    for y, x, c in order:
        rows.append([(cj < c) if (yj, xj) == (y, x) else sees(y - yj, xj - x) for yj, xj, cj in order])
    return torch.tensor(rows)


def before(up, right):
    return up > 0 or (up == 0 and right < 0)


@pytest.mark.parametrize("classes", [(), CLASSES])
@pytest.mark.parametrize(("channels", "values", "height", "width", "layers"), [(1, 2, 7, 9, 6), (3, 5, 4, 4, 3), (2, 2, 4, 5, 4)])
def test_gated_every_value_sees_all_before_it_and_nothing_else(channels, values, height, width, layers, classes):
    torch.manual_seed(0)
    model = GatedPixelCnn(classes, bool(classes), channels, values, width=6 * channels, layers=layers, head=16 * channels)
    seen = sight(model, channels, height, width)
    count = channels * height * width
    assert torch.equal(seen, torch.ones(count, count, dtype=torch.bool).tril(-1))


@pytest.mark.parametrize(("first", "kernel", "layers"), [(7, 3, 1), (3, 3, 1), (3, 3, 3), (5, 3, 2), (3, 5, 2)])
def test_gated_its_reach_is_a_rectangle_without_a_blind_spot(first, kernel, layers):
    """Up, left and right as far as the sum of half kernels."""
    torch.manual_seed(0)
    reach = first // 2 + (layers - 1) * (kernel // 2)
    seen = sight(GatedPixelCnn(width=4, layers=layers, first=first, kernel=kernel), 1, 7, 11)
    assert torch.equal(seen, expected_sight(1, 7, 11, lambda up, right: before(up, right) and up <= reach and abs(right) <= reach))


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_plain_its_blind_spot_is_where_it_should_be(blocks):
    """d rows up, nothing further right than 3 + min(d - 1, blocks), whatever the sum of half kernels."""
    torch.manual_seed(1)

    def sees(up, right):
        return before(up, right) and up <= 3 + blocks and -3 - blocks <= right <= 3 + min(up - 1, blocks)

    seen = sight(PixelCnn(width=8, blocks=blocks), 1, 6, 11)
    assert torch.equal(seen, expected_sight(1, 6, 11, sees))
    blind = expected_sight(1, 6, 11, lambda up, right: before(up, right) and up <= 3 + blocks and abs(right) <= 3 + blocks) & ~seen
    assert blind.any()


def test_plain_of_three_channels_sees_nothing_of_what_comes():
    torch.manual_seed(0)
    seen = sight(PixelCnn(channels=3, values=4, width=12, blocks=2, first=3, head=12), 3, 4, 6)

    def sees(up, right):
        return before(up, right) and up <= 3 and -3 <= right <= 1 + min(up - 1, 2)

    assert torch.equal(seen, expected_sight(3, 4, 6, sees))


def test_masks_at_the_middle():
    """Of RGB: A sees the channels before, B its own too; nothing right of the middle, everything above and to the left."""
    assert groups_of(6, 3).tolist() == [0, 0, 1, 1, 2, 2]
    first, later = (MaskedConvolution(3, 6, mask, 3, above=1, left=1, right=1, halves=2).mask for mask in ("A", "B"))
    assert first.shape == (6, 3, 2, 3)
    assert first[:, :, 1, 1].tolist() == 2 * [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert later[:, :, 1, 1].tolist() == 2 * [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    for mask in (first, later):
        assert mask[:, :, 1, 2].sum() == 0 and mask[:, :, 0].min() == 1 and mask[:, :, 1, 0].min() == 1


def test_what_a_file_or_an_optimizer_puts_under_the_mask_has_no_part():
    torch.manual_seed(0)
    layer, x = MaskedConvolution(1, 4, "A", 1, above=1, left=1, right=1), torch.randn(2, 1, 5, 5)
    answer = layer(x)
    with torch.no_grad():
        layer.weight += 9 * (1 - layer.mask)
    assert torch.equal(layer(x), answer) and "mask" not in layer.state_dict()


def test_a_class_moves_both_gates_of_every_layer():
    """Through each layer's condition alone, and through either half of it alone, two classes have two answers."""
    torch.manual_seed(0)
    model = GatedPixelCnn(CLASSES, True, width=4, layers=3)
    x, labels = torch.rand(2, 1, 6, 6).round()[:1].repeat(2, 1, 1, 1) * 2 - 1, torch.tensor([0, 2])
    weights = [layer.condition.weight.detach().clone() for layer in model.layers]
    for number, layer in enumerate(model.layers):
        for quarter in range(4):  # f and g of the vertical gate, f and g of the horizontal one
            for other in model.layers:
                torch.nn.init.zeros_(other.condition.weight)
            with torch.no_grad():
                layer.condition.weight[4 * quarter : 4 * quarter + 4] = weights[number][4 * quarter : 4 * quarter + 4]
                one, two = model(x, labels)
            last_vertical = number == len(weights) - 1 and quarter < 2  # nobody takes what the last vertical gate lets through
            assert torch.allclose(one, two) == last_vertical


def test_only_the_horizontal_stack_has_residual_connections_and_not_in_its_first_layer():
    """With all that a layer finds set to 0: the horizontal features go through, the vertical ones end."""
    model = GatedPixelCnn(width=4, layers=2)
    for layer in model.layers:
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 5, 5)
    down, right = model.layers[1](x, x, None)
    assert torch.equal(right, x) and not down.any()
    down, right = model.layers[0](x[:, :1], x[:, :1], None)
    assert not right.any() and right.shape == x.shape


@pytest.mark.parametrize("build", [lambda **more: PixelCnn(width=6, **more), lambda **more: GatedPixelCnn(width=6, layers=2, **more)])
@pytest.mark.parametrize(("channels", "values", "shape"), [(1, 2, (2, 1, 1, 5, 7)), (3, 256, (2, 256, 3, 5, 7)), (1, 16, (2, 16, 1, 5, 7))])
def test_shapes_and_determinism(build, channels, values, shape):
    answers = []
    for _ in range(2):
        torch.manual_seed(3)
        model = build(channels=channels, values=values, head=6)
        answers.append(model(as_input(torch.randint(values, (2, channels, 5, 7)), values)))
    assert answers[0].shape == shape and torch.equal(*answers)


def test_values_are_mapped_evenly():
    assert as_input(torch.tensor([0, 1]), 2).tolist() == [-1, 1]
    torch.testing.assert_close(as_input(torch.arange(256), 256), torch.linspace(-1, 1, 256))


def test_parameters():
    """Counted by hand, without what is masked. Plain: 24 of 49 weights of the first kernel, 5 of 9 of the others."""

    def seen(model):
        masked = [layer for layer in model.modules() if isinstance(layer, MaskedConvolution)]
        return sum(one.numel() for one in model.parameters()) - sum(int((layer.mask == 0).sum()) for layer in masked)

    head = (64 * 64 + 64) + (64 + 1)
    block = (64 * 32 + 32) + (5 * 32 * 32 + 32) + (32 * 64 + 64)
    assert seen(PixelCnn()) == (24 * 64 + 64) + 7 * block + head == 71_233
    first = (3 * 7 * 64 + 64) + 64 * 64 + (3 * 64 + 64) + (32 * 32 + 32)
    later = (2 * 3 * 32 * 64 + 64) + 64 * 64 + (2 * 32 * 64 + 64) + (32 * 32 + 32)
    assert seen(GatedPixelCnn()) == first + 6 * later + (32 * 64 + 64) + 65 == 138_977
    assert seen(GatedPixelCnn(CLASSES, True)) == 138_977 + 7 * 3 * 128


def test_gradients_reach_every_weight_that_is_not_masked():
    """And none that is; most others, since some features are 0 behind a ReLU."""
    torch.manual_seed(0)
    model = GatedPixelCnn(CLASSES, True, channels=3, values=4, width=6, layers=2, head=12)
    x = torch.rand(4, 3, 8, 8) * 2 - 1
    model(x, torch.tensor([0, 1, 2, 0])).square().sum().backward()
    for layer in model.modules():
        if isinstance(layer, MaskedConvolution):
            assert ((layer.weight.grad != 0) <= (layer.mask != 0)).all() and (
                layer.weight.grad != 0
            ).float().mean() > 0.4 * layer.mask.mean()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in model.parameters())


def test_bfloat16_has_finite_gradients():
    torch.manual_seed(0)
    for model in (PixelCnn(width=4, blocks=2), GatedPixelCnn(width=4, layers=2)):
        model = model.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            answer = model(torch.rand(2, 1, 8, 8))
        answer.float().square().sum().backward()
        assert all(one.grad.isfinite().all() for one in model.parameters())


@pytest.mark.parametrize("build", [PixelCnn, GatedPixelCnn])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"values": 1}, "values 1; expected .* 2 to 256"),
        ({"values": 257}, "values 257"),
        ({"channels": 3}, "width is 32, head 64; expected multiples of the 3 channels"),
        ({"width": 0}, "width is 0"),
        ({"kernel": 4}, r"kernels are \(7, 4\)"),
        ({"first": 1}, r"kernels are \(1, 3\)"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(build, settings, words):
    with pytest.raises(RecipeError, match=words):
        build(**settings)


def test_pictures_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(RecipeError, match="conditional needs classes"):
        GatedPixelCnn((), True)
    for build in (PixelCnn, GatedPixelCnn):
        with pytest.raises(ShapeError, match=rf"{build.__name__}\(channels=1\) got a batch of shape \(2, 3, 4, 4\)"):
            build(width=4)(torch.zeros(2, 3, 4, 4))
        with pytest.raises(ShapeError, match=r"of 0 classes got labels: shape \(2,\); expected none"):
            build(width=4)(torch.zeros(2, 1, 4, 4), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"of 3 classes got labels: none; expected \(2,\)"):
        GatedPixelCnn(CLASSES, True, width=4)(torch.zeros(2, 1, 4, 4))
    assert GatedPixelCnn(CLASSES, width=4)(torch.zeros(2, 1, 4, 4)).shape == (2, 1, 1, 4, 4)  # classes of a card, told to nobody


@pytest.mark.parametrize("build", [lambda: PixelCnn(width=8, blocks=2), lambda: GatedPixelCnn(width=8, layers=3)])
def test_four_pictures_are_learnt_to_their_entropy(build):
    """ln 4 nats a picture: reached, and never fallen below by a network that does not look ahead."""
    torch.manual_seed(0)
    model, values = build(), torch.randint(2, (4, 1, 6, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(as_input(values, 2))[:, 0], values.float(), reduction="sum") / 4
        assert loss.item() > math.log(4) - 1e-4  # float32's rounding of a sum of 36 terms
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < math.log(4) + 0.1
