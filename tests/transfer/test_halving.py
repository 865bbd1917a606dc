"""The rate of an arm by successive halving over its seeds, with runs whose scores are given."""

from collections.abc import Mapping, Sequence

import pytest
import torch

from graft.networks.networks import Network, build_network
from graft.networks.outputs import Score
from graft.networks.preprocessing import SMALL_CNN
from graft.training.loop import Fitted
from graft.transfer.arms.arms import Arm, rates_by_seed, run_arm
from graft.transfer.arms.runs import Runs

LOSS = 0.5


class Table:
    """Runs whose scores stand in a table: a row a rate, a column a seed; it remembers what it was asked for."""

    def __init__(self, accuracies: Mapping[float, Sequence[float]], losses: Mapping[float, float] | None = None):
        self.accuracies, self.losses = accuracies, losses or dict.fromkeys(accuracies, LOSS)
        self.trained: list[tuple[int, float]] = []
        self.saved: list[tuple[int, float]] = []

    def fitted(self, seed: int, rate: float) -> Fitted:
        self.trained.append((seed, rate))
        return Fitted(seed, Score(self.losses[rate], self.accuracies[rate][seed]), (), (), 0)

    def network(self, seed: int, rate: float) -> Network:
        network = build_network("small_cnn", 2, SMALL_CNN)
        with torch.no_grad():
            network.head.state_dict()["bias"].copy_(torch.tensor([seed, rate]))
        return network

    def arm(self, n_seeds: int) -> Arm:
        return run_arm(Runs(self.fitted, self.network), range(n_seeds), self.accuracies, "long", self.save)

    def save(self, seed: int, network: Network) -> str:
        of_seed, rate = network.head.state_dict()["bias"].tolist()
        assert of_seed == seed
        self.saved.append((seed, rate))
        return str(seed)


def test_every_seed_runs_at_the_better_half_of_the_rates_of_the_one_before() -> None:
    table = Table({0.5: [0.5] * 5, 1: [0.6] * 5, 2: [0.9] * 5, 4: [0.8] * 5, 8: [0.7] * 5})
    assert table.arm(5).rate == 2
    by_seed = [{rate for of, rate in table.trained if of == seed} for seed in range(5)]
    assert by_seed == [{0.5, 1, 2, 4, 8}, {2, 4, 8}, {2, 4}, {2}, {2}]


def test_the_mean_over_the_seeds_decides_and_not_the_first() -> None:
    table = Table({1: [0.9, 0.5, 0.9], 2: [0.8, 0.8, 0.8], 4: [0.1, 1.0, 1.0]})
    assert table.arm(3).rate == 2


def test_no_seed_and_rate_are_trained_twice_and_the_winners_runs_are_those_of_its_trials() -> None:
    table = Table({1: [0.5, 0.6, 0.7, 0.8], 2: [0.1] * 4, 4: [0.2] * 4})
    runs = table.arm(4).runs
    assert len(set(table.trained)) == len(table.trained) == sum(rates_by_seed(3, 4))
    assert [(run.seed, run.best_epoch, run.val_accuracy, run.weights_sha256) for run in runs] == [
        (0, 0, 0.5, "0"),
        (1, 1, 0.6, "1"),
        (2, 2, 0.7, "2"),
        (3, 3, 0.8, "3"),
    ]


def test_only_the_winners_weights_are_saved_one_a_seed() -> None:
    table = Table({1: [0.2] * 3, 2: [0.4] * 3, 4: [0.3] * 3})
    table.arm(3)
    assert table.saved == [(0, 2), (1, 2), (2, 2)]


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
    assert [run.val_accuracy for run in arm.runs] == [0.5, 0.3]


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
