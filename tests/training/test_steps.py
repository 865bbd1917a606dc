"""Steps against the same computation written out, with a head that learns on frozen blocks."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.training.runs import NOTHING_VARIED, SHIFTED, ignore, learning, network, phase, plan, samples
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.networks.runtime import autocast
from graft.params.learning import Mixing, Sgd
from graft.params.recipes import Recipe
from graft.training import steps
from graft.training.activations import front
from graft.training.augmentation.augmentation import augmented
from graft.training.augmentation.mixing import soft_targets
from graft.training.batches import Samples, batch_rows
from graft.training.loop import fit
from graft.training.optimisation import take_step
from graft.training.steps import MIXERS, Plan

HEAD_ALONE = phase(frozen=("block1", "block2", "block3", "block4"), epochs=1)


def _first_batch(n: int = 32) -> tuple[Tensor, Tensor, torch.Generator]:
    """Images and labels of the first step of seed 0 where one batch holds all, and the generator as it is then."""
    generator, train = torch.Generator().manual_seed(0), samples(n, 1)
    (rows,) = batch_rows(n, n, generator)
    return augmented(train.images[rows], SHIFTED, generator), train.labels[rows], generator


def _loss_of_first_batch(to: Plan) -> float:
    """Training loss that a run records, which is that of the start, because it is computed before the step."""
    whole = to._replace(phases=(HEAD_ALONE,), learning=to.learning.model_copy(update={"batch_size": 32}))
    return fit(network(), samples(32, 1), samples(16, 2), whole, 0, ignore).curve[0].train_loss


def _logits(images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network().eval()(images)
    return logits


def test_a_smoothed_label_spreads_its_share_over_all_classes() -> None:
    images, labels, _ = _first_batch()
    surprise = -_logits(images).log_softmax(dim=1)
    expected = 0.7 * surprise[torch.arange(32), labels] + 0.3 * surprise.mean(dim=1)
    assert _loss_of_first_batch(plan(label_smoothing=0.3)) == pytest.approx(expected.mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    "mixing", [Mixing(kind="mixup", alpha=0.4), Mixing(kind="cutmix", alpha=2.0)], ids=lambda each: each.kind
)
def test_images_and_targets_are_mixed_as_the_plan_says(mixing: Mixing) -> None:
    images, labels, generator = _first_batch()
    mixed = MIXERS[mixing.kind](images, soft_targets(labels, 2), mixing.alpha, generator)
    expected = F.cross_entropy(_logits(mixed.images), mixed.targets).item()
    assert _loss_of_first_batch(plan(mixing=mixing)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_made_in_float32_whatever_the_precision_of_the_network() -> None:
    images, labels, _ = _first_batch()
    with torch.no_grad(), autocast(images.device, torch.bfloat16):
        net = network().eval()
        logits = net.head(front(net, 4, images))
    assert logits.dtype == torch.bfloat16
    expected = F.cross_entropy(logits.float(), labels).item()
    assert _loss_of_first_batch(plan(precision=torch.bfloat16)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("views", [None, 2])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_every_pass_of_a_run_is_made_in_the_precision_of_the_plan(precision: torch.dtype, views: int | None) -> None:
    net, seen = network(), set[torch.dtype]()

    def note(layer: nn.Module, given: object, made: Tensor) -> None:
        seen.add(made.dtype)

    for layer in (*(net.get_submodule(f"blocks.{name}.0") for name in net.blocks), net.head):
        layer.register_forward_hook(note)
    to = plan(phase(frozen=("block1",), epochs=1), precision=precision, views=views)
    fit(net, samples(32, 1), samples(16, 2), to, 0, ignore)
    assert seen == {precision}


def test_training_loss_is_the_mean_over_images() -> None:
    net, train = network(), samples(20, 1)  # three batches of 7, 7 and 6
    in_training, losses = copy.deepcopy(net).train(), []
    generator = torch.Generator().manual_seed(0)
    for rows in batch_rows(20, 8, generator):
        logits = in_training(train.images[rows])
        losses += F.cross_entropy(logits, train.labels[rows], reduction="none").tolist()
        augmented(train.images[rows], NOTHING_VARIED, generator)
    to = plan(phase(rate=1e-12, epochs=1), recipe=NOTHING_VARIED)
    fitted = fit(net, train, samples(16, 2), to, 0, ignore)
    assert fitted.curve[0].train_loss == pytest.approx(np.mean(losses), rel=1e-4)


def _gradients(monkeypatch: pytest.MonkeyPatch, net: Network, train: Samples, to: Plan) -> list[Tensor]:
    """Gradients of the head's weights at each step of a run whose optimizer takes no step."""
    gradients: list[Tensor] = []

    def noting(optimizer: torch.optim.Optimizer, *_: object) -> None:
        gradient = net.get_parameter("head.weight").grad
        assert gradient is not None
        gradients.append(gradient.clone())
        optimizer.zero_grad()

    monkeypatch.setattr(steps, "take_step", noting)
    fit(net, train, samples(16, 2), to._replace(phases=(HEAD_ALONE,), recipe=NOTHING_VARIED), 0, ignore)
    return gradients


