"""The distance of the target from the source, held against the distance between two source classes."""

import numpy as np
from numpy.typing import NDArray

from graft.params import MeasureShift
from graft.records import ShiftRecord, Similarity
from graft.statistics.mmd import pairwise_mmd2
from graft.statistics.two_sample import TwoSample, two_sample_test

Features = NDArray[np.float32]

UNDERPOWERED = 50
"""images a side below which the test misses small shifts (0.1 standard deviations) more often than not"""
QUANTILES = 101
"""of the null distribution that the record keeps"""


def measure(
    source: Features, source_labels: NDArray[np.int64], target: Features, params: MeasureShift, seed: int
) -> ShiftRecord:
    """Test and size the shift from source to target.

    With enough images every shift is significant, so size makes the similarity and not p: the squared MMD as
    a share of its median over pairs of source classes, at the same bandwidth.

    Args:
        source: (n, d) features of the source images by the unmodified backbone; no rows where there are none.
        source_labels: (n,) class numbers.
        target: (m, d) features of target images by the same backbone.
        params: permutations, and the shares that bound near and far.
        seed: of the permutations.

    Raises:
        ValueError: as `two_sample_test`.
    """
    if len(source) == 0:
        return _without_source(target)
    test = two_sample_test(source, target, n_permutations=params.n_permutations, seed=seed)
    yardstick = class_distance(source, source_labels, test.bandwidth2)
    similarity = similarity_of(test.mmd2, yardstick, params)
    return ShiftRecord(
        source="own",
        n_source=len(source),
        n_target=len(target),
        n_features=target.shape[1],
        mmd2=test.mmd2,
        p_value=test.p_value,
        n_permutations=params.n_permutations,
        bandwidth2=test.bandwidth2,
        null_mmd2=tuple(float(each) for each in np.quantile(test.null, np.linspace(0, 1, QUANTILES))),
        class_mmd2=yardstick,
        similarity=similarity,
        sentence=_sentence(test, yardstick, similarity, (len(source), len(target))),
    )


def class_distance(source: Features, labels: NDArray[np.int64], bandwidth2: float) -> float | None:
    """Median squared MMD between two source classes; None where fewer than two classes have two images."""
    numbers, counts = np.unique(labels, return_counts=True)
    classes = [source[labels == number] for number in numbers[counts >= 2]]
    return float(np.median(pairwise_mmd2(classes, bandwidth2))) if len(classes) >= 2 else None


def similarity_of(mmd2: float, class_mmd2: float | None, params: MeasureShift) -> Similarity:
    """near, mid or far; unknown where the source classes give no yardstick or do not differ themselves."""
    if class_mmd2 is None or class_mmd2 <= 0:
        return "unknown"
    share = mmd2 / class_mmd2
    if share < params.near_below:
        return "near"
    return "far" if share > params.far_above else "mid"


def _without_source(target: Features) -> ShiftRecord:
    return ShiftRecord(
        source="none",
        n_source=0,
        n_target=len(target),
        n_features=target.shape[1],
        mmd2=None,
        p_value=None,
        n_permutations=0,
        bandwidth2=None,
        null_mmd2=(),
        class_mmd2=None,
        similarity="unknown",
        sentence=(
            "There are no source images, so the distance of the target from the source is unknown; "
            "put some under data/raw/source to have it measured."
        ),
    )


def _sentence(test: TwoSample, yardstick: float | None, similarity: Similarity, sizes: tuple[int, int]) -> str:
    if yardstick is None:
        place = "lies at an unknown distance: fewer than two source classes have two images to compare it with"
    elif similarity == "unknown":
        place = "lies at an unknown distance: the source classes themselves do not lie apart"
    elif test.mmd2 <= 0:
        place = "lies no farther from the source than chance puts it"
    else:
        place = f"lies at {test.mmd2 / yardstick:.2f} of the squared distance between two source classes"
    numbers = f"MMD^2 {test.mmd2:.2g}, p = {test.p_value:.2g}, {sizes[0]} source and {sizes[1]} target images"
    close = "." if similarity == "unknown" else f": {similarity}."
    warning = f" With fewer than {UNDERPOWERED} images a side the test misses small shifts more often than not."
    return f"The target {place} ({numbers}){close}{warning if min(sizes) < UNDERPOWERED else ''}"
