"""Source images in a step: how many, which, how they are varied, and what they weigh."""

import pytest
import torch
import torch.nn.functional as F
from tests.training.runs import NOTHING_VARIED, SHIFTED, network, samples
from tests.transfer.keeping.moments import moment_of, moved
from torch import Tensor

from graft.networks.networks import with_new_head
from graft.training.activations import Pass
from graft.training.objective import Moment
from graft.transfer.keeping.replay import Replay, replay

SOURCE = samples(40, 3)


def _term(share: float, recipe: object = NOTHING_VARIED) -> Replay:
    term = replay(network().eval(), SOURCE, share, recipe)(network())  # type: ignore[arg-type]
    assert isinstance(term, Replay)
    return term


def _watched(moment: Moment) -> tuple[Moment, list[Tensor]]:
    """The moment, and the images that a term passes in it."""
    seen: list[Tensor] = []

    def passed(images: Tensor) -> Pass:
        seen.append(images)
        return moment.pass_of(images)

    return moment._replace(pass_of=passed), seen


@pytest.mark.parametrize(("share", "n", "expected"), [(0.2, 8, 2), (0.5, 8, 8), (0.75, 8, 24), (0.2, 32, 8)])
def test_the_share_is_that_of_source_images_among_all_of_a_step(share: float, n: int, expected: int) -> None:
    term, net = _term(share), with_new_head(network(), 5)
    moment, seen = _watched(moment_of(net, term, n=n))
    term(moment)
    assert [len(each) for each in seen] == [expected]
    assert expected / (expected + n) == share
    assert term.n_passed * n == pytest.approx(expected)


def test_a_small_share_is_two_images_and_no_fewer() -> None:
    """BatchNorm cannot normalise one image whose maps are a single pixel."""
    term = _term(0.01)
    moment, seen = _watched(moment_of(with_new_head(network(), 5), term, n=6))
    term(moment)
    assert len(seen[0]) == 2


@pytest.mark.parametrize(("share", "n", "n_source"), [(0.2, 8, 2), (0.5, 4, 4), (0.75, 4, 12), (0.05, 4, 4 / 19)])
def test_source_images_weigh_as_the_share_says(share: float, n: int, n_source: float) -> None:
    """The gradient is that of the sum over all images, divided by the number of labelled ones.

    A small share passes two images, which count as the part of an image that it stands for.
    """
    net = with_new_head(moved(network()), 5).eval()
    term = _term(share)
    moment, seen = _watched(moment_of(net, term, n=n))
    found = term(moment)
    labels = {bytes(image.numpy().tobytes()): label for image, label in zip(SOURCE.images, SOURCE.labels, strict=True)}
    right = torch.stack([labels[bytes(image.numpy().tobytes())] for image in seen[0]])
    with torch.no_grad():
        losses = F.cross_entropy(network().eval().head(net.features(seen[0])), right, reduction="none")
    torch.testing.assert_close(found, losses.mean() * n_source / n, rtol=1e-5, atol=1e-6)


def test_images_are_varied_as_those_of_the_target() -> None:
    known = {image.numpy().tobytes() for image in SOURCE.images}
    for recipe, same in ((NOTHING_VARIED, True), (SHIFTED, False)):
        term = _term(0.5, recipe)
        moment, seen = _watched(moment_of(network(), term, n=8))
        term(moment)
        assert all(image.numpy().tobytes() in known for image in seen[0]) is same


def test_each_step_draws_other_images_by_the_generator_of_the_terms() -> None:
    term, net = _term(0.5), network()
    moment, seen = _watched(moment_of(net, term, n=8))
    for _ in range(2):
        term(moment)
    again, repeated = _watched(moment_of(net, term, n=8))
    term(again)
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], repeated[0])


def test_neither_head_learns_from_it() -> None:
    term, net = _term(0.5), with_new_head(network(), 5)
    term(moment_of(net, term)).backward()
    assert list(term.parameters()) == []
    assert term.state_dict() == {}
    assert all(each.grad is None for each in (*net.head.parameters(), *term.head[0].parameters()))
    assert all(each.grad is not None for each in net.blocks.parameters())
