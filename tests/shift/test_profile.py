import numpy as np
import pytest
from numpy.typing import NDArray
from tests.shift.samples import normal, side_of

from graft.shift.profile import profile_of_moments, profile_of_samples
from graft.statistics.two_sample.bandwidths import pooled_median2
from graft.statistics.two_sample.mmd import mmd2_unbiased
from graft.store.features import BlockMeans, BlockMoments

SOURCE, TARGET = side_of(normal(40, 0), "a"), side_of(normal(30, 1), "b")
STILL, MOVED = TARGET.features[:, :2], TARGET.features[:, 2:] + 2
SOURCE_BLOCKS = (BlockMeans("still", SOURCE.features[:, :2]), BlockMeans("moved", SOURCE.features[:, 2:]))
TARGET_BLOCKS = (BlockMeans("still", STILL), BlockMeans("moved", MOVED))


def test_the_block_that_moved_stands_out() -> None:
    found = profile_of_samples((SOURCE, SOURCE_BLOCKS), (TARGET, TARGET_BLOCKS), 0.95, 0)
    assert found is not None
    assert (found.measure, found.n_images) == ("mmd2", (40, 30))
    assert [(each.block, each.n_channels) for each in found.blocks] == [("still", 2), ("moved", 4)]
    still, moved = (each.shift for each in found.blocks)
    assert still.low <= 0 < moved.low
    assert moved.estimate > 10 * abs(still.estimate)


def test_each_block_is_measured_at_its_own_pooled_median() -> None:
    found = profile_of_samples((SOURCE, SOURCE_BLOCKS), (TARGET, TARGET_BLOCKS), 0.95, 0)
    assert found is not None
    bandwidth2 = pooled_median2(SOURCE.features[:, 2:], MOVED, 0)
    assert found.blocks[1].shift.estimate == pytest.approx(mmd2_unbiased(SOURCE.features[:, 2:], MOVED, bandwidth2))


@pytest.mark.parametrize("groups", [None, np.arange(30) // 4])
def test_too_few_images_or_groups_give_no_profile(groups: NDArray[np.int64] | None) -> None:
    target = side_of(normal(30, 1), "b", groups=groups)
    rows = np.arange(9 if groups is None else 30)
    blocks = [BlockMeans(each.block, each.means[rows]) for each in TARGET_BLOCKS]
    assert profile_of_samples((SOURCE, SOURCE_BLOCKS), (target.at(rows), blocks), 0.95, 0) is None


def test_channels_far_from_the_running_moments_diverge_by_the_formula() -> None:
    spread = np.full(2, 1e-5)
    means = np.stack([np.zeros((30, 2)), np.full((30, 2), 2.0)])
    moments = [BlockMoments(name, each, each**2 + 1, spread) for name, each in zip("ab", means, strict=True)]
    found = profile_of_moments(moments, TARGET, 0.95, 0)
    assert (found.measure, found.n_images) == ("divergence", (0, 30))
    assert [each.block for each in found.blocks] == ["a", "b"]
    assert found.blocks[0].shift.estimate == pytest.approx(0, abs=1e-6)
    assert found.blocks[1].shift.estimate == pytest.approx(2.0**2, rel=1e-3)  # of means alone: their distance squared
    assert found.blocks[1].n_channels == 2


def test_groups_widen_the_interval_of_the_divergence() -> None:
    k = np.repeat(normal(6, 0), 5, axis=0)[:, :2]
    moments = [BlockMoments("a", k, k**2 + 1, np.full(2, 1e-5))]
    grouped = profile_of_moments(moments, side_of(normal(30, 1), "b", groups=np.arange(30) // 5), 0.95, 0)
    alone = profile_of_moments(moments, TARGET, 0.95, 0)
    widths = [each.blocks[0].shift.high - each.blocks[0].shift.low for each in (grouped, alone)]
    assert widths[0] > 1.2 * widths[1]
