"""Distance of the target from the source: test, size, place on the yardstick, blocks, classes and images."""

from types import SimpleNamespace

import numpy as np

from graft.params.measure_shift import MeasureShift
from graft.records.common import Interval, Similarity
from graft.records.shift import (
    ClassMoved,
    LabelShift,
    ShiftRecord,
    ShiftSize,
    ShiftSource,
    ShiftTest,
    ShiftYardstick,
)
from graft.shift import sentences
from graft.shift.class_mix import target_shares
from graft.shift.origin import Origin
from graft.shift.per_class import per_class_shift
from graft.shift.profile import profile_of_moments, profile_of_samples
from graft.shift.shown_images import map_of, some, witnesses
from graft.shift.sides import Side, check_groups, without_copies
from graft.shift.size import size_of
from graft.shift.yardstick import Place, make_yardstick, place_on
from graft.statistics.features.label_shift import total_variation
from graft.statistics.two_sample.two_sample import two_sample_test
from graft.store.features import BlockMeans, MapPoint, SourceDetails, TargetDetails

# Source images that the probe for the mix of classes learns from, at most.
PROBE_ROWS = 2_000
# Inverse strength of the probe's regularisation.
PROBE_C = 0.01

Shift = tuple[ShiftRecord, tuple[MapPoint, ...]]


def measure(source: Origin, target: Side, details: TargetDetails, params: MeasureShift, seed: int) -> Shift:
    """Record of the shift, and the points of the map.

    Args:
        source: the user's images or a bank. Without any rows, the target is compared with the running moments of the
            network, where it has any.
        target: images of the train split; the test split stays closed until the arms are compared.
        details: activations and moments of a sample of these images.
        params: permutations, confidence, and the limits of near and far.
        seed: seed of all random draws.

    Raises:
        ValueError: fewer than two groups on a side, or as `two_sample_test`.
    """
    if len(source.side.rows) == 0:
        return _described(source.described, target, details, params, seed), ()
    side = without_copies(source.side, target)
    check_groups(target, "target, train split")
    if len(np.unique(side.groups)) < 2:
        refusal = "All source images that are not in the target too are of one group."
        return _described(source.described, target, details._replace(refusal=refusal), params, seed), ()
    return _measured(source._replace(side=side), target, details, params, seed)


def _measured(source: Origin, target: Side, details: TargetDetails, params: MeasureShift, seed: int) -> Shift:
    """Record and map where features stand for the source, less the images that are in the target too."""
    side, described = source.side, source.described
    groups = side.groups, target.groups
    test = two_sample_test(
        side.features, target.features, n_permutations=params.n_permutations, seed=seed, groups=groups
    )
    median2 = next(each.bandwidth2 for each in test.bandwidths if each.multiple == 1.0)
    size = size_of(side, target, median2, params.confidence, seed)
    yardstick, place = _yardstick(source, median2, size, params)
    similarity: Similarity = "unknown" if place is None else place.similarity
    tested, classes = (
        ShiftTest.model_validate(test, from_attributes=True),
        _classes(side, target, median2, params, seed),
    )
    shown = side if described.kind == "own" else side._replace(images=np.full(len(side.rows), ""))
    points, shares = map_of(shown, target, seed)
    n_images = len(side.rows), len(target.rows)
    n_groups = len(np.unique(side.groups)), len(np.unique(target.groups))
    record = ShiftRecord(
        source=described,
        n_target=n_images[1],
        n_features=target.features.shape[1],
        test=tested,
        size=size,
        yardstick=yardstick,
        profile=profile_of_samples(_sampled(side, source.details), _sampled(target, details), params.confidence, seed),
        classes=classes,
        labels=_labels(side, target, params, seed),
        witnesses=witnesses(shown, target, median2, seed),
        map_shares=shares,
        similarity=similarity,
        sentence=sentences.sentence(described, (tested, size), place, similarity, n_images),
        remarks=sentences.remarks(tested, classes, described.n_images - n_images[0]),
        warnings=sentences.warnings(tested, n_groups, yardstick),
    )
    return record, points


