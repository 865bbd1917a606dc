"""The verdict on simulated experiments with a known truth: false claims, coverage, power, and what it promises.

    python bench/verdict_simulated.py [table ...]

A cell is 2,000 experiments of a fixed seed. Each table is printed as Markdown.
"""

import argparse
from collections.abc import Callable, Mapping

from verdict_cells import LEAST_COVERAGE, accurate, bound, grouped, holds, plain, rare
from verdict_power import disagreement_of, enlarged, promised, reckoned, shown, variances_of
from verdict_rates import SPREADS, Choice, draw_of
from verdict_worlds import Tally, World, tally, tally_of

from graft.statistics.comparison.layout import layout_of

SEED = 1
# True power may be this far from what was promised.
NEAR = 0.05
POWER = 0.8
# Of the whole procedure, rate choice included.
LEAST_OF_PROCEDURE = 0.925
RATES = ("POSITIVE", "NEGATIVE", "coverage", "floor decides", "bound", "ok")


def head(first: str, *columns: str) -> None:
    """Print the head of a table."""
    print(f"| {' | '.join((first, *columns))} |\n|---|{'---:|' * len(columns)}", flush=True)


def row(name: str, *cells: str | float) -> None:
    """Print a row; numbers are shares, shown in percent."""
    print(
        "|",
        " | ".join([name, *(each if isinstance(each, str) else f"{100 * each:.1f}" for each in cells)]),
        "|",
        flush=True,
    )


def says(holds_good: bool) -> str:
    """The last cell of a row."""
    return "ok" if holds_good else "**no**"


def errors(cells: Mapping[str, World]) -> None:
    """Print false claims and coverage of equal arms."""
    head("equal arms", *RATES)
    for name, world in cells.items():
        row(name, *judged(tally_of(world, SEED), LEAST_COVERAGE))


def judged(found: Tally, least: float, capped: bool = False) -> tuple[str | float, ...]:
    """The cells of RATES."""
    rates = (found.positive, found.negative, found.coverage)
    return (*rates, found.floored, f"{100 * bound():.2f}", says(holds(found, least, capped)))


def groups() -> None:
    """Print false claims and coverage of equal arms on groups, before a large group caps the verdict."""
    head("equal arms", "effective groups", *RATES, "the verdict")
    for name, world in grouped().items():
        layout = layout_of(world.n_images, world.groups)
        cells = judged(tally_of(world, SEED), LEAST_COVERAGE, bool(layout.limits))
        row(name, f"{layout.units.effective:.1f}", *cells, "is capped" if layout.limits else "stands")


def rates() -> None:
    """Print false claims and coverage of the whole procedure, in which every seed chooses its rate."""
    head("equal arms, 646 images, seed sd 1", *RATES)
    for name, spread in SPREADS.items():
        for n_val in (40, 150):
            for k in (5, 8):
                found = tally(draw_of(World(k, 646), Choice(spread, n_val)), layout_of(646), 0.0, SEED)
                row(f"{name}, {n_val} validation images, {k} seeds", *judged(found, LEAST_OF_PROCEDURE))


def power() -> None:
    """Print how often 3 points are shown."""
    head("3 points", "disagreement", "shown", "reckoned", "at least 90")
    for accuracy in (0.9, 0.95):
        for sd in (0.005, 0.01):
            for k in (5, 8):
                for n in (646, 1_000, 2_000):
                    world = World(k, n, sd, 0.03, accuracy, concentration=0.4, agreement=0.82)
                    rate, expected = shown(world, SEED), reckoned(world, variances_of(world))
                    name = f"{k} seeds, {n:,} images, seed sd {100 * sd:g}, accuracy {accuracy:g}"
                    row(name, disagreement_of(world), rate, expected, "yes" if rate >= 0.9 else "no")


def promises() -> None:
    """Print how often the smallest gain that `graft plan` promises is shown: it should be four times in five."""
    head("the plan's smallest gain", "points", "shown", "promised", "ok")
    for name, world in plain().items():
        if (least := promised(world)) is None:
            row(name, "none", "", POWER, "ok")
            continue
        rate = shown(least, SEED)
        row(name, least.difference, rate, POWER, says(abs(rate - POWER) <= NEAR))


def together() -> None:
    """Print how often a difference is shown by the seeds and images that an open verdict names for it."""
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
            row(name, difference, named, rate, POWER, says(abs(rate - POWER) <= NEAR))


def equivalent() -> None:
    """Print how often arms count as EQUIVALENT, without a difference and with one that is just the margin."""
    head("margin", "no difference", "a difference of the margin", "bound", "ok")
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
        row(name, none.equivalent, at.equivalent, f"{100 * bound(0.05):.2f}", says(at.equivalent <= bound(0.05)))


TABLES: dict[str, Callable[[], None]] = {
    "plain": lambda: errors(plain()),
    "accurate": lambda: errors(accurate()),
    "groups": groups,
    "rare": lambda: errors(rare()),
    "rates": rates,
    "power": power,
    "promises": promises,
    "together": together,
    "equivalent": equivalent,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], help="all where none is named")
    for name in parser.parse_args().tables or TABLES:
        print(f"\n### {name}\n")
        TABLES[name]()


if __name__ == "__main__":
    main()
