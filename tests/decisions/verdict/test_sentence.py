"""The verdict in words."""

import re
from typing import get_args

import numpy as np
import pytest
from tests.decisions.verdict.arms import balanced, judged, predicted, split_of, verdict_on
from tests.examples import verdict_record

from graft.decisions.claims import TRANSFER_BY, claim
from graft.decisions.verdict.sentence import could_show, sentence_of, to_show
from graft.params.both_arms import Strategy
from graft.params.combinations import TECHNIQUES
from graft.records.common import Outcome
from graft.records.verdict import Detectable
from graft.wording import TECHNIQUE_WORDS

SCOPE = "for new seeds and new test images, with these training images and this way of choosing rates"


def test_a_gain_is_told_with_both_scores_its_interval_and_what_it_speaks_of() -> None:
    verdict = judged(0.9, 0.6)
    assert re.fullmatch(
        r"Transfer by tuning all blocks helped: test accuracy \d\d\.\d% against \d\d\.\d% from scratch, "
        rf"a gain of \d\d\.\d points \(95% interval \d\d\.\d to \d\d\.\d, {SCOPE}; 5 seeds, 400 images\)\.",
        verdict.sentence,
    )
    assert f"{100 * verdict.difference.estimate:.1f} points" in verdict.sentence
    assert f"{100 * verdict.transfer.estimate:.1f}% against" in verdict.sentence


def test_a_loss_is_told_as_a_positive_number() -> None:
    verdict = judged(0.6, 0.9)
    low, high = -100 * verdict.difference.high, -100 * verdict.difference.low
    assert f"a loss of {-100 * verdict.difference.estimate:.1f} points" in verdict.sentence
    assert f"(95% interval {low:.1f} to {high:.1f}," in verdict.sentence


def test_an_open_difference_keeps_its_signs_in_sentence_and_interval() -> None:
    verdict = judged(0.6, 0.61)
    assert verdict.verdict == "INCONCLUSIVE"
    found = verdict.difference
    assert f"a difference of {100 * found.estimate:+.1f} points" in verdict.sentence
    assert f"(95% interval {100 * found.low:.1f} to {100 * found.high:.1f}," in verdict.sentence


def test_an_open_verdict_says_what_it_could_have_shown_and_what_shows_the_present_difference() -> None:
    verdict = judged(0.80, 0.785, seed=4)
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.to_show is not None
    assert verdict.could_show.as_is is not None
    seeds, images = verdict.to_show
    assert f"{100 * verdict.could_show.as_is:.1f} points as it is" in verdict.sentence
    assert verdict.sentence.endswith(f"takes {seeds:,} seeds and {images:,} test images together.")


def test_the_numbers_that_show_a_difference_show_it_beyond_the_edge_of_the_interval() -> None:
    """A number that only brings the interval to the estimate leaves half of those who follow it without a claim."""
    verdict = judged(0.80, 0.785, seed=4)
    assert verdict.to_show is not None
    seeds, images = verdict.to_show
    parts = verdict.variances
    error = np.sqrt(parts.seeds / seeds + parts.units / images + parts.residual / seeds / images)
    assert abs(verdict.difference.estimate) > 2.7 * error


def test_equivalent_arms_are_told_by_the_interval_that_decides() -> None:
    test = split_of(balanced(1000))
    same = predicted(test.labels, 0.8, 5, np.random.default_rng(0))
    verdict = verdict_on(test, same, same)
    end = f"{100 * verdict.equivalence.high:.1f}"
    assert f"(90% interval -{end} to {end}, inside the margin of 1, {SCOPE};" in verdict.sentence


def test_groups_are_named_in_the_sentence() -> None:
    test = split_of(balanced(400), np.repeat(np.arange(80), 5).astype(str))
    rows = [predicted(test.labels, accuracy, 5, np.random.default_rng(0)) for accuracy in (0.9, 0.6)]
    assert "400 images in 80 groups)." in verdict_on(test, rows[0], rows[1]).sentence


def test_a_limit_that_nothing_settles_is_told_without_numbers_that_do_not_exist() -> None:
    said = sentence_of(verdict_record("INCONCLUSIVE", limits=("One group decides alone.",), to_show=None))
    assert "One group decides alone." in said
    assert "affordable" not in said


def test_balanced_accuracy_is_called_so() -> None:
    scores = verdict_record("POSITIVE").scores
    assert "balanced test accuracy" in sentence_of(verdict_record("POSITIVE", scores=(scores[1], scores[0])))


@pytest.mark.parametrize("strategy", get_args(Strategy))
@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_claim_names_the_tried_strategy_in_at_most_twelve_words(outcome: Outcome, strategy: Strategy) -> None:
    technique = TECHNIQUES.get(strategy)
    said = claim(outcome, strategy)
    assert f"ransfer by {TRANSFER_BY['full' if technique else strategy]} " in said
    assert len(said.split()) <= 12 + (technique is not None)
    assert technique is None or f" with {TECHNIQUE_WORDS[strategy]} " in said


def test_a_claim_names_the_techniques_of_a_strategy() -> None:
    assert claim("POSITIVE", "full", ("l2_sp",)) == "Transfer by tuning all blocks with L2-SP helped"
    assert claim("NEGATIVE", "top_blocks", ("l2_sp", "lora")) == (
        "Transfer by tuning the top blocks with L2-SP and LoRA hurt"
    )
    assert claim("POSITIVE", "l2_sp", ("l2_sp", "dan", "lora")) == (
        "Transfer by tuning all blocks with L2-SP, DAN and LoRA helped"
    )


def test_what_cannot_be_shown_is_left_out() -> None:
    said = could_show(Detectable(as_is=0.05, any_seeds=None, any_images=0.02))
    assert said.endswith("5.0 points as it is, 2.0 points with any number of test images.")
    tiny = could_show(Detectable(as_is=0.05, any_seeds=0.03, any_images=4e-12))
    assert tiny.endswith("5.0 points as it is, 3.0 points with any number of seeds.")
    assert "none as it is, 3.0 points" in could_show(Detectable(as_is=None, any_seeds=0.03, any_images=None))
    assert could_show(Detectable(as_is=None, any_seeds=None, any_images=None)).startswith("Such a run shows no")


def test_a_difference_of_nothing_is_shown_by_no_number_of_seeds() -> None:
    assert to_show(None, -0.0).startswith("No affordable number of seeds and test images shows a difference of +0.0")
