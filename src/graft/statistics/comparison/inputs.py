"""Scores, groups and classes as a caller gives them: checked, with an error that says what to do."""

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graft.statistics.comparison.layout import Layout, Names, layout_of

Floats = NDArray[np.float64]

# The fourth power of a larger score is no float.
LARGEST = 1e50

_MISSING = (
    "compare: want {name} that are all text or all numbers, got {got}. Give every image a name of one kind, "
    "and one of its own if it depends on no other."
)


def read_scores(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Scores of both arms as floats, (k, n) each.

    Raises:
        ValueError: whole numbers other than 0 and 1, numbers that are not finite or above LARGEST, masked ones, shapes
            that differ or are not (seeds, images), or fewer than two seeds.
    """
    scores_a, scores_b = _floats("a", a), _floats("b", b)
    if scores_a.ndim != 2 or scores_a.shape != scores_b.shape:
        raise ValueError(
            f"compare: want a and b as (seeds, images) of one shape, got {scores_a.shape} and {scores_b.shape}. "
            "Score both models with the same seeds on the same images."
        )
    if len(scores_a) < 2:
        raise ValueError(
            f"compare: want at least 2 seeds, got {len(scores_a)}. One training of each cannot tell a better model "
            "from a lucky seed: train both with more seeds."
        )
    return scores_a, scores_b


def read_layout(n_images: int, groups: ArrayLike | None, classes: ArrayLike | None) -> Layout:
    """Groups and classes of the images.

    Raises:
        ValueError: names for another number of images, missing ones or such of several kinds, or fewer than two images
            or groups.
    """
    names, labels = _names("groups", groups, n_images), _names("classes", classes, n_images)
    n_units = n_images if names is None else len(np.unique(names))
    if n_units < 2:
        what = "images" if names is None else "groups of images"
        raise ValueError(f"compare: want at least 2 {what}, got {n_units}. Add images that do not depend on these.")
    return layout_of(n_images, names, labels)


def check_question(margin: float, level: float) -> None:
    """Refuse a margin or a level that asks nothing.

    Raises:
        ValueError: a negative margin, or a level that is not between 0 and 0.5, or either is no number.
    """
    for name, asked in (("margin", margin), ("level", level)):
        if isinstance(asked, bool) or not isinstance(asked, Real):
            raise ValueError(f"compare: want {name} as a number, got {asked!r}. Give a share, such as 0.01.")
    if not 0 <= margin < math.inf:
        raise ValueError(
            f"compare: want a margin of at least 0, got {margin}. Give the largest difference that counts as none, in "
            "the unit of the scores, or 0 to switch EQUIVALENT off."
        )
    if not 0 < level < 0.5:
        raise ValueError(
            f"compare: want a level between 0 and 0.5, got {level}. Give the share of false claims that is allowed, "
            "such as 0.05."
        )


def check_margin_of_shares(margin: float) -> None:
    """Refuse a margin that no difference of shares can leave.

    Raises:
        ValueError: a margin of 1 or more.
    """
    if margin >= 1:
        raise ValueError(
            f"compare: want a margin below 1 for scores between 0 and 1, got {margin}. Such models never differ by "
            "more than 1: give a share, such as 0.01 for one point."
        )


def _floats(name: str, scores: ArrayLike) -> Floats:
    found = _array(name, scores)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"compare: want {name} as numbers, got {found.dtype}. Give a score for each seed and image.")
    if found.dtype.kind in "iu" and not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"compare: want whole numbers in {name} to be 0 (wrong) or 1 (right), got {found.max()}. Give "
            "`predicted == labels`, or scores as floats."
        )
    floats: Floats = found.astype(np.float64)
    if not np.isfinite(floats).all():
        raise ValueError(
            f"compare: want finite scores, got {int(np.sum(~np.isfinite(floats)))} in {name} that are not. A model "
            "without a prediction is wrong: score it 0, or leave its seed out of both models."
        )
    if np.abs(floats).max(initial=0.0) > LARGEST:
        raise ValueError(
            f"compare: want scores of at most {LARGEST:g} in {name}, got {np.abs(floats).max():g}. Give them in a "
            "larger unit."
        )
    return floats


def _array(name: str, given: ArrayLike) -> NDArray[Any]:
    if np.ma.is_masked(given):
        raise ValueError(
            f"compare: want {name} without a mask, got masked values. Leave these images or seeds out of both models, "
            "or fill them."
        )
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(
            f"compare: want {name} as a table, got rows of different lengths. Give one entry for each image."
        ) from error


def _names(name: str, names: ArrayLike | None, n_images: int) -> Names | None:
    if names is None:
        return None
    found = _array(name, names)
    if found.shape != (n_images,):
        raise ValueError(
            f"compare: want {name} as one name for each of {n_images} images, got shape {found.shape}. Give (images,) "
            "names, or None."
        )
    if isinstance(names, (list, tuple)) or found.dtype == object:
        # one by one, since numpy takes 1 and "1" of a list for the same name
        listed = np.asarray(names, dtype=object).tolist()
        _check_kinds(name, {_kind(each) for each in listed})
        found = np.asarray(listed)
    if found.dtype.kind in "fM" and np.isnan(found).any():
        raise ValueError(_MISSING.format(name=name, got=f"{int(np.isnan(found).sum())} missing"))
    return found


def _check_kinds(name: str, kinds: set[str]) -> None:
    if kinds not in ({"text"}, {"numbers"}, set()):
        raise ValueError(_MISSING.format(name=name, got=" and ".join(sorted(kinds))))


def _kind(name: object) -> str:
    if isinstance(name, str):
        return "text"
    return "numbers" if isinstance(name, (Real, np.bool_)) else type(name).__name__
