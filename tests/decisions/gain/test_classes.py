"""Classes that became worse, and the least harm that a class could have shown."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.decisions.gain.classes import classes_of
from graft.decisions.gain.least_harm import least_harm, pooled
from graft.decisions.gain.scoring import Scoring
from graft.records.gain import Classes
from graft.statistics.comparison.layout import Units, layout_of
from graft.statistics.comparison.power import equal_units
from graft.statistics.comparison.spread import Variances

NAMES = ("ant", "bee", "cat", "dog")
Right = NDArray[np.bool_]


def images(per_class: int) -> Scoring:
    labels = np.repeat(np.arange(len(NAMES)), per_class)
    return Scoring(labels, np.array([f"{each:04}" for each in range(len(labels))]), "accuracy", 0.05)


def arms(on: Scoring, harm: dict[int, float], rng: np.random.Generator, k: int = 5) -> tuple[Right, Right]:
    """Both arms are right on the same nine images of ten, with flips of their own; transfer fails on more."""
    hard = rng.random(len(on.labels)) < 0.1
    ours, others = (~hard ^ (rng.random((k, len(hard))) < 0.05) for _ in range(2))
    for number, share in harm.items():
        ours &= ~((on.labels == number) & (rng.random(len(hard)) < share))
    return ours, others


def found(harm: dict[int, float], per_class: int = 100, k: int = 5, seed: int = 0) -> Classes:
    on = images(per_class)
    ours, others = arms(on, harm, np.random.default_rng(seed), k)
    return classes_of(ours, others, NAMES, on)


def worse(classes: Classes) -> list[str]:
    return [each.name for each in classes.scores if each.worse]


def test_a_class_that_fails_with_transfer_is_named_alone() -> None:
    classes = found({2: 0.3})
    assert worse(classes) == ["cat"]
    assert classes.sentence.startswith("1 of 4 classes is worse with transfer: cat (")


def test_the_sentence_names_the_worst_class_first() -> None:
    assert re.match(r"2 of 4 classes are worse with transfer: dog \(-.*, ant \(-", found({0: 0.3, 3: 0.6}).sentence)


def test_a_class_that_gains_is_not_worse() -> None:
    on = images(100)
    others, ours = arms(on, {1: 0.4}, np.random.default_rng(0))
    classes = classes_of(ours, others, NAMES, on)
    assert worse(classes) == []
    assert classes.scores[1].p_holm is not None
    assert classes.scores[1].p_holm < 0.01


def test_two_seeds_say_nothing_of_a_class() -> None:
    classes = found({2: 0.5}, k=2)
    assert worse(classes) == []
    assert {each.least_harm for each in classes.scores} == {None}
    assert classes.sentence == "With 2 seeds nothing is said of single classes."


def test_a_class_without_test_images_has_no_score_and_one_with_a_single_image_no_interval() -> None:
    labels = np.array([0, 0, 0, 1])
    on = Scoring(labels, np.array(["a", "b", "c", "d"]), "accuracy", 0.05)
    right = np.ones((3, 4), dtype=bool)
    ant, bee = classes_of(right, right, NAMES, on).scores
    assert (ant.name, bee.name) == ("ant", "bee")
    assert ant.difference is not None
    assert (bee.difference, bee.p_holm, bee.least_harm) == (None, None, None)


def test_equal_arms_name_a_class_in_no_more_runs_than_the_level() -> None:
    named = sum(bool(worse(found({}, per_class=40, seed=seed))) for seed in range(200))
    # 99.9 % binomial bound of half the level: harm is one side
    assert named <= 13


def test_the_least_harm_is_shown_four_times_in_five() -> None:
    per_class = 60
    (least,) = {each.least_harm for each in found({}, per_class=per_class).scores}
    assert least is not None
    shown = ["cat" in worse(found({2: least / 0.9}, per_class=per_class, seed=seed)) for seed in range(200)]
    assert 0.68 <= np.mean(shown) <= 0.95


def in_groups(harm: float, seed: int = 0, sizes: tuple[int, ...] = (20,) * 4 + (4,) * 20) -> Classes:
    """Two classes of groups of these sizes; transfer fails on whole groups of the first."""
    rng, group = np.random.default_rng(seed), np.repeat(np.arange(2 * len(sizes)), 2 * sizes)
    labels = group // len(sizes)
    hit = (rng.random(2 * len(sizes)) < harm)[group] & (labels == 0)
    ours, others = rng.random((2, 5, len(group))) < 0.9
    return classes_of(ours & ~hit, others, NAMES[:2], Scoring(labels, group.astype(str), "accuracy", 0.05))


def test_the_least_harm_of_groups_that_weigh_differently_is_shown_four_times_in_five() -> None:
    least = in_groups(0.0).scores[0].least_harm
    assert least is not None
    shown = ["ant" in worse(in_groups(least / 0.9, seed)) for seed in range(100)]
    assert 0.7 <= np.mean(shown) <= 0.98


def test_one_large_group_hides_most_of_what_its_class_loses() -> None:
    alone, alike = (in_groups(0.0, sizes=sizes).scores[0].least_harm for sizes in ((60, *(3,) * 20), (6,) * 21))
    assert alone is not None
    assert alike is not None
    assert alone > 2 * alike


def test_units_that_weigh_differently_show_what_their_effective_number_of_equal_ones_does() -> None:
    spread = Variances(0.0, 0.05, 0.05)
    unequal, equal = (least_harm(spread, 5, units, 0.005) for units in (Units(60, 15, 15, 15), equal_units(15)))
    assert equal is not None
    assert unequal == pytest.approx(equal, abs=0.0011)


def test_pooled_variances_of_groups_are_those_of_groups_of_equal_weight() -> None:
    rng = np.random.default_rng(0)
    sizes = np.tile([1, 2, 30], 400)
    group = np.repeat(np.arange(len(sizes)), sizes)
    # a value common to all images of a group and all seeds: its variance is that of the units, whatever their sizes
    values = np.tile(rng.normal(size=len(sizes))[group], (5, 1))
    assert pooled([values], [layout_of(len(group), group)]).units == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("n_units", [2, 4])
def test_a_class_of_a_few_images_shows_no_harm(n_units: int) -> None:
    assert least_harm(Variances(0.0, 0.05, 0.05), 5, equal_units(n_units), 0.05 / 10) is None


def test_the_least_harm_falls_with_the_size_of_the_class() -> None:
    sizes = [least_harm(Variances(1e-4, 0.05, 0.05), 5, equal_units(n), 0.005) for n in (30, 100, 1000)]
    assert all(each is not None for each in sizes)
    assert sizes == sorted(sizes, key=lambda each: -(each or 0))
