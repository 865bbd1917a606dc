"""Scores on unlabelled images, against values worked by hand."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from graft.networks.outputs import outputs_of
from graft.params.techniques import ChooseBy
from graft.transfer.adapting import validators
from graft.transfer.adapting.validators import TEMPERATURE, information_maximisation, soft_neighbourhood_density
from tests.training.runs import network, samples


def logits_of(shares: list[list[float]]) -> Tensor:
    return torch.tensor(shares).log()


def entropy(*shares: float) -> float:
    return -sum(each * math.log(each) for each in shares if each)


def test_information_maximisation_of_sure_and_even_predictions_is_ln_c() -> None:
    assert information_maximisation(50 * torch.eye(4)) == pytest.approx(math.log(4))


def test_information_maximisation_of_a_case_worked_by_hand() -> None:
    shares = [[0.9, 0.1], [0.4, 0.6]]
    expected = entropy(0.65, 0.35) - (entropy(0.9, 0.1) + entropy(0.4, 0.6)) / 2
    assert information_maximisation(logits_of(shares)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "logits",
    [
        pytest.param(torch.tensor([[30.0, 0.0, 0.0]] * 5), id="one class only"),
        pytest.param(torch.zeros(5, 3), id="identical rows"),
        pytest.param(torch.tensor([[2.0, 1.0]]), id="one image"),
        pytest.param(torch.tensor([[2.0], [3.0]]), id="a single class"),
    ],
)
def test_information_maximisation_of_predictions_that_tell_nothing_apart_is_0(logits: Tensor) -> None:
    assert information_maximisation(logits) == pytest.approx(0, abs=1e-12)


def test_information_maximisation_takes_logits_that_leave_no_other_share() -> None:
    assert information_maximisation(torch.tensor([[2000.0, 0.0], [0.0, 2000.0]])) == pytest.approx(math.log(2))


def test_density_of_a_case_worked_by_hand() -> None:
    """Cosines of three predictions of two classes, each row without itself."""
    shares = [[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]]

    def cosine(i: int, j: int) -> float:
        (a, b), (c, d) = shares[i], shares[j]
        return (a * c + b * d) / math.sqrt((a * a + b * b) * (c * c + d * d))

    total = 0.0
    for i in range(3):
        weights = [math.exp(cosine(i, j) / TEMPERATURE) for j in range(3) if j != i]
        total += entropy(*(each / sum(weights) for each in weights))
    assert soft_neighbourhood_density(logits_of(shares)) == pytest.approx(total / 3, rel=1e-5)


def test_density_of_identical_rows_is_that_of_equal_neighbours() -> None:
    assert soft_neighbourhood_density(torch.ones(7, 3)) == pytest.approx(math.log(6), rel=1e-6)


def test_density_of_two_tight_clusters_is_that_of_the_neighbours_within() -> None:
    """Cosine 0 across and 1 within: the others weigh exp(-20) of what a neighbour does."""
    logits = 100 * torch.eye(2).repeat_interleave(5, dim=0)
    assert soft_neighbourhood_density(logits) == pytest.approx(math.log(4), rel=1e-6)


@pytest.mark.parametrize("n", [1, 2])
def test_density_of_one_or_two_images_is_0(n: int) -> None:
    assert soft_neighbourhood_density(torch.randn(n, 3, generator=torch.Generator().manual_seed(0))) == 0


def test_density_of_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(37, 5, generator=torch.Generator().manual_seed(0))
    whole = soft_neighbourhood_density(logits)
    monkeypatch.setattr(validators, "AT_ONCE", 100)
    assert soft_neighbourhood_density(logits) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("score", [information_maximisation, soft_neighbourhood_density])
def test_half_precision_is_computed_in_float32_or_more(score: validators.Validator) -> None:
    logits = (4 * torch.randn(50, 5, generator=torch.Generator().manual_seed(0))).bfloat16()
    assert score(logits) == pytest.approx(score(logits.double()), rel=1e-4)


@pytest.mark.parametrize("score", [information_maximisation, soft_neighbourhood_density])
def test_logits_that_are_not_finite_give_no_number(score: validators.Validator) -> None:
    assert math.isnan(score(torch.tensor([[1.0, math.nan], [0.0, 1.0], [1.0, 0.0]])))


@pytest.mark.parametrize("score", [information_maximisation, soft_neighbourhood_density])
def test_sure_predictions_in_clusters_score_more_than_unsure_ones(score: validators.Validator) -> None:
    generator = torch.Generator().manual_seed(0)
    clusters = torch.eye(5).repeat_interleave(20, dim=0)
    noise = torch.randn(100, 5, generator=generator)
    assert score(8 * clusters + noise) > score(clusters + noise)


@pytest.mark.parametrize("kind", get_args(ChooseBy))
def test_a_network_is_scored_by_its_logits_in_evaluation_mode(kind: ChooseBy) -> None:
    images, net = samples(50, 1).images, network().train()
    outputs = outputs_of(network(), images.permute(0, 2, 3, 1).numpy())
    expected = validators.VALIDATORS[kind](torch.from_numpy(outputs.logits))
    assert validators.score_by(kind, images, torch.float32)(net) == pytest.approx(expected, rel=1e-4)


def test_of_many_images_some_at_even_distances_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(images: Tensor) -> float:
        return validators.score_by("information_maximisation", images, torch.float32)(network())

    images = samples(50, 1).images
    monkeypatch.setattr(validators, "MOST_IMAGES", 8)
    assert score(images) == score(images[::7])
