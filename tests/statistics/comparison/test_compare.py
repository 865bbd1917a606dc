"""The public comparison: verdict, limits, what stands beside them, errors."""

import doctest
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import nct, t
from tests.house import ROOT

import graft.statistics
from graft.statistics.comparison import compare as module
from graft.statistics.comparison.compare import capped, compare, mean_score
from graft.statistics.comparison.interval import difference_of, mean_of
from graft.statistics.comparison.layout import layout_of

Bools = NDArray[np.bool_]


def arms(p_a: float, p_b: float, k: int = 5, n: int = 300, seed: int = 0) -> tuple[Bools, Bools]:
    """Whether two arms are right that are so with these probabilities, (k, n) of each."""
    rng = np.random.default_rng(seed)
    return rng.random((k, n)) < p_a, rng.random((k, n)) < p_b


def test_the_example_of_the_docstring_runs() -> None:
    done = doctest.testmod(module)
    assert done.attempted > 5
    assert done.failed == 0


def test_the_example_of_the_page_runs() -> None:
    done = doctest.testfile(str(ROOT / "docs" / "compare.md"), module_relative=False)
    assert done.attempted > 5
    assert done.failed == 0


def test_the_public_door_is_the_comparison_and_opens_late() -> None:
    assert graft.statistics.compare is compare
    code = "import sys, graft.statistics; print('numpy' in sys.modules, end=' '); graft.statistics.compare"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False "
    with pytest.raises(AttributeError, match="has no attribute 'contrast'"):
        graft.statistics.contrast  # noqa: B018


def test_the_difference_and_its_seeds_agree_with_the_accuracies() -> None:
    a, b = arms(0.8, 0.6)
    found = compare(a, b)
    by_seed = a.mean(axis=1) - b.mean(axis=1)
    assert found.difference.estimate == pytest.approx(a.mean() - b.mean())
    np.testing.assert_allclose(found.by_seed, by_seed)
    assert found.median_of_seeds == pytest.approx(np.median(by_seed))
    assert (found.n_seeds, found.n_images, found.n_units, found.effective_units) == (5, 300, 300, 300)
    assert (found.verdict, found.sign_flip_p, found.to_show) == ("POSITIVE", 2 / 32, None)
    assert found.mcnemar_p < 0.01
    assert found.bootstrap.low > 0


def test_the_interval_is_that_of_the_core() -> None:
    a, b = arms(0.8, 0.7)
    groups, labels = np.random.default_rng(0).choice(30, 300), np.arange(300) % 3
    values = a.astype(float) - b
    for names, classes in ((None, None), (groups, None), (None, labels), (groups, labels)):
        found, core = (
            compare(a, b, groups=names, classes=classes),
            difference_of(values, layout_of(300, names, classes)),
        )
        assert (found.difference, found.equivalence) == (core.difference, core.equivalence)


def test_swapped_arms_give_the_opposite_verdict() -> None:
    a, b = arms(0.8, 0.6)
    assert compare(b, a).verdict == "NEGATIVE"
    assert compare(b, a).sign_flip_p == compare(a, b).sign_flip_p


@pytest.mark.parametrize("kind", [np.bool_, np.int64, np.uint8, np.float32])
def test_right_and_wrong_may_be_given_in_any_way(kind: type[np.generic]) -> None:
    a, b = arms(0.8, 0.6)
    assert compare(a.astype(kind), b.astype(kind)) == compare(a, b)
    assert compare(a.tolist(), b.tolist()) == compare(a, b)


def test_a_margin_of_zero_switches_equivalent_off() -> None:
    a, _ = arms(0.8, 0.6)
    assert compare(a, a, margin=0.02).verdict == "EQUIVALENT"
    assert compare(a, a, margin=0.0).verdict == "INCONCLUSIVE"


def test_what_decided_is_said() -> None:
    a, b = arms(0.8, 0.6)
    assert compare(a, b).decided_by.endswith("points, excludes 0.")
    assert compare(a, a, margin=0.02, level=0.1).decided_by.startswith("The 80% interval")
    assert compare(a, a, margin=0.02).decided_by.endswith("is inside the margin.")
    assert "contains 0, and the 90% interval" in compare(a, a, margin=0.001).decided_by
    assert compare(a, a, margin=0.0).decided_by.endswith("contains 0.")
    assert "points" not in compare(2.0 * a, b).decided_by


