"""Rows of features as numpy arrays or torch tensors, by what both libraries spell alike."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = Any
"""(n, d) numpy array or torch tensor"""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK_ELEMENTS = 2**20
"""of the rows in work at once where they are only read or copied: 8 MiB"""


def library(rows: Rows) -> Any:
    """The module whose functions take these rows: numpy, or torch."""
    if isinstance(rows, np.ndarray):
        return np
    import torch

    return torch


def place(xp: Any, rows: Rows) -> dict[str, Any]:
    """Where xp is to put new arrays that go with these rows, as keywords."""
    return {} if xp is np else {"device": getattr(rows, "device", "cpu") if library(rows) is xp else "cpu"}


def like(array: NDArray[Any], rows: Rows) -> Rows:
    """A numpy array as an array of the library, and on the device, of the rows."""
    return array if isinstance(rows, np.ndarray) else library(rows).as_tensor(array, device=rows.device)


def cast(rows: Rows, precision: str) -> Rows:
    """The rows as numbers of the type with that name."""
    if isinstance(rows, np.ndarray):
        return rows.astype(precision, copy=False)
    return rows.to(getattr(library(rows), precision))


def to_numpy(array: Rows) -> NDArray[Any]:
    """An array of either library as numpy's."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu())


def chunks(n_rows: int, n_features: int) -> Iterator[slice]:
    """Ranges of rows, each of at most CHUNK_ELEMENTS numbers, or of one row."""
    step = max(1, CHUNK_ELEMENTS // n_features)
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def row_keys(rows: Rows, precision: str) -> Ints:
    """(n,) a number for the content of each row at this precision, float32 or float64.

    Equal rows have equal keys, and others do but by accident (a chance of about 2^-32 for two rows). Sorting by the key
    puts rows in an order that depends neither on how they came nor on where they lie: it is a random linear
    form of their bits, modulo 2^64.
    """
    whole, half = ("int32", 16) if precision == "float32" else ("int64", 32)
    draws = np.random.default_rng(0).integers(-(2**63), 2**63, rows.shape[1], dtype=np.int64) | 1
    factors = like(draws, rows)
    keys = np.empty(len(rows), dtype=np.int64)
    for part in chunks(*rows.shape):
        with np.errstate(over="ignore"):
            values = cast(rows[part], precision) + 0.0  # makes one zero of two
        bits = values.view(getattr(library(rows), whole))
        bits = bits ^ (bits >> half)  # low bits too: those of whole numbers are all zero
        keys[part] = to_numpy((cast(bits, "int64") * factors).sum(axis=1))
    return keys


def taken(sides: Sequence[Rows], index: Ints) -> Rows:
    """Rows by their numbers in the pooled sides."""
    source, target = sides
    xp, ours = library(source), index < len(source)
    kind = xp.promote_types(source.dtype, target.dtype)
    rows = xp.empty((len(index), source.shape[1]), dtype=kind, **place(xp, source))
    precision = str(kind).removeprefix("torch.")
    rows[like(ours, source)] = cast(source[like(index[ours], source)], precision)
    rows[like(~ours, source)] = cast(target[like(index[~ours] - len(source), target)], precision)
    return rows


def parted(sides: tuple[Rows, Rows], index: Ints) -> tuple[Rows, Rows]:
    """Both sides with these rows alone, by their ascending numbers in the pooled sides."""
    source, target = sides
    ours, theirs = np.split(index, [np.searchsorted(index, len(source))])
    return source[like(ours, source)], target[like(theirs - len(source), target)]


def gathered(sides: Sequence[Rows], order: Ints, centre: Floats, scale: float, xp: Any, precision: str) -> Rows:
    """(len(order), d) rows by their numbers, less the centre, times the scale, as xp's numbers of that precision."""
    rows = xp.empty((len(order), len(centre)), dtype=getattr(xp, precision), **place(xp, sides[0]))
    middle = like(centre, sides[0])
    for part in chunks(*rows.shape):
        with np.errstate(over="ignore"):
            moved = (taken(sides, order[part]) - middle) * scale
            rows[part] = moved if library(moved) is xp else xp.from_numpy(moved)
    return rows


def check_finite(numbers: Floats) -> None:
    """Refuse what came of features too large.

    Raises:
        ValueError: a number that is not finite.
    """
    if not np.isfinite(numbers).all():
        raise ValueError(
            "source and target: want features whose squared distances are numbers, got some too far apart. "
            "Remove the rows with huge features."
        )
