"""The lines that `graft start` prints."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.files import visible
from graft.params.combinations import TECHNIQUES
from graft.records.common import SHA256_DIGITS, Split
from graft.start.edits import Edits, value_at
from graft.start.survey import Survey
from graft.yaml_files import written

if TYPE_CHECKING:
    from graft.start.minutes import RunMinutes

# subject, and sentence
Line = tuple[str, str]

MOST_CLASSES = 12
MOST_NAMED = 3
MOST_STAGES = 4
# classes are skewed if the largest has at least so many times the images of the smallest
SKEWED = 2
WIDTH = 10
HASH = re.compile("[0-9a-f]{64}")


def shown(lines: Iterable[Line]) -> str:
    """Lines as they are printed; a subject is printed once."""
    text, before = [], ""
    for about, sentence in lines:
        text.append(f"{about if about != before else '':<{WIDTH}}{sentence}".rstrip())
        before = about
    return "\n".join(text)


def found(domain: str, survey: Survey) -> list[Line]:
    """Lines on what is in the folder of a domain."""
    lines = [
        f"{len(survey.found):,} images in {len(survey.classes)} classes in {visible(survey.folder)}",
        f"classes: {_classes(survey.classes)}",
        *_skew(survey),
        _splits(survey),
        _sizes(survey),
        _pixels(survey),
        *_range(survey),
        *_unreadable(survey),
        *(f"left out: {each.n_files:,} {_kind(each.kind)} ({_some(each.paths)})" for each in survey.left_out),
        *(_groups(survey) if domain == "target" else ()),
    ]
    return [(domain, line) for line in lines]


def unlabelled(folder: Path, n_images: int) -> list[Line]:
    """Line on images without labels, and on what reads them."""
    reads = "`batchnorm: adapt` and `adapting: dan, coral or dann` under finetune_target read them"
    return [("unlabeled", f"{n_images:,} files in {visible(folder)}, which are never labelled; {reads}")]


def without_labels(n_tested: int) -> list[Line]:
    """Lines on a target without labels to train on: what is learned from, what is judged, and values that suit it."""
    judged = f"its {n_tested:,} labelled test images give the verdict" if n_tested else "there will be no verdict"
    # the choice is needed in any case, adapting is not
    lines = ["choose_by: information_maximisation", TECHNIQUES["adabn"].line, f"# {TECHNIQUES['coral'].line}"]
    return [
        ("labels", f"the target has none to train on: both arms learn those of the source, and {judged}"),
        ("labels", "before a run, paste under finetune_target in params.yaml, in place of its batchnorm:"),
        *(("labels", f"  {line}") for line in lines),
    ]


def changes(edits: Edits) -> list[Line]:
    """One line for each key that changes."""
    return [
        ("params", f"{key}: {_value(value_at(edits.before, key))} -> {_value(each.value)}  ({visible(each.why)})")
        for key, each in edits.changed.items()
    ] or [("params", "params.yaml says all of this already: nothing changes")]


def time(estimate: "RunMinutes", budget: str) -> list[Line]:
    """Lines on the minutes that a run takes."""
    stages = sorted(estimate.by_stage.items(), key=lambda each: -each[1])
    parts = ", ".join(f"{name} {_minutes(each)}" for name, each in stages[:MOST_STAGES])
    rest = sum(each for _, each in stages[MOST_STAGES:])
    others = f", the others {_minutes(rest)}" if rest else ""
    lines = [f"about {_minutes(estimate.total)} minutes on this machine alone ({budget}): {parts}{others}"]
    if _minutes(estimate.least) != _minutes(estimate.most):
        lines.append(f"by the strategy that graft chooses, {_minutes(estimate.least)} to {_minutes(estimate.most)}")
    return [("time", line) for line in lines]


def next_steps(tracked: Sequence[Path], dry_run: bool) -> list[Line]:
    """Commands to go on with.

    Args:
        tracked: folders and files that DVC is to keep track of.
        dry_run: whether nothing was written.
    """
    if dry_run:
        return [("next", "nothing was written or copied; the same command without --dry-run does it")]
    files = " ".join(_quoted(each.with_name(f"{each.name}.dvc")) for each in tracked)
    return [
        ("next", step) for step in (*(f"dvc add {_quoted(each)}" for each in tracked), f"git add {files}", "make repro")
    ]


def _classes(classes: Counter[str]) -> str:
    if len(classes) <= MOST_CLASSES:
        return ", ".join(f"{visible(name)} {n:,}" for name, n in sorted(classes.items()))
    ranked = classes.most_common()
    return (
        f"{visible(ranked[0][0])} has most ({ranked[0][1]:,}), {visible(ranked[-1][0])} fewest ({ranked[-1][1]:,}), "
        f"the median class {sorted(classes.values())[len(classes) // 2]:,}"
    )


def _skew(survey: Survey) -> list[str]:
    largest, smallest = max(survey.classes.values()), min(survey.classes.values())
    if largest < SKEWED * smallest:
        return []
    share = largest / len(survey.found)
    return [
        f"skewed: the largest class has {largest / smallest:.1f} times the smallest, so always saying it is right "
        f"for {share:.0%}; what `training.balance: weights` or `sampling` would give was not measured, and it stays"
    ]


def _splits(survey: Survey) -> str:
    counts = {split: survey.counts[split].total() for split in survey.counts}
    cut = ", ".join(f"{split} {n:,}" for split, n in counts.items())
    named = {each.split for each in survey.found if each.split}
    return f"splits: {_how_cut(named)}, so about {cut}"


def _how_cut(named: set[Split]) -> str:
    if not named:
        return "no split folders; 15 % for val and 15 % for test will be cut"
    if named == {"train", "val", "test"}:
        return "folders train, val and test"
    if named == {"train"}:
        return "folder train; val and test will be cut from it"
    if named == {"train", "test"}:
        return "folders train and test; val will be cut from train"
    return "folders train and val; val becomes test, and a new val will be cut from train"


def _sizes(survey: Survey) -> str:
    sizes = sorted((each.width * each.height, each.width, each.height) for each in survey.readable.values())
    least, middle, most = (f"{width} x {height}" for _, width, height in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    span = f"all {least}" if least == most else f"{least} to {most}, median {middle}"
    return f"sizes: {span} pixels{_of(len(survey.headers), len(survey.found))}"


def _pixels(survey: Survey) -> str:
    formats = Counter(each.format for each in survey.readable.values())
    kinds = ", ".join(f"{name} {n:,}" for name, n in formats.most_common())
    grey, seen = survey.n_grey, survey.n_decoded
    colour = "colour" if grey == 0 else "grey" if grey == seen else f"{grey} grey, {seen - grey} in colour"
    return f"pixels: {colour}{_of(seen, len(survey.found))}; {kinds}{_of(len(survey.headers), len(survey.found))}"


def _range(survey: Survey) -> list[str]:
    if not survey.n_deep:
        return ["value range: 8 bits"]
    some = f"value range: {survey.n_deep:,} grey files of 16 bits"
    if survey.doubt:
        return [f"{some}, and it is open how many are in use. {survey.doubt}"]
    return [f"{some}, of which {survey.bits} are in use; prepare_data recognises it from all of them"]


def _unreadable(survey: Survey) -> list[str]:
    broken = survey.unreadable
    if not broken:
        return []
    path, first = next(iter(broken.items()))
    return [f"cannot be read: {len(broken):,} files, such as {visible(path)}: {visible(first.error)}"]


def _groups(survey: Survey) -> list[str]:
    lines = []
    for each in survey.hints:
        lines += [
            f"names look like {each.kind}: {each.n_groups:,} groups, such as {_some(each.examples)}; images of one in "
            "train and test would make results too good. If it is so, paste into params.yaml under prepare_data:",
            f"  group_pattern: {written(each.pattern)}",
        ]
    return lines


def _of(n: int, total: int) -> str:
    return "" if n >= total else f" (of {n:,} looked at)"


def _kind(kind: str) -> str:
    kinds = {
        "hidden": "hidden files",
        "system_folder": "files in folders of systems",
        "unlabelled": "images that the table does not name",
    }
    return kinds.get(kind, "files of systems")


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(visible, names[:MOST_NAMED]))


def _value(value: Any) -> str:
    is_hash = isinstance(value, str) and HASH.fullmatch(value)
    return f"{value[:SHA256_DIGITS]}..." if is_hash else visible(written(value))


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"


def _quoted(path: Path) -> str:
    return shlex.quote(path.as_posix())
