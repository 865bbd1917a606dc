"""The verdict as a whole: outcome, limits, metrics, and checks of the checker itself."""

import numpy as np
import pytest
from scipy.stats import binom
from tests.decisions.verdict.arms import (
    FIRST,
    balanced,
    judged,
    logits_of,
    params,
    predicted,
    split_of,
    splits_with,
    trained,
    verdict_on,
)

from graft.decisions.verdict.arms import JudgedArm
from graft.decisions.verdict.judge import Asked, judge_transfer
from graft.records.common import Arm
from graft.statistics.comparison.scores import nll_scores

ARMS: tuple[Arm, Arm] = ("transfer", "scratch")


def test_helpful_transfer_is_positive_and_ships() -> None:
    verdict = judged(0.9, 0.6)
    assert (verdict.verdict, verdict.ships, verdict.limits) == ("POSITIVE", "transfer", ())


def test_harmful_transfer_is_negative() -> None:
    assert judged(0.6, 0.9).verdict == "NEGATIVE"


def test_destroyed_transfer_is_negative() -> None:
    test = split_of(balanced(200))
    one_class = np.zeros((5, 200), dtype=np.int64)
    scratch = predicted(test.labels, 0.5, 5, np.random.default_rng(0))
    assert verdict_on(test, one_class, scratch).verdict == "NEGATIVE"


def test_identical_arms_on_many_images_are_equivalent() -> None:
    test = split_of(balanced(1000))
    same = predicted(test.labels, 0.8, 5, np.random.default_rng(0))
    verdict = verdict_on(test, same, same)
    assert verdict.verdict == "EQUIVALENT"
    assert -verdict.equivalence.low == verdict.equivalence.high < 0.01


def test_without_a_margin_identical_arms_are_open() -> None:
    test = split_of(balanced(1000))
    same = predicted(test.labels, 0.8, 5, np.random.default_rng(0))
    assert verdict_on(test, same, same, params(margin=0)).verdict == "INCONCLUSIVE"


def test_two_seeds_claim_nothing_whatever_the_difference() -> None:
    verdict = judged(1.0, 0.3, k=2)
    assert verdict.verdict == "INCONCLUSIVE"
    assert any("two seeds" in each.lower() for each in verdict.limits)


def test_an_unplanned_look_claims_nothing_and_names_the_cure() -> None:
    test, rng = split_of(balanced(400)), np.random.default_rng(0)
    rows = [predicted(test.labels, accuracy, 5, rng) for accuracy in (0.9, 0.6)]
    second = FIRST._replace(n_looks=2, n_open=1, said="This is look 2.")
    verdict = verdict_on(test, rows[0], rows[1], standing=second)
    assert (verdict.verdict, verdict.unplanned, verdict.looks_left) == ("INCONCLUSIVE", True, 0)
    (limit,) = verdict.limits
    assert "take new test images" in limit
    assert "check_transfer.planned_looks" in limit
    assert limit in verdict.sentence
    assert verdict.sentence.endswith("This is look 2.")


def test_planned_looks_share_the_level() -> None:
    test, rng = split_of(balanced(400)), np.random.default_rng(0)
    rows = [predicted(test.labels, accuracy, 5, rng) for accuracy in (0.9, 0.6)]
    shared = verdict_on(test, rows[0], rows[1], standing=FIRST._replace(planned=2))
    whole = verdict_on(test, rows[0], rows[1], standing=FIRST._replace(level=0.025))
    assert shared.difference == whole.difference
    assert (shared.level, shared.confidence) == (0.025, 0.975)


def test_a_class_without_test_images_limits_the_verdict_and_is_named() -> None:
    labels = balanced(400) % 3
    test, rng = split_of(labels), np.random.default_rng(0)
    rows = [np.where(rng.random((5, 400)) < accuracy, labels, 3) for accuracy in (0.9, 0.5)]
    verdict = verdict_on(test, rows[0], rows[1])
    assert verdict.verdict == "INCONCLUSIVE"
    assert any("no image of 1 of 4 classes (dog)" in each and "add test images" in each for each in verdict.limits)


def test_a_group_with_a_fifth_of_the_test_images_limits_the_verdict() -> None:
    groups = np.where(np.arange(400) < 80, "large", np.arange(400).astype(str))
    test, rng = split_of(balanced(400), groups), np.random.default_rng(0)
    rows = [predicted(test.labels, accuracy, 5, rng) for accuracy in (0.9, 0.5)]
    verdict = verdict_on(test, rows[0], rows[1])
    assert verdict.verdict == "INCONCLUSIVE"
    assert any("20%" in each for each in verdict.limits)


