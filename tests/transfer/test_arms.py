import numpy as np

from graft.learning.loop import Fitted
from graft.learning.networks import build_network
from graft.learning.scores import Score
from graft.transfer.arms import TargetData, Trained, best_trial, run_seeds, seeds_of, seen_by
from tests.transfer.conftest import tiny_catalog, tiny_images, tiny_params

NETWORK = build_network("small_cnn", 2)


def _trained(accuracy: float, loss: float, rate: float) -> Trained:
    return Trained(NETWORK, Fitted(1, Score(loss, accuracy), ()), rate)


def test_the_test_split_is_not_among_the_data(data: TargetData) -> None:
    test_rows = {row.row for row in tiny_catalog() if row.split == "test"}
    assert not test_rows & {*data.train_rows.tolist(), *data.val_rows.tolist()}
    assert len(data.train.labels) == 24
    assert len(data.val.labels) == 8


def test_images_stand_beside_their_labels(data: TargetData) -> None:
    images = tiny_images()
    for index, row in enumerate(data.train_rows):
        assert np.array_equal(data.train.images[index].permute(1, 2, 0).numpy(), images[row])
        assert data.train.labels[index] == row % 2


def test_both_arms_see_the_same_subsample_of_a_seed(data: TargetData) -> None:
    training = tiny_params().training
    assert np.array_equal(seen_by(data, training, 1), seen_by(data, training, 1))
    assert not np.array_equal(seen_by(data, training, 1), seen_by(data, training, 2))


def test_best_trial_is_the_most_accurate_then_of_least_loss_then_of_least_rate() -> None:
    trials = [_trained(0.8, 0.5, 0.1), _trained(0.9, 0.6, 0.2), _trained(0.9, 0.4, 0.4), _trained(0.9, 0.4, 0.3)]
    assert best_trial(trials).rate == 0.3


def test_rates_are_tried_on_the_first_seed_and_the_best_serves_the_others() -> None:
    calls = []

    def run(seed: int, rate: float) -> Trained:
        calls.append((seed, rate))
        return _trained(rate, 0.5, rate)

    runs, trials = run_seeds(run, [5, 6, 7], [0.1, 0.3, 0.2])
    assert calls == [(5, 0.1), (5, 0.3), (5, 0.2), (6, 0.3), (7, 0.3)]
    assert list(runs) == [5, 6, 7]
    assert [each.rate for each in trials] == [0.1, 0.3, 0.2]


def test_seeds_follow_the_seed_of_the_run() -> None:
    assert seeds_of(10, tiny_params().training) == [10, 11]
