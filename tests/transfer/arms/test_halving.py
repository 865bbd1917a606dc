"""The rate of an arm by successive halving over its seeds, with runs whose scores are given."""

import random
from collections.abc import Mapping, Sequence

import pytest
from tests.transfer.conftest import tiny_params

from graft.networks.outputs import Score
from graft.transfer.arms.halving import Chosen, Halving, RunKey, choose, rates_by_seed, seeds_of, startable

LOSS = 0.5


class Table:
    """Runs whose scores stand in a table: a row a rate, a column a seed; it remembers the order in which they ended."""

    def __init__(self, accuracies: Mapping[float, Sequence[float]], losses: Mapping[float, float] | None = None):
        self.accuracies, self.losses = accuracies, losses or dict.fromkeys(accuracies, LOSS)
        self.trained: list[tuple[int, float]] = []

    def arm(self, n_seeds: int, draw: random.Random | None = None, n_at_once: int = 1) -> Chosen:
        """Run what may start, so many at once, of which any may end first; without a draw in their order."""
        halving, ended = Halving("long", tuple(self.accuracies), tuple(range(n_seeds))), dict[RunKey, Score]()
        busy: list[RunKey] = []
        while True:
            waiting = [run for run in startable(halving, ended) if run not in busy]
            busy += waiting[: n_at_once - len(busy)]
            if not busy:
                return choose(halving, ended)
            run = busy.pop(draw.randrange(len(busy)) if draw else 0)
            self.trained.append((run.seed, run.rate))
            ended[run] = Score(self.losses[run.rate], self.accuracies[run.rate][run.seed])


def test_every_seed_runs_at_the_better_half_of_the_rates_of_the_one_before() -> None:
    table = Table({0.5: [0.5] * 5, 1: [0.6] * 5, 2: [0.9] * 5, 4: [0.8] * 5, 8: [0.7] * 5})
    assert table.arm(5).rate == 2
    by_seed = [{rate for of, rate in table.trained if of == seed} for seed in range(5)]
    assert by_seed == [{0.5, 1, 2, 4, 8}, {2, 4, 8}, {2, 4}, {2}, {2}]


def test_the_mean_over_the_seeds_decides_and_not_the_first() -> None:
    table = Table({1: [0.9, 0.5, 0.9], 2: [0.8, 0.8, 0.8], 4: [0.1, 1.0, 1.0]})
    assert table.arm(3).rate == 2


def test_no_seed_and_rate_are_trained_twice_and_the_winner_has_a_run_with_every_seed() -> None:
    table = Table({1: [0.5, 0.6, 0.7, 0.8], 2: [0.1] * 4, 4: [0.2] * 4})
    assert table.arm(4).runs == tuple(("long", seed, 1) for seed in range(4))
    assert len(set(table.trained)) == len(table.trained) == sum(rates_by_seed(3, 4))


@pytest.mark.parametrize("n_at_once", [1, 2, 3, 16])
def test_runs_that_end_in_any_order_give_the_same_choice_and_are_the_same(n_at_once: int) -> None:
    draw = random.Random(n_at_once)
    for _ in range(100):
        # few values, so that many rates tie
        accuracies = {rate: [draw.randrange(4) / 4 for _ in range(5)] for rate in (1.0, 2.0, 4.0, 8.0, 16.0)}
        losses = {rate: draw.randrange(3) / 4 for rate in accuracies}
        in_order, any_order = Table(accuracies, losses), Table(accuracies, losses)
        assert any_order.arm(5, draw, n_at_once) == in_order.arm(5)
        assert sorted(any_order.trained) == sorted(in_order.trained)


def test_a_run_starts_as_soon_as_it_is_certain_to_be_needed() -> None:
    halving = Halving("matched", (1, 2, 4, 8, 16), (0, 1, 2))
    ended = {RunKey("matched", 0, rate): Score(LOSS, rate / 16) for rate in (2, 4, 8, 16)}
    # the one that is open may be better than all of them, so two are certain to be among the best three
    assert startable(halving, ended) == [("matched", 0, 1), ("matched", 1, 16), ("matched", 1, 8)]


