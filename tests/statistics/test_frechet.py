import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from graft.statistics.frechet import frechet_distance, ledoit_wolf_share


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
def test_a_sample_lies_at_no_distance_from_itself(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert frechet_distance(rows, rows).distance2 == pytest.approx(0, abs=1e-6)


def test_features_that_never_vary_are_measured_too() -> None:
    flat = np.ones((10, 3))
    assert frechet_distance(flat, flat + 2).distance2 == pytest.approx(12)
    assert frechet_distance(flat[:2], flat[:2]).distance2 == 0


@pytest.mark.parametrize("shapes", [((1, 3), (9, 3)), ((9, 3), (9, 4)), ((9,), (9, 3))])
def test_samples_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"^source and target: want at least 2 rows each.+ got .+\. Extract"):
        frechet_distance(np.ones(shapes[0]), np.ones(shapes[1]))
