"""Pilots: what is expected of the difference before an arm is trained."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.examples import verdict_record

from graft.decisions import pilot
from graft.records.verdict import VerdictRecord
from graft.statistics.comparison.layout import Layout, layout_of
from graft.statistics.comparison.power import detectable, power_of
from graft.statistics.comparison.spread import Variances, spread_of
from graft.store.catalogue import Labelled

Labels = NDArray[np.int64]


def images(labels: Labels, groups: NDArray[np.str_] | None = None) -> Labelled:
    names = np.arange(len(labels)).astype(np.str_)
    return Labelled(np.arange(len(labels)), labels, names if groups is None else groups, names)


def gain(made: pilot.Pilot) -> float:
    found = detectable(made.variances, 5, made.units)
    assert found is not None
    return found


def test_without_groups_the_assumed_variances_are_the_disagreement() -> None:
    made = pilot.assumed(layout_of(100))
    assert made.variances.units + made.variances.residual == pytest.approx(pilot.ASSUMED_DISAGREEMENT)
    assert made.units.number == 100


@pytest.mark.parametrize("n_groups", [10, 50])
def test_images_of_a_group_that_are_half_alike_tell_less(n_groups: int) -> None:
    groups = np.arange(100) % n_groups
    made = pilot.assumed(layout_of(100, groups))
    size = 100 / n_groups
    # a mean of m images with correlation r has (1 + (m - 1) r) / m of the variance of one
    of_group = (1 + (size - 1) * pilot.ASSUMED_ALIKE) / size * pilot.ASSUMED_DISAGREEMENT
    assert made.variances.units + made.variances.residual == pytest.approx(of_group)
    assert gain(made) > gain(pilot.assumed(layout_of(100)))


def test_a_mean_over_classes_has_the_variance_of_its_parts() -> None:
    labels = np.repeat([0, 1], [90, 10])
    made = pilot.assumed(layout_of(100, classes=labels))
    of_mean = pilot.ASSUMED_DISAGREEMENT * (1 / 90 + 1 / 10) / 4
    assert (made.variances.units + made.variances.residual) / made.units.number == pytest.approx(of_mean)


def test_rare_classes_leave_few_degrees_of_freedom() -> None:
    made = pilot.assumed(layout_of(100, classes=np.repeat([0, 1], [90, 10])))
    assert 2 < made.units.effective < 20


@pytest.mark.parametrize("metric", ["accuracy", "balanced"])
def test_a_probe_that_errs_more_leaves_more_to_differ(metric: str) -> None:
    labels = np.arange(200) % 2
    layout = layout_of(200, classes=labels if metric == "balanced" else None)
    gains = [gain(pilot.of_errors(np.arange(200) < wrong, images(labels), layout, labels)) for wrong in (0, 20, 80)]
    assert gains == sorted(gains)
    assert len(set(gains)) == 3


def test_arms_that_err_as_a_probe_disagree_as_errors_that_correlate_do() -> None:
    labels = np.zeros(10_000, dtype=np.int64)
    made = pilot.of_errors(np.arange(10_000) < 2_000, images(labels), layout_of(10_000), labels)
    share = made.variances.units + made.variances.residual
    # P(one is wrong and the other right), twice: e (1 - e) less the covariance r e (1 - e), where r is 0.3
    assert share == pytest.approx(2 * (0.2 * 0.8 - 0.3 * 0.2 * 0.8), rel=0.01)


def test_a_rare_class_that_the_probe_misses_counts_in_a_mean_over_classes() -> None:
    labels = np.repeat([0, 1], [180, 20])
    layout = layout_of(200, classes=labels)
    of_rare, of_common = (
        gain(pilot.of_errors(np.arange(200) >= 190, images(labels), layout, labels)),
        gain(pilot.of_errors(np.arange(200) < 10, images(labels), layout, labels)),
    )
    assert of_rare > of_common


def test_a_probe_that_never_errs_is_not_believed() -> None:
    labels = np.zeros(50, dtype=np.int64)
    made = pilot.of_errors(np.zeros(50, dtype=bool), images(labels), layout_of(50), labels)
    assert made.variances.units > 0


def test_groups_that_are_wrong_together_are_alike() -> None:
    groups = np.repeat(np.arange(40), 5).astype(np.str_)
    together = (np.arange(200) // 5) % 2
    assert pilot.alike(together.astype(np.float64), groups) == pytest.approx(1.0)


def test_errors_that_fall_where_they_may_are_not_alike() -> None:
    groups = np.repeat(np.arange(400), 5).astype(np.str_)
    values = np.random.default_rng(0).binomial(1, 0.3, 2000).astype(np.float64)
    assert pilot.alike(values, groups) == pytest.approx(0.0, abs=0.06)


def test_few_groups_tell_nothing_of_how_alike_they_are() -> None:
    assert pilot.alike(np.ones(9), np.repeat(np.arange(9), 1).astype(np.str_)) is None


def test_a_probe_is_tried_on_the_train_images() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = rng.normal(labels[:, None], 0.1, (60, 4)).astype(np.float32)
    made = pilot.of_probe(features, images(labels), (layout_of(30), labels[:30]), 5, 0)
    assert made.kind == "probe"
    assert "a probe on the backbone's features" in made.source[0]


def record_of(found: Variances, n_seeds: int, effective: float) -> VerdictRecord:
    """The verdict on a run with these components of variance."""
    verdict = verdict_record("POSITIVE")
    variances = verdict.variances.model_copy(update=found._asdict())
    return verdict.model_copy(update={"variances": variances, "n_seeds": n_seeds, "effective_units": effective})


def pilot_of(n_seeds: int, effective: float) -> pilot.Pilot:
    """The pilot of a run with known components of variance."""
    return pilot.of_run(record_of(Variances(0.0, 0.1, 0.2), n_seeds, effective), layout_of(30), "verdict.json")


def test_a_run_of_few_seeds_does_not_tell_how_much_seeds_differ() -> None:
    made = pilot_of(2, 7.0)
    assert made.variances == (pilot.SEED_SD**2, 0.1, 0.2)
    assert made.units.effective == 7.0
    assert "seeds differ by at least" in made.source[1]


def test_a_run_that_knows_its_spread_only_roughly_promises_less() -> None:
    rough, better = pilot_of(5, 7.0), pilot_of(5, 30.0)
    shares = [made.variances.units / 0.1 for made in (rough, better)]
    assert shares[0] > shares[1] > 1
    assert rough.variances == pytest.approx((0.0, 0.1 * shares[0], 0.2 * shares[0]))
    assert f"enlarged by {shares[0] - 1:.0%}" in rough.source[1]


def test_what_runs_of_five_seeds_promise_is_shown_four_times_in_five_on_average() -> None:
    truth, layout, rng = Variances(seeds=0.002, units=0.1, residual=0.1), layout_of(500), np.random.default_rng(0)
    powers = []
    for _ in range(150):
        seeds, units = rng.normal(0, truth.seeds**0.5, (5, 1)), rng.normal(0, truth.units**0.5, (1, 500))
        rest = rng.normal(0, truth.residual**0.5, (5, 500))
        found = spread_of(seeds + units + rest, layout)
        made = pilot.of_run(record_of(found.variances, 5, found.units.effective), layout, "verdict.json")
        powers.append(power_of(gain(made), truth, 5, 500))
    # the spread as it was found would give 0.75
    assert np.mean(powers) == pytest.approx(0.8, abs=0.03)


def test_a_class_that_cannot_be_held_out_gives_no_pilot() -> None:
    labels = np.array([0, 0, 0, 1])
    with pytest.raises(ValueError, match="at least 2 images"):
        pilot.of_probe(np.zeros((4, 2), dtype=np.float32), images(labels), (layout_of(4), labels), 5, 0)


@pytest.mark.parametrize("layout", [layout_of(30, np.arange(30) // 3), layout_of(30)])
def test_the_source_says_what_is_assumed_of_groups(layout: Layout) -> None:
    assert ("images of a group correlate" in pilot.assumed(layout).source[0]) == (layout.unit is not None)
