"""Groups and classes of images: designs, numbers of units, limits."""

import numpy as np
import pytest

from graft.statistics.comparison.layout import Units, layout_of


def test_images_without_groups_are_units_of_their_own() -> None:
    layout = layout_of(20)
    assert layout.design == "images"
    assert layout.units == Units(20, 20, 20, 20)
    np.testing.assert_allclose(layout.weights, 1 / 20)


def test_groups_of_one_image_are_no_groups() -> None:
    assert layout_of(20, np.arange(20).astype(str)).design == "images"


def test_one_class_is_no_classes() -> None:
    assert layout_of(20, None, np.full(20, "cat")).design == "images"


@pytest.mark.parametrize("n_groups", [4, 7, 12])
def test_equal_groups_count_as_so_many_units_to_the_last_digit(n_groups: int) -> None:
    layout = layout_of(3 * n_groups, np.arange(3 * n_groups) % n_groups)
    assert layout.design == "equal groups"
    assert layout.units == Units(n_groups, n_groups, n_groups, n_groups)


def test_the_effective_number_of_unequal_groups_is_that_of_their_sizes() -> None:
    sizes = np.array([1, 2, 3, 10])
    layout = layout_of(16, np.repeat(list("abcd"), sizes))
    assert layout.design == "unequal groups"
    assert layout.units.effective == pytest.approx(16**2 / np.sum(sizes**2))
    assert layout.largest_share == 10 / 16


def test_every_class_weighs_the_same_and_so_does_each_of_its_images() -> None:
    layout = layout_of(12, None, np.repeat([0, 1, 2], [1, 3, 8]))
    assert layout.design == "classes"
    np.testing.assert_allclose(layout.weights, np.repeat([1 / 3, 1 / 9, 1 / 24], [1, 3, 8]))


def test_a_class_of_few_images_may_hide_more_than_all_images_together() -> None:
    assert layout_of(100, None, np.repeat([0, 1], [90, 10])).units.floor == 100
    assert layout_of(100, None, np.repeat([0, 1], [96, 4])).units.floor == 8


@pytest.mark.parametrize(("largest", "limited"), [(19, False), (20, True), (60, True)])
def test_a_group_with_a_fifth_of_the_images_is_a_limit(largest: int, limited: bool) -> None:
    groups = np.where(np.arange(100) < largest, 0, np.arange(100))
    assert bool(layout_of(100, groups).limits) is limited


def test_a_group_with_a_fifth_of_the_metric_is_a_limit_though_it_has_few_images() -> None:
    groups = np.r_[np.zeros(5), np.arange(1, 96)]
    labels = np.repeat([0, 1], [10, 90])
    assert layout_of(100, groups).limits == ()
    (limit,) = layout_of(100, groups, labels).limits
    assert limit.startswith("One group makes up 25% of the metric")


def test_a_class_with_a_single_image_or_group_is_a_limit() -> None:
    labels = np.repeat([0, 1], [99, 1])
    assert "1 class has a single test image" in layout_of(100, None, labels).limits[0]
    labels, groups = np.repeat([0, 1], [90, 10]), np.minimum(np.arange(100), 90)
    assert "1 class has a single test group of images" in layout_of(100, groups, labels).limits[-1]


def test_images_that_are_their_own_units_set_no_limit_by_their_share() -> None:
    assert layout_of(4).limits == ()
