import numpy as np
import pytest
from tests.shift.samples import normal, side_of

from graft.records.shift import ShiftSize
from graft.shift.size import size_of
from graft.statistics.two_sample.bandwidths import pooled_median2
from graft.statistics.two_sample.mmd import mmd2_unbiased

SOURCE = side_of(normal(80, 5), "a")


def sized(n: int, moved: float) -> ShiftSize:
    target = side_of(normal(n, 2) + moved, "b")
    return size_of(SOURCE, target, pooled_median2(SOURCE.features, target.features, 0), 0.95, 0)


def test_every_measure_grows_with_the_shift() -> None:
    none, small, large = (sized(60, moved) for moved in (0.0, 0.5, 2.0))
    for each in (none, small, large):
        assert each.interval is not None
        assert each.auc is not None
        assert each.interval.low <= each.mmd2 <= each.interval.high
        assert each.auc.low <= each.auc.estimate <= each.auc.high
    assert none.mmd2 < small.mmd2 < large.mmd2
    assert none.a_distance is not None
    assert large.a_distance is not None
    assert none.a_distance < 0.6 < 1.8 < large.a_distance
    assert none.frechet < 2 * none.frechet_by_chance
    assert large.frechet > 2 * large.frechet_by_chance


def test_without_a_shift_the_intervals_hold_chance() -> None:
    found = sized(60, 0.0)
    assert found.interval is not None
    assert found.auc is not None
    assert found.interval.low <= 0
    assert found.auc.low <= 0.5


@pytest.mark.parametrize(("n", "known"), [(9, False), (10, True)])
def test_with_few_images_there_is_a_size_but_no_interval(n: int, known: bool) -> None:
    target = side_of(normal(n, 1) + 1, "b")
    found = size_of(SOURCE, target, 10.0, 0.95, 0)
    assert (found.interval is not None, found.auc is not None, found.a_distance is not None) == (known,) * 3
    assert found.mmd2 == pytest.approx(mmd2_unbiased(SOURCE.features, target.features, 10.0))


@pytest.mark.parametrize("n_groups", [6, 40])
def test_groups_of_copies_are_as_far_as_one_image_of_each(n_groups: int) -> None:
    few = side_of(normal(n_groups, 1) + 0.5, "b", groups=np.arange(n_groups))
    many = few.at(np.repeat(np.arange(n_groups), np.random.default_rng(0).integers(1, 20, n_groups)))
    found, one_each = (size_of(SOURCE, each, 10.0, 0.95, 0) for each in (many, few))
    assert found.mmd2 == pytest.approx(one_each.mmd2)
    assert found.frechet == pytest.approx(one_each.frechet)
    assert (found.interval is None) is (one_each.interval is None) is (n_groups == 6)


def test_copies_in_groups_do_not_narrow_the_interval() -> None:
    few = side_of(normal(12, 1), "b")
    many = few.at([row for row in range(12) for _ in range(10)])  # type: ignore[arg-type]
    alone = many._replace(groups=side_of(many.features, "c").groups)
    grouped, ungrouped = (size_of(SOURCE, each, 10.0, 0.95, 0).interval for each in (many, alone))
    assert grouped is not None
    assert ungrouped is not None
    assert grouped.low < 0 < ungrouped.low
