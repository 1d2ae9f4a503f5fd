"""Edges after a convolution and after its transpose, by which a network learns to enlarge.

i edge before   k kernel   s stride   p padding on each side, all in pixels; each axis by itself
The transpose maps edges back, but of s edges that a convolution makes alike it returns the least: `output_padding_for` says which was
meant. Where s does not divide k, pixels of the enlarged picture have different numbers of terms: a checkerboard.
source  Dumoulin & Visin, A guide to convolution arithmetic for deep learning, 2016, arXiv 1603.07285
"""

from l9.errors import ShapeError


def convolved_edge(edge: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """floor((i + 2p - k) / s) + 1; ShapeError where the kernel does not fit."""
    if edge + 2 * padding < kernel:
        raise ShapeError(f"a kernel of {kernel} does not fit an edge of {edge} padded by {padding}; expected at least {kernel} pixels")
    return (edge + 2 * padding - kernel) // stride + 1


def transposed_edge(edge: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0) -> int:
    """(i - 1) s - 2p + k + output_padding; ShapeError where nothing would be left."""
    after = (edge - 1) * stride - 2 * padding + kernel + output_padding
    if after < 1:
        raise ShapeError(
            f"transposing kernel {kernel}, stride {stride}, padding {padding} leaves {after} pixels of {edge}; expected 1 or more"
        )
    return after


def output_padding_for(edge: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """What a transposed convolution must add to return to `edge`, from what the convolution made of it: (i + 2p - k) mod s."""
    return edge - transposed_edge(convolved_edge(edge, kernel, stride, padding), kernel, stride, padding)
