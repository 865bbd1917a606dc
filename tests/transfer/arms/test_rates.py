"""The choice of a rate by each seed, from scores that are given."""

import pytest
from tests.params.reading import values_of

from graft.networks.outputs import Score
from graft.params.learning import Training
from graft.transfer.arms.rates import RunKey, chosen_runs, every_run, rates_around, seeds_of, trials_of


def _chosen(scores: dict[tuple[int, float], Score]) -> list[tuple[int, float]]:
    return [(run.seed, run.rate) for run in chosen_runs({RunKey(*run): score for run, score in scores.items()})]


def test_every_seed_runs_at_every_rate() -> None:
    assert every_run((3, 4), (0.1, 0.2)) == ((3, 0.1), (3, 0.2), (4, 0.1), (4, 0.2))


def test_each_seed_chooses_the_highest_accuracy_of_its_own() -> None:
    scores = {(0, 0.1): Score(1, 0.8), (0, 0.2): Score(9, 0.9), (1, 0.1): Score(1, 0.7), (1, 0.2): Score(1, 0.6)}
    assert _chosen(scores) == [(0, 0.2), (1, 0.1)]


def test_a_tie_goes_to_the_lower_loss_and_then_to_the_smaller_rate() -> None:
    assert _chosen({(0, 0.1): Score(0.6, 0.8), (0, 0.2): Score(0.5, 0.8)}) == [(0, 0.2)]
    assert _chosen({(0, 0.2): Score(0.5, 0.8), (0, 0.1): Score(0.5, 0.8)}) == [(0, 0.1)]


def test_the_choice_does_not_depend_on_the_order_in_which_runs_end() -> None:
    scores = {RunKey(seed, rate): Score(1, rate * (2 - seed)) for seed in (0, 1) for rate in (0.1, 0.2)}
    assert chosen_runs(dict(reversed(scores.items()))) == chosen_runs(scores)


def test_trials_tell_the_score_of_every_run() -> None:
    (trial,) = trials_of({RunKey(3, 0.1): Score(loss=0.5, accuracy=0.75)})
    assert (trial.seed, trial.rate, trial.val_accuracy, trial.val_loss) == (3, 0.1, 0.75, 0.5)


def test_seeds_count_up_from_the_one_in_params() -> None:
    training = Training.model_validate({**values_of()["training"], "budget": 3})
    assert seeds_of(7, training) == (7, 8, 9)


@pytest.mark.parametrize(("n", "around"), [(1, [1.0]), (3, [1 / 3, 1.0, 3.0]), (2, [3**-0.5, 3**0.5])])
def test_rates_lie_a_factor_of_three_apart_around_the_one_found(n: int, around: list[float]) -> None:
    assert rates_around(0.01, n) == pytest.approx([0.01 * each for each in around])
