"""The ledger of looks: how often test images were looked at, and what a further look may claim.

Whoever looks at the same test images again and again, with other training each time, finds a difference in the end.
Looks that are planned before the first share the level; an unplanned one claims nothing.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from graft.decisions.claims import LEAST_SEEDS
from graft.decisions.verdict.splits import Splits
from graft.files import read_record, write_record
from graft.params.pipeline import Params
from graft.records.common import Outcome, StrategyName
from graft.records.looks import Look, LooksRecord
from graft.store.catalogue import Labelled

# What makes the arms. The other sections act through the strategy alone, which is a part of the identity itself.
ARMS = {
    "seed",
    "network",
    "images",
    "prepare_data",
    "pretrain_source",
    "recipes",
    "training",
    "finetune_target",
    "train_scratch",
}
# What asks the question. What follows from the answer, and how many looks were planned, is no other question.
QUESTION = {"metric", "level", "margin"}


class Standing(NamedTuple):
    """Where a look stands among all looks at its test images."""

    n_looks: int
    """number of looks up to this one, without those of two seeds"""
    planned: int
    """number of looks planned before the first; they share the level"""
    n_open: int
    """earlier looks that count and did not end POSITIVE"""
    counts: bool
    """whether this look counts: it has more than two seeds"""
    said: str
    """what the ledger says of earlier looks; empty if there were none"""

    @property
    def unplanned(self) -> bool:
        """Whether this look goes beyond the plan, so that it can claim nothing."""
        return self.counts and self.left("INCONCLUSIVE") < 0

    def left(self, outcome: Outcome) -> int:
        """Looks that are left after this one; below 0 if it was one too many."""
        return self.planned - self.n_open - (self.counts and outcome != "POSITIVE")


def open_look(path: Path, look: Look) -> Standing:
    """Enter a look in the ledger before the test split is opened, so that a run that is killed leaves it there.

    The same params at the same test images are the same look, whose plan and verdict stay until it is judged anew.

    Args:
        path: file of the ledger; a missing one is begun.
        look: the look, without a verdict.

    Returns:
        Where the look stands among the earlier ones.

    Raises:
        ValueError: the file is no ledger.
    """
    record = read_looks(path)
    if not any(_same(each, look) for each in record.looks):
        record = LooksRecord(looks=(*record.looks, look))
        write_record(record, path)
    return standing_of(record, look)


def close_look(path: Path, look: Look, verdict: Outcome) -> None:
    """Write the verdict of a look into the ledger."""
    record = read_looks(path)
    looks = (each.model_copy(update={"verdict": verdict}) if _same(each, look) else each for each in record.looks)
    write_record(LooksRecord(looks=tuple(looks)), path)


def standing_of(record: LooksRecord, look: Look) -> Standing:
    """Judge an open look by those before it at the same test images.

    The plan in force is that of the first look that counts. A look is unplanned if more looks than planned, itself
    included, did not end POSITIVE: whoever found a gain has ended the search, and what comes after asks something else.

    Args:
        record: the ledger.
        look: a look that stands in it.
    """
    place = next(place for place, each in enumerate(record.looks) if _same(each, look))
    before = [each for each in record.looks[:place] if each.test_sha256 == look.test_sha256]
    counted = [each for each in before if _counts(each)]
    first = (counted or [record.looks[place]])[0]
    n_open = sum(each.verdict != "POSITIVE" for each in counted)
    n_looks, counts = len(counted) + _counts(look), _counts(look)
    return Standing(n_looks, first.planned, n_open, counts, _said(before, n_looks, first.planned, counts))


def look_at(splits: Splits, params: Params, strategy: StrategyName, n_seeds: int) -> Look:
    """The look that a run takes.

    Args:
        splits: images of the target. Train and val images are a part of what looks, test images what it looks at.
        params: all params of the run.
        strategy: the strategy that was trained.
        n_seeds: number of paired seeds.
    """
    values = params.model_dump(mode="json", include=ARMS)
    question = params.check_transfer.model_dump(mode="json", include=QUESTION)
    # a budget by name and the same number of seeds are one thing
    values["training"].pop("budget", None)
    images = [_images(each, splits.classes) for each in (splits.train, splits.val)]
    asked = {**values, "question": question, "strategy": strategy, "n_seeds": n_seeds, "images": images}
    return Look(
        test_sha256=_images(splits.test, splits.classes),
        params_sha256=_sha256(json.dumps(asked, sort_keys=True)),
        n_seeds=n_seeds,
        planned=params.check_transfer.planned_looks,
        verdict=None,
    )


def _images(split: Labelled, classes: Sequence[str]) -> str:
    """Hash of the set of images of a split and their classes, in whatever order."""
    named = {f"{sha256} {classes[label]}" for sha256, label in zip(split.sha256, split.labels, strict=True)}
    return _sha256("\n".join(sorted(named)))


def read_looks(path: Path) -> LooksRecord:
    """Read the ledger; a missing one is empty.

    Raises:
        ValueError: the file is no ledger.
    """
    if not path.exists():
        return LooksRecord()
    try:
        return read_record(LooksRecord, path)
    except ValueError as error:
        what = str(error).removeprefix(f"{path}: ").removesuffix("Run `dvc repro`; it rewrites the file.").strip()
        raise ValueError(
            f"{path}: {what} It counts the looks at the test images and cannot be made again: restore it "
            f"(`git checkout {path}`); after a merge, keep the entries of both sides."
        ) from None


def _said(before: Sequence[Look], n_looks: int, planned: int, counts: bool) -> str:
    """What came before, in one or two sentences."""
    verdicts = [each.verdict or "broken off" for each in before if _counts(each)]
    n_small = len(before) - len(verdicts)
    this = f"This is look {n_looks} at these test images" if counts else "This look of two seeds counts for nothing"
    told = f"{this}, {planned} planned; before: {', '.join(verdicts)}." if verdicts else ""
    small = f"{n_small} {'look' if n_small == 1 else 'looks'} of two seeds came before; two seeds can claim nothing."
    return " ".join(each for each in (told, small if n_small else "") if each)


def _counts(look: Look) -> bool:
    return look.n_seeds >= LEAST_SEEDS


def _same(one: Look, other: Look) -> bool:
    return (one.test_sha256, one.params_sha256) == (other.test_sha256, other.params_sha256)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
