"""Check that the splits of a domain are large enough, and alike in class distribution and appearance."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from graft.records.common import Split
from graft.statistics.features.separability import MOST_ROWS, Sample, Separability, separability
from graft.store.catalogue import SPLITS, CatalogRow, class_names
from graft.validation.domains import OpenDomain, pictures

# With this many images an accuracy is known to 3 percentage points (95 % interval), however small their share is.
ENOUGH_IMAGES = 1_000
N_PERMUTATIONS = 999
# A label shift counts if its p-value is at most this.
SHIFT_LEVEL = 0.01
# Distances that differ by less are equal but for rounding.
ROUNDING = 1e-12
THUMBNAIL_PX = 16
# A thumbnail, and mean and standard deviation of three channels.
N_FEATURES = 3 * THUMBNAIL_PX**2 + 6
CONFIDENCE = 0.95

Counts = NDArray[np.int64]


class Shift(NamedTuple):
    """Difference of class distribution between two splits."""

    distance: float
    """total variation: share of images that would have to change class for the distributions to be equal"""
    p_value: float
    """share of random divisions of the groups into two splits that differ at least as much; never 0"""


def split_table(domains: Sequence[OpenDomain], seed: int) -> pd.DataFrame:
    """One row for each split of a domain, and two rows that compare val, and test, with train.

    Columns: name, small_share (share of the domain's images; empty if a split has ENOUGH_IMAGES or none), label_shift
    (total variation between the class distributions of train and the split; 0 if chance explains it) and told_apart
    (AUC of a classifier between train and the split; 0.5 if chance explains it).

    Proportions alone are not a fault. With few labels, a test split many times as large as train is right, since it
    makes the verdict precise. A split that is small both as a share and in number is a fault, because more images
    were available.

    Args:
        domains: domains that have images.
        seed: seed for permutations, draws and folds.
    """
    rows = [each for domain in domains for each in _shares(domain)]
    others: tuple[Split, ...] = ("val", "test")
    for domain, split in itertools.product(domains, others):
        rows += [_shift_row(domain, split, seed), _told_row(domain, split, seed)]
    return pd.DataFrame(rows, columns=["name", "small_share", "label_shift", "told_apart"])


def label_shift(rows: Sequence[CatalogRow], split: Split, seed: int) -> Shift:
    """Difference of class distribution between a split and train.

    The distance counts images. The permutations of the p-value deal out groups, as splits are made of groups.

    Args:
        rows: rows of readable images of a domain.
        split: the split to be compared with train.
        seed: seed for the permutations.
    """
    # one row for each group, class and split
    one, two = _mixes({(row.group, row.label, row.split): row for row in rows}.values(), split)
    if not one.sum() or not two.sum():
        return Shift(0.0, 1.0)
    rng = np.random.default_rng(seed)
    dealt = rng.multivariate_hypergeometric(one + two, int(one.sum()), size=N_PERMUTATIONS, method="marginals")
    by_chance = np.array([_distance(each, one + two - each) for each in dealt])
    as_far = int(np.sum(by_chance >= _distance(one, two) - ROUNDING))
    return Shift(_distance(*_mixes(rows, split)), (1 + as_far) / (1 + N_PERMUTATIONS))


def told_apart(domain: OpenDomain, split: Split, seed: int) -> Separability | None:
    """How well a classifier separates train from another split of a domain; None if there are too few images.

    Its features are thumbnails of 16 x 16 px, and mean and standard deviation of the channels. Only images of equal
    class are compared, so that a different class distribution alone does not help it. Images of a group count as one.

    Args:
        domain: the domain.
        split: the split to be compared with train.
        seed: seed for the draw of images and the folds.
    """
    first, second = _sample(domain, "train", seed), _sample(domain, split, seed)
    return separability(first, second, confidence=CONFIDENCE, seed=seed)


def _shares(domain: OpenDomain) -> list[dict[str, Any]]:
    rows = domain.readable
    counts = Counter(row.split for row in rows)
    return [
        {
            "name": f"{domain.name}/{split} ({counts[split]} of {len(rows)} images)",
            "small_share": counts[split] / len(rows) if 0 < counts[split] < ENOUGH_IMAGES else np.nan,
        }
        for split in SPLITS
    ]


def _shift_row(domain: OpenDomain, split: Split, seed: int) -> dict[str, Any]:
    rows = domain.readable
    shift = label_shift(rows, split, seed)
    shares = [mix / max(mix.sum(), 1) for mix in _mixes(rows, split)]
    most = int(np.abs(shares[0] - shares[1]).argmax())
    return {
        "name": f"{domain.name}: train and {split} ({class_names(rows)[most]}: {shares[0][most]:.0%} of train, "
        f"{shares[1][most]:.0%} of {split}; total variation {shift.distance:.2f}, p {shift.p_value:.3f})",
        "label_shift": shift.distance if shift.p_value <= SHIFT_LEVEL else 0.0,
    }


def _told_row(domain: OpenDomain, split: Split, seed: int) -> dict[str, Any]:
    found = told_apart(domain, split, seed)
    name = f"{domain.name}: train and {split}"
    if found is None:
        return {"name": f"{name} (too few images to tell)", "told_apart": 0.5}
    share = f"{found.estimate:.0%} of pairs right, {found.low:.0%} to {found.high:.0%}"
    return {
        "name": f"{name} (a classifier orders {share})",
        "told_apart": found.estimate if found.low > 0.5 else 0.5,
    }


def _mixes(rows: Iterable[CatalogRow], split: Split) -> tuple[Counts, Counts]:
    """(c,) number of images of each class in train, and the same in another split."""
    counts = Counter((row.split, row.label) for row in rows)
    classes = sorted({label for _, label in counts})
    train, other = (np.array([counts[each, name] for name in classes], dtype=np.int64) for each in ("train", split))
    return train, other


def _distance(one: Counts, two: Counts) -> float:
    return float(np.abs(one / max(one.sum(), 1) - two / max(two.sum(), 1)).sum() / 2)


def _sample(domain: OpenDomain, split: Split, seed: int) -> Sample:
    """Features, groups and classes of images of a split, drawn at random if there are more than MOST_ROWS."""
    rows = [row for row in domain.readable if row.split == split]
    drawn = [rows[place] for place in np.sort(np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS])]
    features = np.zeros((len(drawn), N_FEATURES))
    for place, (row, image) in enumerate(zip(drawn, pictures(domain, [row.row for row in drawn]), strict=True)):
        features[place] = _features(image, row)
    groups, labels = (np.array([getattr(row, name) for row in drawn], dtype=np.str_) for name in ("group", "label"))
    return Sample(features, groups, labels)


def _features(image: NDArray[np.uint8], row: CatalogRow) -> NDArray[np.float64]:
    """(774,) thumbnail, then mean and standard deviation of the channels, all in [0, 1]."""
    small = Image.fromarray(image).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    channels = (row.mean_red, row.mean_green, row.mean_blue, row.std_red, row.std_green, row.std_blue)
    return np.concatenate([np.asarray(small, dtype=np.float64).ravel() / 255, channels])
