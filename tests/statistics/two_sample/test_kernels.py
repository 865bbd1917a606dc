"""Sums of kernels over bins: tiles, groups, precisions, and the share of rounding."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.statistics.two_sample.naive import Floats, Ints, samples

from graft.statistics.two_sample import kernels
from graft.statistics.two_sample.kernels import bfloat16_share, bin_sums, engine

ROWS = samples(60, 2, 3, 0.0)[0]
GROUPS = np.repeat(np.arange(30), np.tile([1, 3], 15))
EDGES = np.array([0, 4, 5, 31, 60])  # bins of unequal size; one group lies in each row that a tile may cut


def naive_sums(rows: Floats, groups: Ints, edges: Ints, factor: float) -> Floats:
    distances2 = np.square(rows[:, None] - rows).sum(axis=2)
    kernel = np.exp(-factor * distances2 / 2) * (groups[:, None] != groups)
    sums: Floats = np.add.reduceat(np.add.reduceat(kernel, edges[:-1], axis=0), edges[:-1], axis=1)
    return sums


@pytest.mark.parametrize("height", [7, 16, 512])
@pytest.mark.parametrize("rows", [ROWS, torch.from_numpy(ROWS)], ids=["array", "tensor"])
def test_sums_agree_with_the_whole_kernel(rows: Any, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "TILE_ROWS", height)
    found = bin_sums(rows, GROUPS, EDGES, (1.0, 16.0))
    for sums, factor in zip(found, (1.0, 16.0), strict=True):
        np.testing.assert_allclose(sums, naive_sums(ROWS, GROUPS, EDGES, factor), rtol=1e-10)


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_less_precision_gives_nearly_the_same(precision: str, error: float) -> None:
    rows = torch.from_numpy(ROWS).to(getattr(torch, precision))
    np.testing.assert_allclose(bin_sums(rows, GROUPS, EDGES, (1.0,))[0], naive_sums(ROWS, GROUPS, EDGES, 1), rtol=error)


def test_single_rows_as_bins_give_the_kernel_without_its_diagonal() -> None:
    every = np.arange(61)
    found = bin_sums(ROWS, every[:-1], every, (1.0,))[0]
    np.testing.assert_allclose(found, naive_sums(ROWS, every[:-1], every, 1), rtol=1e-10)
    assert not np.diag(found).any()


def test_rows_far_from_the_origin_cannot_overflow_the_kernel() -> None:
    rows = np.concatenate([ROWS, ROWS[:1] + 1e8, ROWS[:1] + 1e8]).astype(np.float32)
    every = np.arange(63)
    assert bin_sums(rows, every[:-1], every, (1.0,)).max() <= 1


def test_rows_too_far_apart_are_an_error() -> None:
    every = np.arange(61)
    with pytest.raises(ValueError, match="want features whose squared distances are numbers"):
        bin_sums(ROWS.astype(np.float32) * np.float32(1e30), every[:-1], every, (1.0,))


def test_share_of_rounding_grows_as_bandwidths_narrow() -> None:
    rows = torch.from_numpy(ROWS).float()
    wide, narrow = (bfloat16_share(rows, (factor,)) for factor in (1 / 4, 64.0))
    assert 0 < wide < 0.01 < narrow
    assert bfloat16_share(rows, (1 / 4, 64.0)) == narrow


def test_share_of_rounding_is_that_of_the_statistic() -> None:
    rows, every = torch.from_numpy(samples(200, 2, 3, 0.0)[0]).float(), np.arange(201)
    fine, rough = (bin_sums(each, every[:-1], every, (4.0,))[0] for each in (rows, rows.bfloat16()))
    signs = np.where(np.random.default_rng(0).permuted(np.tile(every[:-1], (2000, 1)), axis=1) < 100, 1.0, -1.0)
    whole, change = (np.einsum("bi,ij,bj->b", signs, each, signs, optimize=True) for each in (fine, rough - fine))
    assert bfloat16_share(rows, (4.0,)) == pytest.approx(change.std() / whole.std(), rel=0.2)


def test_arrays_are_computed_by_torch_only_where_it_pays() -> None:
    rows = np.zeros((2, 512))
    assert engine(rows, 10_000) is np
    assert engine(rows, 100_000) is torch
    assert engine(torch.zeros(2, 512), 10) is torch
