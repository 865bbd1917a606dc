import numpy as np
import pytest
from numpy.typing import NDArray

from graft.statistics.features.class_probe import MOST_ROWS, ClassProbe, binned, class_probe


def alone(n: int) -> NDArray[np.str_]:
    return np.arange(n).astype(np.str_)


def probe(columns: NDArray[np.float64], labels: NDArray[np.str_], groups: NDArray[np.str_] | None = None) -> ClassProbe:
    found = class_probe(columns, labels, alone(len(labels)) if groups is None else groups, confidence=0.95, seed=0)
    assert found is not None
    return found


def noise(n: int, d: int = 3, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def classes(n: int, c: int) -> NDArray[np.str_]:
    return (np.arange(n) % c).astype(np.str_)


def test_a_column_that_equals_the_class_predicts_it_up_to_the_unseen_share() -> None:
    labels = classes(80, 4)
    found = probe(labels.astype(np.float64)[:, None], labels)
    assert (found.accuracy, found.high, found.n_classes) == (1.0, 1.0, 4)
    assert found.low == pytest.approx(1 - (1 - 0.05 ** (1 / 80)))


def test_noise_predicts_nothing() -> None:
    found = probe(noise(300), classes(300, 3))
    assert found.low < 1 / 3 < found.high


def test_a_nonlinear_column_predicts_the_class_too() -> None:
    columns = noise(400, 1)
    found = probe(columns, (np.abs(columns[:, 0]) > 0.67).astype(np.str_))
    assert found.low > 0.7


def test_every_class_has_the_same_weight() -> None:
    labels = np.array(["rare"] * 20 + ["common"] * 380)
    found = probe(noise(400, 1) + 3 * (labels == "rare")[:, None], labels)
    assert found.accuracy > 0.85


def test_rows_of_a_group_do_not_teach_the_classifier_about_each_other() -> None:
    of_group = noise(30, 4, seed=1).repeat(10, axis=0)
    labels, groups = classes(30, 2).repeat(10), alone(30).repeat(10)
    assert probe(of_group, labels, groups).low < 0.5
    assert probe(of_group, labels).low > 0.6


def test_rows_of_a_group_count_less_than_as_many_alone() -> None:
    columns = noise(60, 1)
    labels = (columns[:, 0] + noise(60, 1, seed=1)[:, 0] > 0).astype(np.str_).repeat(5)
    columns = columns.repeat(5, axis=0)
    in_groups, apart = probe(columns, labels, alone(60).repeat(5)), probe(columns, labels)
    assert in_groups.high - in_groups.low > 1.5 * (apart.high - apart.low)


def test_a_class_of_too_few_groups_is_left_out() -> None:
    labels = np.array(["a"] * 20 + ["b"] * 20 + ["c"] * 9)
    assert probe(noise(49), labels).n_classes == 2
    assert class_probe(noise(29), labels[20:], alone(29), confidence=0.95, seed=0) is None
    one_video = np.array(["video"] * 20 + list(alone(20)))
    assert class_probe(noise(40), labels[:40], one_video, confidence=0.95, seed=0) is None


def test_no_rows_give_no_answer() -> None:
    assert class_probe(noise(0), classes(0, 2), alone(0), confidence=0.95, seed=0) is None


def test_many_rows_are_sampled_with_the_seed() -> None:
    n = 2 * MOST_ROWS
    columns, labels = noise(n, 1), classes(n, 2)
    found, again, other = (class_probe(columns, labels, alone(n), confidence=0.95, seed=seed) for seed in (0, 0, 1))
    assert found == again != other


def test_excess_is_0_at_chance_and_1_at_always_right() -> None:
    found = ClassProbe(0.55, 0.5, 0.6, 10)
    assert [found.excess(each) for each in (0.1, 0.55, 1.0)] == pytest.approx([0.0, 0.5, 1.0])


def test_few_values_have_a_bin_each_and_many_are_divided_evenly() -> None:
    assert binned(np.array([[3.0], [5.0], [3.0]])).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert binned(noise(800, 1)).sum(axis=0).tolist() == [100] * 8


@pytest.mark.simulation
@pytest.mark.parametrize(("n", "c", "size"), [(40, 2, 1), (300, 7, 1), (200, 2, 4)])
def test_permuted_labels_are_rarely_predicted(n: int, c: int, size: int) -> None:
    rng = np.random.default_rng(3)
    above = 0
    for seed in range(200):
        labels, groups = (
            rng.permutation(np.arange(n // size) % c).astype(np.str_).repeat(size),
            alone(n // size).repeat(size),
        )
        columns = rng.normal(size=(n // size, 5)).repeat(size, axis=0) + rng.normal(size=(n, 5)) / 3
        found = class_probe(columns, labels, groups, confidence=0.95, seed=seed)
        assert found is not None
        above += found.low > 1 / c
    assert above <= 0.05 * 200
