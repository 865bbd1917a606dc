"""What makes two arms comparable: each fault is one clear error."""

import numpy as np
import pytest
from tests.decisions.verdict.arms import FIRST, balanced, logits_of, params, split_of, splits_with, trained

from graft.decisions.verdict.arms import JudgedArm, check_logits, check_records, judged_arm
from graft.decisions.verdict.judge import Asked, judge_transfer
from graft.records.common import Arm
from graft.records.training import TrainingRecord

ARMS: tuple[Arm, Arm] = ("transfer", "scratch")
CATALOG = "c" * 64


def _made(arm: Arm, n_seeds: int = 3, catalog: str = CATALOG) -> TrainingRecord:
    return trained(arm, n_seeds, made_from={"target-catalog": catalog})


def test_two_arms_of_the_same_seeds_and_catalogue_are_comparable() -> None:
    check_records(_made("transfer"), _made("scratch"), CATALOG)


def test_other_seeds_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"want the same seeds in both arms.*got \[0, 1, 2\] and \[0, 1\]"):
        check_records(_made("transfer"), _made("scratch", 2), CATALOG)


def test_a_single_seed_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"at least two, got \[0\] and \[0\]"):
        check_records(_made("transfer", 1), _made("scratch", 1), CATALOG)


def test_the_same_arm_twice_is_an_error() -> None:
    with pytest.raises(
        ValueError, match="want the records of transfer and scratch, got those of transfer and transfer"
    ):
        check_records(_made("transfer"), _made("transfer"), CATALOG)


@pytest.mark.parametrize("arm", ["transfer", "scratch"])
def test_an_arm_of_another_catalogue_is_an_error(arm: Arm) -> None:
    transfer, scratch = (_made(each, catalog="d" * 64 if each == arm else CATALOG) for each in ARMS)
    with pytest.raises(ValueError, match=f"check_transfer, {arm}: .* another catalogue, and so of another test split"):
        check_records(transfer, scratch, CATALOG)


def test_an_empty_test_split_gives_no_verdict_and_says_so() -> None:
    none = np.zeros(0, dtype=np.int64)
    arms = [JudgedArm(trained(arm), np.zeros((5, 0, 4), np.float32)) for arm in ARMS]
    with pytest.raises(ValueError, match=r"want a test split with labelled images, got none, so there is no verdict"):
        judge_transfer(arms[0], arms[1], splits_with(split_of(none)), Asked(params(), 0, FIRST, 0))


def test_logits_of_other_images_are_an_error() -> None:
    arm = JudgedArm(trained("scratch"), logits_of(np.zeros((5, 49), dtype=np.int64)))
    with pytest.raises(ValueError, match=r"scratch: want logits as \(seeds, images\) \(5, 50\), got \(5, 49\)"):
        check_logits(arm, split_of(balanced(50)))


def test_the_logits_of_an_arm_are_in_the_order_of_its_runs() -> None:
    logits = {f"{arm}_{seed}": np.full((2, 4), seed, np.float32) for arm in ("transfer", "scratch") for seed in (1, 0)}
    assert judged_arm(trained("scratch", 2), logits).logits[:, 0, 0].tolist() == [0, 1]