def _losses(net: Network, given: Samples) -> Tensor:
    logits = net.eval()(given.images)
    return F.cross_entropy(logits, given.labels, reduction="none")


@pytest.mark.parametrize("accumulate", [1, 4])
def test_weighted_losses_are_a_mean_over_images_whatever_the_batch(
    monkeypatch: pytest.MonkeyPatch, accumulate: int
) -> None:
    """Divided by the weights of its batch, a rare class would count less in smaller batches."""
    net = network()
    rare = Samples(samples(32, 1).images, (torch.arange(32) % 8 == 0).long())
    to = plan(accumulate=accumulate, batch_size=32 // accumulate, balance="weights")
    (gradient,) = _gradients(monkeypatch, net, rare, to)
    weights = torch.tensor([32 / (2 * 28), 32 / (2 * 4)])[rare.labels]
    (expected,) = torch.autograd.grad((weights * _losses(net, rare)).mean(), [net.get_parameter("head.weight")])
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def test_the_last_step_of_an_epoch_is_the_mean_of_the_remaining_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    net, train = network(), samples(40, 1)  # five batches, two a step
    gradients = _gradients(monkeypatch, net, train, plan(accumulate=2))
    assert len(gradients) == 3
    last = batch_rows(40, 8, torch.Generator().manual_seed(0))[-1]
    (expected,) = torch.autograd.grad(_losses(net, train)[last].mean(), [net.get_parameter("head.weight")])
    torch.testing.assert_close(gradients[-1], expected, rtol=1e-4, atol=1e-6)


def test_accumulated_batches_make_the_step_of_one_large_batch() -> None:
    large = plan(phase(epochs=1), recipe=NOTHING_VARIED, batchnorm="frozen", batch_size=32)
    small = large._replace(learning=learning(accumulate=4))
    one, two = network(), network()
    for net, to in ((one, large), (two, small)):
        fit(net, samples(32, 1), samples(16, 2), to, 0, ignore)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_the_schedule_ends_with_the_last_step_where_batches_are_accumulated(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    def watch(optimizer: torch.optim.Optimizer, *others: object) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        take_step(optimizer, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "take_step", watch)
    to = plan(phase(epochs=3), schedule="cosine", warmup=0.0, accumulate=2)
    fit(network(), samples(24, 1), samples(16, 2), to, 0, ignore)
    # three batches an epoch are two steps
    assert rates == pytest.approx([0.01 * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(6)])


def test_a_step_goes_as_far_as_the_clipped_gradient_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    distances: list[float] = []

    def whole(parameters: list[nn.Parameter]) -> Tensor:
        return torch.cat([each.detach().flatten() for each in parameters])

    def watch(
        optimizer: torch.optim.Optimizer, schedule: object, parameters: list[nn.Parameter], clip_norm: float | None
    ) -> None:
        before = whole(parameters)
        take_step(optimizer, schedule, parameters, clip_norm)  # type: ignore[arg-type]
        distances.append((whole(parameters) - before).norm().item())

    monkeypatch.setattr(steps, "take_step", watch)
    plain: dict[str, Any] = {
        "optimizer": Sgd(kind="sgd", momentum=0.0),
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": 0.0,
    }
    to = plan(phase(rate=0.5, epochs=1), **plain, clip_norm=0.1)
    fit(network(), samples(32, 1), samples(16, 2), to, 0, ignore)
    assert distances == pytest.approx([0.05] * 4, rel=1e-3)


def test_balanced_sampling_shows_rare_classes_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    train = samples(40, 1)
    skewed = Samples(train.images, torch.tensor([0] * 36 + [1] * 4))
    rare = {image.numpy().tobytes() for image in skewed.images[36:]}
    seen: list[bool] = []

    def watch(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
        seen.extend(image.numpy().tobytes() in rare for image in images)
        return augmented(images, recipe, generator)

    monkeypatch.setattr(steps, "augmented", watch)
    fit(network(), skewed, samples(16, 2), plan(balance="sampling"), 0, ignore)
    assert sum(seen) == len(seen) / 2 == 60
