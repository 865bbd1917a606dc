"""Classes that transfer made worse, and the least harm that each could have shown."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.gain.least_harm import least_harm, pooled
from graft.decisions.gain.scoring import Scoring, difference_of, n_units, part_of
from graft.files import visible
from graft.records.common import Interval
from graft.records.gain import Classes, ClassGain
from graft.statistics.holm import holm

# Largest number of classes that a sentence names.
MOST_NAMED = 5
# With two seeds a verdict is never more than INCONCLUSIVE, and neither is that of a class.
FEWEST_SEEDS = 3

Right = NDArray[np.bool_]


class _Tested(NamedTuple):
    difference: Interval
    p_holm: float
    least_harm: float | None


def classes_of(transfer: Right, scratch: Right, classes: Sequence[str], on: Scoring) -> Classes:
    """Paired difference of recall of every class over seeds and images, with Holm's correction for all classes.

    Args:
        transfer: (k, n) whether the prediction of each seed is right.
        scratch: (k, n) the same for the control, with the same seeds.
        classes: class names by number.
        on: the n test images.
    """
    rows = {name: on.labels == number for number, name in enumerate(classes) if (on.labels == number).any()}
    gaps = {
        name: difference_of(transfer[:, chosen], scratch[:, chosen], part_of(on, chosen))
        for name, chosen in rows.items()
        if n_units(part_of(on, chosen)) > 1
    }
    adjusted = holm([gap.p for gap in gaps.values()])
    harms = _least_harms(transfer, scratch, [rows[name] for name in gaps], on)
    tested = {
        name: _Tested(gap.interval, float(p), harm)
        for (name, gap), p, harm in zip(gaps.items(), adjusted, harms, strict=True)
    }
    scores = tuple(
        _score(name, (transfer[:, chosen], scratch[:, chosen]), tested.get(name), on.level)
        for name, chosen in rows.items()
    )
    return Classes(scores=scores, sentence=_sentence(scores, len(transfer)))


def _score(name: str, right: tuple[Right, Right], tested: _Tested | None, level: float) -> ClassGain:
    # (k,): recall of each seed
    ours, others = (each.mean(axis=1) for each in right)
    proved = tested is not None and len(ours) >= FEWEST_SEEDS and tested.p_holm <= level
    return ClassGain(
        name=name,
        n_images=right[0].shape[1],
        transfer=float(ours.mean()),
        scratch=float(others.mean()),
        difference=tested and tested.difference,
        n_seeds_worse=int((ours < others).sum()),
        p_holm=tested and tested.p_holm,
        worse=proved and bool(ours.mean() < others.mean()),
        least_harm=tested and tested.least_harm,
    )


def _least_harms(transfer: Right, scratch: Right, rows: Sequence[NDArray[np.bool_]], on: Scoring) -> list[float | None]:
    """Least harm of each class; None where two seeds show none."""
    k = len(transfer)
    if k < FEWEST_SEEDS or not rows:
        return [None] * len(rows)
    difference = transfer.astype(np.float64) - scratch
    layouts = [part_of(on, chosen).layout for chosen in rows]
    spread = pooled([difference[:, chosen] for chosen in rows], layouts)
    # Holm's first step is Bonferroni's: what a class needs that is worse on its own
    by_units = {units: least_harm(spread, k, units, on.level / len(rows)) for units in {each.units for each in layouts}}
    return [by_units[each.units] for each in layouts]


def _sentence(scores: Sequence[ClassGain], n_seeds: int) -> str:
    worse = sorted((each for each in scores if each.worse), key=lambda each: each.transfer - each.scratch)
    if n_seeds < FEWEST_SEEDS:
        return f"With {n_seeds} seeds nothing is said of single classes."
    if not worse:
        return f"No class is shown to be worse with transfer.{_what_could_be_seen(scores)}"
    names = ", ".join(
        f"{visible(each.name)} ({100 * (each.transfer - each.scratch):.1f} points)" for each in worse[:MOST_NAMED]
    )
    more = f" and {len(worse) - MOST_NAMED} more" if len(worse) > MOST_NAMED else ""
    verb = "is" if len(worse) == 1 else "are"
    return (
        f"{len(worse)} of {len(scores)} classes {verb} worse with transfer: {names}{more}.{_what_could_be_seen(scores)}"
    )


def _what_could_be_seen(scores: Sequence[ClassGain]) -> str:
    seen = sorted(100 * each.least_harm for each in scores if each.least_harm is not None)
    blind = sum(each.least_harm is None for each in scores)
    said = ""
    if seen:
        span = f"{seen[0]:.0f}" if round(seen[0]) == round(seen[-1]) else f"{seen[0]:.0f} to {seen[-1]:.0f}"
        said = f" A loss of {span} points, by the size of the class, would have been shown four times in five."
    if blind:
        said += f" {blind} {'class is' if blind == 1 else 'classes are'} too small to show any."
    return said