def test_a_class_with_a_single_test_image_limits_balanced_accuracy() -> None:
    labels = np.concatenate([[3], np.arange(399) % 3])
    test, rng = split_of(labels), np.random.default_rng(0)
    rows = [predicted(labels, accuracy, 5, rng) for accuracy in (0.9, 0.5)]
    verdict = verdict_on(test, rows[0], rows[1])
    assert (verdict.metric, verdict.verdict) == ("balanced_accuracy", "INCONCLUSIVE")
    assert any("single test image" in each for each in verdict.limits)


def test_harm_to_a_rare_class_is_negative_although_accuracy_rises() -> None:
    labels = np.concatenate([np.zeros(900, int), np.ones(100, int)])
    test, k = split_of(labels), 8
    rng = np.random.default_rng(0)
    right = {"transfer": np.where(labels == 0, 0.99, 0.4), "scratch": np.where(labels == 0, 0.9, 0.8)}
    rows = [np.where(rng.random((k, 1000)) < right[arm], labels, 1 - labels) for arm in ARMS]
    arms = [JudgedArm(trained(arm, k), logits_of(row)) for arm, row in zip(ARMS, rows, strict=True)]
    two = splits_with(test)._replace(classes=("ant", "bee"), train=split_of(labels), val=split_of(labels))
    by_auto, by_accuracy = (
        judge_transfer(arms[0], arms[1], two, Asked(params(metric=metric), 0, FIRST, 0))
        for metric in ("auto", "accuracy")
    )
    assert (by_auto.metric, by_auto.verdict) == ("balanced_accuracy", "NEGATIVE")
    assert (by_accuracy.metric, by_accuracy.verdict) == ("accuracy", "POSITIVE")
    assert {each.metric for each in by_auto.scores} == {each.metric for each in by_accuracy.scores}


def test_the_log_likelihood_is_that_of_the_logits() -> None:
    test, rng = split_of(balanced(40)), np.random.default_rng(0)
    logits = [rng.normal(size=(3, 40, 4)).astype(np.float32) for _ in range(2)]
    arms = [JudgedArm(trained(arm, 3), each) for arm, each in zip(ARMS, logits, strict=True)]
    verdict = judge_transfer(arms[0], arms[1], splits_with(test), Asked(params(), 0, FIRST, 0))
    means = [float(nll_scores(each.astype(np.float64), test.labels).mean()) for each in logits]
    found = verdict.by("nll")
    assert (found.transfer.estimate, found.scratch.estimate) == pytest.approx(tuple(means))
    assert found.difference.estimate == pytest.approx(means[0] - means[1])


def test_the_majority_is_the_class_most_frequent_in_train() -> None:
    assert judged(0.8, 0.7).majority.model_dump() == {"label": "dog", "accuracy": 0.25, "score": 0.25}


def test_seeds_that_diverged_are_counted_by_arm_with_what_may_be() -> None:
    verdict = judged(0.8, 0.7)
    # of VAL_ACCURACIES, 0.5 lies 20 points below the median of 0.7
    assert verdict.n_diverged == {"transfer": 1, "scratch": 1}
    assert verdict.median_of_seeds == pytest.approx(np.median(verdict.by_seed))


def test_groups_widen_the_intervals_of_both_arms() -> None:
    """Copies add no evidence: with groups they give the same intervals as the images they are copied from."""
    labels, rng = balanced(80), np.random.default_rng(0)
    rows = [predicted(labels, accuracy, 5, rng) for accuracy in (0.8, 0.7)]
    alone = verdict_on(split_of(labels), rows[0], rows[1])
    five = split_of(np.repeat(labels, 5), np.repeat(np.arange(80), 5).astype(str))
    copied = verdict_on(five, np.repeat(rows[0], 5, axis=1), np.repeat(rows[1], 5, axis=1))
    for one, other in ((alone.transfer, copied.transfer), (alone.scratch, copied.scratch)):
        assert tuple(other.model_dump().values()) == pytest.approx(tuple(one.model_dump().values()))


@pytest.mark.simulation
def test_arms_that_do_not_differ_are_positive_no_more_often_than_the_level() -> None:
    n_draws, k, n = 300, 5, 100
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(n_draws):
        test = split_of(balanced(n))
        hardness = rng.normal(size=n)
        rows = []
        for _ in range(2):
            score = hardness + rng.normal(size=(k, 1)) * 0.3 + rng.normal(size=n) * 0.5
            right = rng.random((k, n)) < 1 / (1 + np.exp(-(1 + score)))
            rows.append(np.where(right, test.labels, (test.labels + 1) % 4))
        outcomes.append(verdict_on(test, rows[0], rows[1]).verdict)
    print(f"POSITIVE {outcomes.count('POSITIVE')}, NEGATIVE {outcomes.count('NEGATIVE')} of {n_draws}")
    assert outcomes.count("POSITIVE") <= binom.ppf(0.999, n_draws, 0.025)
    assert outcomes.count("NEGATIVE") <= binom.ppf(0.999, n_draws, 0.025)
