import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from graft.statistics.groups import Groups
from graft.statistics.two_sample import frechet
from graft.statistics.two_sample.frechet import (
    Array,
    FrechetDistance,
    frechet_by_chance,
    frechet_distance,
    ledoit_wolf_share,
)


def test_agrees_with_the_matrix_root() -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(90, 6)) @ rng.normal(size=(6, 6))
    target = rng.normal(size=(70, 6)) @ rng.normal(size=(6, 6)) + 1
    cov1, cov2 = np.cov(source.T), np.cov(target.T)
    expected = np.trace(cov1 + cov2 - 2 * np.real(sqrtm(cov1 @ cov2)))
    found = frechet_distance(source, target)
    assert found.of_covariances == pytest.approx(expected, rel=1e-8)
    assert found.of_means == pytest.approx(np.sum((source.mean(axis=0) - target.mean(axis=0)) ** 2))
    assert found.distance2 == pytest.approx(found.of_means + found.of_covariances)
    assert found.shrinkage == (0, 0)


@pytest.mark.parametrize("n", [20, 40])
def test_with_few_rows_agrees_with_the_root_of_shrunk_covariances(n: int) -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(n, 40)), rng.normal(size=(90, 40)) * 2
    cov1, cov2 = (LedoitWolf().fit(each).covariance_ * len(each) / (len(each) - 1) for each in (source, target))
    expected = np.trace(cov1 + cov2 - 2 * np.real(sqrtm(cov1 @ cov2)))
    assert frechet_distance(source, target).of_covariances == pytest.approx(expected, rel=1e-8)


def test_few_rows_of_either_side_shrink_both_covariances() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(20, 40)), rng.normal(size=(90, 40)) * 2
    one, other = frechet_distance(few, many), frechet_distance(many, few)
    assert other.shrinkage == one.shrinkage[::-1]
    assert min(one.shrinkage) > 0
    assert other.distance2 == pytest.approx(one.distance2, rel=1e-8)


@pytest.mark.parametrize("shape", [(10, 30), (30, 10), (2, 5), (400, 3)])
def test_the_share_is_that_of_ledoit_and_wolf(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1) + 5
    found = ledoit_wolf_share(rows - rows.mean(axis=0))
    assert found == pytest.approx(ledoit_wolf_shrinkage(rows), abs=1e-10)


def test_a_shift_of_known_size_is_measured() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(20_000, 4)), 3 * rng.normal(size=(20_000, 4)) + 0.5
    found = frechet_distance(source, target)
    assert found.of_means == pytest.approx(4 * 0.25, rel=0.2)
    assert found.of_covariances == pytest.approx(4 * (3 - 1) ** 2, rel=0.05)


@pytest.mark.parametrize("shape", [(50, 4), (5, 40)])
def test_a_sample_has_no_distance_from_itself(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert frechet_distance(rows, rows).distance2 == pytest.approx(0, abs=1e-6)


def test_features_that_never_vary_are_measured_too() -> None:
    flat = np.ones((10, 3))
    assert frechet_distance(flat, flat + 2).distance2 == pytest.approx(12)
    assert frechet_distance(flat[:2], flat[:2]).distance2 == 0


@pytest.mark.parametrize("shape", [(400, 150, 8), (60, 90, 120)])
def test_without_a_shift_the_distance_is_that_of_chance(shape: tuple[int, int, int]) -> None:
    n, m, d = shape
    rng = np.random.default_rng(0)
    found = [frechet_by_chance(rng.normal(size=(n, d)), rng.normal(size=(m, d)), seed=seed) for seed in range(20)]
    ratios = np.array([each.distance2 / each.chance for each in found])
    assert found[0].rows == (n, m)
    assert found[0].distance2 > 0.01
    assert np.abs(np.log(ratios)).max() < 1.4
    assert abs(np.log(ratios).mean()) < 0.15


def test_a_shift_is_above_chance() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        found = frechet_by_chance(rng.normal(size=(200, 8)), rng.normal(size=(150, 8)) + 0.5, seed=seed)
        assert found.distance2 > 3 * found.chance


def test_copies_stay_together_in_the_division() -> None:
    rng = np.random.default_rng(0)
    source, target = (np.repeat(rng.normal(size=(30, 4)), 20, axis=0) for _ in range(2))
    names, order = np.arange(600) // 20, rng.permutation(600)
    target = target[order]
    single = [frechet_by_chance(source, target, seed=seed) for seed in range(10)]
    whole = [frechet_by_chance(source, target, groups=(names, names[order]), seed=seed) for seed in range(10)]
    assert len({each.distance2 for each in single}) == len({each.distance2 for each in whole}) == 1
    assert np.mean([each.chance for each in single]) < 0.2 * single[0].distance2
    assert 0.4 * whole[0].distance2 < np.mean([each.chance for each in whole]) < 2.5 * whole[0].distance2


@pytest.mark.parametrize("d", [4, 40])
def test_groups_of_copies_are_as_far_apart_as_one_row_of_each(d: int) -> None:
    rng = np.random.default_rng(0)
    sides, copies = (rng.normal(size=(30, d)), rng.normal(size=(20, d)) + 0.5), (np.arange(1, 31), np.arange(20, 0, -1))
    rows = [np.repeat(side, times, axis=0) for side, times in zip(sides, copies, strict=True)]
    names = [np.repeat(np.arange(len(times)), times) for times in copies]
    found, one_each = frechet_distance(rows[0], rows[1], (names[0], names[1])), frechet_distance(*sides)
    np.testing.assert_allclose((*found[:3], *found.shrinkage), (*one_each[:3], *one_each.shrinkage), rtol=1e-9)
    assert (min(found.shrinkage) > 0) is (d == 40)


def test_both_distances_use_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "MOST_ROWS", 40)
    seen, n_groups = [], []
    measure = frechet.frechet_distance

    def watch(source: Array, target: Array, groups: tuple[Groups, Groups]) -> FrechetDistance:
        seen.append((source, target))
        n_groups.append(tuple(len(np.unique(each)) for each in groups))
        return measure(source, target, groups)

    monkeypatch.setattr(frechet, "frechet_distance", watch)
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(90, 3)), rng.normal(size=(25, 3))
    found = frechet_by_chance(source, target, groups=(np.arange(90) // 3, np.arange(25) // 3), seed=0)
    assert found.rows == (40, 25)
    assert n_groups == [(30, 9), (30, 9)]
    observed, dealt = (np.concatenate(each) for each in seen)
    assert set(map(tuple, observed.tolist())) == set(map(tuple, dealt.tolist()))
    assert set(map(tuple, seen[0][0].tolist())) <= set(map(tuple, source.tolist()))


def test_the_seed_determines_the_division() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    one, again, other = (frechet_by_chance(source, target, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.distance2 == other.distance2
    assert one.chance != other.chance


@pytest.mark.parametrize("shapes", [((1, 3), (9, 3)), ((9, 3), (9, 4)), ((9,), (9, 3))])
def test_samples_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"^source and target: want at least 2 rows each.+ got .+\. Extract"):
        frechet_distance(np.ones(shapes[0]), np.ones(shapes[1]))
    with pytest.raises(ValueError, match=r"^source and target: want at least 2 rows each"):
        frechet_by_chance(np.ones(shapes[0]), np.ones(shapes[1]), seed=0)
