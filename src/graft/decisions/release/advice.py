"""Suggestions what to try next, from the records of a run."""

from collections.abc import Iterator, Sequence

from graft.decisions.claims import LEAST_SEEDS, transfer_by
from graft.params.both_arms import Strategy
from graft.params.combinations import OFF, TECHNIQUES
from graft.params.learning import MOST_SEEDS
from graft.records.chapters import Records
from graft.records.release import Reason
from graft.records.verdict import AnyVerdict, NoVerdictRecord, VerdictRecord

MOST_STEPS = 3
# What turns off the values of a strategy, which params.yaml refuses beside another one.
VALUES_OFF = {"gradual": " -S finetune_target.unfreeze=null", "surgical": " -S 'finetune_target.surgical_blocks=[]'"}
# Strategies that keep weights frozen for a part of training or all of it, although no block has a rate of 0.
HOLD_BACK = ("feature_extraction", "gradual", "norms")
# Weight of all published tables together (graft.decisions.selection.choice.weigh). A larger lead is due to evidence.
TABLES_WEIGHT = 1.0


def next_steps(records: Records, reasons: Sequence[Reason]) -> tuple[str, ...]:
    """At most three suggestions, the most pressing first. Each names the param, the command or the images to change.

    Args:
        records: the records of the run.
        reasons: the checks of the release.
    """
    more = _train_more(records)
    every = (
        *_label_some(records.verdict),
        *more,
        *_data(records),
        *_verdict(records),
        *_training(records, reasons),
        *_strategy(records, bool(more)),
    )
    return every[:MOST_STEPS]


def _label_some(verdict: AnyVerdict) -> tuple[str, ...]:
    """Suggest labels for a test where nothing could be judged."""
    if not isinstance(verdict, NoVerdictRecord):
        return ()
    return (
        "Label target images for a test, some hundred with all classes among them, and put them under "
        "`data/raw/target/test/<class>/`: nothing else can tell whether the model does on the target what it should.",
    )


def _train_more(records: Records) -> tuple[str, ...]:
    """Suggest training all blocks if transfer did not help while some were frozen."""
    strategy = records.verdict.strategy
    tuned_little = any(TECHNIQUES[each].key == "tuning" for each in records.verdict.techniques)
    frozen = strategy in HOLD_BACK or tuned_little or 0.0 in records.transfer.block_factors.values()
    if records.verdict.verdict in ("POSITIVE", "NONE") or not frozen:
        return ()
    return (
        f"Train all blocks before you judge transfer: this verdict is on {_tried(records.verdict)}, and on no other "
        f"strategy (`{_overruled(records, 'full')}`).{_further_look(records.verdict)}",
    )


def _data(records: Records) -> Iterator[str]:
    if records.catalog.dataset == "example":
        yield (
            "This was the built-in example. `graft start --from FOLDER` goes on with your images (`make start "
            'ARGS="--from FOLDER"` sets it up); `docs/tutorial-own-images.md` goes through it.'
        )
    for each in records.validation.findings:
        if not each.ok:
            yield f"Look at your data ({each.name}): {each.advice}"
    labels = records.checks.labels
    if labels.n_suspects:
        look = "looks" if labels.n_suspects == 1 else "look"
        yield f"Look at your labels: {labels.n_suspects} {look} wrong; the report shows them under Labels to look at."
    for check in records.checks.splits:
        if check.warns:
            yield f"Look at your splits. {check.sentence}"


def _verdict(records: Records) -> Iterator[str]:
    verdict = records.verdict
    if verdict.verdict == "INCONCLUSIVE":
        yield _to_settle(verdict)
    if verdict.verdict == "NEGATIVE" and verdict.strategy != "feature_extraction":
        command = _overruled(records, "feature_extraction")
        yield f"Keep the pretrained features as they are: `{command}`.{_further_look(verdict)}"
    if verdict.verdict in ("NEGATIVE", "EQUIVALENT"):
        yield (
            f"Try weights from images closer to yours (`network.weights`): {_tried(verdict)} from these "
            f"gave nothing that scratch does not.{_further_look(verdict)}"
        )


def _further_look(verdict: AnyVerdict) -> str:
    """What it takes to look at these test images again, with changed training; empty after a gain, or without any."""
    if isinstance(verdict, NoVerdictRecord) or verdict.verdict == "POSITIVE":
        return ""
    left = verdict.looks_left
    if left:
        looks = "1 planned look" if left == 1 else f"{left} planned looks"
        return f" {looks} at these test images {'is' if left == 1 else 'are'} left."
    return " Take new test images for it: a further look at these was not planned, and would claim nothing."


def _to_settle(verdict: VerdictRecord) -> str:
    """What would settle an open verdict: what limits it first, then the size that it takes, at new test images."""
    if verdict.limits:
        more = " `dvc exp run -S training.budget=standard` runs five." if verdict.n_seeds < LEAST_SEEDS else ""
        return f"Settle the verdict: {verdict.limits[0]}{more}"
    if verdict.to_show is not None and verdict.to_show[0] <= MOST_SEEDS:
        seeds, images = verdict.to_show
        return (
            f"Settle the verdict with {images:,} test images, new ones among them, and {seeds} seeds "
            f"(`training.budget: {seeds}`): together they show this difference four times in five."
        )
    return (
        f"Label more images to train on: a difference of this size takes over {MOST_SEEDS} seeds or more test images "
        f"than anybody labels, so nothing but another difference will settle the verdict.{_further_look(verdict)}"
    )


def _training(records: Records, reasons: Sequence[Reason]) -> Iterator[str]:
    for each in reasons:
        if each.check == "rates" and each.level != "pass":
            yield f"{each.sentence}{_further_look(records.verdict)}"
    runs = records.transfer.runs
    last = sum(run.best_epoch == len(run.curve) > 0 for run in runs)
    if 2 * last > len(runs):
        longer = 2 * max(len(run.curve) for run in runs)
        yield (
            f"Train longer: the last epoch was the best in {last} of {len(runs)} seeds of transfer "
            f"(`dvc exp run -S training.epochs={longer}`).{_further_look(records.verdict)}"
        )


def _strategy(records: Records, full_is_advised: bool) -> Iterator[str]:
    record = records.strategy
    second = None if record.overruled or record.runner_up == "scratch" else record.runner_up
    if second == "full" and full_is_advised:
        return
    if second and record.weights[record.choice] - record.weights[second] <= TABLES_WEIGHT:
        command = _overruled(records, second)
        compared = f"`{second}` came close: `{command}` tries it, `dvc metrics diff` compares."
        yield f"{compared}{_further_look(records.verdict)}"


def _tried(verdict: AnyVerdict) -> str:
    """What was trained, in words."""
    return transfer_by(verdict.strategy, verdict.techniques)


def _overruled(records: Records, strategy: Strategy) -> str:
    """The command that runs another strategy in place of the one of this run.

    Techniques stay, but for what would have no effect, and for what lets less than whole blocks learn under full.
    """
    keys = sorted({TECHNIQUES[each].key for each in records.verdict.techniques} & OFF.keys())
    off = [key for key in keys if strategy == "feature_extraction" or (key == "tuning" and strategy == "full")]
    settings = "".join(f" -S finetune_target.{key}={OFF[key]}" for key in off)
    return f"dvc exp run -S select_strategy.overrule={strategy}{VALUES_OFF.get(records.verdict.strategy, '')}{settings}"
