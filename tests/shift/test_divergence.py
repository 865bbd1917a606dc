import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from graft.shift.bn_stats import symmetric_divergence


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.3), (-1.2, 2.5)])
def test_the_divergence_is_the_integral_of_the_log_ratio(mean: float, variance: float) -> None:
    p, q = norm(), norm(mean, np.sqrt(variance))
    expected, _ = quad(lambda x: (p.pdf(x) - q.pdf(x)) * (p.logpdf(x) - q.logpdf(x)), -15, 15)
    assert symmetric_divergence(np.array(mean), np.array(variance)) == pytest.approx(expected, abs=1e-9)
