"""The verdict on simulated experiments with a known truth: false claims, coverage, power, and what it promises.

    python bench/verdict_simulated.py [table ...]

A cell is 2,000 experiments of a fixed seed. Each table is printed as Markdown. The exit code is 1 if a cell breaks what
its table promises.
"""

import argparse
import sys
from collections.abc import Callable, Mapping

from verdict_cells import LEAST_COVERAGE, accurate, bound, grouped, holds, plain, rare
from verdict_pilots import Of, assumed, kept, of_probe, of_run, worlds
from verdict_power import disagreement_of, enlarged, promised, reckoned, shown, variances_of
from verdict_rates import SPREADS, Choice, draw_of
from verdict_worlds import Tally, World, tally, tally_of

from graft.statistics.comparison.layout import layout_of

SEED = 1
# True power may be this far from what was promised.
NEAR = 0.05
POWER = 0.8
# Known not to hold, and shown only: few groups have most of the images, so that a run hardly knows its own spread.
KNOWN = ("5 seeds, 100 groups, Pareto 1.2",)
# Of the whole procedure, rate choice included.
LEAST_OF_PROCEDURE = 0.925
BROKEN = "**no**"
RATES = ("POSITIVE", "NEGATIVE", "coverage", "floor decides", "bound", "ok")


def head(first: str, *columns: str) -> None:
    """Print the head of a table."""
    print(f"| {' | '.join((first, *columns))} |\n|---|{'---:|' * len(columns)}", flush=True)


def row(name: str, *cells: str | float) -> bool:
    """Print a row, whose numbers are shares, shown in percent, and say whether no cell is broken."""
    print(
        "|",
        " | ".join([name, *(each if isinstance(each, str) else f"{100 * each:.1f}" for each in cells)]),
        "|",
        flush=True,
    )
    return BROKEN not in cells


def says(holds_good: bool) -> str:
    """The cell of a row that says whether it holds."""
    return "ok" if holds_good else BROKEN


def errors(cells: Mapping[str, World]) -> bool:
    """Print false claims and coverage of equal arms."""
    head("equal arms", *RATES)
    rows = [row(name, *judged(tally_of(world, SEED), LEAST_COVERAGE)) for name, world in cells.items()]
    return all(rows)


def judged(found: Tally, least: float, capped: bool = False) -> tuple[str | float, ...]:
    """The cells of RATES."""
    rates = (found.positive, found.negative, found.coverage)
    return (*rates, found.floored, f"{100 * bound():.2f}", says(holds(found, least, capped)))


def groups() -> bool:
    """Print false claims and coverage of equal arms on groups, before a large group caps the verdict."""
    head("equal arms", "effective groups", *RATES, "the verdict")
    rows = []
    for name, world in grouped().items():
        layout = layout_of(world.n_images, world.groups)
        cells = judged(tally_of(world, SEED), LEAST_COVERAGE, bool(layout.limits))
        rows.append(row(name, f"{layout.units.effective:.1f}", *cells, "is capped" if layout.limits else "stands"))
    return all(rows)


def rates() -> bool:
    """Print false claims and coverage of the whole procedure, in which every seed chooses its rate."""
    head("equal arms, 646 images, seed sd 1", *RATES)
    rows = []
    for name, spread in SPREADS.items():
        for n_val in (40, 150):
            for k in (5, 8):
                found = tally(draw_of(World(k, 646), Choice(spread, n_val)), layout_of(646), 0.0, SEED)
                cells = judged(found, LEAST_OF_PROCEDURE)
                rows.append(row(f"{name}, {n_val} validation images, {k} seeds", *cells))
    return all(rows)


def power() -> bool:
    """Print how often 3 points are shown: as often as reckoned, whether that is enough or not."""
    head("3 points", "disagreement", "shown", "reckoned", "ok", "at least 90")
    rows = []
    for accuracy in (0.9, 0.95):
        for sd in (0.005, 0.01):
            for k in (5, 8):
                for n in (646, 1_000, 2_000):
                    world = World(k, n, sd, 0.03, accuracy, concentration=0.4, agreement=0.82)
                    rate, expected = shown(world, SEED), reckoned(world, variances_of(world))
                    name = f"{k} seeds, {n:,} images, seed sd {100 * sd:g}, accuracy {accuracy:g}"
                    cells = (rate, expected, says(abs(rate - expected) <= NEAR), "yes" if rate >= 0.9 else "no")
                    rows.append(row(name, disagreement_of(world), *cells))
    return all(rows)


