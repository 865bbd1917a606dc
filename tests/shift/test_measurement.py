"""The shift record: similarity by size and not by p, and a sentence for every case."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.params import MeasureShift
from graft.records import ShiftRecord
from graft.shift.measurement import class_distance, measure, similarity_of
from graft.statistics.mmd import mmd2_unbiased
from graft.statistics.two_sample import two_sample_test

PARAMS = MeasureShift(n_permutations=99, near_below=0.25, far_above=0.75)


def classes_of(counts: tuple[int, ...], apart: float = 3.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = apart * np.eye(len(counts), 5)
    noise = np.random.default_rng(0).normal(size=(len(labels), 5))
    return (centres[labels] + noise).astype(np.float32), labels


def measured(target_shift: float, n_target: int = 80, counts: tuple[int, ...] = (30, 30, 30)) -> ShiftRecord:
    source, labels = classes_of(counts)
    centres = 3.0 * np.eye(len(counts), 5)[np.arange(n_target) % len(counts)]
    noise = np.random.default_rng(1).normal(size=(n_target, 5))
    target = (centres + noise + target_shift).astype(np.float32)
    return measure(source, labels, target, PARAMS, 0)


def test_no_source_images_give_no_statistic_and_an_unknown_similarity() -> None:
    target = np.zeros((7, 5), dtype=np.float32)
    record = measure(np.zeros((0, 5), dtype=np.float32), np.zeros(0, dtype=np.int64), target, PARAMS, 0)
    assert (record.source, record.similarity) == ("none", "unknown")
    assert (record.n_source, record.n_target, record.n_features, record.n_permutations) == (0, 7, 5, 0)
    assert (record.mmd2, record.p_value, record.bandwidth2, record.class_mmd2) == (None, None, None, None)
    assert record.null_mmd2 == ()
    assert "no source images" in record.sentence


def test_record_holds_the_test_of_all_rows() -> None:
    source, labels = classes_of((30, 20))
    target = source[::3] + np.float32(0.5)
    record = measure(source, labels, target, PARAMS, 4)
    test = two_sample_test(source, target, n_permutations=99, seed=4)
    assert (record.mmd2, record.p_value, record.bandwidth2) == (test.mmd2, test.p_value, test.bandwidth2)
    assert (record.n_source, record.n_target, record.n_features) == (50, 17, 5)
    assert len(record.null_mmd2) == 101
    assert record.null_mmd2[0] == test.null.min()
    assert record.null_mmd2[50] == pytest.approx(np.median(test.null))
    assert record.null_mmd2[100] == test.null.max()


def test_target_like_the_source_is_near() -> None:
    record = measured(0.0)
    assert record.similarity == "near"
    assert record.sentence.endswith(": near.")


def test_target_far_from_the_source_is_far_and_the_sentence_gives_the_share() -> None:
    record = measured(4.0)
    assert record.mmd2 is not None
    assert record.class_mmd2 is not None
    assert record.similarity == "far"
    assert f"lies at {record.mmd2 / record.class_mmd2:.2f} of the squared distance" in record.sentence
    assert "p = 0.01, 90 source and 80 target images): far." in record.sentence


def test_small_but_significant_shift_is_near() -> None:
    record = measured(0.25, n_target=600, counts=(200, 200, 200))
    assert record.p_value == 0.01
    assert record.similarity == "near"


def test_target_closer_than_chance_is_near() -> None:
    source, labels = classes_of((30, 30))
    record = measure(source, labels, source.copy(), PARAMS, 0)
    assert record.mmd2 is not None
    assert record.mmd2 < 0
    assert record.similarity == "near"
    assert "no farther from the source than chance" in record.sentence


def test_yardstick_is_the_median_over_pairs_of_classes() -> None:
    source, labels = classes_of((10, 12, 14, 1))  # the last class has one image and is left out
    groups = [source[labels == number] for number in range(3)]
    pairs = [mmd2_unbiased(groups[i], groups[j], 20.0) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert class_distance(source, labels, 20.0) == pytest.approx(np.median(pairs))


def test_one_source_class_makes_similarity_unknown() -> None:
    record = measured(4.0, counts=(60,))
    assert record.class_mmd2 is None
    assert record.mmd2 is not None
    assert record.similarity == "unknown"
    assert "fewer than two source classes" in record.sentence


def test_source_classes_that_do_not_differ_make_similarity_unknown() -> None:
    source, labels = classes_of((40, 40), apart=0.0)
    source[40:] = source[:40]
    record = measure(source, labels, source + np.float32(1), PARAMS, 0)
    assert record.class_mmd2 is not None
    assert record.class_mmd2 < 0
    assert record.similarity == "unknown"
    assert "do not lie apart" in record.sentence


@pytest.mark.parametrize(
    ("mmd2", "similarity"), [(-0.1, "near"), (0.24, "near"), (0.25, "mid"), (0.75, "mid"), (0.76, "far")]
)
def test_limits_of_similarity(mmd2: float, similarity: str) -> None:
    assert similarity_of(mmd2, 1.0, PARAMS) == similarity


@pytest.mark.parametrize(("n_target", "warned"), [(49, True), (50, False)])
def test_few_images_are_warned_about(n_target: int, warned: bool) -> None:
    assert ("fewer than 50 images a side" in measured(1.0, n_target).sentence) is warned