def test_two_seeds_claim_nothing_however_far_the_arms_are_apart() -> None:
    a, b = arms(0.95, 0.2, k=2)
    found = compare(a, b)
    assert found.difference.low > 0
    assert found.verdict == "INCONCLUSIVE"
    assert found.limits == (found.decided_by,)
    assert found.to_show == (3, 300)
    assert (found.could_show.as_is, found.could_show.any_images) == (None, None)
    assert found.could_show.any_seeds is not None


def test_a_large_group_claims_nothing() -> None:
    a, b = arms(0.95, 0.2)
    for largest, verdict in ((59, "POSITIVE"), (60, "INCONCLUSIVE")):
        found = compare(a, b, groups=np.where(np.arange(300) < largest, 0, np.arange(300)))
        assert found.verdict == verdict
        assert found.to_show is None
        assert (found.could_show.as_is is None) is (verdict == "INCONCLUSIVE")
        assert found.largest_unit_share == largest / 300


def test_a_further_limit_keeps_the_verdict_open_and_the_first_one_is_said() -> None:
    found = compare(*arms(0.8, 0.6))
    once = capped(found, "The class cat has no test image.")
    assert (once.verdict, once.decided_by) == ("INCONCLUSIVE", "The class cat has no test image.")
    assert capped(once, "Second.").limits == ("The class cat has no test image.", "Second.")
    assert capped(once, "Second.").decided_by == once.decided_by


def test_harm_to_a_small_class_shows_in_balanced_accuracy() -> None:
    """The majority gains 3 points, the minority loses 15."""
    rng, labels = np.random.default_rng(0), np.repeat([0, 1], [1800, 200])
    a, b = (rng.random((8, 2000)) < np.where(labels == 0, *each) for each in ((0.93, 0.75), (0.9, 0.9)))
    assert compare(a, b).verdict == "POSITIVE"
    balanced = compare(a, b, classes=labels)
    assert (balanced.verdict, balanced.design) == ("NEGATIVE", "classes")
    assert balanced.difference.low <= -0.06 <= balanced.difference.high


def test_groups_of_similar_images_widen_the_interval() -> None:
    few = arms(0.8, 0.6, n=60)
    a, b = (np.repeat(each, 5, axis=1) for each in few)
    alone, grouped, first = compare(a, b), compare(a, b, groups=np.repeat(np.arange(60), 5)), compare(*few)
    assert (grouped.n_images, grouped.n_units, grouped.design) == (300, 60, "equal groups")
    assert grouped.difference == pytest.approx(first.difference)  # copies bring no evidence
    assert grouped.mcnemar_p == first.mcnemar_p > alone.mcnemar_p
    assert grouped.difference.high - grouped.difference.low > 1.3 * (alone.difference.high - alone.difference.low)


