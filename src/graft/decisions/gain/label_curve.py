"""Scores of the arms by number of labels."""

from collections.abc import Sequence

import numpy as np

from graft.decisions.gain.scoring import Scoring, difference_of, in_points, score_of
from graft.decisions.gain.tried import Tried, of_kind, paired, stacked
from graft.records.common import Interval
from graft.records.gain import LabelCurve, LabelPoint


def label_curve(tried: Sequence[Tried], on: Scoring, reason: str) -> LabelCurve:
    """Score of transfer, of scratch and of a head on cached features at every share of the labels that was tried.

    Args:
        tried: networks of the kinds transfer, scratch and head; others are ignored.
        on: the test images.
        reason: why there are no smaller shares, where there are none.
    """
    shares = sorted({each.share for each in tried if each.kind in ("transfer", "scratch", "head")})
    points = tuple(_point(tried, share, on) for share in shares)
    if len(points) == 1:
        return LabelCurve(points=points, sentence=reason)
    against = _against_all_labels(tried, shares[:-1], on)
    return LabelCurve(points=points, sentence=f"{_gains(points)}{against}{_alone(points)}")


def _point(tried: Sequence[Tried], share: float, on: Scoring) -> LabelPoint:
    transfer, scratch, head = (of_kind(tried, kind, share) for kind in ("transfer", "scratch", "head"))
    pair = paired(transfer, scratch)
    # the arms at all labels do not tell their number, the heads beside them do
    n_labels = [each.n_labels for found in (transfer, scratch, head) for each in found.values() if each.n_labels]
    return LabelPoint(
        share=share,
        n_labels=round(float(np.mean(n_labels))) if n_labels else None,
        n_seeds=0 if pair is None else len(pair[0]),
        transfer=_scored(transfer, on),
        scratch=_scored(scratch, on),
        difference=None if pair is None else difference_of(*pair, on).interval,
        head=_scored(head, on),
    )


def _scored(found: dict[int, Tried], on: Scoring) -> Interval | None:
    return score_of(stacked(list(found.values())), on) if found else None


def _gains(points: Sequence[LabelPoint]) -> str:
    gains = [
        f"{in_points(each.difference)} with {100 * each.share:g}% of the labels{_of(each, points[-1].n_seeds)}"
        for each in points
        if each.difference is not None
    ]
    return f"Gain of transfer over scratch in points: {', '.join(gains)}."


def _of(point: LabelPoint, n_seeds: int) -> str:
    parts = [f"{point.n_labels:,} images"] if point.n_labels else []
    parts += [f"{point.n_seeds} {'seed' if point.n_seeds == 1 else 'seeds'}"] if point.n_seeds < n_seeds else []
    return f" ({', '.join(parts)})" if parts else ""


def _against_all_labels(tried: Sequence[Tried], shares: Sequence[float], on: Scoring) -> str:
    """Transfer with fewer labels minus scratch with all of them, paired by seed and image, at every share."""
    whole, gaps = of_kind(tried, "scratch"), []
    for share in shares:
        pair = paired(of_kind(tried, "transfer", share), whole)
        if pair is not None:
            gaps.append(f"{in_points(difference_of(*pair, on).interval)} with {100 * share:g}%")
    return f" Against scratch with all labels, transfer gains {', '.join(gaps)}." if gaps else ""


def _alone(points: Sequence[LabelPoint]) -> str:
    if all(each.n_seeds != 1 for each in points):
        return ""
    return " Where only one seed was trained, the interval is that of the test images: other seeds may differ by more."
