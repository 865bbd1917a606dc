"""Level and power of the two-sample test by many draws: bounds lie at the 99.9 % limit of an honest method's count."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.stats import binom
from tests.statistics.two_sample.naive import Floats, Ints

from graft.shift.per_class import ClassShift, per_class_shift
from graft.statistics.two_sample import bandwidths as bandwidths_module
from graft.statistics.two_sample import kernels, permutations, two_sample
from graft.statistics.two_sample.two_sample import FAMILY, two_sample_test

pytestmark = pytest.mark.simulation

DRAWS = 1_000
Side = Callable[[np.random.Generator], Floats]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Ints | None]]


def gaussian(rng: np.random.Generator, n: int) -> tuple[Floats, None]:
    return rng.normal(size=(n, 3)), None


def heavy_tails(rng: np.random.Generator, n: int) -> tuple[Floats, None]:
    return rng.standard_cauchy(size=(n, 3)), None


def sorted_by_class(rng: np.random.Generator, n: int) -> tuple[Floats, None]:
    return rng.normal(size=(n, 3)) + 4.0 * np.sort(rng.integers(0, 3, n))[:, None], None


def equal_rows(rng: np.random.Generator, n: int) -> tuple[Floats, None]:
    return rng.integers(0, 3, size=(n, 2)).astype(np.float64), None


def grouped(rng: np.random.Generator, n: int) -> tuple[Floats, Ints]:
    names = np.repeat(np.arange(n), rng.integers(1, 5, n))  # n groups of one to four rows
    return rng.normal(size=(n, 3))[names] + 0.7 * rng.normal(size=(len(names), 3)), names


def near_duplicates(rng: np.random.Generator, n: int) -> tuple[Floats, Ints]:
    names = np.repeat(np.arange(n), 1 + (rng.random(n) < 0.3) * 3)  # three in ten images came four times
    return rng.normal(size=(n, 3))[names] + 0.01 * rng.normal(size=(len(names), 3)), names


EXACT: list[tuple[Draw, int, int]] = [
    (gaussian, 20, 14),
    (gaussian, 6, 40),
    (heavy_tails, 20, 14),
    (sorted_by_class, 20, 14),
    (equal_rows, 20, 14),
    (grouped, 14, 9),
    (near_duplicates, 14, 9),
]
BINNED: list[tuple[Draw, int, int]] = [
    (gaussian, 70, 47),
    (gaussian, 140, 17),
    (heavy_tails, 70, 47),
    (sorted_by_class, 70, 47),
    (equal_rows, 70, 47),
    (grouped, 70, 47),
    (near_duplicates, 70, 47),
]


def of_sizes(rng: np.random.Generator, sizes: Sequence[int], share: float, d: int = 3) -> tuple[Floats, Ints]:
    """Groups of these sizes, with this share of the variance between them."""
    names = np.repeat(np.arange(len(sizes)), sizes)
    between, within = rng.normal(size=(len(sizes), d))[names], rng.normal(size=(len(names), d))
    return np.sqrt(share) * between + np.sqrt(1 - share) * within, names


UNEQUAL: dict[str, tuple[list[int], list[int], float, int]] = {
    "one group of half the rows and more on both sides": ([100] + [1] * 100, [30] + [1] * 20, 0.95, 3),
    "single rows against one large group among single rows": ([1] * 100, [30] + [1] * 20, 0.95, 3),
    "the same in eight features": ([1] * 80, [60] + [1] * 20, 0.95, 8),
    "a few single rows against many groups": ([1] * 15, [4] * 30, 0.5, 3),
}
"""sizes of the groups of both sides, share of the variance between groups, and features"""


def p_values(draw: Draw, n: int, m: int, draws: int = DRAWS, use_groups: bool = True) -> Floats:
    found = []
    for seed in range(draws):
        rng = np.random.default_rng((n, m, seed))
        (source, ours), (target, theirs) = draw(rng, n), draw(rng, m)
        groups = None if ours is None or theirs is None or not use_groups else (ours, theirs)
        found.append(two_sample_test(source, target, n_permutations=199, seed=seed, groups=groups).p_value)
    return np.array(found)


def check_level(found: Floats) -> None:
    for level in (0.05, 0.01):
        low, high = binom.ppf([0.0005, 0.9995], DRAWS, level)
        assert low <= np.count_nonzero(found <= level) <= high
    assert found.min() >= 1 / 200


@pytest.mark.parametrize(("draw", "n", "m"), EXACT)
def test_level_is_kept_exactly(draw: Draw, n: int, m: int) -> None:
    check_level(p_values(draw, n, m))


@pytest.mark.parametrize(("draw", "n", "m"), BINNED)
def test_level_is_kept_in_bins(draw: Draw, n: int, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutations, "EXACT", 60)
    monkeypatch.setattr(permutations, "BINS", 40)
    monkeypatch.setattr(permutations, "LEAST_BINS", 8)
    monkeypatch.setattr(bandwidths_module, "SAMPLE_ROWS", 60)
    monkeypatch.setattr(kernels, "TILE_ROWS", 64)
    check_level(p_values(draw, n, m))


def check_at_most(found: Floats) -> None:
    for level in (0.05, 0.01):
        assert np.count_nonzero(found <= level) <= binom.ppf(0.999, len(found), level)


def unequal_p_values(case: tuple[list[int], list[int], float, int], draws: int) -> Floats:
    found = []
    for seed in range(draws):
        rng = np.random.default_rng((seed, 7))
        (source, ours), (target, theirs) = (of_sizes(rng, each, *case[2:]) for each in case[:2])
        found.append(two_sample_test(source, target, n_permutations=199, seed=seed, groups=(ours, theirs)).p_value)
    return np.array(found)


@pytest.mark.parametrize("case", UNEQUAL.values(), ids=UNEQUAL)
def test_groups_of_unequal_size_keep_the_level(
    case: tuple[list[int], list[int], float, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_sample, "detectable_shift", lambda *_: None)  # half the time, and no part of p
    check_at_most(unequal_p_values(case, DRAWS))


def test_groups_of_unequal_size_keep_the_level_in_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "detectable_shift", lambda *_: None)
    monkeypatch.setattr(permutations, "EXACT", 60)
    monkeypatch.setattr(permutations, "BINS", 40)
    monkeypatch.setattr(permutations, "LEAST_BINS", 8)
    check_at_most(unequal_p_values(([20, 20, 20] + [1] * 60, [60] + [2] * 40, 0.95, 3), DRAWS // 2))


def test_groups_of_unequal_size_keep_the_level_class_by_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "detectable_shift", lambda *_: None)
    found: list[ClassShift] = []
    for seed in range(DRAWS // 4):
        rng, sides = np.random.default_rng((seed, 8)), []
        for sizes in ([1] * 30, [20] + [1] * 10):
            (one, names), (other, _) = (of_sizes(rng, sizes, 0.95) for _ in range(2))
            labels = np.repeat([0, 1], len(names))
            sides.append((np.concatenate([one, other]), labels, np.concatenate([names, len(sizes) + names])))
        found += per_class_shift(sides[0], sides[1], bandwidth2=6.0, n_permutations=199, seed=seed)
    check_at_most(np.array([each.p_value for each in found]))


def test_a_shift_is_found_beside_a_large_group() -> None:
    """Where all groups but one are single rows, the test finds what it finds in as many single rows."""
    found = []
    for sizes in ([40] + [1] * 39, [1] * 40):
        draws = (np.random.default_rng((seed, 9)) for seed in range(100))
        sides = [(of_sizes(rng, [1] * 80, 0.5), of_sizes(rng, sizes, 0.5)) for rng in draws]
        tests = [two_sample_test(a, b + 0.4, n_permutations=199, seed=0, groups=(c, d)) for (a, c), (b, d) in sides]
        found.append(sum(test.p_value <= 0.05 for test in tests))
    assert found[0] >= binom.ppf(0.001, 100, found[1] / 100)


def test_near_duplicates_that_are_not_grouped_break_the_level() -> None:
    found = p_values(near_duplicates, 14, 9, draws=200, use_groups=False)
    assert np.count_nonzero(found <= 0.05) > binom.ppf(0.9995, 200, 0.05)


def hits(source: Side, target: Side, bandwidths: tuple[float, ...] = FAMILY) -> int:
    """Rejections at 0.05 in 100 draws."""
    rngs = [np.random.default_rng(seed) for seed in range(100)]
    tests = [
        two_sample_test(source(rng), target(rng), n_permutations=199, seed=0, bandwidths=bandwidths) for rng in rngs
    ]
    return sum(test.p_value <= 0.05 for test in tests)


def test_a_shift_of_a_tenth_of_a_deviation_is_found() -> None:
    found = hits(lambda rng: rng.normal(size=(200, 64)), lambda rng: rng.normal(size=(200, 64)) + 0.1)
    assert found >= binom.ppf(0.001, 100, 0.95)


def grid(rng: np.random.Generator, n: int, correlation: float) -> Floats:
    """(n, 2) nine Gaussians, eight deviations apart."""
    within = rng.multivariate_normal((0, 0), ((1, correlation), (correlation, 1)), n)
    rows: Floats = within + 8.0 * rng.integers(0, 3, size=(n, 2))
    return rows


def test_fine_structure_is_found_where_the_median_bandwidth_alone_is_blind() -> None:
    ours, theirs = lambda rng: grid(rng, 300, 0.0), lambda rng: grid(rng, 300, 0.8)
    assert hits(ours, theirs) >= binom.ppf(0.001, 100, 0.80)
    assert hits(ours, theirs, bandwidths=(1.0,)) <= binom.ppf(0.999, 100, 0.05)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 40, 16), (100, 30, 16), (200, 200, 1)])
def test_the_detectable_shift_is_found_in_about_four_of_five_draws(n: int, m: int, d: int) -> None:
    rng = np.random.default_rng(0)
    null = [
        two_sample_test(rng.normal(size=(n, d)), rng.normal(size=(m, d)), n_permutations=199, seed=0) for _ in range(20)
    ]
    shift = np.median([test.detectable_shift for test in null if test.detectable_shift is not None])
    found = hits(lambda rng: rng.normal(size=(n, d)), lambda rng: rng.normal(size=(m, d)) + shift)
    assert binom.ppf(0.0005, 100, 0.75) <= found <= binom.ppf(0.9995, 100, 0.85)
