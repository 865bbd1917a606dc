"""What a run can prove, before it is run."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.house import ROOT

from graft.decisions import pilot
from graft.decisions.plan import OnTest, least_margin, on_test, promise, standing_ahead, ways_to
from graft.decisions.verdict.looks import Standing
from graft.params.decisions import CheckTransfer
from graft.params.pipeline import read_params
from graft.records.common import Outcome
from graft.records.looks import Look, LooksRecord
from graft.statistics.comparison.layout import layout_of
from graft.statistics.comparison.power import power_of
from graft.store.catalogue import Labelled

LEVEL = 0.05
FIRST = Standing(n_looks=1, planned=1, n_open=0, counts=True, said="", level=0.05)


def made(n: int = 400) -> pilot.Pilot:
    return pilot.assumed(layout_of(n))


def asked(**values: Any) -> CheckTransfer:
    return read_params(ROOT / "params.yaml").check_transfer.model_copy(update=values)


def seen(
    labels: NDArray[np.int64], groups: NDArray[np.str_] | None = None, before: Standing | None = None, **values: Any
) -> OnTest:
    names = np.arange(len(labels)).astype(np.str_)
    test = Labelled(np.arange(len(labels)), labels, names if groups is None else groups, names)
    return on_test(test, ("a", "b"), asked(**values), before)


def test_what_is_promised_is_shown_four_times_in_five() -> None:
    least = promise(made(), 5, LEVEL)
    assert least is not None
    assert power_of(least, made().variances, 5, made().units, LEVEL) == pytest.approx(0.8, abs=0.001)


def test_more_seeds_and_more_images_prove_less() -> None:
    by_seeds = [promise(made(), each, LEVEL) or 1.0 for each in (3, 5, 8, 20, np.inf)]
    by_images = [promise(made(each), 5, LEVEL) or 1.0 for each in (50, 400, 3000)]
    assert by_seeds == sorted(by_seeds, reverse=True)
    assert by_images == sorted(by_images, reverse=True)


def test_two_seeds_promise_nothing() -> None:
    assert promise(made(100_000), 2, LEVEL) is None
    assert least_margin(made(100_000), 2, LEVEL) is None


def test_three_images_promise_nothing() -> None:
    assert promise(made(3), 20, LEVEL) is None
    assert least_margin(made(3), 20, LEVEL) is None


def test_a_million_images_promise_what_seeds_leave() -> None:
    least = promise(made(1_000_000), 5, LEVEL)
    assert least is not None
    assert pilot.SEED_SD / np.sqrt(5) < least < 0.03


def test_the_seeds_for_a_gain_prove_it_and_one_fewer_does_not() -> None:
    ways = ways_to(0.056, made(), 400, 5, LEVEL)
    assert ways.seeds is not None
    assert ways.seeds > 3
    assert (promise(made(), ways.seeds, LEVEL) or 1) <= 0.056
    assert (promise(made(), ways.seeds - 1, LEVEL) or 1) > 0.056


def test_the_images_for_a_gain_prove_it_and_one_fewer_does_not() -> None:
    ways = ways_to(0.03, made(), 400, 5, LEVEL)
    assert ways.images is not None
    assert (promise(made(ways.images), 5, LEVEL) or 1) <= 0.03
    assert (promise(made(ways.images - 1), 5, LEVEL) or 1) > 0.03


def test_a_gain_below_what_seeds_differ_by_takes_seeds_and_images_together() -> None:
    ways = ways_to(0.005, made(), 400, 5, LEVEL)
    assert ways[:2] == (None, None)
    assert ways.together is not None
    seeds, images = ways.together
    assert (promise(made(images), seeds, LEVEL) or 1) == pytest.approx(0.005, rel=0.01)


def test_images_are_not_counted_for_two_seeds() -> None:
    assert ways_to(0.3, made(), 400, 2, LEVEL).images is None


def test_skewed_classes_are_weighed_alike() -> None:
    assert seen(np.repeat([0, 1], [20, 10])).metric == "balanced_accuracy"
    assert seen(np.repeat([0, 1], [20, 11])).metric == "accuracy"
    assert seen(np.repeat([0, 1], [20, 10]), metric="accuracy").metric == "accuracy"


def test_an_absent_class_is_named_and_limits_the_verdict() -> None:
    on = seen(np.zeros(10, dtype=np.int64))
    assert on.limits[0].startswith("Class b has no image in the test split")


def test_a_large_group_limits_the_verdict() -> None:
    groups = np.array(["large"] * 10 + [str(each) for each in range(30)])
    assert any("group" in each for each in seen(np.arange(40) % 2, groups).limits)


def test_a_class_with_one_test_image_limits_a_mean_over_classes() -> None:
    assert seen(np.repeat([0, 1], [20, 1])).limits


def test_a_single_test_image_limits_everything() -> None:
    assert "The test split has a single image." in seen(np.zeros(1, dtype=np.int64)).limits


def test_planned_looks_share_the_level() -> None:
    assert seen(np.arange(40) % 2, before=FIRST._replace(planned=3, level=0.06)).level == pytest.approx(0.02)


def test_where_the_ledger_is_not_known_the_looks_of_params_share_the_level() -> None:
    assert seen(np.arange(40) % 2, level=0.06, planned_looks=2).level == pytest.approx(0.03)


def look(params: str, n_seeds: int = 5, planned: int = 1, verdict: Outcome | None = None) -> Look:
    return Look(test_sha256="t", params_sha256=params, n_seeds=n_seeds, planned=planned, level=0.05, verdict=verdict)


def ledger(*looks: Look) -> LooksRecord:
    return LooksRecord(looks=looks)


def test_a_look_by_other_params_after_an_open_one_is_unplanned_and_said_beforehand() -> None:
    before = standing_ahead(ledger(look("p", verdict="INCONCLUSIVE")), look("q"))
    assert before.unplanned
    assert "planned looks (1) are used up" in seen(np.arange(40) % 2, before=before).limits[0]


@pytest.mark.parametrize(
    ("looks", "next_look"),
    [
        ((), look("p")),
        ((look("p", verdict="INCONCLUSIVE"),), look("p")),
        ((look("p", verdict="POSITIVE"),), look("q")),
        ((look("p", n_seeds=2, verdict="INCONCLUSIVE"),), look("q")),
        ((look("p", planned=2, verdict="INCONCLUSIVE"),), look("q")),
    ],
)
def test_a_first_a_repeated_and_a_planned_look_may_claim(looks: tuple[Look, ...], next_look: Look) -> None:
    assert not standing_ahead(ledger(*looks), next_look).unplanned


def test_the_plan_in_force_is_that_of_the_first_look() -> None:
    assert standing_ahead(ledger(look("p", planned=3, verdict="INCONCLUSIVE")), look("q", planned=9)).planned == 3
