"""Checks of two samples of features, and the groups of their rows."""

import numpy as np

from graft.statistics.groups import Groups, group_sizes, turns_in
from graft.statistics.two_sample.rows import Ints, Rows, chunks, library


def checked_sides(source: Rows, target: Rows) -> tuple[Rows, Rows]:
    """Check both samples; tensors are returned without their gradients.

    Raises:
        ValueError: fewer than two rows on a side, a value that is not finite, different numbers of features, or an
            array beside a tensor.
    """
    if library(source) is not library(target) or getattr(source, "device", None) != getattr(target, "device", None):
        raise ValueError(
            f"source and target: want two arrays, or two tensors on one device, got {_kind(source)} and "
            f"{_kind(target)}. Move one of them."
        )
    _check_rows("source", source)
    _check_rows("target", target)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            "source and target: want the same number of features in every row, got "
            f"{source.shape[1]} and {target.shape[1]}. Extract both with the same backbone."
        )
    return (source, target) if isinstance(source, np.ndarray) else (source.detach(), target.detach())


def check_bandwidth2(bandwidth2: float) -> None:
    """Refuse a bandwidth that no kernel can have.

    Raises:
        ValueError: the bandwidth is not above 0.
    """
    if not bandwidth2 > 0:
        raise ValueError(f"bandwidth2: want a number above 0, got {bandwidth2}. Take it from two_sample_test.")


def group_numbers(sizes: tuple[int, int], groups: tuple[Groups, Groups] | None) -> Ints:
    """Number of the group of each pooled row, (n + m,); a name on both sides means two groups.

    Args:
        sizes: n and m.
        groups: (n,) and (m,) names; None: every row is a group.

    Raises:
        ValueError: names of another length, or fewer than two groups on a side.
    """
    if groups is None:
        return np.arange(sum(sizes))
    numbers: list[Ints] = []
    for side, size, names in zip(("source", "target"), sizes, groups, strict=True):
        if np.shape(names) != (size,):
            raise ValueError(
                f"groups of {side}: want a name for each of {size} rows, got {np.shape(names)}. "
                "Give one name per row, or None."
            )
        found, number = np.unique(names, return_inverse=True)
        if len(found) < 2:
            raise ValueError(
                f"groups of {side}: want at least 2 groups, got 1. Add images of other groups, or give None."
            )
        numbers.append(number + (numbers[0].max() + 1 if numbers else 0))
    return np.concatenate(numbers)


def smallest_keys(unit: Ints, keys: Ints) -> Ints:
    """Smallest key of the rows of each unit, (units,); in sums of keys, rows could cancel.

    Args:
        unit: (n,) number of each row's unit, from 0 without gaps.
        keys: (n,) content of each row as a number.
    """
    smallest = np.full(int(unit.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, unit, keys)
    return smallest


def turns(keys: Ints, groups: Ints, rng: np.random.Generator) -> Ints:
    """Turn of each row in its group, (n,), from 0: a random order that does not depend on the order of the rows.

    Args:
        keys: (n,) content of each row as a number.
        groups: (n,) number of each row's group.
        rng: draws the order; it is not used where every row is a group.
    """
    sizes, unit = group_sizes(groups)
    if sizes.max() == 1:
        return np.zeros(len(groups), dtype=np.int64)
    place = np.empty(len(groups), dtype=np.int64)
    place[np.lexsort((keys, unit, smallest_keys(unit, keys)[unit]))] = rng.permutation(len(groups))
    return turns_in(place, groups)


def rows_of_even_groups(keys: Ints, groups: Ints, n_source: int, rng: np.random.Generator) -> Ints:
    """Rows to keep so that the groups of both sides have equal sizes, rank by rank.

    The mean of a group varies less the more rows it has. Where one side's groups are larger, permuted labellings mix
    them and vary differently from the observed labelling, and the level is lost. So a group keeps no more rows than the
    group of the same rank by size on the other side. All rows are kept where every group has one row.

    Args:
        keys: (n + m,) content of each pooled row as a number.
        groups: (n + m,) number of each row's group; no group has rows on both sides.
        n_source: n, the number of source rows.
        rng: draws the rows that are kept, and the ranks of groups of equal size.

    Returns:
        Positions of the rows, in ascending order.
    """
    sizes, unit = group_sizes(groups)
    if sizes.max() == 1:
        return np.arange(len(groups))
    turn, content = turns(keys, groups, rng), smallest_keys(unit, keys)
    ours = np.zeros(len(sizes), dtype=np.bool_)
    ours[unit[:n_source]] = True
    ranked = []
    for side in (np.flatnonzero(ours), np.flatnonzero(~ours)):
        shuffled = rng.permutation(side[np.argsort(content[side], kind="stable")])
        ranked.append(shuffled[np.argsort(sizes[shuffled], kind="stable")])
    allowed = sizes.copy()
    for side, other in (ranked, ranked[::-1]):
        # Rank on the other side: the middle of each rank, scaled to the other side's number of groups.
        as_high = (2 * np.arange(len(side)) + 1) * len(other) // (2 * len(side))
        allowed[side] = np.minimum(sizes[side], sizes[other[as_high]])
    return np.flatnonzero(turn < allowed[unit])


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
