"""Convolutions over small maps with many channels as matrix products, on CPUs.

On small maps torch's convolution spends most of its time on arranging weights: on 32 maps of 3 x 3 the gradient of
512 x 512 x 3 x 3 weights takes ten times as long as its products. Here the windows are written out as rows of a matrix
(im2col), and each of the three convolutions of a training step is one matrix product.

The networks are torchvision's own, so their nn.Conv2d modules stay: replacing them would change the names of weights.
Instead a TorchFunctionMode sees the calls of torch functions while a network runs, and takes over those calls of
F.conv2d that are exactly what nn.Conv2d makes and that products were measured to be faster at. All others go to torch.
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

# most windows of a batch, as a multiple of the output channels, for which products were measured to be faster
WINDOWS_A_CHANNEL = {torch.float32: 1, torch.bfloat16: 4}  # where the weights learn
FORWARD_ALONE = 1  # where they do not
# of height and width
Pair = tuple[int, int]


class Windows(NamedTuple):
    """How a kernel passes over a map; all in pixels."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def counts(self, height: int, width: int) -> Pair:
        """Numbers of windows along the height and the width of a map."""
        down, across = (
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, padding, dilation in zip((height, width), *self, strict=True)
        )
        return down, across

    def places(self, counts: Pair) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of the padded map under each position of the kernel, row by row, over all windows."""
        along = [
            [slice(at * dilation, at * dilation + stride * (n - 1) + 1, stride) for at in range(kernel)]
            for n, kernel, stride, dilation in zip(counts, self.kernel, self.stride, self.dilation, strict=True)
        ]
        yield from product(*along)


class ConvolutionByProducts(torch.autograd.Function):
    """2-d convolution without groups: (b, c, h, w) maps, (d, c, k, l) weights and (d,) biases to (b p q, d).

    Fastest with all tensors in channels-last order, which the output and the gradients have. The output is not a view,
    so that the next layer may change it in place, as the ReLUs of AlexNet and VGG do.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weights: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
        """One product; its factors are kept for the two products of the backward pass."""
        rows = _written_out(maps, windows)
        # (d, c, k, l) to (d, k l c), the order of the values in a row
        matrix = weights.permute(0, 2, 3, 1).reshape(len(weights), -1)
        ctx.save_for_backward(rows, matrix)
        ctx.windows, ctx.shape = windows, maps.shape
        return rows @ matrix.T if bias is None else torch.addmm(bias, rows, matrix.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Gradients of maps, weights and biases, those alone that are asked for."""
        rows, matrix = ctx.saved_tensors
        of_rows = gradient.contiguous()
        needs_maps, needs_weights, needs_bias, _ = ctx.needs_input_grad
        of_maps = _put_back(of_rows @ matrix, ctx.shape, ctx.windows) if needs_maps else None
        of_weights = None
        if needs_weights:
            kernel, n_in = ctx.windows.kernel, ctx.shape[1]
            # (d, k l c) to (d, c, k, l)
            of_weights = (of_rows.T @ rows).view(-1, *kernel, n_in).permute(0, 3, 1, 2)
        return of_maps, of_weights, of_rows.sum(0) if needs_bias else None, None


def by_products(maps: Tensor, weights: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
    """Output maps, (b, d, p, q) in channels-last order, of the arguments of ConvolutionByProducts."""
    out: Tensor = ConvolutionByProducts.apply(maps, weights, bias, windows)
    # (b p q, d) to (b, d, p, q)
    return out.view(len(maps), *windows.counts(*maps.shape[2:]), len(weights)).permute(0, 3, 1, 2)


def _written_out(maps: Tensor, windows: Windows) -> Tensor:
    """Windows of (b, c, h, w) maps, one a row: (b p q, k l c)."""
    (n, n_in, *size), (above, left) = maps.shape, windows.padding
    # (b, c, h, w) to (b, h, w, c), which moves nothing in channels-last order
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
    """At every pixel the sum of the window values on it, (b, c, h, w); the transpose of `_written_out`."""
    (n, n_in, height, width), (above, left) = shape, windows.padding
    counts = windows.counts(height, width)
    values = rows.view(n, *counts, -1, n_in)
    padded = rows.new_zeros(n, height + 2 * above, width + 2 * left, n_in)
    for position, (down, across) in enumerate(windows.places(counts)):
        padded[:, down, across] += values[..., position, :]
    # without the padding, (b, h, w, c) to (b, c, h, w)
    return padded[:, above : above + height, left : left + width].permute(0, 3, 1, 2)


class ByProducts(TorchFunctionMode):
    """Context in which convolutions go by products where these are faster."""

    def __torch_function__(
        self, called: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Take over what nn.Conv2d calls; torch does the rest, and what another version of it may call otherwise."""
        if called is F.conv2d and not kwargs and _as_a_layer_calls(args):
            return _convolved(*args)
        return called(*args, **(kwargs or {}))


def _as_a_layer_calls(args: tuple[Any, ...]) -> bool:
    """Whether these are batch, weights, bias, stride, padding, dilation and groups, as nn.Conv2d passes them.

    F.conv2d has no signature to bind to, and other callers pass single numbers, or maps without a batch.
    """
    if len(args) != 7:
        return False
    maps, weights, bias, stride, padding, dilation, groups = args
    tensors = (maps, weights) if bias is None else (maps, weights, bias)
    return (
        all(isinstance(each, Tensor) for each in tensors)
        and (maps.ndim, weights.ndim) == (4, 4)
        and all(isinstance(each, tuple) and len(each) == 2 for each in (stride, padding, dilation))
        and groups == 1
    )


def fast_convolutions(device: torch.device) -> AbstractContextManager[object]:
    """Context in which the blocks of a network run on this device; on a GPU it changes nothing."""
    return ByProducts() if device.type == "cpu" else nullcontext()


def _convolved(
    maps: Tensor, weights: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Tensor:
    """As F.conv2d, by products where there are few windows."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weights.dtype
    windows = Windows((weights.shape[2], weights.shape[3]), stride, padding, dilation)
    down, across = windows.counts(*maps.shape[2:])
    learns = torch.is_grad_enabled() and weights.requires_grad
    most = WINDOWS_A_CHANNEL.get(dtype, 0) if learns else FORWARD_ALONE
    if len(maps) * down * across <= most * len(weights):
        return by_products(maps.to(dtype), weights.to(dtype), bias, windows)
    return F.conv2d(maps, weights, bias, stride, padding, dilation, groups)
