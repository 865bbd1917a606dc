"""Rows of features as numpy arrays or torch tensors, through what both libraries spell alike."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# An (n, d) numpy array or torch tensor.
Rows = Any
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Numbers that are processed at once where rows are only read or copied: 8 MiB.
CHUNK_ELEMENTS = 2**20


def library(rows: Rows) -> Any:
    """Module whose functions take these rows: numpy or torch."""
    if isinstance(rows, np.ndarray):
        return np
    import torch

    return torch


def place(xp: Any, rows: Rows) -> dict[str, Any]:
    """Keywords that make xp create new arrays on the device of these rows."""
    return {} if xp is np else {"device": getattr(rows, "device", "cpu") if library(rows) is xp else "cpu"}


def like(array: NDArray[Any], rows: Rows) -> Rows:
    """Convert a numpy array to the library and device of the rows."""
    return array if isinstance(rows, np.ndarray) else library(rows).as_tensor(array, device=rows.device)


def cast(rows: Rows, precision: str) -> Rows:
    """Convert the rows to the number type of this name."""
    if isinstance(rows, np.ndarray):
        return rows.astype(precision, copy=False)
    return rows.to(getattr(library(rows), precision))


def to_numpy(array: Rows) -> NDArray[Any]:
    """Convert an array of either library to numpy."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu())


def chunks(n_rows: int, n_features: int) -> Iterator[slice]:
    """Ranges of rows with at most CHUNK_ELEMENTS numbers each, or with one row."""
    step = max(1, CHUNK_ELEMENTS // n_features)
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def row_keys(rows: Rows, precision: str) -> Ints:
    """Content of each row as a number, (n,), at a precision of float32 or float64.

    Equal rows have equal keys. Other rows do only by accident, with a chance of about 2^-32 for two rows. The key is a
    random linear form of the bits, modulo 2^64, so sorting by it gives an order that depends neither on the given order
    nor on the device.
    """
    whole, half = ("int32", 16) if precision == "float32" else ("int64", 32)
    draws = np.random.default_rng(0).integers(-(2**63), 2**63, rows.shape[1], dtype=np.int64) | 1
    factors = like(draws, rows)
    keys = np.empty(len(rows), dtype=np.int64)
    for part in chunks(*rows.shape):
        with np.errstate(over="ignore"):
            # Adding 0.0 turns -0.0 into 0.0: equal rows must have equal bits.
            values = cast(rows[part], precision) + 0.0
        bits = values.view(getattr(library(rows), whole))
        # Mix the high bits into the low ones, which are all zero for integers.
        bits = bits ^ (bits >> half)
        keys[part] = to_numpy((cast(bits, "int64") * factors).sum(axis=1))
    return keys


def taken(sides: Sequence[Rows], index: Ints) -> Rows:
    """Take rows by their positions in the pooled sides."""
    source, target = sides
    xp, ours = library(source), index < len(source)
    kind = xp.promote_types(source.dtype, target.dtype)
    rows = xp.empty((len(index), source.shape[1]), dtype=kind, **place(xp, source))
    precision = str(kind).removeprefix("torch.")
    rows[like(ours, source)] = cast(source[like(index[ours], source)], precision)
    rows[like(~ours, source)] = cast(target[like(index[~ours] - len(source), target)], precision)
    return rows


def parted(sides: tuple[Rows, Rows], index: Ints) -> tuple[Rows, Rows]:
    """Keep only these rows of both sides, by their ascending positions in the pooled sides."""
    source, target = sides
    ours, theirs = np.split(index, [np.searchsorted(index, len(source))])
    return source[like(ours, source)], target[like(theirs - len(source), target)]


def gathered(sides: Sequence[Rows], order: Ints, centre: Floats, scale: float, xp: Any, precision: str) -> Rows:
    """Take rows by their positions, centred, scaled and converted to xp at this precision: (len(order), d)."""
    rows = xp.empty((len(order), len(centre)), dtype=getattr(xp, precision), **place(xp, sides[0]))
    middle = like(centre, sides[0])
    for part in chunks(*rows.shape):
        with np.errstate(over="ignore"):
            moved = (taken(sides, order[part]) - middle) * scale
            rows[part] = moved if library(moved) is xp else xp.from_numpy(moved)
    return rows


def check_finite(numbers: Floats) -> None:
    """Refuse the result of features that are too large.

    Raises:
        ValueError: a number is not finite.
    """
    if not np.isfinite(numbers).all():
        raise ValueError(
            "source and target: want features whose squared distances are numbers, got some too far apart. "
            "Remove the rows with huge features."
        )
