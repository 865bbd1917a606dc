"""What `graft plan` says."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.house import ROOT

from graft.decisions import pilot
from graft.decisions.pilot import Pilot
from graft.decisions.plan import OnTest, Ways, least_margin, on_test, promise
from graft.decisions.plan_words import of_gain, of_question, of_seeds, of_test, points, sentence, too_small
from graft.decisions.verdict.looks import Standing
from graft.params.pipeline import Params, read_params
from graft.store.catalogue import Labelled

PARAMS = read_params(ROOT / "params.yaml")
LEVEL = 0.05
FIRST = Standing(n_looks=1, planned=1, n_open=0, counts=True, said="", level=0.05)


def balanced_classes(n: int = 400, classes: tuple[str, ...] = ("a", "b")) -> OnTest:
    return of_labels(np.arange(n) % 2, None, classes)


def of_labels(
    labels: NDArray[np.int64], groups: NDArray[np.str_] | None = None, classes: tuple[str, ...] = ("a", "b")
) -> OnTest:
    names = np.arange(len(labels)).astype(np.str_)
    test = Labelled(np.arange(len(labels)), labels, names if groups is None else groups, names)
    return on_test(test, classes, PARAMS.check_transfer, FIRST)


def params(**check_transfer: Any) -> Params:
    own = PARAMS.check_transfer.model_copy(update=check_transfer)
    return PARAMS.model_copy(update={"check_transfer": own})


def of(on: OnTest) -> Pilot:
    return pilot.assumed(on.layout)


def said(lines: list[tuple[str, str]]) -> str:
    return "\n".join(f"{about}: {line}" for about, line in lines)


def test_the_sentence_names_seeds_images_gain_and_what_it_rests_on() -> None:
    on = balanced_classes()
    least = promise(of(on), 5, LEVEL)
    assert least is not None
    assert sentence(on, of(on), 5) == (
        f"With 5 seeds and 400 test images this run can prove a gain of {points(least)} points or more four times in "
        "five, by an assumed spread."
    )


def test_the_sentence_names_the_metric_that_is_not_accuracy() -> None:
    on = of_labels(np.repeat([0, 1], [300, 100]))
    assert "points of balanced accuracy or more" in sentence(on, of(on), 5)


def test_two_seeds_are_told_what_five_would_prove() -> None:
    words = sentence(balanced_classes(), of(balanced_classes()), 2)
    assert words.startswith("With 2 seeds this run can only end INCONCLUSIVE; with 5 (`training.budget: standard`)")


def test_images_that_prove_nothing_are_told_so() -> None:
    on = balanced_classes(4)
    assert "can prove no gain up to 50 points" in sentence(on, of(on), 5)


def test_a_limit_is_the_sentence() -> None:
    on = balanced_classes(classes=("a", "b", "c"))
    assert sentence(on, of(on), 5) == (
        "With these 400 test images this run can only end INCONCLUSIVE: class c has no image in the test split."
    )
    assert ("limit", "Class c has no image in the test split.") in of_test(on, "x", ("a", "b", "c"))


@pytest.mark.parametrize("margin", [0.001, 0.01])
def test_a_margin_that_cannot_be_resolved_is_refused_with_the_smallest(margin: float) -> None:
    on = balanced_classes()
    least = least_margin(of(on), 5, LEVEL)
    assert least is not None
    refusal = too_small(on, of(on), params(margin=margin), "params.yaml")
    assert f"check_transfer.margin: want {math.ceil(1000 * least) / 1000:g} or more with 5 seeds" in refusal
    assert "0 switches EQUIVALENT off" in refusal


def test_the_margin_that_a_refusal_names_is_taken() -> None:
    on = balanced_classes()
    refusal = too_small(on, of(on), params(margin=0.001), "params.yaml")
    named = float(refusal.split("want ")[1].split()[0])
    assert too_small(on, of(on), params(margin=named), "params.yaml") == ""
    assert too_small(on, of(on), params(margin=named - 0.001), "params.yaml") != ""


def test_a_margin_of_0_is_never_refused() -> None:
    on = balanced_classes(4)
    assert too_small(on, of(on), params(margin=0), "params.yaml") == ""


def test_where_no_margin_is_wide_enough_0_is_wanted() -> None:
    on = balanced_classes(4)
    assert "want 0, for no margin is wide enough" in too_small(on, of(on), params(), "params.yaml")


def test_where_nothing_can_be_claimed_no_margin_is_refused() -> None:
    on = balanced_classes(classes=("a", "b", "c"))
    assert too_small(on, of(on), params(), "params.yaml") == ""


def test_the_table_has_a_row_for_each_number_of_seeds_and_for_any() -> None:
    on = balanced_classes()
    lines = [line for _, line in of_seeds(on, of(on), 5, {3: 1.0, 5: 2.0, 8: 3.5})]
    assert [line.split()[0] for line in lines] == ["number", "3", "5", "8", "any"]
    assert lines[2].endswith("2.0   standard, as in params.yaml")
    least = promise(of(on), math.inf, LEVEL)
    assert least is not None
    assert lines[-1].split()[1] == points(least)


def test_two_seeds_prove_nothing_in_the_table() -> None:
    lines = of_seeds(balanced_classes(), of(balanced_classes()), 2, {2: 1.0})
    assert lines[1][1].split()[:3] == ["2", "none", "none"]


def test_a_gain_is_told_with_seeds_and_with_images() -> None:
    words = said(of_gain(0.02, Ways(7, 900, None), 400, 5))
    assert "2 points: 7 seeds show it on 400 test images (training.budget: 7)" in words
    assert "with 5 seeds it takes 900 test images like these" in words


def test_a_gain_out_of_reach_is_told_so() -> None:
    words = said(of_gain(0.002, Ways(None, None, (60, 9000)), 400, 5))
    assert "0.2 points: no number of seeds shows it on 400 test images" in words
    assert "no number of test images up to a million shows it" in words
    assert "60 seeds and 9,000 test images together show it" in words


def test_a_gain_that_is_there_already_is_told_so() -> None:
    assert "the test images that are there show it" in said(of_gain(0.2, Ways(3, 30, None), 400, 5))


def test_groups_of_unequal_size_are_told_with_what_they_are_worth() -> None:
    groups = np.repeat(np.arange(12), [2] * 8 + [6] * 4).astype(np.str_)
    on = of_labels(np.arange(40) % 2, groups)
    words = said(of_test(on, "x", ("a", "b")))
    assert "in 12 groups of unequal size, as good as 9.1 equal ones; the largest holds 15%" in words


def test_looks_that_share_the_level_are_told() -> None:
    on = balanced_classes()._replace(level=0.05 / 3)
    words = said(of_question(on, params(planned_looks=3, level=0.05), of(on)))
    assert "level: 0.0167, 0.05 shared by 3 planned looks" in words


def test_points_are_rounded_up_so_that_more_is_true() -> None:
    assert [points(each) for each in (0.0331, 0.033, 0.0)] == ["3.4", "3.3", "0.0"]
