"""Fréchet distance between two samples of features, each treated as Gaussian."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.groups import Groups, drawn_rows, group_sizes
from graft.statistics.two_sample.samples import group_numbers

Array = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]

# Rows of one sample where the distance is compared with chance, at most; more are sampled with the seed.
MOST_ROWS = 2_000


class FrechetDistance(NamedTuple):
    """Squared distance in squared units of the features; never negative, and above 0 by chance alone."""

    distance2: float
    of_means: float
    """part of the distance that comes from the means"""
    of_covariances: float
    """part of the distance that comes from the covariances"""
    shrinkage: tuple[float, float]
    """weight of the spherical covariance in that of source and of target; 0 where both have more rows than features"""


class FrechetWithChance(NamedTuple):
    """Squared distance beside the one that chance alone gives, in squared units of the features."""

    distance2: float
    """distance between source and target"""
    chance: float
    """distance between two random parts of the same rows, of the sizes of source and target"""
    rows: tuple[int, int]
    """rows of source and of target that were used for both"""


def frechet_distance(source: Array, target: Array, groups: tuple[Groups, Groups] | None = None) -> FrechetDistance:
    """Squared Fréchet distance |mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)).

    The trace of the root is the sum of the roots of the eigenvalues of R' S2 R with S1 = R R', which are those of
    S1 S2, so no matrix root is needed. Every group weighs the same in means and covariances. Where a sample has no more
    groups than features, both covariances are shrunk towards spherical ones. The distance grows with fewer groups:
    compare it only with one from as many.

    Args:
        source: (n, d) finite features, n >= 2.
        target: (m, d) finite features, m >= 2.
        groups: (n,) and (m,) names of groups of rows, as in `two_sample_test`.

    Raises:
        ValueError: fewer than two rows or groups, or different d.

    Source: Dowson and Landau, The Fréchet distance between multivariate normal distributions, Journal of
    Multivariate Analysis 12 (1982); Heusel et al., GANs trained by a two time-scale update rule, NeurIPS (2017);
    Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, Journal of
    Multivariate Analysis 88 (2004).
    """
    _check_fit(source, target)
    names = np.split(group_numbers((len(source), len(target)), groups), [len(source)])
    shrink = min(len(np.unique(each)) for each in names) <= source.shape[1]
    (mean1, cov1, share1), (mean2, cov2, share2) = (
        _moments(rows, each, shrink) for rows, each in zip((source, target), names, strict=True)
    )
    # S1 = root @ root.T; negative eigenvalues are rounding.
    values, vectors = np.linalg.eigh(cov1)
    root = vectors * np.sqrt(np.maximum(values, 0))
    crossed = np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ cov2 @ root), 0)).sum()
    of_means = float(np.sum((mean1 - mean2) ** 2))
    of_covariances = max(float(np.trace(cov1) + np.trace(cov2) - 2 * crossed), 0.0)
    return FrechetDistance(of_means + of_covariances, of_means, of_covariances, (share1, share2))


def frechet_by_chance(
    source: Array, target: Array, *, groups: tuple[Groups, Groups] | None = None, seed: int
) -> FrechetWithChance:
    """Squared Fréchet distance of at most MOST_ROWS rows a side, and that of a random division of them.

    Samples of one distribution have a distance well above 0, and the more so the fewer rows and the more features
    there are. The random division shows how much of the distance is due to chance. It divides whole groups, with as
    many in either part as the samples have.

    Args:
        source: (n, d) finite features, n >= 2.
        target: (m, d) finite features, m >= 2.
        groups: (n,) and (m,) names of groups of rows, as in `two_sample_test`.
        seed: seed of the sampled rows and of the division.

    Raises:
        ValueError: as `frechet_distance`, or for groups as `two_sample_test`.
    """
    _check_fit(source, target)
    numbers = group_numbers((len(source), len(target)), groups)
    rng = np.random.default_rng(seed)
    drawn = [drawn_rows(each, MOST_ROWS, rng) for each in np.split(numbers, [len(source)])]
    n = len(drawn[0])
    rows = np.concatenate([source[drawn[0]], target[drawn[1]]])
    group = np.unique(numbers[np.concatenate([drawn[0], len(source) + drawn[1]])], return_inverse=True)[1]
    # (rows,): random number of each row's group; the groups with the smallest numbers are the first part.
    dealt = rng.permutation(group.max() + 1)[group]
    order = np.argsort(dealt, kind="stable")
    first = int(np.count_nonzero(dealt < len(np.unique(group[:n]))))
    observed = frechet_distance(rows[:n], rows[n:], (group[:n], group[n:])).distance2
    parts = np.split(order, [first])
    chance = frechet_distance(rows[parts[0]], rows[parts[1]], (group[parts[0]], group[parts[1]])).distance2
    return FrechetWithChance(observed, chance, (n, len(rows) - n))


def ledoit_wolf_share(centred: Floats, groups: Groups | None = None) -> float:
    """Weight of the spherical covariance in the mixture that is expected to be nearest to the true one, 0 to 1.

    Args:
        centred: (n, d) rows minus their mean, times the root of their weights.
        groups: (n,) names of groups of rows that are independent of one another; None: every row is a group.
    """
    n, d = centred.shape
    # (n, n) or (d, d), whichever is smaller: both have the same Frobenius norm.
    gram = centred @ centred.T if n < d or groups is not None else centred.T @ centred
    own, n_groups = np.sum(centred**2, axis=1) ** 2, n
    if groups is not None:
        unit = group_sizes(groups)[1]
        own, n_groups = gram[unit[:, None] == unit] ** 2, int(unit.max()) + 1
    # Squared Frobenius norm of the covariance.
    size2 = float(np.sum(gram**2)) / n_groups**2
    spread = size2 - float(np.sum(centred**2)) ** 2 / (n_groups**2 * d)
    fourth = float(np.sum(own)) / n_groups
    return min((fourth - size2) / n_groups / spread, 1.0) if spread > 0 else 0.0


def _check_fit(source: Array, target: Array) -> None:
    if source.ndim != 2 or target.ndim != 2 or min(len(source), len(target)) < 2 or source.shape[1] != target.shape[1]:
        raise ValueError(
            f"source and target: want at least 2 rows each, with the same number of features, got {source.shape} and "
            f"{target.shape}. Extract both with the same backbone."
        )


def _moments(rows: Array, groups: Groups, shrink: bool) -> tuple[Floats, Floats, float]:
    """Mean, (d,), covariance, (d, d), and shrinkage of one sample."""
    sizes, unit = group_sizes(groups)
    weights = 1 / sizes[unit]
    mean = weights @ rows.astype(np.float64) / len(sizes)
    centred = (rows - mean) * np.sqrt(weights)[:, None]
    covariance = centred.T @ centred / (len(sizes) - 1)
    share = ledoit_wolf_share(centred, None if sizes.max() == 1 else unit) if shrink else 0.0
    round_covariance = np.eye(len(mean)) * np.trace(covariance) / len(mean)
    return mean, (1 - share) * covariance + share * round_covariance, share
