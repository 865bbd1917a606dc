"""What `graft plan` says, in lines of a subject and a sentence."""

import math
from collections.abc import Mapping, Sequence

from graft.decisions.pilot import Pilot
from graft.decisions.plan import OnTest, Ways, least_margin, promise
from graft.files import visible
from graft.params.learning import SEEDS as BUDGETS
from graft.params.pipeline import Params
from graft.statistics.comparison.power import LEAST_SEEDS

# subject, and sentence
Line = tuple[str, str]

METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}
FOUNDATIONS = {
    "run": "by the spread of the last run",
    "probe": "by the errors of a probe",
    "assumed": "by an assumed spread",
}
HEADER = ("number", "smallest gain", "smallest margin", "minutes", "")
NONE = "none"
# a budget that takes more minutes than its seeds alone
NOTES = {"thorough": "thorough, which trains further controls"}


def of_test(on: OnTest, where: str, classes: Sequence[str]) -> list[Line]:
    """Lines on the test images and on what limits every verdict on them."""
    layout, counts = on.layout, on.counts
    lines = [
        f"{layout.n_images:,} images in {len(classes)} classes of {counts.min():,} to {counts.max():,}, by {where}",
        *([] if layout.unit is None else [_groups(on)]),
    ]
    return [*(("test", each) for each in lines), *(("limit", visible(each)) for each in on.limits)]


def of_question(on: OnTest, params: Params, pilot: Pilot) -> list[Line]:
    """Lines on metric, level and pilot."""
    asked = params.check_transfer
    why = "as check_transfer.metric says"
    if asked.metric == "auto":
        why = f"the largest class of the test split has {_times(on)} the images of the smallest"
    n_looks = round(asked.level / on.level)
    shared = "" if n_looks == 1 else f", {asked.level:g} shared by {n_looks} planned looks"
    return [
        ("metric", f"{METRICS[on.metric]}: {why}"),
        ("level", f"{on.level:.3g}{shared}; all below is shown four times in five"),
        *(("pilot", each) for each in pilot.source),
    ]


def of_seeds(on: OnTest, pilot: Pilot, n_seeds: int, minutes: Mapping[int, float]) -> list[Line]:
    """A table of the smallest gain and the smallest margin by number of seeds.

    Args:
        on: the test images.
        pilot: expected variances and units.
        n_seeds: number of seeds in params.yaml.
        minutes: minutes of a run by number of seeds.
    """
    rows = [HEADER, *(_row(pilot, each, on.level, f"{minutes[each]:.1f}", n_seeds) for each in sorted(minutes))]
    rows.append(_row(pilot, math.inf, on.level, "", n_seeds))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ("   ".join(f"{cell:>{n}}" for cell, n in zip(row[:-1], widths, strict=False)) for row in rows)
    return [("seeds", f"{line}   {row[-1]}".rstrip()) for line, row in zip(lines, rows, strict=True)]


def of_gain(gain: float, ways: Ways, n_images: int, n_seeds: int) -> list[Line]:
    """Lines on what shows a gain that the user named."""
    size = f"{100 * gain:g} points"
    if ways.seeds is None:
        seeds = f"{size}: no number of seeds shows it on {n_images:,} test images"
    else:
        seeds = f"{size}: {ways.seeds} seeds show it on {n_images:,} test images (training.budget: {ways.seeds})"
    if ways.images is None:
        images = f"with {n_seeds} seeds no number of test images up to a million shows it"
    elif ways.images <= n_images:
        images = f"with {n_seeds} seeds the test images that are there show it"
    else:
        images = f"with {n_seeds} seeds it takes {ways.images:,} test images like these"
    lines = [("gain", seeds), ("gain", images)]
    if ways.together is not None:
        lines.append(("gain", f"{ways.together[0]:,} seeds and {ways.together[1]:,} test images together show it"))
    return lines


def sentence(on: OnTest, pilot: Pilot, n_seeds: int) -> str:
    """What the run can prove, in one sentence."""
    level = on.level
    images = f"{on.layout.n_images:,} test images"
    if on.limits:
        return f"With these {images} this run can only end INCONCLUSIVE: {_clause(on.limits[0])}"
    by = FOUNDATIONS[pilot.kind]
    of = "" if on.metric == "accuracy" else " of balanced accuracy"
    if n_seeds < LEAST_SEEDS:
        more = promise(pilot, BUDGETS["standard"], level)
        could = "none either" if more is None else f"a gain of {points(more)} points{of} or more"
        return (
            f"With {n_seeds} seeds this run can only end INCONCLUSIVE; with {BUDGETS['standard']} "
            f"(`training.budget: standard`) and {images} it could prove {could} four times in five, {by}."
        )
    least = promise(pilot, n_seeds, level)
    if least is None:
        return f"With {n_seeds} seeds and {images} this run can prove no gain up to 50 points four times in five, {by}."
    return (
        f"With {n_seeds} seeds and {images} this run can prove a gain of {points(least)} points{of} or more four times "
        f"in five, {by}."
    )


def too_small(on: OnTest, pilot: Pilot, params: Params, where: str) -> str:
    """Why the margin is refused, with the smallest that is not: equal arms would be EQUIVALENT too rarely; else empty.

    Where nothing can be claimed at all, for which `sentence` gives the reason, no margin is refused.

    Args:
        on: the test images.
        pilot: expected variances and units.
        params: margin and seeds.
        where: file of the params.
    """
    margin, n_seeds = params.check_transfer.margin, params.training.n_seeds
    if margin == 0 or on.limits or n_seeds < LEAST_SEEDS:
        return ""
    least = least_margin(pilot, n_seeds, on.level)
    if least is not None and margin >= least:
        return ""
    want = "0, for no margin is wide enough," if least is None else f"{math.ceil(1000 * least) / 1000:g} or more"
    sample = f"{n_seeds} seeds and {on.layout.n_images:,} test images"
    return (
        f"{where}, check_transfer.margin: want {want} with {sample}, got {margin:g}, within which equal arms would be "
        "called EQUIVALENT less than four times in five; all other verdicts stand as above. Widen it if such a "
        "difference does not matter to you; 0 switches EQUIVALENT off."
    )


def points(share: float) -> str:
    """A share in percentage points, rounded up to one decimal."""
    return f"{math.ceil(round(1000 * share, 6)) / 10:.1f}"


def _row(pilot: Pilot, n_seeds: float, level: float, minutes: str, of_params: int) -> tuple[str, ...]:
    named = [NOTES.get(name, name) for name, n in BUDGETS.items() if n == n_seeds]
    notes = [*named, *(["as in params.yaml"] if n_seeds == of_params else [])]
    number = "any" if n_seeds == math.inf else f"{n_seeds:g}"
    least, margin = promise(pilot, n_seeds, level), least_margin(pilot, n_seeds, level)
    cells = (NONE if each is None else f"{points(each)} points" for each in (least, margin))
    return (number, *cells, minutes, ", ".join(notes))


def _groups(on: OnTest) -> str:
    layout = on.layout
    alike = f"in {layout.units.number:,.0f} groups"
    if layout.design == "unequal groups":
        alike += f" of unequal size, as good as {layout.units.effective:,.1f} equal ones"
    return f"{alike}; the largest holds {layout.largest_share:.0%}"


def _times(on: OnTest) -> str:
    least = int(on.counts.min())
    return f"{on.counts.max() / least:.1f} times" if least else "many times"


def _clause(limit: str) -> str:
    return limit[0].lower() + limit[1:]
