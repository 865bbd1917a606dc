"""Are the splits of a domain large enough, alike in their mix of classes, and alike to look at."""

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

ENOUGH_IMAGES = 1_000
"""an accuracy measured on so many images is known to 3 points (95 % interval), whatever share of the data they are"""
N_PERMUTATIONS = 999
SHIFT_LEVEL = 0.01
"""a shift of the mix of classes counts where chance gives one as large in fewer cases"""
ROUNDING = 1e-12
THUMBNAIL_PX = 16
N_FEATURES = 3 * THUMBNAIL_PX**2 + 6
CONFIDENCE = 0.95

Counts = NDArray[np.int64]


class Shift(NamedTuple):
    """How far the mix of classes differs between two splits."""

    distance: float
    """total variation: the share of images that would have to change class for the mixes to be equal"""
    p_value: float
    """share of random divisions of the groups into two that lie as far apart; never 0"""


def split_table(domains: Sequence[OpenDomain], seed: int) -> pd.DataFrame:
    """One row a split of a domain, and two for train beside each other split.

    Columns: name, small_share (share of the domain's images; empty where a split has ENOUGH_IMAGES or none),
    label_shift (total variation of the mix of classes from train; 0 where chance explains it) and told_apart (area
    under the curve of a classifier between train and the other split; 0.5 where chance explains it).

    Proportions alone are no fault: with few labels a test split many times as large as train is right, since it
    makes the verdict sharp. What is wrong is a split that is small both as a share and as a number, because more
    images were there to be had.

    Args:
        domains: domains that have images.
        seed: of permutations, draws and folds.
    """
    rows = [each for domain in domains for each in _shares(domain)]
    others: tuple[Split, ...] = ("val", "test")
    for domain, split in itertools.product(domains, others):
        rows += [_shift_row(domain, split, seed), _told_row(domain, split, seed)]
    return pd.DataFrame(rows, columns=["name", "small_share", "label_shift", "told_apart"])


def label_shift(rows: Sequence[CatalogRow], split: Split, seed: int) -> Shift:
    """How far the mix of classes of a split lies from that of train.

    The distance counts images; the p-value deals out groups, which is how images come into splits.

    Args:
        rows: readable images of a domain.
        split: the other split.
        seed: of the permutations.
    """
    one, two = _mixes({(row.group, row.label, row.split): row for row in rows}.values(), split)
    if not one.sum() or not two.sum():
        return Shift(0.0, 1.0)
    rng = np.random.default_rng(seed)
    dealt = rng.multivariate_hypergeometric(one + two, int(one.sum()), size=N_PERMUTATIONS, method="marginals")
    by_chance = np.array([_distance(each, one + two - each) for each in dealt])
    as_far = int(np.sum(by_chance >= _distance(one, two) - ROUNDING))
    return Shift(_distance(*_mixes(rows, split)), (1 + as_far) / (1 + N_PERMUTATIONS))


def told_apart(domain: OpenDomain, split: Split, seed: int) -> Separability | None:
    """How well a classifier tells train from another split of a domain; None where there are too few images.

    It sees thumbnails of 16 x 16 px and mean and deviation of the channels, and compares images of the same class
    only, so that another mix of classes alone does not help it. Images of a group count as one.

    Args:
        domain: the domain.
        split: the other split.
        seed: of the draw of images and of the folds.
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
    """(c,) images of each class in train, and in another split."""
    counts = Counter((row.split, row.label) for row in rows)
    classes = sorted({label for _, label in counts})
    train, other = (np.array([counts[each, name] for name in classes], dtype=np.int64) for each in ("train", split))
    return train, other


def _distance(one: Counts, two: Counts) -> float:
    return float(np.abs(one / max(one.sum(), 1) - two / max(two.sum(), 1)).sum() / 2)


def _sample(domain: OpenDomain, split: Split, seed: int) -> Sample:
    """Features, groups and classes of at most so many images of a split as the classifier looks at."""
    rows = [row for row in domain.readable if row.split == split]
    drawn = [rows[place] for place in np.sort(np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS])]
    features = np.zeros((len(drawn), N_FEATURES))
    for place, (row, image) in enumerate(zip(drawn, pictures(domain, [row.row for row in drawn]), strict=True)):
        features[place] = _features(image, row)
    groups, labels = (np.array([getattr(row, name) for row in drawn], dtype=np.str_) for name in ("group", "label"))
    return Sample(features, groups, labels)


def _features(image: NDArray[np.uint8], row: CatalogRow) -> NDArray[np.float64]:
    """(774,) a thumbnail, and mean and deviation of the channels."""
    small = Image.fromarray(image).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    channels = (row.mean_red, row.mean_green, row.mean_blue, row.std_red, row.std_green, row.std_blue)
    return np.concatenate([np.asarray(small, dtype=np.float64).ravel() / 255, channels])