def test_the_last_rate_runs_with_all_seeds_that_are_left_at_once() -> None:
    halving = Halving("matched", (1, 2), (0, 1, 2, 3))
    ended = {RunKey("matched", 0, rate): Score(LOSS, rate / 2) for rate in halving.rates}
    assert startable(halving, ended) == [("matched", seed, 2) for seed in (1, 2, 3)]


def test_another_budget_has_a_choice_of_its_own() -> None:
    ended = {RunKey("long", 0, rate): Score(LOSS, 0.5) for rate in (1, 2)}
    assert startable(Halving("matched", (1, 2), (0,)), ended) == [("matched", 0, 1), ("matched", 0, 2)]


def test_trials_stand_in_the_order_of_the_rates_with_means_over_the_seeds_that_decided() -> None:
    table = Table({1: [0.3, 0.1, 0.0, 0.9], 2: [0.5, 0.7, 0.6, 0.0], 4: [0.6, 0.5, 0.5, 0.9], 8: [0.2] * 4})
    trials = table.arm(4).trials
    assert [(trial.rate, trial.n_seeds) for trial in trials] == [(1, 1), (2, 2), (4, 2), (8, 1)]
    assert [trial.val_accuracy for trial in trials] == pytest.approx([0.3, 0.6, 0.55, 0.2])
    assert {(trial.budget, trial.val_loss) for trial in trials} == {("long", LOSS)}


@pytest.mark.parametrize(("losses", "best"), [({1: 0.5, 2: 0.4, 4: 0.5}, 2), ({4: 0.5, 2: 0.5, 1: 0.5}, 1)])
def test_a_tie_goes_to_the_lower_loss_then_to_the_smaller_rate(losses: dict[float, float], best: float) -> None:
    assert Table({rate: [0.8] * 3 for rate in losses}, losses).arm(3).rate == best


def test_equal_scores_in_another_order_are_a_tie() -> None:
    table = Table({1: [0.3, 0.2, 0.1], 2: [0.1, 0.2, 0.3], 4: [0.0] * 3, 8: [0.0] * 3, 16: [0.15, 0.0, 0.0]})
    assert sum([0.1, 0.2, 0.3]) > sum([0.3, 0.2, 0.1])
    assert table.arm(3).rate == 1


def test_with_fewer_seeds_than_halvings_the_best_of_those_left_wins() -> None:
    table = Table({rate: [0.5, rate / 10] for rate in (1, 2, 3, 4, 5, 6)})
    arm = table.arm(2)
    assert arm.rate == 3
    assert [trial.n_seeds for trial in arm.trials] == [2, 2, 2, 1, 1, 1]


def test_one_rate_is_run_with_every_seed() -> None:
    table = Table({0.1: [0.5, 0.7]})
    arm = table.arm(2)
    assert table.trained == [(0, 0.1), (1, 0.1)]
    assert [(trial.n_seeds, trial.val_accuracy) for trial in arm.trials] == [(1, 0.5)]


def test_one_seed_tries_every_rate_once() -> None:
    table = Table({1: [0.5], 2: [0.7], 4: [0.6]})
    assert table.arm(1).rate == 2
    assert table.trained == [(0, 1), (0, 2), (0, 4)]


@pytest.mark.parametrize(
    ("n_rates", "n_seeds", "counts"), [(5, 8, [5, 3, 2, 1, 1, 1, 1, 1]), (9, 2, [9, 5]), (1, 1, [1])]
)
def test_half_of_the_rates_rounded_up_go_on_to_the_next_seed(n_rates: int, n_seeds: int, counts: list[int]) -> None:
    assert rates_by_seed(n_rates, n_seeds) == counts


def test_seeds_follow_the_seed_of_the_run() -> None:
    assert seeds_of(10, tiny_params().training) == (10, 11)
