"""How much the difference of two arms will vary, before either is trained: a pilot for the plan."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.verdict import VerdictRecord
from graft.statistics.comparison.layout import Layout, Units
from graft.statistics.comparison.power import enlargement
from graft.statistics.comparison.spread import Variances, standard_error
from graft.statistics.features.probe import held_out_probabilities, probe_accuracy
from graft.statistics.groups import drawn_rows, grouped_folds
from graft.store.catalogue import Labelled

# The errors of both arms are taken to correlate by so much; 0.45 in the built-in example.
CORRELATION = 0.3
# Share of the arms' disagreement that is the same in every seed; 0.39 in the built-in example.
LASTING = 0.5
# Standard deviation of the difference that is common to all images of a seed.
SEED_SD = 0.01
SEEDS_DIFFER = f"{100 * SEED_SD:g} point"
# With fewer seeds than this a run hardly knows how much seeds differ.
FEW_SEEDS = 5
# Share of the images on which the arms disagree where nothing is known; 0.27 in the built-in example.
ASSUMED_DISAGREEMENT = 0.25
# Correlation of images of one group where nothing is known.
ASSUMED_ALIKE = 0.5
# Images on which the probe is tried, at most.
MOST_ROWS = 1_000
# Groups of several images from which their correlation is estimated, at least.
FEWEST_GROUPS = 10

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pilot(NamedTuple):
    """Expected components of variance of the difference, and where they come from."""

    variances: Variances
    """of one unit (an image, or a group of images) in one seed, as squared shares"""
    units: Units
    """independent units of the test split"""
    kind: Literal["run", "probe", "assumed"]
    source: tuple[str, ...]
    """where the variances come from, and what was assumed, in clauses"""


def assumed(layout: Layout) -> Pilot:
    """A cautious pilot where nothing is known but the sizes."""
    each = np.full(layout.n_images, ASSUMED_DISAGREEMENT)
    source = (
        f"an assumption: the arms disagree on {ASSUMED_DISAGREEMENT:.0%} of the test images, on half of these in every "
        f"seed, and seeds differ by {SEEDS_DIFFER}{_on_groups(layout, ASSUMED_ALIKE)}",
        "features of these images would tell more: `dvc repro extract_features`, then `graft plan` again",
    )
    return Pilot(*_expected(each, layout, ASSUMED_ALIKE), "assumed", source)


def of_run(verdict: VerdictRecord, layout: Layout, where: str) -> Pilot:
    """The spread of a run that was judged on test images of this layout.

    A run knows its own spread only within its degrees of freedom, so the variances are enlarged for what is promised by
    them to hold on average. Where it had few seeds, seeds are instead taken to differ by at least as much as without a
    run.

    Args:
        verdict: record of the run.
        layout: of the test images.
        where: file of the record.
    """
    seen = Variances(verdict.variances.seeds, verdict.variances.units, verdict.variances.residual)
    units = layout.units._replace(effective=verdict.effective_units)
    source = f"the spread of the run of {verdict.n_seeds} seeds in {where}"
    if verdict.n_seeds < FEW_SEEDS:
        said = f"assumed, for these seeds are few: seeds differ by at least {SEEDS_DIFFER}"
        return Pilot(seen._replace(seeds=max(seen.seeds, SEED_SD**2)), units, "run", (source, said))
    factor = enlargement(standard_error(seen, verdict.n_seeds, units)[1])
    said = f"its variances are enlarged by {factor - 1:.0%}, for a run knows its own spread only roughly"
    return Pilot(Variances(*(factor * each for each in seen)), units, "run", (source, said))


def of_probe(features: NDArray[np.float32], train: Labelled, on: tuple[Layout, Labels], folds: int, seed: int) -> Pilot:
    """What the errors of a linear probe on cached features let expect of the arms, by `of_errors`.

    Args:
        features: (m, d) features of the unmodified backbone, indexed by `train.rows`.
        train: images of the train split.
        on: layout of the test images, and their (n,) class numbers.
        folds: number of folds of the cross-validation.
        seed: seed of the folds, and of the draw of at most 1,000 images.

    Raises:
        ValueError: a class has fewer than two images, or groups.
    """
    drawn = drawn_rows(train.groups, MOST_ROWS, np.random.default_rng(seed))
    labels, groups = train.labels[drawn], train.groups[drawn]
    seen = np.asarray(features[train.rows[drawn]])
    split = grouped_folds(labels, groups, folds, seed)
    setting = probe_accuracy(seen, labels, split).setting
    wrong = held_out_probabilities(seen, labels, setting, split).argmax(axis=1) != labels
    return of_errors(wrong, train._replace(rows=drawn, labels=labels, groups=groups), *on)


def of_errors(wrong: NDArray[np.bool_], tried: Labelled, layout: Layout, labels: Labels) -> Pilot:
    """Pilot from the errors of one classifier on images that it was not trained on.

    Both arms are taken to be wrong on a class as often as the classifier. With errors e that correlate by r they
    disagree on 2 e (1 - e) (1 - r) of its images.

    Args:
        wrong: (m,) whether it is wrong.
        tried: labels and groups of these images.
        layout: of the test images.
        labels: (n,) class numbers of the test images.
    """
    error, by_class = _error_rates(wrong, tried.labels, int(max(tried.labels.max(), labels.max())) + 1)
    # (c,) to (n,): share of seeds in which the arms disagree on each test image
    each = (2 * (1 - CORRELATION) * by_class * (1 - by_class))[labels]
    measured = alike(wrong.astype(np.float64), tried.groups)
    shared = ASSUMED_ALIKE if measured is None else measured
    source = (
        f"the errors of a probe on the backbone's features, {error:.1%} of {len(wrong):,} training images by "
        f"cross-validation, so that the arms disagree on about {each.mean():.1%} of the test images",
        f"assumed: the arms' errors correlate by {CORRELATION:g}, half of the disagreement is the same in every seed, "
        f"and seeds differ by {SEEDS_DIFFER}{_on_groups(layout, shared)}",
    )
    return Pilot(*_expected(each, layout, shared), "probe", source)


def alike(values: Floats, groups: NDArray[np.str_]) -> float | None:
    """Intraclass correlation of values in groups, 0 to 1; None if too few groups have several members.

    Source: Donner, A review of inference procedures for the intraclass correlation coefficient in the one-way random
    effects model, International Statistical Review 54 (1986): the estimator from the analysis of variance.
    """
    _, unit, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, k = len(values), len(sizes)
    if (sizes > 1).sum() < FEWEST_GROUPS:
        return None
    means = np.bincount(unit, weights=values) / sizes
    between = float(sizes @ (means - values.mean()) ** 2) / (k - 1)
    within = float(((values - means[unit]) ** 2).sum()) / (n - k)
    size = (n - float((sizes**2).sum()) / n) / (k - 1)
    whole = between + (size - 1) * within
    return float(np.clip((between - within) / whole, 0.0, 1.0)) if whole > 0 else 0.0


def _error_rates(wrong: NDArray[np.bool_], labels: Labels, n_classes: int) -> tuple[float, Floats]:
    """Share of errors with two right and two wrong images added, and (c,) shares by class, drawn towards it.

    Source: Agresti and Coull, Approximate is better than exact for interval estimation of binomial proportions, The
    American Statistician 52 (1998). A probe that never errs here may err on images that it has not seen.
    """
    error = (float(wrong.sum()) + 2) / (len(wrong) + 4)
    n = np.bincount(labels, minlength=n_classes)
    return error, (np.bincount(labels, weights=wrong, minlength=n_classes) + 2 * error) / (n + 2)


def _expected(disagreement: Floats, layout: Layout, shared: float) -> tuple[Variances, Units]:
    """Variances of one unit, and the units with their effective number.

    Args:
        disagreement: (n,) share of seeds in which the arms disagree on each test image.
        layout: of the test images.
        shared: correlation of the images of a group.
    """
    spread = layout.weights * np.sqrt(disagreement)
    by_unit = _by_unit(spread**2, layout) * (1 - shared) + _by_unit(spread, layout) ** 2 * shared
    whole = layout.units.number * float(by_unit.sum())
    variances = Variances(seeds=SEED_SD**2, units=LASTING * whole, residual=(1 - LASTING) * whole)
    if layout.label is None:
        return variances, layout.units
    # in a mean over classes the rare ones decide
    effective = float(by_unit.sum()) ** 2 / float((by_unit**2).sum())
    return variances, layout.units._replace(effective=min(layout.units.effective, effective))


def _by_unit(values: Floats, layout: Layout) -> Floats:
    """(n,) values summed over the images of each unit."""
    if layout.unit is None:
        return values
    return np.bincount(layout.unit, weights=values).astype(np.float64)


def _on_groups(layout: Layout, shared: float) -> str:
    return f"; images of a group correlate by {shared:.2g}" if layout.unit is not None else ""
