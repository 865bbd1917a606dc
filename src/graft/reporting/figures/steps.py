"""Steps of both arms to the control's final validation score, seed by seed."""

from markupsafe import Markup

from graft.records.gain import SeedSteps, Speed
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import number

ROW = 24
LEFT = 58.0


def steps(speed: Speed) -> Markup | None:
    """Draw a row per seed: a ring for scratch, a dot for transfer, from no steps on the left.

    A cross at the right end stands for an arm that does not reach the target. None if transfer takes no steps.
    """
    if not speed.seeds:
        return None
    counts = [count for each in speed.seeds for count in (each.transfer, each.scratch) if count is not None]
    x = Scale(0, 1.12 * max([*counts, 1]), LEFT, WIDTH - EDGE - 10)
    bottom = ROW * len(speed.seeds) + 6
    rows = [mark for place, each in enumerate(speed.seeds) for mark in _row(each, ROW * (place + 0.5) + 2, x)]
    axis = [*svg.bottom_axis(x, bottom, number), label((LEFT + WIDTH) / 2, bottom + 32, "steps", "tick", "middle")]
    described = "; ".join(
        f"seed {each.seed}: transfer {_count(each.transfer)}, scratch {_count(each.scratch)}" for each in speed.seeds
    )
    return drawing("Steps to the control's final validation accuracy", described, bottom + 38, *axis, *rows)


def _row(seed: SeedSteps, y: float, x: Scale) -> list[Markup]:
    words = f"seed {seed.seed}: transfer {_count(seed.transfer)}, scratch {_count(seed.scratch)}"
    ours, control = (x.end if count is None else x.at(count) for count in (seed.transfer, seed.scratch))
    marks = [tag("title", words), segment(ours, y, control, y, "gain" if ours <= control else "gain loss")]
    marks += [_end(control, y, 4, "before", reached=seed.scratch is not None)]
    marks += [_end(ours, y, 5, "estimate", reached=seed.transfer is not None)]
    return [
        segment(x.start, y, x.end, y, "grid"),
        label(x.start - 8, y + 4, f"seed {seed.seed}", "tick", "end"),
        tag("g", *marks),
    ]


def _end(at: float, y: float, r: float, class_: str, *, reached: bool) -> Markup:
    if reached:
        return tag("circle", cx=at, cy=y, r=r, class_=class_)
    cross = (segment(at - r, y - r, at + r, y + r, class_), segment(at - r, y + r, at + r, y - r, class_))
    return tag("g", *cross, class_="never")


def _count(count: int | None) -> str:
    return "never" if count is None else f"{count:,}"
