"""Convolutions as matrix products."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from graft.training import convolution
from graft.training.convolution import ByProducts, ConvolutionByProducts, Pair, Windows, fast_convolutions

CPU = torch.device("cpu")
BY_PRODUCTS, BY_TORCH = "ConvolutionByProductsBackward", "ConvolutionBackward0"
SHAPES = [
    pytest.param((3, 3), (1, 1), (1, 1), (1, 1), id="usual"),
    pytest.param((3, 3), (2, 2), (1, 1), (1, 1), id="stride"),
    pytest.param((1, 1), (2, 2), (0, 0), (1, 1), id="one pixel, stride"),
    pytest.param((1, 1), (1, 1), (1, 2), (1, 1), id="one pixel, padding"),
    pytest.param((1, 5), (1, 2), (0, 2), (1, 1), id="one row"),
    pytest.param((3, 2), (2, 1), (2, 0), (2, 3), id="all different"),
]


def _outcome(
    windows: Windows, *, by_products: bool, biased: bool, order: torch.memory_format = torch.channels_last
) -> tuple[Tensor, ...]:
    """Output, and gradients of its weighted sum for maps, weights and bias, in float64."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    maps = drawn(2, 3, 7, 6).contiguous(memory_format=order).requires_grad_()
    weights = drawn(4, 3, *windows.kernel).contiguous(memory_format=order).requires_grad_()
    bias = drawn(4).requires_grad_() if biased else None
    if by_products:
        out = convolution.by_products(maps, weights, bias, windows)
    else:
        out = F.conv2d(maps, weights, bias, windows.stride, windows.padding, windows.dilation)
    learned = [each for each in (maps, weights, bias) if each is not None]
    return (out.detach(), *torch.autograd.grad(out, learned, torch.randn(out.shape, generator=generator).double()))


@pytest.mark.parametrize("biased", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), SHAPES)
def test_output_and_gradients_are_those_of_torch(
    kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, biased: bool
) -> None:
    windows = Windows(kernel, stride, padding, dilation)
    wanted = _outcome(windows, by_products=False, biased=biased)
    for found, expected in zip(_outcome(windows, by_products=True, biased=biased), wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_memory_format_does_not_matter() -> None:
    windows = Windows((3, 3), (1, 1), (1, 1), (1, 1))
    wanted = _outcome(windows, by_products=False, biased=True)
    plain = _outcome(windows, by_products=True, biased=True, order=torch.contiguous_format)
    for found, expected in zip(plain, wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_gradients_of_weights_are_in_channels_last_order() -> None:
    windows = Windows((3, 3), (1, 1), (1, 1), (1, 1))
    _, _, of_weights, _ = _outcome(windows, by_products=True, biased=True)
    assert of_weights.is_contiguous(memory_format=torch.channels_last)


def _maker(made: Tensor) -> str:
    """Name of the operation that computed this, views and permutations left out."""
    node = made.grad_fn
    while node is not None and node.name() in ("PermuteBackward0", "ViewBackward0"):
        node = node.next_functions[0][0]
    assert node is not None
    return node.name().rpartition("::")[2]


def _way(layer: nn.Conv2d, n: int, size: int, dtype: torch.dtype | None = None) -> str:
    """Name of the operation that computed the output for n maps of this size."""
    maps = torch.rand(n, layer.in_channels, size, size)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None), fast_convolutions(CPU):
        return _maker(layer(maps))


@pytest.mark.parametrize(("size", "way"), [(2, BY_PRODUCTS), (3, BY_TORCH)])
def test_few_windows_go_by_products_and_many_by_torch(size: int, way: str) -> None:
    assert _way(nn.Conv2d(4, 16, 3, padding=1), 4, size) == way  # 16 and 36 windows for 16 channels


@pytest.mark.parametrize(("size", "way"), [(4, BY_PRODUCTS), (5, BY_TORCH)])
def test_bfloat16_goes_by_products_for_four_times_as_many_windows(size: int, way: str) -> None:
    assert _way(nn.Conv2d(4, 16, 3, padding=1), 4, size, torch.bfloat16) == way  # 64 and 100 windows


def test_autocast_rounds_products_as_it_rounds_convolutions() -> None:
    layer, maps = nn.Conv2d(4, 16, 3, padding=1), torch.rand(2, 4, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted = layer(maps)
        with fast_convolutions(CPU):
            found = layer(maps)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, wanted, rtol=2**-7, atol=2**-7)


def test_frozen_weights_go_by_products_where_the_forward_pass_alone_is_faster() -> None:
    layer = nn.Conv2d(4, 16, 3, padding=1).requires_grad_(False)
    maps = torch.rand(4, 4, 4, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16), fast_convolutions(CPU):
        assert (_maker(layer(maps)), _maker(layer(maps[:, :, :2, :2]))) == (BY_TORCH, BY_PRODUCTS)


def test_without_a_gradient_weights_that_would_learn_go_as_frozen_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, seen = nn.Conv2d(4, 16, 3, padding=1), list[torch.Size]()
    products = ConvolutionByProducts.apply

    def watch(maps: Tensor, *others: object) -> object:
        seen.append(maps.shape)
        return products(maps, *others)

    monkeypatch.setattr(ConvolutionByProducts, "apply", watch)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), fast_convolutions(CPU):
        for size in (4, 2):
            layer(torch.rand(4, 4, size, size))
    assert seen == [(4, 4, 2, 2)]


def test_the_backward_pass_keeps_tensors_in_the_precision_of_autocast() -> None:
    kept: list[Tensor] = []

    def keep(each: Tensor) -> Tensor:
        kept.append(each)
        return each

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda each: each):
        assert _way(nn.Conv2d(4, 16, 3, padding=1), 4, 2, torch.bfloat16) == BY_PRODUCTS
    assert [each.dtype for each in kept] == [torch.bfloat16] * 2