def promises() -> bool:
    """Print how often the smallest gain that `graft plan` promises by the true variances is shown."""
    head("the plan's smallest gain", "points", "shown", "promised", "ok")
    rows = []
    for name, world in plain().items():
        if (least := promised(world)) is None:
            row(name, "none", "", POWER, "ok")
            continue
        rate = shown(least, SEED)
        rows.append(row(name, least.difference, rate, POWER, says(abs(rate - POWER) <= NEAR)))
    return all(rows)


def pilots() -> bool:
    """Print how often the smallest gain that `graft plan` promises by a pilot is shown, over many pilots.

    A run's promise must be kept as often as said. What a probe or an assumption takes for granted of the seeds and of
    both arms is not true of every world, so their rows say only what came of it.
    """
    head("the plan's smallest gain", "pilot", "points", "none", "shown", "power, 10 to 90 % of the pilots", "ok")
    rows = [of_pilot(name, world, of) for name, world in worlds().items() for of in (of_run, of_probe, assumed)]
    return all(rows)


def of_pilot(name: str, world: World, of: Of) -> bool:
    """Print the row of one kind of pilot in one world."""
    found = kept(world, of, SEED)
    near = abs(found.shown - POWER) <= NEAR
    as_found = "within 5 points" if near else "not within 5"
    judged_here = of is of_run and name not in KNOWN
    spread = " to ".join(f"{100 * each:.0f}" for each in found.spread)
    return row(name, of.__name__, found.gain, found.none, found.shown, spread, says(near) if judged_here else as_found)


def together() -> bool:
    """Print how often a difference is shown by the seeds and images that an open verdict names for it."""
    rows = []
    head("an open verdict", "difference", "seeds and images named", "shown", "promised", "ok")
    for difference in (0.02, 0.03):
        for k, n, sd in ((5, 150, 0.01), (8, 646, 0.02)):
            world = World(k, n, sd, difference)
            more = enlarged(world)
            name = f"{k} seeds, {n} images, seed sd {100 * sd:g}"
            if more is None:
                row(name, difference, "none", "", POWER, "ok")
                continue
            rate = shown(more, SEED)
            named = f"{more.n_seeds} and {more.n_images:,}"
            rows.append(row(name, difference, named, rate, POWER, says(abs(rate - POWER) <= NEAR)))
    return all(rows)


def equivalent() -> bool:
    """Print how often arms count as EQUIVALENT, without a difference and with one that is just the margin."""
    head("margin", "no difference", "a difference of the margin", "bound", "ok")
    rows = []
    for margin, sd, k, n in (
        (0.005, 0.005, 8, 2_000),
        (0.01, 0.005, 8, 10_000),
        (0.02, 0.01, 8, 2_000),
        (0.03, 0.01, 5, 646),
    ):
        # as alike as the arms of the audit: wrong on much the same images
        world = World(k, n, sd, agreement=0.9)
        none, at = tally_of(world, SEED, margin), tally_of(world._replace(difference=margin), SEED, margin)
        name = f"{100 * margin:g} points; {k} seeds, {n:,} images, seed sd {100 * sd:g}"
        most = bound(0.05)
        rows.append(row(name, none.equivalent, at.equivalent, f"{100 * most:.2f}", says(at.equivalent <= most)))
    return all(rows)


TABLES: dict[str, Callable[[], bool]] = {
    "plain": lambda: errors(plain()),
    "accurate": lambda: errors(accurate()),
    "groups": groups,
    "rare": lambda: errors(rare()),
    "rates": rates,
    "power": power,
    "promises": promises,
    "pilots": pilots,
    "together": together,
    "equivalent": equivalent,
}


def main() -> None:
    """Print the tables, and exit with 1 if a cell is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], help="all where none is named")
    held = []
    for name in parser.parse_args().tables or TABLES:
        print(f"\n### {name}\n")
        held.append(TABLES[name]())
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
