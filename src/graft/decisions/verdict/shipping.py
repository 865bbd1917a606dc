"""Which arm ships, why, and which of its runs."""

from typing import NamedTuple

from graft.params.decisions import CheckTransfer
from graft.params.pipeline import Params
from graft.records.catalog import CatalogRecord
from graft.records.common import Arm, NoOutcome, Outcome
from graft.records.training import RunRecord, TrainingRecord


class Cost(NamedTuple):
    """What a run of each arm costs to make, in images that pass through a training step."""

    transfer: float
    """images of a run, and those of the pretraining if the backbone is made here"""
    scratch: float


class Shipped(NamedTuple):
    """The arm that ships."""

    arm: Arm
    because: str


def pretraining_images(params: Params, catalog: CatalogRecord) -> int:
    """Images that the pretraining passes through training steps; 0 with weights that are published or given."""
    if params.network.weights != "pretrain":
        return 0
    return params.pretrain_source.epochs * sum(catalog.source.counts["train"].values())


def cost_of(transfer: TrainingRecord, scratch: TrainingRecord, pretraining: int) -> Cost:
    """Cost of making one run of each arm at its chosen rate, as the mean over seeds.

    Both arms choose among equally many rates, so that the choice costs the same number of runs in both.

    Args:
        transfer: training record of the transfer arm.
        scratch: training record of the control.
        pretraining: images of the pretraining, which is run once.
    """
    means = [sum(run.n_images_seen for run in arm.runs) / len(arm.runs) for arm in (transfer, scratch)]
    return Cost(means[0] + pretraining, means[1])


def shipped_arm(outcome: Outcome | NoOutcome, cost: Cost, params: CheckTransfer) -> Shipped:
    """The arm that ships, with the reason.

    Args:
        outcome: of the comparison; NONE, where there was none, is followed by what follows an INCONCLUSIVE one.
        cost: of making each arm.
        params: what follows a NEGATIVE and an INCONCLUSIVE verdict.
    """
    if outcome == "EQUIVALENT":
        return _cheaper(cost, "the arms are EQUIVALENT")
    if outcome in ("INCONCLUSIVE", "NONE") and params.on_inconclusive == "ship_cheapest":
        why = "there is no verdict" if outcome == "NONE" else "the verdict is open"
        return _cheaper(cost, f"{why} and check_transfer.on_inconclusive says ship_cheapest")
    if outcome == "NEGATIVE" and params.on_negative == "ship_scratch":
        return Shipped("scratch", "The control ships: transfer hurt, and check_transfer.on_negative says ship_scratch.")
    if outcome == "POSITIVE":
        return Shipped("transfer", "Transfer ships: it helped.")
    policy = "on_negative" if outcome == "NEGATIVE" else "on_inconclusive"
    refused = getattr(params, policy) == "fail"
    what = "Transfer was exported, and the gate refuses it" if refused else "Transfer ships, with a warning"
    return Shipped("transfer", f"{what}: check_transfer.{policy} says {getattr(params, policy)}.")


def median_run(runs: tuple[RunRecord, ...]) -> int:
    """Index of the run with the median validation accuracy: a typical run, not the luckiest.

    Where a score of unlabelled images chose the epochs, it takes the place of the accuracy.

    Of an even number of runs it is the lower of the two in the middle. Ties go to the lowest loss, then to the lowest
    seed.
    """
    scores = [run.val_accuracy if run.unlabelled_score is None else run.unlabelled_score for run in runs]
    median = sorted(scores)[(len(scores) - 1) // 2]
    equals = [place for place, score in enumerate(scores) if score == median]
    return min(equals, key=lambda place: (runs[place].val_loss, runs[place].seed))


def _cheaper(cost: Cost, when: str) -> Shipped:
    """The arm that is cheaper to make; of equals the control, which needs no weights from elsewhere."""
    arm: Arm = "transfer" if cost.transfer < cost.scratch else "scratch"
    names = {"transfer": "Transfer", "scratch": "The control"}
    low, high = sorted((cost.transfer, cost.scratch))
    seen = f"{low:,.0f} images pass through its training steps, {high:,.0f} through those of the other arm"
    why = (
        seen
        if low < high
        else f"{low:,.0f} images pass through the training steps of either, and it needs no other weights"
    )
    return Shipped(
        arm, f"{names[arm]} ships: {when}, and it is the cheaper one to make ({why}). Both cost the same to serve."
    )
