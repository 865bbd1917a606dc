"""Where the gain comes from: reused features or the mere scale of the weights, and which block does harm."""

from collections.abc import Sequence

from graft.decisions.gain.scoring import Gap, Scoring, difference_of, in_points, score_of
from graft.decisions.gain.tried import Tried, of_kind, paired, stacked
from graft.records.common import Interval
from graft.records.gain import ResetBlock, Why
from graft.statistics.holm import holm


def why_of(tried: Sequence[Tried], blocks: Sequence[str], on: Scoring) -> Why | None:
    """Split the gain by the controls that were trained; None where none was.

    Args:
        tried: networks of the kinds transfer, scratch, shuffled and reset; others are ignored.
        blocks: names of the blocks from input to output.
        on: the test images.
    """
    transfer, scratch, shuffled = (of_kind(tried, kind) for kind in ("transfer", "scratch", "shuffled"))
    resets = _resets(tried, blocks, on)
    if not shuffled and not resets:
        return None
    features, scale = _difference(transfer, shuffled, on), _difference(shuffled, scratch, on)
    harmful = _harmful(resets, on.level)
    n_seeds = len({each.seed for each in tried if each.kind in ("shuffled", "reset")})
    sentence = " ".join(filter(None, (_of_features(features, scale), _of_blocks(resets, harmful), _alone(n_seeds))))
    return Why(n_seeds=n_seeds, features=features, scale=scale, resets=resets, harmful=harmful, sentence=sentence)


def _difference(ours: dict[int, Tried], others: dict[int, Tried], on: Scoring) -> Interval | None:
    pair = paired(ours, others)
    return None if pair is None else difference_of(*pair, on).interval


def _resets(tried: Sequence[Tried], blocks: Sequence[str], on: Scoring) -> tuple[ResetBlock, ...]:
    """What each block adds, from the top block down, as far as networks without it were trained."""
    above, names, scores = of_kind(tried, "transfer"), [], []
    gaps: list[Gap] = []
    for block in reversed(blocks):
        found = {each.seed: each for each in tried if each.kind == "reset" and each.block == block}
        pair = paired(above, found)
        if pair is None:
            break
        names.append(block)
        scores.append(score_of(stacked(list(found.values())), on))
        gaps.append(difference_of(*pair, on))
        above = found
    adjusted = holm([gap.p for gap in gaps])
    return tuple(
        ResetBlock(block=name, score=score, difference=gap.interval, p_holm=float(p))
        for name, score, gap, p in zip(names, scores, gaps, adjusted, strict=True)
    )


def _harmful(resets: Sequence[ResetBlock], level: float) -> str | None:
    """The block whose pretrained weights lower the score most, if that is no chance."""
    proved = [each for each in resets if each.difference.estimate < 0 and each.p_holm <= level]
    return min(proved, key=lambda each: each.difference.estimate).block if proved else None


def _of_features(features: Interval | None, scale: Interval | None) -> str:
    if features is None or scale is None:
        return ""
    return (
        f"Reused features give {in_points(features)} points: transfer minus the same with pretrained weights that are "
        "shuffled within each layer. The statistics of the weights alone give "
        f"{in_points(scale)} points: shuffled weights minus random ones."
    )


def _of_blocks(resets: Sequence[ResetBlock], harmful: str | None) -> str:
    if not resets:
        return ""
    if harmful is not None:
        return f"The pretrained weights of {harmful} do harm: the score rises when they are re-initialised."
    return "No block was found whose pretrained weights do harm."


def _alone(n_seeds: int) -> str:
    return "One seed was trained: intervals are those of the test images alone." if n_seeds == 1 else ""
