"""The ledger of looks: how often test images were looked at, and what a further look may claim.

Whoever looks at the same test images again and again, with other training each time, finds a difference in the end.
Looks that are planned before the first share the level; an unplanned one claims nothing.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graft.decisions.claims import LEAST_SEEDS
from graft.decisions.verdict.metric import primary_metric
from graft.decisions.verdict.splits import Splits
from graft.files import read_record, write_record
from graft.params.combinations import OFF, READ_SOURCE, READ_TARGET, phases_as
from graft.params.learning import Learning
from graft.params.pipeline import Params
from graft.records.catalog import CatalogRecord
from graft.records.common import NoOutcome, Outcome, StrategyName
from graft.records.looks import Look, LooksRecord
from graft.store.catalogue import Labelled

# What makes the arms. Other sections act through strategy and images, which are told apart. Recipes that are not used
# change no arm, nor does the pretraining where weights are published.
ARMS = {"seed", "network", "images", "training", "finetune_target", "train_scratch"}
# What asks the question. What follows from the answer, and how many looks were planned, is no other question.
QUESTION = {"metric", "level", "margin"}


class Standing(NamedTuple):
    """Where a look stands among all looks at its test images."""

    n_looks: int
    """number of looks that count, up to this one"""
    planned: int
    """number of looks planned before the first; they share the level"""
    n_open: int
    """earlier looks that count and did not end POSITIVE"""
    counts: bool
    """whether this look may claim something: it has more than two seeds"""
    said: str
    """what the ledger says of earlier looks; empty if there were none"""
    level: float
    """the level that all planned looks share: that of the first look that counts, or less if less is asked now"""

    @property
    def unplanned(self) -> bool:
        """Whether this look goes beyond the plan, so that it can claim nothing."""
        return self.counts and self.left("INCONCLUSIVE") < 0

    def left(self, outcome: Outcome) -> int:
        """Looks that are left after this one; below 0 if it was one too many."""
        return self.planned - self.n_open - (self.counts and outcome != "POSITIVE")


# Nothing is looked at, so that nothing is counted.
NO_LOOK = Standing(n_looks=0, planned=0, n_open=0, counts=False, said="", level=0.0)


def open_look(path: Path, look: Look | None) -> Standing:
    """Enter a look in the ledger before the test split is opened, so that a run that is killed leaves it there.

    The same params at the same test images are the same look, whose plan and verdict stay until it is judged anew.

    Args:
        path: file of the ledger; a missing one is begun.
        look: the look, without a verdict; None where there is nothing to look at.

    Returns:
        Where the look stands among the earlier ones.

    Raises:
        ValueError: the file is no ledger.
    """
    record = read_looks(path)
    if look is None:
        write_record(record, path)
        return NO_LOOK
    if not any(_same(each, look) for each in record.looks):
        record = LooksRecord(looks=(*record.looks, look))
        write_record(record, path)
    return standing_of(record, look)


def close_look(path: Path, look: Look | None, verdict: Outcome | NoOutcome) -> None:
    """Write the verdict of a look into the ledger; of none, nothing."""
    record = read_looks(path)
    if look is None:
        return
    looks = (each.model_copy(update={"verdict": verdict}) if _same(each, look) else each for each in record.looks)
    write_record(LooksRecord(looks=tuple(looks)), path)


def standing_of(record: LooksRecord, look: Look) -> Standing:
    """Judge an open look by those before it at the same test images.

    Plan and level in force are those of the first look that counts. A look is unplanned if more looks than planned,
    itself included, did not end POSITIVE: whoever found a gain has ended the search, and what comes after asks
    something else. The first look of two seeds counts for nothing, because it can claim nothing. Others do: whoever
    tries several trainings by two seeds and goes on with the best has chosen by the test images.

    Args:
        record: the ledger.
        look: a look that stands in it.
    """
    place = next(place for place, each in enumerate(record.looks) if _same(each, look))
    before = [each for each in record.looks[:place] if each.test_sha256 == look.test_sha256]
    free = next((each for each in before if not _claims(each)), None)
    counted = [each for each in before if each is not free]
    first = (counted or [record.looks[place]])[0]
    n_open = sum(each.verdict != "POSITIVE" for each in counted)
    n_looks, counts = len(counted) + _claims(look), _claims(look)
    said = _said(counted, free, n_looks, first.planned)
    return Standing(n_looks, first.planned, n_open, counts, said, min(first.level, look.level))


class Trained(NamedTuple):
    """What was trained, beyond what params.yaml and the target's images say."""

    strategy: StrategyName
    n_seeds: int
    """number of paired seeds"""
    source_sha256: str
    """hash of the source's images in the catalogue record"""
    unlabeled_sha256: str = ""
    """hash of the target's images without labels; empty if there are none"""


