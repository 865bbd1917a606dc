"""The verdict: four outcomes, which model ships, the sentence, and checks of the checker itself."""

import re
from typing import Literal, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from graft.decisions.claims import TRANSFER_BY, claim
from graft.decisions.transfer_verdict import (
    JudgedArm,
    OnTest,
    judge_transfer,
    majority_of,
    median_run,
    outcome_of,
    shipped_arm,
)
from graft.params.both_arms import Strategy
from graft.params.decisions import CheckTransfer
from graft.records.common import Outcome
from graft.records.training import RunRecord, TrainingRecord
from graft.records.verdict import Majority, VerdictRecord
from graft.statistics.comparison.comparison import Estimate
from graft.store.catalogue import Labelled

Labels = NDArray[np.int64]

N_CLASSES = 4


def params(on_negative: Literal["fail", "ship_scratch", "warn"] = "fail", margin: float = 0.005) -> CheckTransfer:
    return CheckTransfer(
        metric="accuracy", level=0.05, margin=margin, planned_looks=1, on_negative=on_negative, on_inconclusive="warn"
    )


def run_of(seed: int, val_accuracy: float, val_loss: float = 1.0) -> RunRecord:
    return RunRecord(
        seed=seed,
        rate=0.01,
        best_epoch=1,
        val_accuracy=val_accuracy,
        val_loss=val_loss,
        n_images_seen=0,
        weights_sha256="0" * 64,
        curve=(),
        phases=(),
    )


def trained(arm: Literal["transfer", "scratch"], seeds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> TrainingRecord:
    return TrainingRecord(
        arm=arm,
        strategy="full" if arm == "transfer" else "scratch",
        network="small_cnn",
        block_factors={},
        batchnorm="train",
        flip=0.0,
        rate_curve=None,
        trials=(),
        runs=tuple(run_of(seed, [0.5, 0.9, 0.7, 0.8, 0.6][place % 5]) for place, seed in enumerate(seeds)),
    )


def split_of(n: int = 400, seed: int = 0) -> Labelled:
    names = np.array([f"{each:04}" for each in range(n)])
    labels = np.random.default_rng(seed).integers(0, N_CLASSES, n)
    return Labelled(np.arange(n), labels, names, names)


def on(images: Labelled) -> OnTest:
    return OnTest(images, Majority(label="3", accuracy=0.25))


def predicted(labels: Labels, accuracy: float, k: int, rng: np.random.Generator) -> Labels:
    """Predictions that are right with this probability, independently by seed and image."""
    wrong = rng.random((k, len(labels))) >= accuracy
    return np.where(wrong, (labels + rng.integers(1, N_CLASSES, wrong.shape)) % N_CLASSES, labels)


def judged(
    transfer: float, scratch: float, settings: CheckTransfer | None = None, n: int = 400, seed: int = 0
) -> VerdictRecord:
    rng = np.random.default_rng(seed)
    test = split_of(n)
    arms = [predicted(test.labels, accuracy, 5, rng) for accuracy in (transfer, scratch)]
    return judge_transfer(
        JudgedArm(trained("transfer"), arms[0]),
        JudgedArm(trained("scratch"), arms[1]),
        on(test),
        settings or params(),
        0,
    )


def of_classes(*numbers: int) -> Labelled:
    names = np.array([f"{each}" for each in range(len(numbers))])
    return Labelled(np.arange(len(numbers)), np.array(numbers), names, names)


def test_the_majority_is_the_class_most_frequent_in_train_and_its_share_of_test() -> None:
    found = majority_of(of_classes(1, 1, 0, 2), of_classes(0, 0, 0, 1), ("ant", "bee", "cow"))
    assert found == Majority(label="bee", accuracy=0.25)


def test_among_equally_frequent_classes_the_first_is_the_majority() -> None:
    assert majority_of(of_classes(2, 1), of_classes(1, 2), ("ant", "bee", "cow")).label == "bee"


def test_the_record_holds_the_majority() -> None:
    assert judged(0.8, 0.7).majority == Majority(label="3", accuracy=0.25)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.01, 0.03, "POSITIVE"),
        (0.001, 0.004, "EQUIVALENT"),
        (-0.005, 0.005, "EQUIVALENT"),
        (-0.004, -0.001, "EQUIVALENT"),
        (-0.006, 0.005, "INCONCLUSIVE"),
        (-0.005, 0.006, "INCONCLUSIVE"),
        (0.0, 0.03, "INCONCLUSIVE"),
        (-0.03, 0.0, "INCONCLUSIVE"),
        (-0.03, -0.01, "NEGATIVE"),
    ],
)
def test_outcome_comes_from_the_interval(low: float, high: float, outcome: str) -> None:
    assert outcome_of(Estimate((low + high) / 2, low, high), 0.005) == outcome


