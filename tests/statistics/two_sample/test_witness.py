"""The witness function against double loops, groups, order, and a cluster that was planted."""

import numpy as np
import pytest
from tests.statistics.two_sample.naive import Floats, Ints, kernel, naive_mmd2, samples

from graft.statistics.two_sample import kernels
from graft.statistics.two_sample.witness import Witness, witness

SIDES = samples(13, 9, 3, 0.7)
GROUPS = np.arange(13) % 5, np.array([0, 0, 0, 1, 2, 3, 3, 4, 2])


def naive_mean(x: Floats, rows: Floats, names: Ints) -> float:
    """Mean over groups of the mean kernel with their rows."""
    return float(np.mean([np.mean([kernel(x, y, 2.5) for y in rows[names == each]]) for each in np.unique(names)]))


def naive_witness(groups: tuple[Ints, Ints]) -> list[Witness]:
    found = []
    for side in (0, 1):
        rows, names = SIDES[side], groups[side]
        pairs = zip(rows, names, strict=True)
        own = np.array([naive_mean(x, rows[names != name], names[names != name]) for x, name in pairs])
        other = np.array([naive_mean(x, SIDES[1 - side], groups[1 - side]) for x in rows])
        found.append(Witness(other - own if side else own - other, own))
    return found


def close(one: tuple[Witness, Witness], other: list[Witness]) -> None:
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours.value, theirs.value, rtol=0, atol=1e-12)
        np.testing.assert_allclose(ours.typicality, theirs.typicality, rtol=0, atol=1e-12)


@pytest.mark.parametrize("height", [4, 7, 512])
@pytest.mark.parametrize("grouped", [False, True])
def test_agrees_with_a_double_loop(grouped: bool, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "TILE_ROWS", height)
    expected = naive_witness(GROUPS if grouped else (np.arange(13), np.arange(9)))
    close(witness(*SIDES, bandwidth2=2.5, groups=GROUPS if grouped else None), expected)


def test_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    orders = rng.permutation(13), rng.permutation(9)
    came = witness(*SIDES, bandwidth2=2.5, groups=GROUPS)
    sides, names = ([each[order] for each, order in zip(pair, orders, strict=True)] for pair in (SIDES, GROUPS))
    moved = witness(sides[0], sides[1], bandwidth2=2.5, groups=(names[0], names[1]))
    close(moved, [Witness(*(each[order] for each in side)) for side, order in zip(came, orders, strict=True)])


def test_values_of_source_minus_values_of_target_are_the_squared_mmd() -> None:
    ours, theirs = witness(*SIDES, bandwidth2=2.5, groups=GROUPS)
    means = [
        np.mean([side.value[names == each].mean() for each in np.unique(names)])
        for side, names in zip((ours, theirs), GROUPS, strict=True)
    ]
    assert means[0] - means[1] == pytest.approx(naive_mmd2(*SIDES, 2.5, GROUPS), abs=1e-12)


def test_rows_in_32_bits_are_computed_in_64() -> None:
    sides = [each.astype(np.float32) for each in SIDES]
    found = witness(sides[0], sides[1], bandwidth2=2.5)
    fine = witness(sides[0].astype(np.float64), sides[1].astype(np.float64), bandwidth2=2.5)
    assert found[0].value.dtype == np.float64
    close(found, list(fine))


@pytest.mark.parametrize("side", [0, 1])
def test_a_cluster_that_only_one_side_has_makes_the_difference_most(side: int) -> None:
    sides = samples(300, 200, 8, 0.0)
    sides[side][:12] += 4.0
    found = witness(*sides, bandwidth2=16.0)
    ranked = np.argsort(found[side].value if side else -found[side].value)
    assert set(ranked[:12].tolist()) == set(range(12))
    assert not set(np.argsort(-found[side].typicality)[:100].tolist()) & set(range(12))


def test_copies_of_an_image_do_not_make_each_other_typical() -> None:
    source, target = samples(60, 60, 4, 0.0)
    source[:30] = source[0] + 9.0
    names = np.where(np.arange(60) < 30, 0, np.arange(60))
    alone = witness(source, target, bandwidth2=8.0)[0]
    grouped = witness(source, target, bandwidth2=8.0, groups=(names, np.arange(60)))[0]
    assert alone.typicality.argmax() < 30
    assert (np.argsort(grouped.typicality)[:30] < 30).all()


def test_one_group_per_side_is_an_error() -> None:
    with pytest.raises(ValueError, match="groups of target: want at least 2 groups, got 1"):
        witness(*SIDES, bandwidth2=2.5, groups=(np.arange(13), np.zeros(9)))


@pytest.mark.parametrize("bandwidth2", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_is_not_above_zero_is_an_error(bandwidth2: float) -> None:
    with pytest.raises(ValueError, match="bandwidth2: want a number above 0"):
        witness(*SIDES, bandwidth2=bandwidth2)