def trained_from(strategy: StrategyName, n_seeds: int, catalog: CatalogRecord) -> Trained:
    """What was trained from the images of a catalogue record."""
    unlabeled = catalog.unlabeled.sha256 if catalog.unlabeled.present else ""
    return Trained(strategy, n_seeds, catalog.source.sha256, unlabeled)


def look_at(splits: Splits, params: Params, trained: Trained) -> Look | None:
    """The look that a run takes; None where the arms learned from the source and no target image has a label.

    Args:
        splits: images by split. Train and val images are a part of what looks, test images what it looks at.
        params: all params of the run.
        trained: strategy, number of seeds and source.
    """
    if splits.nothing_to_judge:
        return None
    question = params.check_transfer.model_dump(mode="json", include=QUESTION)
    # `auto` is the metric that it stands for
    question["metric"] = primary_metric(splits.test.labels, len(splits.classes), params.check_transfer.metric)
    asked = {
        **_arms(params, trained),
        "question": question,
        "images": [_grouped(each, splits.classes) for each in splits[:3]],
    }
    return Look(
        test_sha256=_sha256("\n".join(sorted(set(_named(splits.test, splits.classes))))),
        params_sha256=_sha256(json.dumps(asked, sort_keys=True)),
        n_seeds=trained.n_seeds,
        planned=params.check_transfer.planned_looks,
        level=params.check_transfer.level,
        verdict=None,
    )


def _arms(params: Params, trained: Trained) -> dict[str, Any]:
    """What makes the arms, without what changes none."""
    values = params.model_dump(mode="json", include=ARMS)
    # a budget by name and the same number of seeds are one thing, and rates are tried in any order
    values["training"].pop("budget", None)
    # its sha256 stands for the file
    values["network"].pop("weights_file")
    # a technique that is off changes nothing, and its key was unknown when earlier looks were taken
    for key in [key for key, off in OFF.items() if values["finetune_target"][key] == off]:
        values["finetune_target"].pop(key)
    for arm in ("finetune_target", "train_scratch"):
        values[arm]["rates"] = sorted(values[arm]["rates"])
    learnt: list[Learning] = [params.training]
    if params.network.weights == "pretrain":
        learnt.append(params.pretrain_source)
        values |= {"pretrain_source": params.pretrain_source.model_dump(mode="json"), "source": trained.source_sha256}
    arm = values["finetune_target"]
    kinds = {value["kind"] for value in arm.values() if isinstance(value, dict)}
    if kinds & set(READ_SOURCE):
        values["source"] = trained.source_sha256
    reads_target = kinds & set(READ_TARGET) or arm["batchnorm"] == "adapt" or "choose_by" in arm
    if trained.unlabeled_sha256 and reads_target:
        values["unlabeled"] = trained.unlabeled_sha256
    recipes = {each.augmentation: params.recipes[each.augmentation].model_dump(mode="json") for each in learnt}
    # the name of a technique stands for the phases of full, and its values are above
    strategy = "scratch" if trained.strategy == "scratch" else phases_as(trained.strategy)
    # the folds of the probe decide how strongly the first head is regularised
    probe = {"folds": params.select_strategy.folds}
    return {**values, "recipes": recipes, "probe": probe, "strategy": strategy, "n_seeds": trained.n_seeds}


def _named(split: Labelled, classes: Sequence[str]) -> list[str]:
    """Hash and class of each image."""
    return [f"{sha256} {classes[label]}" for sha256, label in zip(split.sha256, split.labels, strict=True)]


def _grouped(split: Labelled, classes: Sequence[str]) -> str:
    """Hash of the images of a split, their classes and their groups, whatever the order and the names of the groups."""
    named = _named(split, classes)
    first: dict[str, str] = {}
    for name, group in sorted(zip(named, split.groups.tolist(), strict=True)):
        first.setdefault(group, name)
    return _sha256(
        "\n".join(sorted(f"{name} {first[group]}" for name, group in zip(named, split.groups.tolist(), strict=True)))
    )


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


def _said(counted: Sequence[Look], free: Look | None, n_looks: int, planned: int) -> str:
    """What came before, in one or two sentences."""
    verdicts = [(each.verdict or "broken off") + ("" if _claims(each) else " by two seeds") for each in counted]
    this = f"This is look {n_looks} at these test images" if n_looks > len(counted) else "This look is of two seeds"
    told = f"{this}, {planned} planned; before: {', '.join(verdicts)}." if verdicts else ""
    small = "1 look of two seeds came before; two seeds can claim nothing." if free is not None else ""
    return " ".join(each for each in (told, small) if each)


def _claims(look: Look) -> bool:
    """Whether a look has seeds enough to claim anything."""
    return look.n_seeds >= LEAST_SEEDS


def _same(one: Look, other: Look) -> bool:
    return (one.test_sha256, one.params_sha256) == (other.test_sha256, other.params_sha256)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
