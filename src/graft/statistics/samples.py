"""What may be compared: two samples of features, and the groups that their rows come in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.statistics.rows import Ints, Rows, chunks, library

Groups = NDArray[Any]


def checked_sides(source: Rows, target: Rows) -> tuple[Rows, Rows]:
    """Both samples, tensors without their gradients.

    Raises:
        ValueError: fewer than two rows a side, a value that is not finite, different numbers of features, or an
            array beside a tensor.
    """
    if library(source) is not library(target) or getattr(source, "device", None) != getattr(target, "device", None):
        raise ValueError(
            f"source and target: want both as arrays, or both as tensors on one device, got {_kind(source)} and "
            f"{_kind(target)}. Move one of them."
        )
    _check_rows("source", source)
    _check_rows("target", target)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"source and target: want as many features a row, got {source.shape[1]} and {target.shape[1]}. "
            "Extract both with the same backbone."
        )
    return (source, target) if isinstance(source, np.ndarray) else (source.detach(), target.detach())


def check_bandwidth2(bandwidth2: float) -> None:
    """Refuse a bandwidth that no kernel has.

    Raises:
        ValueError: it is not above 0.
    """
    if not bandwidth2 > 0:
        raise ValueError(f"bandwidth2: want a number above 0, got {bandwidth2}. Take it from two_sample_test.")


def group_numbers(sizes: tuple[int, int], groups: tuple[Groups, Groups] | None) -> Ints:
    """(n + m,) a whole number for the group of each pooled row; a name on both sides makes two groups.

    Args:
        sizes: n and m.
        groups: (n,) and (m,) names; None: each row is a group.

    Raises:
        ValueError: names of another length, or fewer than two groups a side.
    """
    if groups is None:
        return np.arange(sum(sizes))
    numbers: list[Ints] = []
    for side, size, names in zip(("source", "target"), sizes, groups, strict=True):
        if np.shape(names) != (size,):
            raise ValueError(
                f"groups of {side}: want a name for each of {size} rows, got {np.shape(names)}. "
                "Give one name a row, or None."
            )
        found, number = np.unique(names, return_inverse=True)
        if len(found) < 2:
            raise ValueError(
                f"groups of {side}: want at least 2 groups, got 1. Add images of other groups, or give None."
            )
        numbers.append(number + (numbers[0].max() + 1 if numbers else 0))
    return np.concatenate(numbers)


def _check_rows(side: str, rows: Rows) -> None:
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 1:
        raise ValueError(f"{side}: want at least 2 rows of features, (n, d), got {tuple(rows.shape)}. Add images.")
    xp = library(rows)
    for part in chunks(*rows.shape):
        finite = xp.isfinite(rows[part])
        if not finite.all():
            row = int((~finite.all(axis=1)).nonzero()[0][0])
            value = float(rows[part][row][~finite[row]][0])
            raise ValueError(
                f"{side}, row {part.start + row}: want finite features, got {value}. Mend or remove that row."
            )


def _kind(rows: Rows) -> str:
    return "an array" if isinstance(rows, np.ndarray) else f"a tensor on {rows.device}"
