"""Convolution arithmetic against torch's own layers: edges, the slides' examples, and that the transpose is the adjoint."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, conv_transpose2d

from l9.errors import ShapeError
from l9.models.convolution_sizes import convolved_edge, output_padding_for, transposed_edge

EDGES, KERNELS, STRIDES, PADDINGS = st.integers(1, 17), st.integers(1, 6), st.integers(1, 4), st.integers(0, 3)


@pytest.mark.parametrize(
    ("edge", "kernel", "stride", "padding", "after"), [(4, 3, 1, 0, 2), (5, 3, 2, 1, 3), (28, 4, 2, 1, 14), (64, 4, 2, 1, 32)]
)
def test_edges_of_well_known_layers(edge, kernel, stride, padding, after):
    """Those of the guide's pictures, and of DCGAN's."""
    assert convolved_edge(edge, kernel, stride, padding) == after
    assert transposed_edge(after, kernel, stride, padding) == edge


@given(EDGES, KERNELS, STRIDES, PADDINGS, st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_transpose_is_the_adjoint_and_returns_the_edge(edge, kernel, stride, padding, seed):
    """<Cx, y> = <x, C^T y>, to 12 digits of float64; the edges are those that were foretold, output padding where it is ambiguous."""
    assume(edge + 2 * padding >= kernel)
    assume(transposed_edge_or_none(edge, kernel, stride, padding))
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(3, 2, kernel, kernel, generator=random, dtype=torch.float64)
    x = torch.randn(2, 2, edge, edge, generator=random, dtype=torch.float64)
    convolved = conv2d(x, weight, stride=stride, padding=padding)
    assert convolved.shape[2:] == (convolved_edge(edge, kernel, stride, padding),) * 2
    y = torch.randn(convolved.shape, generator=random, dtype=torch.float64)
    extra = output_padding_for(edge, kernel, stride, padding)
    assert extra == (edge + 2 * padding - kernel) % stride
    back = conv_transpose2d(y, weight, stride=stride, padding=padding, output_padding=extra)
    assert back.shape == x.shape
    torch.testing.assert_close((convolved * y).sum(), (x * back).sum(), rtol=1e-11, atol=1e-11)


def transposed_edge_or_none(edge, kernel, stride, padding):
    """0 where the transpose without output padding has no pixel at all, which torch has no layer for."""
    try:
        return transposed_edge(convolved_edge(edge, kernel, stride, padding), kernel, stride, padding)
    except ShapeError:
        return 0


def test_edges_that_a_stride_makes_alike_need_output_padding():
    """5 and 6 both become 3; without output padding 3 becomes 5."""
    assert convolved_edge(5, 3, 2, 1) == convolved_edge(6, 3, 2, 1) == 3
    assert [output_padding_for(edge, 3, 2, 1) for edge in (5, 6)] == [0, 1]
    assert [transposed_edge(3, 3, 2, 1, extra) for extra in (0, 1)] == [5, 6]


@pytest.mark.parametrize(("kernel", "even"), [(4, True), (3, False), (5, False)])
def test_a_checkerboard_where_the_stride_does_not_divide_the_kernel(kernel, even):
    """All weights 1 on a constant: how many terms each pixel away from the border has."""
    enlarged = conv_transpose2d(torch.ones(1, 1, 8, 8), torch.ones(1, 1, kernel, kernel), stride=2, padding=1)[0, 0, 4:-4, 4:-4]
    assert (len(enlarged.unique()) == 1) == even


def test_edges_that_cannot_be_are_refused():
    with pytest.raises(ShapeError, match="kernel of 5 does not fit an edge of 2 padded by 1"):
        convolved_edge(2, 5, 1, 1)
    with pytest.raises(ShapeError, match="leaves 0 pixels of 1"):
        transposed_edge(1, 2, 2, 1)