@pytest.mark.parametrize(("asks", "n_products"), [(False, 2), (True, 3)])
def test_no_gradient_of_images_is_computed(asks: bool, n_products: int) -> None:
    layer, maps = nn.Conv2d(4, 16, 3, padding=1), torch.rand(1, 4, 2, 2, requires_grad=asks)
    with FlopCounterMode(display=False) as counter, fast_convolutions(CPU):
        layer(maps).sum().backward()
    assert layer.weight.grad is not None
    assert counter.get_total_flops() == n_products * 2 * (2 * 2) * (4 * 3 * 3) * 16  # windows, their values, channels


def test_a_relu_may_change_the_output_in_place() -> None:
    """As in AlexNet and VGG."""
    maps, layer = torch.rand(2, 4, 2, 2).double(), nn.Conv2d(4, 16, 3, padding=1).double()
    relu = nn.Sequential(layer, nn.ReLU(inplace=True))
    wanted = torch.autograd.grad(relu(maps).square().sum(), list(layer.parameters()))
    out = convolution.by_products(maps, layer.weight, layer.bias, Windows((3, 3), (1, 1), (1, 1), (1, 1)))
    found = torch.autograd.grad(relu[1](out).square().sum(), list(layer.parameters()))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_gradient_of_a_gradient_is_refused() -> None:
    maps, weights = torch.rand(1, 2, 3, 3, requires_grad=True), torch.rand(4, 2, 3, 3, requires_grad=True)
    out = convolution.by_products(maps, weights, None, Windows((3, 3), (1, 1), (1, 1), (1, 1)))
    (gradient,) = torch.autograd.grad(out.square().sum(), maps, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(gradient.sum())


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(nn.Conv2d(4, 6, (3, 2), (2, 1), (2, 0), (2, 3)), id="all different"),
        pytest.param(nn.Conv2d(4, 6, 3, groups=2), id="groups"),
        pytest.param(nn.Conv2d(4, 6, 3, padding="same"), id="same"),
    ],
)
def test_convolutions_left_to_torch_are_unchanged(layer: nn.Conv2d) -> None:
    maps = torch.rand(2, 4, 9, 8, generator=torch.Generator().manual_seed(0))
    wanted = layer(maps)
    with fast_convolutions(CPU):
        found = layer(maps)
    assert _maker(found) == BY_TORCH
    assert torch.equal(found, wanted)


def test_convolutions_that_no_layer_calls_are_unchanged() -> None:
    maps, weights = torch.rand(1, 4, 4, 4), torch.rand(16, 4, 3, 3, requires_grad=True)
    with fast_convolutions(CPU):
        found = F.conv2d(maps, weights), F.conv2d(maps, weights, stride=2, padding=1)
    assert torch.equal(found[0], F.conv2d(maps, weights))
    assert torch.equal(found[1], F.conv2d(maps, weights, stride=2, padding=1))


SMALL, KERNELS, BIAS = torch.rand(1, 16, 4, 4), torch.rand(16, 16, 3, 3, requires_grad=True), torch.rand(16)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        pytest.param((SMALL, KERNELS, BIAS, 1, 1, 1, 1), {}, id="numbers for pairs"),
        pytest.param((SMALL, KERNELS, BIAS, (1, 1), (1, 1), (1, 1)), {"groups": 1}, id="by name"),
        pytest.param((SMALL[0], KERNELS, BIAS, (1, 1), (1, 1), (1, 1), 1), {}, id="no batch"),
        pytest.param((SMALL, KERNELS, BIAS, [1, 1], [1, 1], [1, 1], 1), {}, id="lists"),
        pytest.param((SMALL, KERNELS, BIAS, (1,), (1,), (1,), 1), {}, id="one for both"),
    ],
)
def test_a_call_that_another_torch_may_make_is_left_to_torch(args: tuple[object, ...], kwargs: dict[str, int]) -> None:
    wanted = F.conv2d(*args, **kwargs)  # type: ignore[call-overload]
    with fast_convolutions(CPU):
        found = F.conv2d(*args, **kwargs)  # type: ignore[call-overload]
    assert torch.equal(found, wanted)
    assert BY_PRODUCTS not in _maker(found)


def test_an_argument_that_is_not_known_here_is_not_dropped() -> None:
    call = (SMALL, KERNELS, BIAS, (1, 1), (1, 1), (1, 1), 1)
    with pytest.raises(TypeError, match="new"):
        ByProducts().__torch_function__(F.conv2d, (), call, {"new": 1})


def test_weights_of_a_type_that_was_not_measured_learn_by_torch() -> None:
    layer = nn.Conv2d(4, 16, 3, padding=1).double()
    with fast_convolutions(CPU):
        assert _maker(layer(torch.rand(1, 4, 2, 2).double())) == BY_TORCH


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(4, 16, 3, padding="same")], ids=["groups", "same"]
)
def test_other_convolutions_are_left_to_torch(layer: nn.Conv2d) -> None:
    assert _way(layer, 1, 2) != BY_PRODUCTS


def test_other_devices_are_left_to_torch() -> None:
    with fast_convolutions(torch.device("cuda")):
        made = nn.Conv2d(4, 16, 3, padding=1)(torch.rand(1, 4, 2, 2))
    assert _maker(made) == BY_TORCH


def test_leaving_the_context_restores_torch() -> None:
    with fast_convolutions(CPU):
        pass
    assert _maker(nn.Conv2d(4, 16, 3, padding=1)(torch.rand(1, 4, 2, 2))) == BY_TORCH