def test_helpful_transfer_is_positive_and_says_by_how_much() -> None:
    verdict = judged(0.9, 0.6)
    assert verdict.verdict == "POSITIVE"
    assert verdict.ships == "transfer"
    assert (verdict.seeds_to_settle, verdict.images_to_settle) == (None, None)
    assert re.fullmatch(
        r"Transfer by tuning all blocks helped: test accuracy \d\d\.\d% against \d\d\.\d% from scratch, "
        r"a gain of \d\d\.\d points "
        r"\(95% interval \d\d\.\d to \d\d\.\d; 5 seeds, 400 images, these training images\)\.",
        verdict.sentence,
    )
    assert f"{100 * verdict.difference.estimate:.1f} points" in verdict.sentence
    assert f"{100 * verdict.transfer_accuracy.estimate:.1f}% against" in verdict.sentence


def test_an_open_difference_keeps_its_signs_in_sentence_and_interval() -> None:
    verdict = judged(0.6, 0.61)
    assert verdict.verdict == "INCONCLUSIVE"
    found = verdict.difference
    assert f"a difference of {100 * found.estimate:+.1f} points" in verdict.sentence
    assert f"(95% interval {100 * found.low:.1f} to {100 * found.high:.1f};" in verdict.sentence


def test_harmful_transfer_is_negative_and_told_as_a_loss() -> None:
    verdict = judged(0.6, 0.9)
    assert verdict.verdict == "NEGATIVE"
    low, high = -100 * verdict.difference.high, -100 * verdict.difference.low
    assert f"a loss of {-100 * verdict.difference.estimate:.1f} points" in verdict.sentence
    assert f"(95% interval {low:.1f} to {high:.1f};" in verdict.sentence


def test_an_open_comparison_says_what_would_settle_it() -> None:
    verdict = judged(0.80, 0.785, seed=4)
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.seeds_to_settle is not None
    assert f"{verdict.seeds_to_settle:,} seeds" in verdict.sentence
    assert verdict.sentence.endswith(" would settle it.")


def test_an_open_comparison_that_nothing_would_settle_says_so() -> None:
    test = split_of(40)
    arms = [predicted(test.labels, 0.5, 5, np.random.default_rng(0)) for _ in range(2)]
    arms[1][0] = np.roll(arms[1][0], 1)  # one seed apart by chance
    right = arms[1][0] == test.labels
    surplus = int(right.sum() - (arms[0][0] == test.labels).sum())
    spoiled = np.flatnonzero(right)[:surplus] if surplus > 0 else np.flatnonzero(~right)[:-surplus]
    arms[1][0, spoiled] = (test.labels[spoiled] + (surplus > 0)) % N_CLASSES
    verdict = judge_transfer(
        JudgedArm(trained("transfer"), arms[0]),
        JudgedArm(trained("scratch"), arms[1]),
        on(test),
        params(margin=0.0),
        0,
    )
    assert verdict.difference.estimate == 0
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.together_to_settle is None
    assert verdict.sentence.endswith(
        "At this difference 50 seeds with 1,000,000 test images would not settle it either."
    )


def test_seeds_and_images_together_are_named_if_neither_alone_settles() -> None:
    test = split_of(500)
    wrong = (test.labels + 1) % N_CLASSES
    arms = [np.tile(test.labels, (4, 1)) for _ in range(2)]
    arms[1][:, :200], arms[0][:, 200:390] = wrong[:200], wrong[200:390]  # images differ, all seeds alike
    arms[1][:2, 390:410], arms[0][2:, 390:410] = wrong[390:410], wrong[390:410]  # seeds differ
    judged_arms = [JudgedArm(trained(arm, (0, 1, 2, 3)), arms[arm == "scratch"]) for arm in ("transfer", "scratch")]
    verdict = judge_transfer(judged_arms[0], judged_arms[1], on(test), params(), 0)
    assert (verdict.verdict, verdict.seeds_to_settle, verdict.images_to_settle) == ("INCONCLUSIVE", None, None)
    assert verdict.together_to_settle is not None
    seeds, images = verdict.together_to_settle
    assert verdict.sentence.endswith(f" {seeds:,} seeds with {images:,} test images would settle it.")


