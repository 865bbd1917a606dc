"""The choice of a rate by each seed, from scores that are given."""

import pytest
import torch
from tests.params.reading import values_of

from graft.networks.outputs import Score
from graft.params.learning import Training
from graft.training.loop import Fitted
from graft.transfer.arms.rates import RunKey, chosen_runs, every_run, pooled, rates_around, seeds_of, trials_of


def _fitted(score: Score, choice: Score | None = None) -> Fitted:
    return Fitted(1, score, (), (), 0, choice)


def _chosen(scores: dict[tuple[int, float], Score]) -> list[tuple[int, float]]:
    return [(run.seed, run.rate) for run in chosen_runs({RunKey(*run): _fitted(each) for run, each in scores.items()})]


def test_every_seed_runs_at_every_rate() -> None:
    assert every_run((3, 4), (0.1, 0.2)) == tuple(RunKey(seed, rate) for seed in (3, 4) for rate in (0.1, 0.2))


def test_each_seed_chooses_the_highest_accuracy_of_its_own() -> None:
    scores = {(0, 0.1): Score(1, 0.8), (0, 0.2): Score(9, 0.9), (1, 0.1): Score(1, 0.7), (1, 0.2): Score(1, 0.6)}
    assert _chosen(scores) == [(0, 0.2), (1, 0.1)]


def test_a_tie_goes_to_the_lower_loss_and_then_to_the_smaller_rate() -> None:
    assert _chosen({(0, 0.1): Score(0.6, 0.8), (0, 0.2): Score(0.5, 0.8)}) == [(0, 0.2)]
    assert _chosen({(0, 0.2): Score(0.5, 0.8), (0, 0.1): Score(0.5, 0.8)}) == [(0, 0.1)]


def test_images_that_the_seed_leaves_out_decide_too() -> None:
    results = {
        RunKey(0, 0.1): _fitted(Score(1, 0.9), Score(1, 0.8)),
        RunKey(0, 0.2): _fitted(Score(1, 0.8), Score(1, 0.85)),
    }
    assert chosen_runs(results) == (RunKey(0, 0.2),)


def test_the_choice_does_not_depend_on_the_order_in_which_runs_end() -> None:
    results = {RunKey(seed, rate): _fitted(Score(1, rate * (2 - seed))) for seed in (0, 1) for rate in (0.1, 0.2)}
    assert chosen_runs(dict(reversed(results.items()))) == chosen_runs(results)


@pytest.mark.parametrize(("n_shared", "right"), [(3, 2), (150, 97), (7, 7)])
def test_a_pooled_score_is_that_of_all_images_at_once(n_shared: int, right: int) -> None:
    shared = Score(2.0, torch.tensor([1.0] * right + [0.0] * (n_shared - right)).mean().item())
    loss, accuracy, _ = pooled(shared, n_shared, Score(5.0, 0.5), 4)
    assert accuracy == (right + 2) / (n_shared + 4)
    assert loss == pytest.approx((2.0 * n_shared + 5.0 * 4) / (n_shared + 4))


def test_trials_tell_both_scores_of_every_run() -> None:
    (trial,) = trials_of({RunKey(3, 0.1): _fitted(Score(loss=0.5, accuracy=0.75), Score(loss=0.4, accuracy=0.8))})
    assert trial.model_dump() == {
        "seed": 3,
        "rate": 0.1,
        "val_accuracy": 0.75,
        "val_loss": 0.5,
        "accuracy": 0.8,
        "loss": 0.4,
        "unlabelled_score": None,
    }


def test_seeds_count_up_from_the_one_in_params() -> None:
    training = Training.model_validate({**values_of()["training"], "budget": 3})
    assert seeds_of(7, training) == (7, 8, 9)


@pytest.mark.parametrize(("n", "around"), [(1, [1.0]), (3, [1 / 3, 1.0, 3.0]), (2, [3**-0.5, 3**0.5])])
def test_rates_lie_a_factor_of_three_apart_around_the_one_found(n: int, around: list[float]) -> None:
    assert rates_around(0.01, n) == pytest.approx([0.01 * each for each in around])
