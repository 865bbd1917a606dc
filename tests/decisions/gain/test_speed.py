"""Steps to the control's final score, by hand."""

import numpy as np
import pytest
from scipy.stats import t
from tests.examples import training_record

from graft.decisions.gain.speed import speed_of, steps_to
from graft.records.training import Epoch, RunRecord, TrainingRecord


def run_of(seed: int, accuracies: list[float], per_epoch: int = 10, start: float | None = None) -> RunRecord:
    """A run that scores these validation accuracies, one an epoch; a start better than all of them is kept."""
    curve = tuple(
        Epoch(epoch=place, steps=place * per_epoch, train_loss=1, val_loss=1, val_accuracy=each)
        for place, each in enumerate(accuracies, start=1)
    )
    best = max([*accuracies, *([] if start is None else [start])])
    changes = {
        "seed": seed,
        "best_epoch": 0 if best == start else accuracies.index(best) + 1,
        "val_accuracy": best,
        "curve": curve,
    }
    return training_record().runs[0].model_copy(update=changes)


def arm(*runs: RunRecord) -> TrainingRecord:
    return training_record().model_copy(update={"runs": runs})


def test_the_first_epoch_at_the_target_counts() -> None:
    assert steps_to(run_of(0, [0.2, 0.5, 0.4, 0.6]), 0.5) == 20


def test_a_target_that_is_never_reached_has_no_steps() -> None:
    assert steps_to(run_of(0, [0.2, 0.5]), 0.51) is None


def test_a_start_that_is_kept_reaches_the_target_before_any_step() -> None:
    assert steps_to(run_of(0, [0.2, 0.5], start=0.7), 0.6) == 0


def test_the_target_is_the_mean_of_what_the_control_ends_with() -> None:
    control = arm(run_of(0, [0.5, 0.8, 0.7]), run_of(1, [0.5, 0.6]))
    assert speed_of(control, control, 0.05).target == pytest.approx(0.7)


def test_the_ratio_is_the_geometric_mean_with_the_interval_of_its_logarithm() -> None:
    transfer = arm(run_of(0, [0.1, 0.9]), run_of(1, [0.1, 0.1, 0.9]), run_of(2, [0.1, 0.9]))
    control = arm(*(run_of(seed, [0.1] * (n - 1) + [0.8]) for seed, n in enumerate((20, 6, 16))))
    found = speed_of(transfer, control, 0.05)
    logs = np.log([10, 2, 8])
    half = t.ppf(0.975, 2) * logs.std(ddof=1) / np.sqrt(3)
    assert found.ratio is not None
    assert found.ratio.estimate == pytest.approx(160 ** (1 / 3))
    assert (found.ratio.low, found.ratio.high) == pytest.approx(tuple(np.exp(logs.mean() + np.array([-half, half]))))
    assert not found.at_least
    assert "neither confirm nor refute" in found.sentence


def test_a_ratio_that_is_the_length_of_the_schedules_alone_is_told_as_such() -> None:
    transfer = arm(*(run_of(seed, [0.1] * 3 + [0.8]) for seed in range(3)))
    control = arm(*(run_of(seed, [0.1] * 11 + [0.8]) for seed in range(3)))
    said = speed_of(transfer, control, 0.05).sentence
    assert "the control's runs are 3 times as long" in said
    assert "transfer takes 100%, the control 100%" in said


def test_shares_of_the_schedules_are_of_each_arms_own_run() -> None:
    transfer = arm(*(run_of(seed, [0.9, 0.9, 0.9, 0.9]) for seed in range(2)))
    control = arm(*(run_of(seed, [0.1, 0.1, 0.1, 0.8, 0.7]) for seed in range(2)))
    assert "transfer takes 25%, the control 80%" in speed_of(transfer, control, 0.05).sentence


def test_seeds_that_agree_to_the_epoch_do_not_make_the_ratio_certain() -> None:
    transfer = arm(*(run_of(seed, [0.1, 0.9]) for seed in range(5)))
    control = arm(*(run_of(seed, [0.1] * 9 + [0.8]) for seed in range(5)))
    ratio = speed_of(transfer, control, 0.05).ratio
    assert ratio is not None
    assert ratio.low < ratio.estimate < ratio.high


def test_a_control_below_its_own_mean_makes_the_ratio_a_lower_limit() -> None:
    transfer = arm(run_of(0, [0.1, 0.9]), run_of(1, [0.1, 0.9]))
    control = arm(run_of(0, [0.1, 0.1, 0.9]), run_of(1, [0.1, 0.1, 0.1, 0.7]))
    found = speed_of(transfer, control, 0.05)
    assert [each.scratch for each in found.seeds] == [30, None]
    assert found.at_least
    assert "at least" in found.sentence
    assert "1 of 2 of the control" in found.sentence


def test_a_seed_of_transfer_that_never_gets_there_leaves_no_ratio() -> None:
    transfer = arm(run_of(0, [0.1, 0.9]), run_of(1, [0.1, 0.2]))
    found = speed_of(transfer, arm(run_of(0, [0.5]), run_of(1, [0.5])), 0.05)
    assert found.ratio is None
    assert "1 of 2 seeds of transfer reach it" in found.sentence
    assert found.sentence.endswith("So there is no speed-up over all seeds.")


def test_a_head_that_has_it_from_the_start_leaves_no_ratio() -> None:
    transfer = arm(run_of(0, [0.6], start=0.9), run_of(1, [0.1, 0.8]))
    found = speed_of(transfer, arm(run_of(0, [0.5]), run_of(1, [0.5])), 0.05)
    assert found.ratio is None
    assert "1 of transfer have it before any step" in found.sentence


def test_a_head_fitted_in_closed_form_takes_no_steps() -> None:
    found = speed_of(arm(run_of(0, [], start=0.9)), arm(run_of(0, [0.5])), 0.05)
    assert (found.seeds, found.ratio) == ((), None)
    assert "closed form" in found.sentence


@pytest.mark.parametrize(("factor", "words"), [(2, "here it is less"), (7, "here it is so"), (30, "here it is more")])
def test_the_claim_of_the_tutorials_is_judged_by_the_interval(factor: int, words: str) -> None:
    transfer = arm(*(run_of(seed, [0.1] * 9 + [0.9]) for seed in range(5)))
    control = arm(*(run_of(seed, [0.1] * (10 * factor - 1) + [0.8]) for seed in range(5)))
    assert words in speed_of(transfer, control, 0.05).sentence


def test_a_lower_limit_within_the_claim_is_that_or_more() -> None:
    transfer = arm(*(run_of(seed, [0.1] * 9 + [0.9]) for seed in range(5)))
    control = arm(*(run_of(seed, [0.1] * 69 + [0.8 - 0.01 * seed]) for seed in range(5)))
    assert "here it is that or more" in speed_of(transfer, control, 0.05).sentence
