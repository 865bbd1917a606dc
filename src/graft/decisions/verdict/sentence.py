"""The verdict in words: its numbers, what it speaks of, what limits it, and what an open one could have shown."""

from graft.decisions.claims import METRIC_WORDS
from graft.records.verdict import Detectable, VerdictRecord

# Smallest difference that is said, half a tenth of a point.
LEAST_SAID = 0.0005
SCOPE = "for new seeds and new test images, with these training images and this way of choosing rates"


def sentence_of(verdict: VerdictRecord) -> str:
    """The verdict with its numbers, what it speaks of, what limits an open one, what it could have shown, the looks."""
    arms = [100 * each.estimate for each in (verdict.transfer, verdict.scratch)]
    scores = f"{METRIC_WORDS[verdict.metric]} {arms[0]:.1f}% against {arms[1]:.1f}% from scratch"
    first = f"{verdict.headline}: {scores}, {_difference(verdict)} ({_interval(verdict)}; {_sample(verdict)})."
    rest = _open(verdict) if verdict.verdict == "INCONCLUSIVE" else []
    return " ".join(each for each in (first, verdict.labels_said, *rest, verdict.looks_said) if each)


def _open(verdict: VerdictRecord) -> list[str]:
    # under a limit more seeds and images settle nothing, so that only numbers that exist are told
    more = (verdict.to_show is not None or not verdict.limits) and verdict.difference.estimate != 0
    settling = [to_show(verdict.to_show, verdict.difference.estimate)] if more else []
    return [*verdict.limits, could_show(verdict.could_show), *settling]


def could_show(detectable: Detectable) -> str:
    """The smallest differences that such a run shows four times in five, in one sentence."""
    as_is = "none" if detectable.as_is is None else f"{100 * detectable.as_is:.1f} points"
    more = [
        f"{100 * value:.1f} points {name}"
        for value, name in (
            (detectable.any_seeds, "with any number of seeds"),
            (detectable.any_images, "with any number of test images"),
        )
        # nothing is left of it where the seeds, or the images, happened not to differ: that is not known so well
        if value is not None and value >= LEAST_SAID
    ]
    if detectable.as_is is None and not more:
        return "Such a run shows no difference four times in five."
    return f"The least difference that such a run shows four times in five: {', '.join([f'{as_is} as it is', *more])}."


def to_show(needed: tuple[int, int] | None, estimate: float) -> str:
    """The seeds and test images that together show the present estimate four times in five, in one sentence."""
    size = f"a difference of {_signed(estimate)} points, as it is now,"
    if needed is None:
        return f"No affordable number of seeds and test images shows {size} four times in five."
    seeds, images = needed
    return f"To show {size} four times in five takes {seeds:,} seeds and {images:,} test images together."


def _difference(verdict: VerdictRecord) -> str:
    points = 100 * verdict.difference.estimate
    if verdict.verdict == "POSITIVE":
        return f"a gain of {points:.1f} points"
    if verdict.verdict == "NEGATIVE":
        return f"a loss of {-points:.1f} points"
    # the interval of other outcomes has both signs, which a bare gain or loss would hide
    return f"a difference of {_signed(verdict.difference.estimate)} points"


def _interval(verdict: VerdictRecord) -> str:
    # EQUIVALENT rests on the interval of 1 - 2 level, the other outcomes on that of 1 - level
    equivalent = verdict.verdict == "EQUIVALENT"
    rests_on = verdict.equivalence if equivalent else verdict.difference
    confidence = 1 - (2 if equivalent else 1) * verdict.level
    # a loss is told as a positive number, which swaps the ends of its interval
    sign = -100 if verdict.verdict == "NEGATIVE" else 100
    low, high = sorted((sign * rests_on.low, sign * rests_on.high))
    inside = f", inside the margin of {100 * verdict.margin:g}" if equivalent else ""
    return f"{100 * confidence:.3g}% interval {_plain(low)} to {_plain(high)}{inside}, {SCOPE}"


def _sample(verdict: VerdictRecord) -> str:
    groups = f" in {verdict.n_units:,} groups" if verdict.n_units < verdict.n_images else ""
    return f"{verdict.n_seeds} seeds, {verdict.n_images:,} images{groups}"


def _signed(share: float) -> str:
    """Points with their sign and one decimal, without a minus before 0.0."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def _plain(points: float) -> str:
    """A number with one decimal, without a minus before 0.0."""
    return f"{round(points, 1) + 0.0:.1f}"
