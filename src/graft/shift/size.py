"""Size of the shift, measured in four ways: with enough images every p-value is small."""

from graft.records.shift import ShiftSize
from graft.shift.sides import Side
from graft.statistics.two_sample.domain_classifier import domain_classifier
from graft.statistics.two_sample.frechet import frechet_by_chance
from graft.statistics.two_sample.mmd import mmd2_unbiased
from graft.statistics.two_sample.mmd_interval import mmd2_interval


def size_of(source: Side, target: Side, bandwidth2: float, confidence: float, seed: int) -> ShiftSize:
    """Squared MMD, domain classifier and Frechet distance, each with what distinguishes it from chance.

    Args:
        source: n images, n >= 2.
        target: m images, m >= 2.
        bandwidth2: pooled median of squared distances; a bandwidth chosen for its large statistic would overstate.
        confidence: confidence of the intervals, between 0 and 1.
        seed: seed of all random draws.
    """
    groups = source.groups, target.groups
    interval = mmd2_interval(
        source.features, target.features, bandwidth2=bandwidth2, groups=groups, confidence=confidence, seed=seed
    )
    whole = (
        mmd2_unbiased(source.features, target.features, bandwidth2, groups) if interval is None else interval.estimate
    )
    told = domain_classifier(source.features, target.features, groups=groups, confidence=confidence, seed=seed)
    frechet = frechet_by_chance(source.features, target.features, groups=groups, seed=seed)
    found = {
        "mmd2": whole,
        "interval": interval,
        "bandwidth2": bandwidth2,
        "confidence": confidence,
        "auc": None if told is None else told.auc,
        "a_distance": None if told is None else told.a_distance,
        "frechet": frechet.distance2,
        "frechet_by_chance": frechet.chance,
    }
    return ShiftSize.model_validate(found, from_attributes=True)
