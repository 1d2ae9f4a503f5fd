"""Pictures of a PixelCNN: what it draws, how it goes on where half a picture is given, and which pixels it sees."""

import copy

import numpy as np
import torch
from jaxtyping import Bool, Float64, UInt8
from numpy import ndarray
from torch import Tensor

from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.models.pixel_cnn import GatedPixelCnn, as_input
from l9.tasks.contract import Picture
from l9.tasks.pixel_judge import Judge
from l9.tasks.unit_pictures import picture_tiles

EDGE = 84  # pixels of a picture on a page: three times a digit
SEED = 0  # of what is drawn
DRAWN, ACROSS = 64, 8  # pictures on the page of samples, and in a row of it
CLASSES = 10  # rows of classes at most
GLIMPSED = 16
SHOWN, PAINTED = 8, 3  # pictures of which the lower half is painted, and how many times
FIELD = 336  # pixels of the picture of what is seen
AVERAGED = 4  # pictures over which gradients are averaged
VIOLET = (0.45, 0.3, 0.75)  # what is to be painted
SEEN, BLIND, LATER, HERE = ((0.1, 0.35, 0.8), (0.9, 0.2, 0.15), (0.82, 0.82, 0.84), (0.05, 0.6, 0.2))


def samples_page(judge: Judge, shape: tuple[int, int, int], classes: tuple[str, ...]) -> Picture:
    """`samples`: 64 pictures; of a network of classes 8 of each, a row a class, of the first ten."""
    shown = min(judge.classes, CLASSES)
    labels = [number // ACROSS for number in range(shown * ACROSS)]
    count = len(labels) or DRAWN
    tiles = picture_tiles(judge.shown(judge.draw(SEED, count, shape, labels)), EDGE)
    title = f"{count} pictures drawn from the network, seed {SEED}" + ("; each row one class" if labels else "")
    return Picture("samples", sample_grid(tiles, [classes[label] for label in labels], ACROSS, title))


def glimpsed_page(judge: Judge, shape: tuple[int, int, int], step: int) -> Picture:
    """`samples` while training: 16 pictures of the same random numbers each time; of a network of classes one after another of them."""
    labels = [number % judge.classes for number in range(GLIMPSED)] if judge.classes else []
    tiles = picture_tiles(judge.shown(judge.draw(SEED, GLIMPSED, shape, labels)), EDGE)
    return Picture("samples", sample_grid(tiles, (), ACROSS, f"{GLIMPSED} pictures drawn after step {step + 1:,}, seed {SEED}"))


def inpainting_page(judge: Judge, samples: Samples) -> Picture:
    """`inpainting`: of eight tested pictures the truth, the upper half that is given, and three ways in which the network goes on."""
    chosen = samples.subset(sorted({int(number) for number in np.linspace(0, len(samples) - 1, SHOWN)}))
    values, labels = _values(judge, chosen), _labels(judge, chosen)
    count, half = len(values), values.shape[2] // 2
    known = torch.zeros(values.shape[0], *values.shape[2:], dtype=torch.bool, device=values.device)
    known[:, :half] = True
    shape = (values.shape[1], values.shape[2], values.shape[3])
    painted = judge.draw(
        SEED,
        count * PAINTED,
        shape,
        labels.repeat(PAINTED).tolist(),
        values.repeat_interleave(PAINTED, 0),
        known.repeat_interleave(PAINTED, 0),
    )
    truth, answers = picture_tiles(judge.shown(values), EDGE), picture_tiles(judge.shown(painted), EDGE)
    names = ("truth", "given", *(f"painted {number + 1}" for number in range(PAINTED)))
    tiles = [
        tile
        for number in range(count)
        for tile in (truth[number], _given(truth[number]), *answers[number * PAINTED : (number + 1) * PAINTED])
    ]
    title = "lower halves painted by the network" + ("; each is told its class, one without a label the first" if judge.classes else "")
    return Picture("inpainting", sample_grid(tiles, names * count, len(names), title))


def receptive_field(judge: Judge, samples: Samples) -> Picture:
    """`receptive_field`: what the middle pixel's logits depend on, by gradients in float64, on the logarithm of their mean size.

    Red is the blind spot, see `blind_spot`.
    """
    seen = _gradients(judge, samples)
    height, width = seen.shape
    blind, some = blind_spot(seen), seen > 0
    picture = np.ones((height, width, 3))
    picture[~_before(height, width)] = LATER
    picture[blind] = BLIND
    strength = 1 + np.log10(seen[some] / seen.max(initial=1e-300)).clip(-4, 0) / 4
    picture[some] = 1 - (0.12 + 0.88 * strength)[:, None] * (1 - np.array(SEEN))
    picture[height // 2, width // 2] = HERE
    side = max(1, FIELD // max(height, width))
    tile = np.repeat(np.repeat(np.rint(picture * 255).astype(np.uint8), side, 0), side, 1)
    kind = "gated network, two stacks" if isinstance(judge.network, GatedPixelCnn) else "masked network"
    spot = f"blind spot of {int(blind.sum())} pixels (red)" if blind.any() else "no blind spot"
    caption = "what the middle pixel (green) depends on:\nblue, to 1/10,000 of the strongest;\nwhite is out of reach, grey comes later"
    return Picture("receptive_field", sample_grid([tile], [caption], 1, f"{kind}: {spot}"))


def blind_spot(seen: Float64[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """Pixels before the middle one, within the rows and columns of which it sees anything, and themselves without any part (0)."""
    within = np.zeros(seen.shape, bool)
    rows, columns = np.nonzero(seen)
    if len(rows):
        within[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return _before(*seen.shape) & within & (seen == 0)


def _before(height: int, width: int) -> ndarray:
    """Which pixels come before the middle one."""
    return np.arange(height * width).reshape(height, width) < (height // 2) * width + width // 2


def _gradients(judge: Judge, samples: Samples) -> ndarray:
    """(H, W): mean size of the gradient of the middle pixel's logits by each pixel, over four pictures; exactly 0 where it sees nothing."""
    chosen = samples.subset(sorted({int(number) for number in np.linspace(0, len(samples) - 1, AVERAGED)}))
    values = _values(judge, chosen)
    label = torch.from_numpy(_labels(judge, chosen)).to(values.device) if judge.classes else None
    x = as_input(values, judge.network.values, torch.float64).requires_grad_()
    with torch.enable_grad():  # evaluations ask without
        logits = copy.deepcopy(judge.network).double()(x, label)
        middle: Tensor = logits[:, :, :, values.shape[2] // 2, values.shape[3] // 2]
        mixed = middle * torch.arange(1, middle.shape[1] + 1, device=x.device)[:, None]  # a plain sum over a softmax's logits could cancel
        (found,) = torch.autograd.grad(mixed.sum(), x)
    return np.asarray(found.abs().mean((0, 1)).cpu().numpy())


def _values(judge: Judge, samples: Samples) -> Tensor:
    return torch.cat([judge.values(batch) for batch in judge.batches(samples)])


def _labels(judge: Judge, samples: Samples) -> ndarray:
    """A class for each: its own, or the first where it has none."""
    return np.maximum(samples.labels, 0) if judge.classes else np.zeros(len(samples), np.int64)


def _given(tile: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    """The tile with its lower half hidden."""
    hidden = tile.copy()
    hidden[len(tile) // 2 :] = np.rint(np.array(VIOLET) * 255)
    return hidden
