"""What transfer gains beyond the verdict: one pure function from all predictions on the test split to a record."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.gain.classes import classes_of
from graft.decisions.gain.label_curve import label_curve
from graft.decisions.gain.scoring import Scoring, difference_of, score_of
from graft.decisions.gain.speed import OF_SOURCE, speed_of
from graft.decisions.gain.tried import Tried, of_kind, stacked
from graft.decisions.gain.why import why_of
from graft.records.gain import Classes, Forgetting, GainRecord, LabelCurve, SmallNetwork, Speed
from graft.records.training import TrainingRecord
from graft.records.variants import VariantsRecord
from graft.records.verdict import NoVerdictRecord, VerdictRecord
from graft.store.catalogue import CatalogRow, Labelled, labelled
from graft.store.predictions import AGAIN, Logits

NO_LABELS = "no image of the target has a label."


class Trained(NamedTuple):
    """How the networks were trained."""

    transfer: TrainingRecord
    scratch: TrainingRecord
    variants: VariantsRecord
    blocks: tuple[str, ...]
    """names of the blocks from input to output, without the head"""


class OnTest(NamedTuple):
    """What all networks say of the test split."""

    images: Labelled
    classes: Sequence[str]
    """class names by number"""
    logits: Mapping[str, NDArray[np.float32]]
    """(n, c) by name: `transfer_0` and `scratch_0` for the arms with seed 0, and the names of the variants"""


def on_test(catalog: Iterable[CatalogRow], classes: Sequence[str], logits: Logits) -> OnTest:
    """The test images in the order of their logits.

    Args:
        catalog: the target's catalogue.
        classes: class names by number.
        logits: what check_transfer wrote.

    Raises:
        ValueError: the logits are of other images.
    """
    test = labelled(catalog, classes, "test")
    order = np.argsort(test.sha256, kind="stable")
    images = Labelled(test.rows[order], test.labels[order], test.groups[order], test.sha256[order])
    if images.sha256.tolist() != logits.sha256.tolist():
        raise ValueError(f"measure_gain: want logits of the test split, got those of other images. {AGAIN}")
    return OnTest(images, classes, logits.by_run)


def measure_gain(trained: Trained, on: OnTest, verdict: VerdictRecord, forgetting: Forgetting) -> GainRecord:
    """Gain by labels, steps and classes, forgetting, and where the gain comes from.

    Args:
        trained: records of both arms and of the networks beside them.
        on: the test images, and the logits of all of these networks.
        verdict: gives metric and level, so that the gain is measured alike.
        forgetting: what `forgetting_of` found on the source.
    """
    scoring = Scoring(on.images.labels, on.images.groups, verdict.metric, verdict.level)
    tried = _tried(trained, on)
    transfer, scratch = (stacked([*of_kind(tried, arm).values()]) for arm in ("transfer", "scratch"))
    return GainRecord(
        metric=verdict.metric,
        level=verdict.level,
        majority=verdict.majority.score,
        labels=label_curve(tried, scoring, " ".join(trained.variants.left_out)),
        speed=_speed(trained, verdict),
        classes=classes_of(transfer, scratch, on.classes, scoring),
        forgetting=forgetting,
        small=_small(tried, scoring),
        why=why_of(tried, trained.blocks, scoring),
    )


def unmeasured_gain(verdict: NoVerdictRecord, forgetting: Forgetting) -> GainRecord:
    """What is known of the gain where no image of the target has a label: what was forgotten of the source alone.

    Args:
        verdict: says that there is none.
        forgetting: what `forgetting_of` found on the source.
    """
    return GainRecord(
        metric=None,
        level=verdict.level,
        majority=None,
        labels=LabelCurve(points=(), sentence=f"The gain is not measured: {NO_LABELS}"),
        speed=OF_SOURCE,
        classes=Classes(scores=(), sentence=f"Nothing is said of single classes: {NO_LABELS}"),
        forgetting=forgetting,
        small=None,
        why=None,
    )


def _speed(trained: Trained, verdict: VerdictRecord) -> Speed:
    if verdict.labels_from == "source":
        return OF_SOURCE
    return speed_of(trained.transfer, trained.scratch, verdict.level)


def _tried(trained: Trained, on: OnTest) -> tuple[Tried, ...]:
    right = {name: logits.argmax(axis=1) == on.images.labels for name, logits in on.logits.items()}
    arms = (
        Tried(record.arm, run.seed, right[f"{record.arm}_{run.seed}"])
        for record in (trained.transfer, trained.scratch)
        for run in record.runs
    )
    beside = (
        Tried(each.kind, each.seed, right[each.name], each.share, each.n_labels, each.block or "", each.network)
        for each in trained.variants.variants
    )
    return (*arms, *beside)


def _small(tried: Sequence[Tried], on: Scoring) -> SmallNetwork | None:
    """The small network of the first seed, beside transfer with the same seed."""
    small, transfer = of_kind(tried, "small"), of_kind(tried, "transfer")
    found = next((each for seed, each in small.items() if seed in transfer), None)
    if found is None:
        return None
    pair = (transfer[found.seed].right[None], found.right[None])
    return SmallNetwork(
        network=found.network,
        seed=found.seed,
        score=score_of(pair[1], on),
        difference=difference_of(*pair, on).interval,
    )
