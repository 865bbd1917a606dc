"""What stands in place of a verdict, and what the arms learned from, in words."""

import numpy as np
import pytest
from tests.decisions.verdict.arms import balanced, logits_of, params, split_of, splits_with, trained
from tests.examples import catalog_row

from graft.decisions.verdict.arms import JudgedArm
from graft.decisions.verdict.judge import Asked, judge
from graft.decisions.verdict.labels import labels_said
from graft.decisions.verdict.looks import NO_LOOK
from graft.decisions.verdict.splits import splits_of
from graft.records.common import Arm
from graft.records.verdict import AnyVerdict, NoVerdictRecord

NOTHING = splits_with(split_of(balanced(0)))._replace(labels_from="source")


def _judged(pretraining: int = 0, **changes: object) -> AnyVerdict:
    arms = [JudgedArm(trained(name), logits_of(np.zeros((5, 0), dtype=np.int64))) for name in ("transfer", "scratch")]
    return judge(arms[0], arms[1], NOTHING, Asked(params(**changes), 0, NO_LOOK, pretraining))


def test_without_a_labelled_image_there_is_no_verdict_and_the_median_seed_ships() -> None:
    found = _judged()
    assert isinstance(found, NoVerdictRecord)
    # of the validation accuracies 0.5, 0.9, 0.7, 0.8, 0.6 by seed
    assert (found.verdict, found.ships, found.ships_seed) == ("NONE", "transfer", 2)
    assert found.sentence.startswith("No verdict: no labelled test images. Both arms were trained on the source's")


@pytest.mark.parametrize(("policy", "arm"), [("warn", "transfer"), ("fail", "transfer"), ("ship_cheapest", "scratch")])
def test_what_ships_follows_what_params_say_of_an_open_verdict(policy: str, arm: Arm) -> None:
    found = _judged(1_000, on_inconclusive=policy)
    assert found.ships == arm
    assert f"check_transfer.on_inconclusive says {policy}" in found.ships_because


def test_a_target_with_train_labels_and_no_test_split_is_still_refused() -> None:
    arms = [JudgedArm(trained(name), logits_of(np.zeros((5, 0), dtype=np.int64))) for name in ("transfer", "scratch")]
    asked = Asked(params(), 0, NO_LOOK, 0)
    with pytest.raises(ValueError, match="want a test split with labelled images"):
        judge(arms[0], arms[1], NOTHING._replace(labels_from="target"), asked)


def test_it_says_what_transfer_saw_of_the_target_and_the_control_did_not() -> None:
    transfer = trained("transfer", techniques=("coral", "l2_sp"), choose_by="information_maximisation")
    assert labels_said(transfer) == (
        "Both arms were trained on the source's labels alone; transfer also saw unlabelled images of the target (CORAL "
        "and the choice of its epochs and rates), the control saw none."
    )


def test_it_says_that_neither_saw_the_target_where_nothing_adapts() -> None:
    assert labels_said(trained("transfer")).endswith("labels alone; neither saw an image of the target.")


def test_train_and_val_are_the_source_s_and_classes_go_by_name() -> None:
    source = [catalog_row(f"s{i}", label="abc"[i % 3], split=("train", "val")[i % 2], row=i) for i in range(12)]
    target = [catalog_row(f"t{i}", label="ca"[i % 2], split="test", row=i) for i in range(4)]
    splits = splits_of(target, ("a", "b", "c"), source)
    assert (splits.labels_from, len(splits.train.rows), len(splits.val.rows)) == ("source", 6, 6)
    assert splits.test.labels.tolist() == [2, 0, 2, 0]


def test_a_target_with_train_labels_keeps_its_own_splits() -> None:
    target = [catalog_row(f"t{i}", label="ab"[i % 2], split=("train", "val", "test")[i % 3], row=i) for i in range(6)]
    source = [catalog_row("s", label="a", split="train", row=0)]
    assert splits_of(target, ("a", "b"), source).train.rows.tolist() == [0, 3]