def test_what_would_show_it_counts_images_and_not_groups() -> None:
    few = arms(0.75, 0.72, n=60)
    one, grouped = compare(*few), compare(*(np.repeat(each, 4, axis=1) for each in few), groups=np.arange(240) // 4)
    assert one.to_show is not None
    assert grouped.to_show is not None
    assert grouped.to_show[0] == one.to_show[0]
    assert grouped.to_show[1] == pytest.approx(4 * one.to_show[1], abs=4)


def test_losses_are_compared_without_ends() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(5, 1, (5, 200)), rng.normal(3, 1, (5, 200))
    found = compare(a, b)
    assert found.verdict == "POSITIVE"
    assert found.difference.low > 1


def test_the_unit_of_the_scores_does_not_count() -> None:
    a, b = (each / 4 for each in arms(0.8, 0.6))
    whole, quarter = compare(4 * a, 4 * b), compare(a, b)
    assert quarter.standard_error == pytest.approx(whole.standard_error / 4)
    assert quarter.sign_flip_p == whole.sign_flip_p


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_the_unit_of_losses_does_not_count(scale: float) -> None:
    rng = np.random.default_rng(0)
    a, b = -rng.gamma(2, 1, (5, 200)), -rng.gamma(2, 1, (5, 200))
    one, other = compare(a, b, margin=0.0), compare(scale * a, scale * b, margin=0.0)
    assert other.could_show == pytest.approx(tuple(scale * (each or 0.0) for each in one.could_show), rel=1e-9, abs=0)
    error, freedom = other.standard_error, other.degrees_of_freedom
    assert other.could_show.as_is is not None
    assert nct.sf(t.ppf(0.975, freedom), freedom, other.could_show.as_is / error) == pytest.approx(0.8, abs=2e-3)
    assert (other.mcnemar_p, other.to_show) == (one.mcnemar_p, one.to_show)


def test_scores_of_any_size_that_is_allowed_are_compared() -> None:
    a, b = (1e50 * each for each in arms(0.8, 0.6))
    found = compare(a, b)
    assert found.verdict == "POSITIVE"
    assert found.degrees_of_freedom == pytest.approx(compare(2e-50 * a, 2e-50 * b).degrees_of_freedom)


@pytest.mark.parametrize("kind", [list, np.array, lambda names: np.array(names, dtype=object)])
def test_names_of_one_kind_may_be_given_in_any_way(kind: Callable[[list[Any]], Any]) -> None:
    a, b = arms(0.8, 0.6)
    numbers, text = [i % 50 for i in range(300)], [f"patient {i % 50:02d}" for i in range(300)]
    assert compare(a, b, groups=kind(numbers)) == compare(a, b, groups=kind(text)) != compare(a, b)


def test_a_margin_of_one_is_for_scores_that_are_no_shares() -> None:
    a, b = arms(0.8, 0.6)
    assert compare(a, b, margin=0.99).verdict == "EQUIVALENT"
    assert compare(100.0 * a, 100.0 * b, margin=99.0).verdict == "EQUIVALENT"


def test_the_score_of_one_arm_is_that_of_the_core() -> None:
    right, _ = arms(0.8, 0.6)
    labels = np.arange(300) % 3
    assert mean_score(right, classes=labels, level=0.1) == mean_of(
        right.astype(float), layout_of(300, None, labels), 0.1
    )


def asks(**changes: Any) -> None:
    a, b = arms(0.8, 0.6, k=3, n=20)
    asked = {"a": a, "b": b, **changes}
    compare(asked.pop("a"), asked.pop("b"), **asked)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": np.ones((1, 20)), "b": np.ones((1, 20))}, "want at least 2 seeds, got 1"),
        ({"a": np.ones((4, 20))}, r"of one shape, got \(4, 20\) and \(3, 20\)"),
        ({"a": np.ones(20), "b": np.ones(20)}, r"as \(seeds, images\)"),
        ({"a": np.full((3, 20), np.nan)}, "want finite scores, got 60 in a that are not"),
        ({"b": np.full((3, 20), -np.inf)}, "want finite scores, got 60 in b that are not"),
        ({"b": np.full((3, 20), 7)}, r"want whole numbers in b to be 0 \(wrong\) or 1 \(right\), got 7"),
        ({"a": np.full((3, 20), "cat")}, "want a as numbers, got <U3"),
        ({"groups": np.arange(19)}, r"want groups as one name for each of 20 images, got shape \(19,\)"),
        ({"classes": np.ones((20, 2))}, "want classes as one name for each of 20 images"),
        ({"groups": np.zeros(20)}, "want at least 2 groups of images, got 1"),
        ({"a": np.ones((3, 1)), "b": np.ones((3, 1))}, "want at least 2 images, got 1"),
        ({"a": np.ones((3, 0)), "b": np.ones((3, 0))}, "want at least 2 images, got 0"),
        ({"margin": -0.01}, "want a margin of at least 0, got -0.01"),
        ({"margin": "x"}, "want margin as a number, got 'x'"),
        ({"margin": True}, "want margin as a number, got True"),
        ({"level": None}, "want level as a number, got None"),
        ({"a": [[1, 0], [1]]}, "want a as a table, got rows of different lengths"),
        ({"groups": [[1, 0], [1]]}, "want groups as a table, got rows of different lengths"),
        ({"b": np.ma.masked_equal(np.eye(3, 20), 1)}, "want b without a mask, got masked"),
        ({"groups": np.ma.masked_equal(np.arange(20), 7)}, "want groups without a mask, got masked"),
        ({"a": np.full((3, 20), -1e300)}, r"want scores of at most 1e\+50 in a, got 1e\+300"),
        ({"margin": 1.0}, "want a margin below 1 for scores between 0 and 1, got 1.0"),
        ({"groups": [1, "1"] * 10}, "want groups that are all text or all numbers, got numbers and text"),
        ({"groups": np.array([1, "a"] * 10, dtype=object)}, "want groups that are all text or all numbers"),
        ({"groups": [None, "a"] * 10}, "got NoneType and text"),
        ({"groups": [None] * 20}, "got NoneType. Give every image a name"),
        ({"groups": [*range(19), np.nan]}, "all text or all numbers, got 1 missing"),
        ({"classes": ["cat", 1] * 10}, "want classes that are all text or all numbers"),
        ({"margin": np.nan}, "want a margin of at least 0, got nan"),
        ({"level": 0.95}, "want a level between 0 and 0.5, got 0.95"),
        ({"level": 0.0}, "want a level between 0 and 0.5, got 0.0"),
    ],
)
def test_what_makes_no_comparison_is_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        asks(**changes)
