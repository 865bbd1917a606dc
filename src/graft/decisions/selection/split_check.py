"""Whether splits hold images of the same kind: a classifier on frozen features tries to tell them apart."""

import numpy as np

from graft.decisions.selection.choice import Target
from graft.records.checks import SplitCheck
from graft.records.common import Interval, Split
from graft.statistics.features.separability import Sample, Separability, separability
from graft.store.catalogue import class_names, labelled, labels_from

CONFIDENCE = 0.95
# Area under the ROC curve below which a difference is too small to matter, however significant it is.
LARGE_ENOUGH = 0.55
NO_TRAIN = SplitCheck(
    other="test",
    by_class=False,
    auc=None,
    warns=False,
    sentence="Splits are not compared: the target has no labelled train images that others could be held against.",
)


def check_splits(target: Target, seed: int) -> tuple[SplitCheck, ...]:
    """Compare train with val within classes, and train with test without labels.

    Labels of the test split are not used, so that nothing of it is known but what its images look like. In that
    comparison a different mix of classes shows as well.

    Args:
        target: cached features and catalogue.
        seed: seed of the folds.
    """
    if labels_from(target.catalog) == "source":
        return (NO_TRAIN,)
    return (_check(target, "val", True, seed), _check(target, "test", False, seed))


def _check(target: Target, other: Split, by_class: bool, seed: int) -> SplitCheck:
    found = separability(
        _sample(target, "train", by_class), _sample(target, other, by_class), confidence=CONFIDENCE, seed=seed
    )
    warns = found is not None and found.low > 0.5 and found.estimate >= LARGE_ENOUGH
    return SplitCheck(
        other=other,
        by_class=by_class,
        auc=None if found is None else Interval(estimate=found.estimate, low=found.low, high=found.high),
        warns=warns,
        sentence=_sentence(other, by_class, found, warns),
    )


def _sample(target: Target, split: Split, by_class: bool) -> Sample:
    images = labelled(target.catalog, class_names(target.catalog), split)
    # one stratum for all images if classes are not compared
    strata = images.labels if by_class else np.zeros_like(images.labels)
    return Sample(target.features[images.rows], images.groups, strata)


def _sentence(other: Split, by_class: bool, found: Separability | None, warns: bool) -> str:
    if found is None:
        return f"Too few images (or groups) to say whether train and {other} are alike."
    size = f"area under the curve {found.estimate:.2f}, {CONFIDENCE:.0%} interval {found.low:.2f} to {found.high:.2f}"
    pairs = " of the same class" if by_class else ""
    if not warns:
        return f"Images{pairs} of train and {other} were not told apart by their features ({size})."
    cause = "" if by_class else ", or the mix of classes differs"
    return (
        f"{other.capitalize()} images{pairs} can be told from train images by their features ({size}): they were taken "
        f"or handled differently{cause}. Is {other} meant to come from elsewhere (another site, year or device)? Then "
        "keep it so; if not, cut the splits at random from all images, by group."
    )
