import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import binom, norm

from graft.shift.bn_stats import BlockDivergence, block_profile, channel_divergences, symmetric_divergence
from graft.store.features import BlockMoments

Floats = NDArray[np.float64]


def _moments(values: Floats, block: str = "stem", floor: float = 1e-5) -> BlockMoments:
    """Of (n, k, positions) standardised values."""
    return BlockMoments(block, values.mean(axis=2), (values**2).mean(axis=2), np.full(values.shape[1], floor))


def _profile(values: Floats, groups: NDArray[np.int64] | None = None) -> BlockDivergence:
    (found,) = block_profile([_moments(values)], groups=groups, confidence=0.95, seed=0)
    return found


def _images(n: int, k: int, seed: int = 0) -> Floats:
    """Standard Gaussian values, half of whose variance an image's positions share."""
    rng = np.random.default_rng(seed)
    values: Floats = (rng.normal(size=(n, k, 16)) + rng.normal(size=(n, k, 1))) / np.sqrt(2)
    return values


def test_a_known_shift_and_stretch_gives_the_divergence_of_the_formula() -> None:
    found = _profile(2 * _images(2000, 9) + 0.5)
    expected = (4 + 0.25 + 1.25 / 4) / 2 - 1
    assert found.shift.estimate == pytest.approx(expected, rel=0.05)
    assert found.shift.low <= found.shift.estimate <= found.shift.high
    assert found.n_channels == 9


def test_groups_of_copies_give_what_one_image_of_each_gives() -> None:
    values = _images(40, 9) + 0.3
    copies = np.repeat(np.arange(40), np.random.default_rng(0).integers(1, 30, 40))
    copied, alone = _profile(values[copies], copies), _profile(values)
    np.testing.assert_allclose(copied.shift, alone.shift, rtol=1e-9)


def test_images_like_the_source_are_at_zero() -> None:
    found = _profile(_images(40, 200))
    by_chance = np.mean(channel_divergences(_moments(_images(40, 200)), np.full((1, 40), 1 / 40)))
    assert found.shift.low == 0
    assert found.shift.estimate < 0.2 * by_chance


@pytest.mark.simulation
@pytest.mark.parametrize("n", [40, 100])
@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_interval_holds_the_typical_divergence(n: int, shift: float) -> None:
    draws, shifts = 100, shift * np.linspace(0, 1, 50)
    truth = np.expm1(np.mean(np.log1p(shifts**2)))
    found = [_profile(_images(n, 50, seed) + shifts[:, None]) for seed in range(draws)]
    missed = sum(not each.shift.low <= truth <= each.shift.high for each in found)
    assert missed <= binom.ppf(0.999, draws, 0.05)  # an interval of the median leaves out 20
    assert np.median([each.shift.high - each.shift.low for each in found]) < 1.2 * truth


def test_weights_count_images_as_often_as_copies_would() -> None:
    values = _images(3, 4)
    weighted = channel_divergences(_moments(values), np.array([[0.5, 0.25, 0.25]]))
    copied = channel_divergences(_moments(values[[0, 0, 1, 2]]), np.full((1, 4), 0.25))
    np.testing.assert_allclose(weighted, copied)


def test_copies_of_an_image_do_not_narrow_the_interval() -> None:
    values = _images(20, 30) + 0.5
    alone = _profile(values)
    copied = _profile(np.repeat(values, 9, axis=0), np.arange(180) // 9)
    assert copied.shift == pytest.approx(alone.shift, rel=1e-9)


def test_a_channel_that_never_varies_has_a_finite_divergence() -> None:
    found = _profile(np.zeros((5, 3, 4)))
    assert np.isfinite(found.shift.estimate)


def test_every_block_is_measured_on_the_same_draws() -> None:
    moments = [_moments(_images(30, 5) + 0.3, name) for name in ("stem", "top")]
    stem, top = block_profile(moments, confidence=0.95, seed=0)
    assert (stem.block, top.block) == ("stem", "top")
    assert stem[1:] == top[1:]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^bn_stats: want moments of at least one block, got none\. Use"):
        block_profile([], confidence=0.95, seed=0)
    with pytest.raises(ValueError, match=r"^bn_stats: want at least 2 images \(or groups\), got 1\. Add"):
        _profile(_images(4, 2), np.zeros(4, dtype=np.int64))
    with pytest.raises(ValueError, match=r"^bn_stats, groups: want one name for each of 4 images, got \(3,\)\. Or"):
        _profile(_images(4, 2), np.arange(3))


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.3), (-1.2, 2.5)])
def test_the_divergence_is_the_integral_of_the_log_ratio(mean: float, variance: float) -> None:
    p, q = norm(), norm(mean, np.sqrt(variance))
    expected, _ = quad(lambda x: (p.pdf(x) - q.pdf(x)) * (p.logpdf(x) - q.logpdf(x)), -15, 15)
    assert symmetric_divergence(np.array(mean), np.array(variance)) == pytest.approx(expected, abs=1e-9)
