"""Convolutions over few, wide pixels as matrix products, on processors.

On small maps torch's convolution spends most of its time on arranging weights: on 32 maps of 3 x 3 the gradient of
512 x 512 x 3 x 3 weights takes ten times as long as its products. There the windows are written out as rows of a
matrix, and each of the three convolutions of a training step is one product.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

WINDOWS_A_CHANNEL = {torch.float32: 1, torch.bfloat16: 4}
"""windows of a batch, as a multiple of the output channels, up to which products were measured to be faster where
the weights learn"""
FORWARD_ALONE = 1
"""the same where they do not"""
Pair = tuple[int, int]
"""along the height, along the width"""


class Windows(NamedTuple):
    """How a kernel passes over a map."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def counts(self, height: int, width: int) -> Pair:
        """Windows along the height and along the width of a map."""
        down, across = (
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, padding, dilation in zip((height, width), *self, strict=True)
        )
        return down, across

    def places(self, counts: Pair) -> Iterator[tuple[slice, slice]]:
        """For each position in the kernel, row by row: where in the padded map it falls in all windows."""
        along = [
            [slice(at * dilation, at * dilation + stride * (n - 1) + 1, stride) for at in range(kernel)]
            for n, kernel, stride, dilation in zip(counts, self.kernel, self.stride, self.dilation, strict=True)
        ]
        yield from product(*along)


class ConvolutionByProducts(torch.autograd.Function):
    """2-d convolution without groups: (b, c, h, w) maps, (d, c, k, l) weights and (d,) biases to (b p q, d).

    Best with all tensors in channels-last order, which the output and the gradients have. The output is no view, so
    that what follows may change it in place, as the ReLUs of AlexNet and VGG do.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weights: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
        """One product; rows and weights are kept for the two of the way back."""
        rows = _written_out(maps, windows)
        matrix = weights.permute(0, 2, 3, 1).reshape(len(weights), -1)
        ctx.save_for_backward(rows, matrix)
        ctx.windows, ctx.shape = windows, maps.shape
        return rows @ matrix.T if bias is None else torch.addmm(bias, rows, matrix.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Gradients by maps, weights and biases, as far as they are asked for."""
        rows, matrix = ctx.saved_tensors
        of_rows = gradient.contiguous()
        needs_maps, needs_weights, needs_bias, _ = ctx.needs_input_grad
        of_maps = _put_back(of_rows @ matrix, ctx.shape, ctx.windows) if needs_maps else None
        of_weights = None
        if needs_weights:
            kernel, n_in = ctx.windows.kernel, ctx.shape[1]
            of_weights = (of_rows.T @ rows).view(-1, *kernel, n_in).permute(0, 3, 1, 2)
        return of_maps, of_weights, of_rows.sum(0) if needs_bias else None, None


def by_products(maps: Tensor, weights: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
    """(b, d, p, q) in channels-last order, of what ConvolutionByProducts takes."""
    out: Tensor = ConvolutionByProducts.apply(maps, weights, bias, windows)
    return out.view(len(maps), *windows.counts(*maps.shape[2:]), len(weights)).permute(0, 3, 1, 2)


def _written_out(maps: Tensor, windows: Windows) -> Tensor:
    """(b p q, k l c) windows of (b, c, h, w) maps."""
    (n, n_in, *size), (above, left) = maps.shape, windows.padding
    padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, left, left, above, above))
    counts = windows.counts(*size)
    places = list(windows.places(counts))
    if len(places) == 1:
        return padded[:, *places[0]].reshape(-1, n_in)
    rows = maps.new_empty(n, *counts, len(places), n_in)
    for position, (down, across) in enumerate(places):
        rows[..., position, :] = padded[:, down, across]
    return rows.view(-1, len(places) * n_in)


def _put_back(rows: Tensor, shape: torch.Size, windows: Windows) -> Tensor:
    """(b, c, h, w) sums, at every pixel, of the windows' values that lie on it; the reverse of `_written_out`."""
    (n, n_in, height, width), (above, left) = shape, windows.padding
    counts = windows.counts(height, width)
    values = rows.view(n, *counts, -1, n_in)
    padded = rows.new_zeros(n, height + 2 * above, width + 2 * left, n_in)
    for position, (down, across) in enumerate(windows.places(counts)):
        padded[:, down, across] += values[..., position, :]
    return padded[:, above : above + height, left : left + width].permute(0, 3, 1, 2)


class ByProducts(TorchFunctionMode):
    """While it is entered, convolutions that learn go by products where these are faster."""

    def __torch_function__(
        self, called: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if called is F.conv2d and len(args) == 7:  # as nn.Conv2d calls it
            return _convolved(*args)
        return called(*args, **(kwargs or {}))


def fast_convolutions(device: torch.device) -> AbstractContextManager[object]:
    """What the blocks of a network are called in."""
    return ByProducts() if device.type == "cpu" else nullcontext()


def _convolved(
    maps: Tensor, weights: Tensor, bias: Tensor | None, stride: Pair, padding: Pair | str, dilation: Pair, groups: int
) -> Tensor:
    """As F.conv2d."""
    if groups == 1 and not isinstance(padding, str):
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weights.dtype
        windows = Windows((weights.shape[2], weights.shape[3]), stride, padding, dilation)
        down, across = windows.counts(*maps.shape[2:])
        learns = torch.is_grad_enabled() and weights.requires_grad
        most = WINDOWS_A_CHANNEL.get(dtype, 0) if learns else FORWARD_ALONE
        if len(maps) * down * across <= most * len(weights):
            return by_products(maps.to(dtype), weights.to(dtype), bias, windows)
    return F.conv2d(maps, weights, bias, stride, padding, dilation, groups)
