"""Distance of the target from the source at each block of the network, from input to output."""

from collections.abc import Sequence

from graft.records.shift import BlockProfile, BlockShift
from graft.shift.bn_stats import block_profile
from graft.shift.sides import Side
from graft.statistics.two_sample.bandwidths import pooled_median2
from graft.statistics.two_sample.mmd_interval import mmd2_interval
from graft.store.features import BlockMeans, BlockMoments


def profile_of_samples(
    source: tuple[Side, Sequence[BlockMeans]], target: tuple[Side, Sequence[BlockMeans]], confidence: float, seed: int
) -> BlockProfile | None:
    """Squared MMD of the mean activations at every block, each block at its own pooled median.

    Args:
        source: images of the sample, and their mean activations at each block.
        target: the same for the target, from the same network.
        confidence: confidence of the intervals, between 0 and 1.
        seed: seed of the intervals.

    Returns:
        None where a sample has too few images or groups for an interval.
    """
    groups = source[0].groups, target[0].groups
    blocks = []
    for ours, theirs in zip(source[1], target[1], strict=True):
        found = mmd2_interval(
            ours.means,
            theirs.means,
            bandwidth2=pooled_median2(ours.means, theirs.means, seed, groups),
            groups=groups,
            confidence=confidence,
            seed=seed,
        )
        if found is None:
            return None
        block = {"block": ours.block, "n_channels": ours.means.shape[1], "shift": found}
        blocks.append(BlockShift.model_validate(block, from_attributes=True))
    return BlockProfile(measure="mmd2", n_images=(len(source[0].rows), len(target[0].rows)), blocks=tuple(blocks))


def profile_of_moments(moments: Sequence[BlockMoments], target: Side, confidence: float, seed: int) -> BlockProfile:
    """Divergence of the target's channels from the network's running moments at every block.

    Args:
        moments: moments of the target's images at each block.
        target: these images.
        confidence: confidence of the intervals, between 0 and 1.
        seed: seed of the intervals.
    """
    found = block_profile(moments, groups=target.groups, confidence=confidence, seed=seed)
    blocks = tuple(BlockShift.model_validate(each, from_attributes=True) for each in found)
    return BlockProfile(measure="divergence", n_images=(0, len(target.rows)), blocks=blocks)
