"""Keys of rows by content, and rows taken by number."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.statistics.two_sample.naive import samples

from graft.statistics.two_sample import rows as rows_module
from graft.statistics.two_sample.rows import gathered, row_keys, taken


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_keys_depend_only_on_content(precision: str, as_tensor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = samples(50, 2, 7, 0.0)[0]
    keys = row_keys(rows, precision)
    order = np.random.default_rng(1).permutation(50)
    monkeypatch.setattr(rows_module, "CHUNK_ELEMENTS", 20)
    moved: Any = torch.from_numpy(rows[order]) if as_tensor else rows[order]
    np.testing.assert_array_equal(row_keys(moved, precision), keys[order])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_rows_of_small_integers_have_different_keys(precision: str) -> None:
    rows = np.stack(np.meshgrid(*[np.arange(-8.0, 8.0)] * 3), axis=-1).reshape(-1, 3)
    assert len(np.unique(row_keys(rows, precision))) == len(rows)


def test_positive_and_negative_zero_have_the_same_key() -> None:
    zeros = np.array([[0.0, 1.0], [-0.0, 1.0]])
    assert len(np.unique(row_keys(zeros, "float32"))) == 1


@pytest.mark.parametrize("as_tensors", [False, True])
def test_rows_are_taken_from_both_sides_in_order(as_tensors: bool) -> None:
    source, target = samples(5, 4, 2, 0.0)
    index = np.array([7, 0, 8, 4, 5, 1])
    sides: Any = (torch.from_numpy(source), torch.from_numpy(target)) if as_tensors else (source, target)
    np.testing.assert_array_equal(np.asarray(taken(sides, index)), np.concatenate([source, target])[index])


def test_a_side_in_32_bits_beside_one_in_64_keeps_the_64() -> None:
    source, target = samples(3, 3, 2, 0.0)
    assert taken((source.astype(np.float32), target), np.array([5]))[0, 0] == target[2, 0]


def test_gathered_rows_are_centred_and_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "CHUNK_ELEMENTS", 5)
    sides, centre = samples(5, 4, 2, 3.0), np.array([1.0, 2.0])
    order = np.array([8, 1, 0])
    wanted = (np.concatenate(sides)[order] - centre) * 0.5
    np.testing.assert_allclose(gathered(sides, order, centre, 0.5, np, "float32"), wanted, rtol=1e-6)
    rough = gathered(sides, order, centre, 0.5, torch, "bfloat16")
    assert rough.dtype is torch.bfloat16
    np.testing.assert_allclose(rough.float().numpy(), wanted, rtol=1e-2)