@pytest.mark.parametrize("strategy", get_args(Strategy))
@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_claim_names_the_tried_strategy_in_at_most_twelve_words(outcome: Outcome, strategy: Strategy) -> None:
    said = claim(outcome, strategy)
    assert f"ransfer by {TRANSFER_BY[strategy]} " in said
    assert len(said.split()) <= 12


def test_the_sentence_names_the_strategy_and_claims_no_other_training_images() -> None:
    rng = np.random.default_rng(0)
    test = split_of(400)
    tops = trained("transfer").model_copy(update={"strategy": "top_blocks"})
    arms = [predicted(test.labels, accuracy, 5, rng) for accuracy in (0.6, 0.9)]
    verdict = judge_transfer(JudgedArm(tops, arms[0]), JudgedArm(trained("scratch"), arms[1]), on(test), params(), 0)
    assert verdict.headline == "Transfer by tuning the top blocks hurt"
    assert verdict.sentence.startswith(f"{verdict.headline}: ")
    assert "these training images" in verdict.sentence


def test_a_wide_margin_makes_arms_equivalent() -> None:
    verdict = judged(0.8, 0.8, params(margin=0.1))
    assert verdict.verdict == "EQUIVALENT"
    assert "inside the margin of 10;" in verdict.sentence


def test_groups_are_named_in_the_sentence() -> None:
    test = split_of(400)._replace(groups=np.repeat(np.arange(80), 5).astype(str))
    arms = [predicted(test.labels, accuracy, 5, np.random.default_rng(0)) for accuracy in (0.9, 0.6)]
    verdict = judge_transfer(
        JudgedArm(trained("transfer"), arms[0]), JudgedArm(trained("scratch"), arms[1]), on(test), params(), 0
    )
    assert verdict.n_units == 80
    assert "400 images in 80 groups" in verdict.sentence


def test_scratch_ships_only_if_the_verdict_is_negative_and_params_say_so() -> None:
    assert shipped_arm("NEGATIVE", params("ship_scratch")) == "scratch"
    assert shipped_arm("NEGATIVE", params("warn")) == "transfer"
    assert shipped_arm("NEGATIVE", params("fail")) == "transfer"
    assert shipped_arm("INCONCLUSIVE", params("ship_scratch")) == "transfer"


def test_the_shipped_model_is_a_run_of_the_shipped_arm() -> None:
    rng = np.random.default_rng(0)
    test = split_of()
    scratch = trained("scratch").model_copy(
        update={"runs": tuple(run_of(seed, [0.7, 0.1, 0.2, 0.8, 0.9][seed]) for seed in range(5))}
    )
    arms = [predicted(test.labels, accuracy, 5, rng) for accuracy in (0.5, 0.9)]
    verdict = judge_transfer(
        JudgedArm(trained("transfer"), arms[0]), JudgedArm(scratch, arms[1]), on(test), params("ship_scratch"), 0
    )
    assert (verdict.ships, verdict.ships_seed) == ("scratch", 0)
    assert verdict.ships_accuracy == (arms[1][0] == test.labels).mean()
    kept = judge_transfer(JudgedArm(trained("transfer"), arms[0]), JudgedArm(scratch, arms[1]), on(test), params(), 0)
    assert (kept.ships, kept.ships_seed) == ("transfer", 2)
    assert kept.ships_accuracy == (arms[0][2] == test.labels).mean()


@pytest.mark.parametrize(
    ("runs", "seed"),
    [
        ([(0, 0.5, 1.0), (1, 0.9, 1.0), (2, 0.7, 1.0)], 2),
        ([(0, 0.5, 1.0), (1, 0.9, 1.0), (2, 0.7, 1.0), (3, 0.6, 1.0)], 3),  # the lower of the middle two
        ([(0, 0.7, 0.9), (1, 0.7, 0.4), (2, 0.7, 0.4)], 1),  # equals: lowest loss, then lowest seed
        ([(9, 0.7, 0.4), (3, 0.7, 0.4), (5, 0.9, 0.1)], 3),
    ],
)
def test_the_median_run_ships(runs: list[tuple[int, float, float]], seed: int) -> None:
    records = tuple(run_of(*each) for each in runs)
    assert records[median_run(records)].seed == seed


