import numpy as np
import pytest
from numpy.typing import NDArray

from graft.statistics.features.confident_learning import doubtful_labels

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def _problem(n: int = 600, c: int = 3, concentration: float = 0.05, seed: int = 0) -> tuple[Floats, Labels]:
    """Honest probabilities: every label is drawn from its own row. The smaller the concentration, the surer."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(c, concentration), n)
    labels = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return p, np.minimum(labels, c - 1)


def _with_wrong(labels: Labels, c: int, n_wrong: int) -> tuple[Labels, Labels]:
    rng = np.random.default_rng(1)
    places = rng.permutation(len(labels))[:n_wrong]
    given = labels.copy()
    given[places] = (labels[places] + rng.integers(1, c, n_wrong)) % c
    return given, places


def test_wrong_labels_among_confident_rows_are_found() -> None:
    labels = np.arange(300) % 3
    p = np.full((300, 3), 0.01)
    p[np.arange(300), labels] = 0.98
    given, wrong = _with_wrong(labels, 3, 12)
    found = doubtful_labels(p, given)
    assert set(found.places) == set(wrong)
    np.testing.assert_array_equal(found.suggested, labels[found.places])
    assert (found.of_suggested > found.of_label).all()
    assert (found.wrong > 0.9).all()


def test_the_least_probable_label_comes_first() -> None:
    p, labels = _problem()
    found = doubtful_labels(p, _with_wrong(labels, 3, 60)[0])
    assert len(found.places) > 20
    assert (np.diff(found.of_label) >= 0).all()


def test_the_list_has_most_wrong_labels_and_few_right_ones() -> None:
    p, labels = _problem()
    given, wrong = _with_wrong(labels, 3, 60)
    found = doubtful_labels(p, given)
    assert np.isin(wrong, found.places).mean() > 0.7
    assert np.isin(found.places, wrong).mean() > 0.8


def test_the_probability_of_a_wrong_label_is_calibrated_over_the_list() -> None:
    right, expected = 0, 0.0
    for seed in range(10):
        p, labels = _problem(concentration=0.1, seed=seed)
        given, wrong = _with_wrong(labels, 3, 40)
        found = doubtful_labels(p, given)
        right += int((~np.isin(found.places, wrong)).sum())
        expected += float((1 - found.wrong).sum())
    assert 0.5 * right < expected < 2 * right


@pytest.mark.simulation
@pytest.mark.parametrize("concentration", [0.05, 0.3, 1.0])
def test_right_labels_of_a_hard_problem_give_no_list(concentration: float) -> None:
    lengths = [len(doubtful_labels(*_problem(400, 5, concentration, seed)).places) for seed in range(60)]
    assert np.mean(lengths) < 1
    assert np.median(lengths) == 0


def test_probabilities_that_are_independent_of_the_labels_give_no_list() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        p, _ = _problem(100, concentration=1.0, seed=seed)
        assert len(doubtful_labels(p, rng.integers(0, 3, 100)).places) == 0


def test_under_and_overconfident_probabilities_give_the_list_of_calibrated_ones() -> None:
    p, labels = _problem()
    given = _with_wrong(labels, 3, 40)[0]
    honest = doubtful_labels(p, given)
    assert len(honest.places) > 20
    for power in (0.4, 2.0):
        other = p**power / (p**power).sum(axis=1, keepdims=True)
        np.testing.assert_array_equal(doubtful_labels(other, given).places, honest.places)


def test_the_share_of_noise_is_that_which_was_planted() -> None:
    p, labels = _problem(2000, 4)
    for n_wrong in (30, 100, 300):
        found = doubtful_labels(p, _with_wrong(labels, 4, n_wrong)[0])
        open_to_doubt = found.wrong < 0.99
        wrong, own = found.wrong[open_to_doubt], found.of_label[open_to_doubt]
        assert len(wrong) > 2
        share = 4 * wrong * own / (1 - wrong + 4 * wrong * own)  # wrong = share / 4 of (1 - share) own + share / 4
        np.testing.assert_allclose(share, 4 / 3 * n_wrong / 2000, atol=0.02)  # noise hits the right class too


def test_the_most_probable_of_the_classes_that_reach_their_threshold_counts() -> None:
    sure, hard = np.repeat([0, 1], 300), np.repeat([0, 1, 2, 3, 4], [5, 5, 34, 30, 26])
    p = np.concatenate([np.where(np.eye(5)[sure] == 1, 0.96, 0.01), np.tile([0.05, 0.05, 0.34, 0.3, 0.26], (100, 1))])
    # thresholds above 0.9 of the classes that are sure, about 0.35 and less of those that are not
    wrong = [
        [0.001, 0, 0.46, 0.539, 0],
        [0.001, 0.539, 0.46, 0, 0],
        [0.001, 0.8, 0.199, 0, 0],
        [0.001, 0.97, 0.029, 0, 0],
    ]
    found = doubtful_labels(np.concatenate([p, wrong]), np.concatenate([sure, hard, np.zeros(4, dtype=np.int64)]))
    suggested = dict(zip((found.places - 700).tolist(), found.suggested.tolist(), strict=True))
    assert suggested == {0: 3, 1: 2, 3: 1}  # no class of the third row reaches its threshold


def test_a_class_without_labels_is_never_suggested() -> None:
    labels = np.arange(200) % 2
    p = np.full((200, 3), 0.05)
    p[np.arange(200), labels] = 0.9
    p[:10] = (0.02, 0.02, 0.96)
    assert 2 not in doubtful_labels(p, labels).suggested


def test_a_row_that_is_typical_of_its_class_is_no_candidate() -> None:
    labels = np.repeat([0, 1, 2], [100, 100, 10])
    p = np.repeat([[0.9, 0.09, 0.01], [0.09, 0.9, 0.01], [0.85, 0.149, 0.001]], [100, 100, 10], axis=0)
    assert len(doubtful_labels(p, labels).places) == 0  # the third class looks so: it is hard, not mislabelled


def test_probabilities_of_zero_and_a_single_class_do_no_harm() -> None:
    labels = np.array([0, 1] * 20)
    p = np.eye(2)[labels]
    assert len(doubtful_labels(p, labels).places) == 0
    labels[0] = 1
    assert list(doubtful_labels(p, labels).places) == [0]
    assert len(doubtful_labels(np.ones((5, 1)), np.zeros(5, dtype=np.int64)).places) == 0


def test_no_rows_give_no_doubts() -> None:
    assert len(doubtful_labels(np.empty((0, 3)), np.empty(0, dtype=np.int64)).places) == 0


def test_labels_of_another_length_are_an_error_of_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"want one label for each of 4 rows, got \(3,\)"):
        doubtful_labels(np.full((4, 2), 0.5), np.zeros(3, dtype=np.int64))
