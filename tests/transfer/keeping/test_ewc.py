"""The Fisher information of the source's labels: by hand, by vectorised gradients, and what the tutorials compute."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tests.training.runs import network, phase, samples
from tests.transfer.keeping.moments import moment_of, moved
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from graft.networks.networks import Network
from graft.networks.preprocessing import SMALL_CNN
from graft.training.batches import Samples
from graft.transfer.keeping.ewc import ewc, fisher_roots

SOURCE = samples(10, 3)


def _per_sample(net: Network, given: Samples) -> dict[str, Tensor]:
    """(n, ...) gradient of each image's loss by each parameter of the blocks, by torch.func."""
    net = copy.deepcopy(net).eval()
    state = {name: value.detach() for name, value in net.named_parameters()}
    constants = dict(net.named_buffers())
    blocks = {name: value for name, value in state.items() if name.startswith("blocks.")}

    def loss(learned: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(net, {**state, **constants, **learned}, (image[None],))
        return F.cross_entropy(logits, label[None])

    return vmap(grad(loss), in_dims=(None, 0, 0))(blocks, given.images, given.labels)  # type: ignore[no-any-return]


class _Flat(nn.Module):
    """(n, 3) means of the channels of images, times a factor each."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.tensor([1.0, 2.0, 0.5]))

    def forward(self, values: Tensor) -> Tensor:
        return values.mean(dim=(2, 3)) * self.factors


def test_a_case_by_hand() -> None:
    """Two images, a backbone of three weights and a head of two classes: derivatives on paper."""
    grey = SMALL_CNN.model_copy(update={"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)})
    net = Network({"only": _Flat()}, 3, 2, grey)
    with torch.no_grad():
        net.head.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]))  # type: ignore[operator]
        net.head.bias.zero_()  # type: ignore[operator]
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, 0], images[1, 1], images[1, 2] = 255, 255, 255
    labels = torch.tensor([0, 0])
    # Image 0 is (1, 0, 0): logits (1, 0). Image 1 is (0, 1, 1): logits (0.5 * 2, 2) = (1, 2).
    # d loss / d factor_j = x_j * sum_c (p_c - y_c) * head_cj; with two classes p_1 = 1 - p_0 and p_0 - 1 = -p_1.
    p = torch.sigmoid(torch.tensor(-1.0)), torch.sigmoid(torch.tensor(1.0))
    first = torch.stack([-p[0], torch.tensor(0.0), torch.tensor(0.0)])
    second = torch.stack([torch.tensor(0.0), p[1], -2 * p[1]])
    (found,) = fisher_roots(net, Samples(images, labels), 2, 0)
    torch.testing.assert_close(found.square(), (first.square() + second.square()) / 2, rtol=1e-5, atol=1e-8)


def test_it_is_the_mean_of_squared_gradients_of_single_images() -> None:
    net = network()
    found = fisher_roots(net, SOURCE, len(SOURCE.labels), 0)
    expected = _per_sample(net, SOURCE)
    for root, name in zip(found, [f"blocks.{name}" for name, _ in net.blocks.named_parameters()], strict=True):
        squares = expected[name].square().mean(dim=0)
        torch.testing.assert_close(root.square(), squares, rtol=1e-3, atol=1e-6 * float(squares.max()))


def test_trap_7_the_square_of_the_gradient_of_a_batch() -> None:
    """Derivatives of images of opposite sign cancel in it, so that it is smaller, by a factor of the batch's size."""
    net = network()
    gradients = _per_sample(net, SOURCE)
    of_batch = sum(float(each.mean(dim=0).square().sum()) for each in gradients.values())
    found = sum(float(each.square().sum()) for each in fisher_roots(net, SOURCE, len(SOURCE.labels), 0))
    assert found > 1.5 * of_batch


def test_only_so_many_images_are_looked_at() -> None:
    few, again, other = (fisher_roots(network(), SOURCE, 3, seed) for seed in (0, 0, 1))
    whole, more = (fisher_roots(network(), SOURCE, n, 0) for n in (10, 99))
    assert all(torch.equal(a, b) for a, b in zip(few, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(few, other, strict=True))
    assert not all(torch.allclose(a, b) for a, b in zip(few, whole, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole, more, strict=True))


def test_the_network_is_left_as_it_was() -> None:
    net = network().train().requires_grad_(True)
    before = copy.deepcopy(net.state_dict())
    fisher_roots(net, SOURCE, 10, 0)
    assert net.training
    assert all(each.requires_grad and each.grad is None for each in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_trap_7_the_new_head_is_left_out() -> None:
    """It has no optimum on the source, and no Fisher information of it."""
    net = network()
    roots = fisher_roots(net, SOURCE, 10, 0)
    assert [each.shape for each in roots] == [each.shape for each in net.blocks.parameters()]
    term = ewc(1.0, roots)(net)
    with torch.no_grad():
        net.head.weight.add_(1.0)  # type: ignore[operator]
    term(moment_of(moved(net), term)).backward()
    assert all(each.grad is None for each in net.head.parameters())


@pytest.mark.parametrize("frozen", [(), ("block1", "block2")])
def test_the_penalty_is_half_of_the_weighted_squared_distance(frozen: tuple[str, ...]) -> None:
    net = network()
    roots, starts = fisher_roots(net, SOURCE, 10, 0), [each.detach().clone() for each in net.blocks.parameters()]
    term = ewc(7.0, roots)(net)
    value = term(moment_of(moved(net), term, phase(frozen=frozen)))
    kept = zip(net.blocks.named_parameters(), starts, roots, strict=True)
    expected = sum(
        7.0 / 2 * (root.square() * (weight - start).square()).sum()
        for (name, weight), start, root in kept
        if not name.startswith(tuple(frozen) or ("none",))
    )
    assert value.item() > 0
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=0)
