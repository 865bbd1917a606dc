"""Sentences of the report about the shift."""

from collections.abc import Sequence

from graft.records.common import Similarity
from graft.records.shift import BlockProfile, ClassMoved, ShiftSize, ShiftSource, ShiftTest, ShiftYardstick
from graft.shift.yardstick import Place
from graft.store.features import FEWEST

LEVEL = 0.05
# Classes that one sentence names, at most.
MOST_NAMED = 10
# Standard deviations in every feature: a small effect by Cohen's convention. A test that misses it is underpowered.
SMALL_SHIFT = 0.2


def sentence(
    source: ShiftSource,
    found: tuple[ShiftTest, ShiftSize],
    place: Place | None,
    similarity: Similarity,
    sizes: tuple[int, int],
) -> str:
    """State the target's place in one sentence.

    Args:
        source: what the target was compared with.
        found: test and size over all images.
        place: place on the yardstick; None where there is no yardstick.
        similarity: similarity that follows from the place.
        sizes: number of images of source and target that were compared.
    """
    test, size = found
    where = (
        f"The yardstick needs {FEWEST} source images (or groups), so the target lies at an unknown distance"
        if place is None
        else f"{place.sentence.removesuffix('.')}: {similarity}"
    )
    interval = "" if size.interval is None else f", {size.interval.low:.2g} to {size.interval.high:.2g}"
    numbers = f"MMD^2 {size.mmd2:.2g}{interval}; p = {test.p_value:.2g}"
    if source.kind == "own":
        return f"{where} ({numbers}; {sizes[0]} source and {sizes[1]} target images)."
    against = f"the bank {source.name} ({sizes[0]} images, {source.licence}), not the network's own source"
    return f"Compared with {against}: {where[0].lower()}{where[1:]} ({numbers}; {sizes[1]} target images)."


def sentence_without_source(source: ShiftSource, profile: BlockProfile | None, refusal: str) -> str:
    """State what is known where no features stand for the source."""
    cure = "Put images under data/raw/source, or name a bank (`graft bank`), to have the distance measured."
    if profile is None:
        lacking = "There are no source images to measure it from. " if source.n_images == 0 else ""
        return f"The distance of the target from the source is unknown. {lacking}{refusal} {cure}"
    far = max(profile.blocks, key=lambda each: each.shift.estimate)
    near = min(profile.blocks, key=lambda each: each.shift.estimate)
    return (
        f"There are no source images, so similarity is unknown. Compared with the running moments of {source.name}, "
        f"the target differs most in {far.block} ({far.shift.estimate:.2g} nats a channel, "
        f"{far.shift.low:.2g} to {far.shift.high:.2g}) and least in {near.block} ({near.shift.estimate:.2g}): "
        f"a description, with no p-value. {cure}"
    )


def remarks(test: ShiftTest, classes: Sequence[ClassMoved], n_dropped: int) -> tuple[str, ...]:
    """Remarks on the test, the classes and the images that were left out.

    Args:
        test: test over all images.
        classes: shared classes, tested one by one.
        n_dropped: number of source images that were left out because they are in the target too.
    """
    said = []
    if test.p_value > LEVEL and test.detectable_shift is not None:
        said.append(
            f"No shift was found; one of {test.detectable_shift:.2g} standard deviations in every feature would have "
            "been, four times in five."
        )
    if classes:
        moved = [each.label for each in sorted(classes, key=lambda each: -each.mmd2) if each.p_holm <= LEVEL]
        more = len(moved) - MOST_NAMED
        named = ", ".join(moved[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        said.append(f"{len(moved)} of {len(classes)} shared classes moved{f': {named}' if moved else ''}.")
    if n_dropped:
        said.append(f"{n_dropped} source images are in the target too and were left out.")
    return tuple(said)


def warnings(test: ShiftTest, sizes: tuple[int, int], yardstick: ShiftYardstick | None) -> tuple[str, ...]:
    """Reasons to trust the measurement less.

    Args:
        test: test over all images.
        sizes: number of groups of source and target images.
        yardstick: has the doubts about the target's place.
    """
    said = []
    shift = test.detectable_shift
    if shift is None or shift > SMALL_SHIFT:
        least = f"only shifts of {shift:.2g} standard deviations in every feature" if shift else "no shift at all"
        said.append(
            f"Underpowered: with {sizes[0]} independent source and {sizes[1]} target images the test finds {least}, "
            "four times in five. Add images before a large p is read as no shift."
        )
    if yardstick is not None and yardstick.doubts:
        said.append(
            f"Similarity is taken as unknown, and tables that ask for it abstain: {'; '.join(yardstick.doubts)}."
        )
    return tuple(said)