def _described(
    source: ShiftSource, target: Side, details: TargetDetails, params: MeasureShift, seed: int
) -> ShiftRecord:
    """Record where no features stand for the source: at most a description of the blocks."""
    profile = None
    if details.moments:
        sample = target.of_rows(details.rows)
        profile = profile_of_moments(details.moments, sample, params.confidence, seed)
    return ShiftRecord(
        source=source.model_copy(update={"kind": "none" if profile is None else "bn_stats"}),
        n_target=len(target.rows),
        n_features=target.features.shape[1],
        test=None,
        size=None,
        yardstick=None,
        profile=profile,
        classes=(),
        labels=None,
        witnesses=None,
        map_shares=None,
        similarity="unknown",
        sentence=sentences.sentence_without_source(source, profile, details.refusal),
        remarks=(),
        warnings=(),
    )


def _sampled(side: Side, details: SourceDetails | TargetDetails) -> tuple[Side, tuple[BlockMeans, ...]]:
    """Images of the sample that are on this side, and their means by block."""
    # (k,): a sampled image may have left the side as a copy.
    there = np.isin(details.rows, side.rows)
    return side.of_rows(details.rows), tuple(BlockMeans(each.block, each.means[there]) for each in details.blocks)


def _yardstick(
    source: Origin, bandwidth2: float, size: ShiftSize, params: MeasureShift
) -> tuple[ShiftYardstick | None, Place | None]:
    """Yardstick with the target's place on it for the record, and the place itself."""
    if source.details.yardstick is None:
        return None, None
    made = make_yardstick(source.details.yardstick, bandwidth2)
    origin = "the source" if source.described.kind == "own" else "the bank"
    interval = None if size.interval is None else (size.interval.low, size.interval.high)
    place = place_on(made, size.mmd2, interval, (params.near_below, params.far_above), origin)
    both = SimpleNamespace(**made._asdict(), **place._asdict())
    return ShiftYardstick.model_validate(both, from_attributes=True), place


def _shared(source: Side, target: Side) -> list[str]:
    """Names of the classes that are on both sides, in order."""
    return sorted(set(np.unique(source.labels)) & set(np.unique(target.labels)) - {""})


def _classes(source: Side, target: Side, bandwidth2: float, params: MeasureShift, seed: int) -> tuple[ClassMoved, ...]:
    known = [each.at(each.labels != "") for each in (source, target)]
    found = per_class_shift(
        *((each.features, each.labels, each.groups) for each in known),
        bandwidth2=bandwidth2,
        n_permutations=params.n_permutations,
        seed=seed,
    )
    return tuple(ClassMoved.model_validate(each, from_attributes=True) for each in found)


def _labels(source: Side, target: Side, params: MeasureShift, seed: int) -> LabelShift | None:
    """Difference in the mix of the shared classes; the probe learns from a sample of the source."""
    shared = _shared(source, target)
    if len(shared) < 2:
        return None
    ours, theirs = (each.at(np.isin(each.labels, shared)) for each in (source, target))
    counts = [np.bincount(np.searchsorted(shared, each.labels), minlength=len(shared)) for each in (ours, theirs)]
    return LabelShift(
        classes=tuple(shared),
        source=tuple((counts[0] / counts[0].sum()).tolist()),
        target=tuple((counts[1] / counts[1].sum()).tolist()),
        total_variation=total_variation(counts[0], counts[1]),
        black_box=_black_box(some(ours, PROBE_ROWS, seed), theirs, shared, params, seed),
    )


def _black_box(
    source: Side, target: Side, shared: list[str], params: MeasureShift, seed: int
) -> tuple[Interval, ...] | None:
    """Shares of the target's classes by the predictions of a probe; None where a class has too few groups."""
    if min(len(np.unique(source.groups[source.labels == name])) for name in shared) < 2:
        return None
    numbers = np.searchsorted(shared, source.labels)
    found = target_shares(
        source.features.astype(np.float32),
        numbers,
        (source.groups, target.groups),
        target.features.astype(np.float32),
        c=PROBE_C,
        confidence=params.confidence,
        seed=seed,
    )
    if found is None:
        return None
    return tuple(
        Interval(estimate=share, low=low, high=high)
        for share, low, high in zip(found.shares.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    )
