"""Adapting on a CUDA device in deterministic mode; run where there is one."""

import pytest
import torch
from torch import Tensor

from graft.networks.networks import state_sha256
from graft.networks.runtime import make_deterministic
from graft.training.activations import Pass, back, front
from graft.training.batches import Samples
from graft.training.loop import fit
from graft.training.objective import Moment
from graft.transfer.adapting.sides import Further
from graft.transfer.adapting.validators import VALIDATORS, Validator
from tests.training.runs import NOTHING_VARIED, ignore, network, phase, plan, samples
from tests.transfer.adapting.test_sides import MAKERS

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

TARGET, SOURCE, UNLABELLED = samples(24, 1), samples(20, 2).images // 2, samples(18, 3).images // 4


def loss_and_gradient(kind: str, device: str) -> tuple[Tensor, Tensor]:
    """A term's loss of one batch, and its gradient in the lowest block, on the CPU."""
    net = network()
    term = MAKERS[kind](net, Further(SOURCE.to(device), UNLABELLED.to(device), NOTHING_VARIED)).to(device)
    net.to(device).train()
    batch = Samples(TARGET.images[:12].to(device), TARGET.labels[:12].to(device))

    def pass_of(images: Tensor, moves: bool = False) -> Pass:
        return back(net, 0, front(net, 0, images), term.blocks)

    generator = torch.Generator().manual_seed(0)
    loss = term(Moment(net, 0, *batch, pass_of(batch.images), 0.5, generator, pass_of))
    (gradient,) = torch.autograd.grad(loss, [next(net.blocks.parameters())])
    return loss.detach().cpu(), gradient.cpu()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_term_agrees_with_the_processor(kind: str) -> None:
    """The gradient is compared as a whole: where two places of a pooling nearly tie, rounding says which learns."""
    make_deterministic(0)
    (ours, gradient), (theirs, expected) = (loss_and_gradient(kind, device) for device in ("cuda", "cpu"))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-3)
    assert (gradient - expected).norm() < 0.05 * expected.norm()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", MAKERS)
def test_a_run_repeats_to_the_bit(kind: str, precision: torch.dtype) -> None:
    make_deterministic(0)
    images = Further(None, UNLABELLED.cuda(), NOTHING_VARIED)
    to = plan(phase(epochs=2), batch_size=8, precision=precision)
    to = to._replace(terms=(lambda start: MAKERS[kind](start, images),), settled=True)
    train, val = (Samples(each.images.cuda(), each.labels.cuda()) for each in (TARGET, samples(12, 4)))

    def run() -> str:
        net = network().cuda()
        fitted = fit(net, train, val, to, 5, ignore)
        return state_sha256([net]) + repr(fitted)

    assert run() == run()


@pytest.mark.parametrize("score", VALIDATORS.values())
def test_a_score_of_unlabelled_images_agrees_with_the_processor(score: Validator) -> None:
    make_deterministic(0)
    logits = 4 * torch.randn(300, 7, generator=torch.Generator().manual_seed(0))
    assert score(logits.cuda()) == pytest.approx(score(logits), rel=1e-5)
