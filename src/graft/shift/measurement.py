"""How far the target lies from the source: the test, the size, the place on the yardstick, blocks, classes, images."""

import numpy as np

from graft.params.measure_shift import MeasureShift
from graft.records.common import Interval, Similarity
from graft.records.shift import (
    ClassMoved,
    CorruptionPlace,
    LabelShift,
    ShiftRecord,
    ShiftSize,
    ShiftSource,
    ShiftTest,
    ShiftYardstick,
    TriedBandwidth,
    YardstickMark,
)
from graft.shift import wording
from graft.shift.label_shift import target_shares
from graft.shift.origin import Origin
from graft.shift.per_class import per_class_shift
from graft.shift.profile import profile_of_moments, profile_of_samples
from graft.shift.sides import Side, check_groups, without_copies
from graft.shift.size import size_of
from graft.shift.witnesses import map_of, some, witnesses
from graft.shift.yardstick import Place, make_yardstick, place_on
from graft.statistics.features.label_shift import total_variation
from graft.statistics.two_sample.two_sample import TwoSample, two_sample_test
from graft.store.features import BlockMeans, MapPoint, SourceView, TargetView

QUANTILES = 101
"""of the null distribution that the record keeps"""
PROBE_ROWS = 2_000
"""source images that the probe for the mix of classes learns from"""
PROBE_C = 0.01
"""inverse strength of its regularisation"""

Shift = tuple[ShiftRecord, tuple[MapPoint, ...]]


def measure(source: Origin, target: Side, view: TargetView, params: MeasureShift, seed: int) -> Shift:
    """The record of the shift, and the points of the map.

    Args:
        source: the user's images or a bank; no rows where there is neither, and then the target is held against
            the running moments of the network, where it has any.
        target: train images; the test split stays closed until the arms are compared.
        view: what the network says of a sample of them.
        params: permutations, confidence, and the limits of near and far.
        seed: of everything that is drawn.

    Raises:
        ValueError: fewer than two groups a side, or as `two_sample_test`.
    """
    if len(source.side.rows) == 0:
        return _described(source.described, target, view, params, seed), ()
    side = without_copies(source.side, target)
    check_groups(target, "target, train split")
    if len(np.unique(side.groups)) < 2:
        view = view._replace(refusal="All source images that do not stand in the target too are of one group.")
        return _described(source.described, target, view, params, seed), ()
    groups = side.groups, target.groups
    n_groups = len(np.unique(groups[0])), len(np.unique(groups[1]))
    test = two_sample_test(
        side.features, target.features, n_permutations=params.n_permutations, seed=seed, groups=groups
    )
    median2 = next(each.bandwidth2 for each in test.bandwidths if each.multiple == 1.0)
    size = size_of(side, target, median2, params.confidence, seed)
    yardstick, place = _yardstick(source, median2, size, params)
    similarity: Similarity = "unknown" if place is None else place.similarity
    tested, classes = _test(test, params), _classes(side, target, median2, params, seed)
    labels = _labels(side, target, params, seed)
    shown = side if source.described.kind == "own" else side._replace(images=np.full(len(side.rows), ""))
    points, shares = map_of(shown, target, seed)
    record = ShiftRecord(
        source=source.described,
        n_target=len(target.rows),
        n_features=target.features.shape[1],
        test=tested,
        size=size,
        yardstick=yardstick,
        profile=profile_of_samples(_sampled(side, source.view), _sampled(target, view), params.confidence, seed),
        classes=classes,
        labels=labels,
        witnesses=witnesses(shown, target, median2, seed),
        map_shares=shares,
        similarity=similarity,
        sentence=wording.sentence(
            source.described, (tested, size), place, similarity, (len(side.rows), len(target.rows))
        ),
        remarks=wording.remarks(tested, classes, len(source.side.rows) - len(side.rows)),
        warnings=wording.warnings(tested, n_groups, yardstick),
    )
    return record, points


def _described(source: ShiftSource, target: Side, view: TargetView, params: MeasureShift, seed: int) -> ShiftRecord:
    """The record where no features stand for the source: at most a description of the blocks."""
    profile = None
    if view.moments:
        sample = target.of_rows(view.rows)
        profile = profile_of_moments(view.moments, sample, params.confidence, seed)
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
        sentence=wording.sentence_without_source(source, profile, view.refusal),
        remarks=(),
        warnings=(),
    )


def _sampled(side: Side, view: SourceView | TargetView) -> tuple[Side, tuple[BlockMeans, ...]]:
    """The images of the sample that stand on this side, and the blocks' means of them."""
    there = np.isin(view.rows, side.rows)
    return side.of_rows(view.rows), tuple(BlockMeans(each.block, each.means[there]) for each in view.blocks)


def _test(test: TwoSample, params: MeasureShift) -> ShiftTest:
    return ShiftTest(
        p_value=test.p_value,
        n_permutations=params.n_permutations,
        mmd2=test.mmd2,
        bandwidth2=test.bandwidth2,
        bandwidths=tuple(TriedBandwidth(**each._asdict()) for each in test.bandwidths),
        null_mmd2=tuple(np.quantile(test.null, np.linspace(0, 1, QUANTILES)).tolist()),
        method=test.method,
        bins=test.bins,
        rows_used=test.rows_used,
        detectable_mmd2=test.detectable_mmd2,
        detectable_shift=test.detectable_shift,
    )


def _yardstick(
    source: Origin, bandwidth2: float, size: ShiftSize, params: MeasureShift
) -> tuple[ShiftYardstick | None, Place | None]:
    if source.view.yardstick is None:
        return None, None
    made = make_yardstick(source.view.yardstick, bandwidth2)
    origin = "the source" if source.described.kind == "own" else "the bank"
    interval = None if size.interval is None else (size.interval.low, size.interval.high)
    place = place_on(made, size.mmd2, interval, (params.near_below, params.far_above), origin)
    shown = ShiftYardstick(
        n_images=made.n_images,
        clean=made.clean,
        marks=tuple(YardstickMark(**each._asdict()) for each in made.marks),
        noise=made.noise,
        severity=place.severity,
        severities=place.ends,
        by_corruption=tuple(CorruptionPlace(corruption=name, severity=at) for name, at in place.by_corruption.items()),
        between=place.between,
        doubts=place.doubts,
    )
    return shown, place


def _shared(source: Side, target: Side) -> list[str]:
    """Names of the classes that both sides have, in order."""
    return sorted(set(np.unique(source.labels)) & set(np.unique(target.labels)) - {""})


def _classes(source: Side, target: Side, bandwidth2: float, params: MeasureShift, seed: int) -> tuple[ClassMoved, ...]:
    shared = _shared(source, target)
    sides = [each.at(np.isin(each.labels, shared)) for each in (source, target)]
    found = per_class_shift(
        *((each.features, np.searchsorted(shared, each.labels), each.groups) for each in sides),
        bandwidth2=bandwidth2,
        n_permutations=params.n_permutations,
        seed=seed,
    )
    return tuple(ClassMoved(**{**each._asdict(), "label": shared[each.label]}) for each in found)


def _labels(source: Side, target: Side, params: MeasureShift, seed: int) -> LabelShift | None:
    """How the mix of the shared classes differs; the probe that tells it from predictions learns from some images."""
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