def test_groups_widen_the_intervals_of_both_arms() -> None:
    """Copies add no evidence: with groups they give the same intervals as the images they are copied from."""
    test, rng = split_of(80), np.random.default_rng(0)
    arms = [predicted(test.labels, accuracy, 5, rng) for accuracy in (0.8, 0.7)]
    five = Labelled(*(np.repeat(each, 5) for each in test))  # type: ignore[arg-type]
    alone, copied = (
        judge_transfer(JudgedArm(trained("transfer"), a), JudgedArm(trained("scratch"), b), on(images), params(), 0)
        for images, (a, b) in ((test, arms), (five, [np.repeat(each, 5, axis=1) for each in arms]))
    )
    for one, other in (
        (alone.transfer_accuracy, copied.transfer_accuracy),
        (alone.scratch_accuracy, copied.scratch_accuracy),
    ):
        assert tuple(other.model_dump().values()) == pytest.approx(tuple(one.model_dump().values()))


def test_identical_arms_are_not_positive() -> None:
    test = split_of(1000)
    same = predicted(test.labels, 0.8, 5, np.random.default_rng(0))
    verdict = judge_transfer(
        JudgedArm(trained("transfer"), same), JudgedArm(trained("scratch"), same), on(test), params(), 0
    )
    assert verdict.verdict == "EQUIVALENT"
    assert -verdict.difference.low == verdict.difference.high < 0.005
    assert "95% interval -0.3 to 0.3" in verdict.sentence


def test_destroyed_transfer_is_negative() -> None:
    test = split_of(200)
    one_class = np.zeros((5, 200), dtype=np.int64)  # a network with destroyed weights says the same of all
    scratch = predicted(test.labels, 0.5, 5, np.random.default_rng(0))
    verdict = judge_transfer(
        JudgedArm(trained("transfer"), one_class), JudgedArm(trained("scratch"), scratch), on(test), params(), 0
    )
    assert verdict.verdict == "NEGATIVE"


@pytest.mark.simulation
def test_arms_that_do_not_differ_are_positive_no_more_often_than_the_level() -> None:
    n_draws, k, n = 300, 5, 100
    rng = np.random.default_rng(0)
    outcomes = []
    for draw in range(n_draws):
        test = split_of(n, draw)
        hardness = rng.normal(size=n)
        arms = []
        for _ in range(2):
            score = hardness + rng.normal(size=(k, 1)) * 0.3 + rng.normal(size=n) * 0.5
            right = rng.random((k, n)) < 1 / (1 + np.exp(-(1 + score)))
            arms.append(np.where(right, test.labels, (test.labels + 1) % N_CLASSES))
        verdict = judge_transfer(
            JudgedArm(trained("transfer"), arms[0]),
            JudgedArm(trained("scratch"), arms[1]),
            on(test),
            params(),
            draw,
        )
        outcomes.append(verdict.verdict)
    print(f"POSITIVE {outcomes.count('POSITIVE')}, NEGATIVE {outcomes.count('NEGATIVE')} of {n_draws}")
    assert outcomes.count("POSITIVE") <= binom.ppf(0.999, n_draws, 0.05)
    assert outcomes.count("NEGATIVE") <= binom.ppf(0.999, n_draws, 0.05)


def test_arms_with_other_seeds_are_an_error() -> None:
    test = split_of(50)
    rows = predicted(test.labels, 0.5, 5, np.random.default_rng(0))
    other = JudgedArm(trained("scratch", (0, 1, 2, 3, 5)), rows)
    with pytest.raises(ValueError, match="want the same seeds in both arms"):
        judge_transfer(JudgedArm(trained("transfer"), rows), other, on(test), params(), 0)


def test_predictions_of_another_shape_are_an_error() -> None:
    test = split_of(50)
    rows = predicted(test.labels, 0.5, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"check_transfer, scratch: want predictions as .* \(5, 50\), got \(4, 50\)"):
        judge_transfer(
            JudgedArm(trained("transfer"), rows), JudgedArm(trained("scratch"), rows[:4]), on(test), params(), 0
        )
