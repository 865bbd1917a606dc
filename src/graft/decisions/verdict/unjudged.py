"""What stands in place of a verdict where no target image has a label that the arms could be judged by."""

from graft.decisions.verdict.labels import labels_said
from graft.decisions.verdict.shipping import cost_of, median_run, shipped_arm
from graft.params.decisions import CheckTransfer
from graft.records.training import TrainingRecord
from graft.records.verdict import NoVerdictRecord

HEADLINE = "No verdict: no labelled test images"


def no_verdict(
    transfer: TrainingRecord, scratch: TrainingRecord, params: CheckTransfer, pretraining: int
) -> NoVerdictRecord:
    """Say that nothing was judged, and name the model that ships as after an open verdict.

    Args:
        transfer: record of the transfer arm.
        scratch: record of the control, with the same seeds.
        params: what follows where the comparison is not settled.
        pretraining: images that the pretraining passes through training steps; 0 if it was not made here.
    """
    shipped = shipped_arm("NONE", cost_of(transfer, scratch, pretraining), params)
    runs = (transfer if shipped.arm == "transfer" else scratch).runs
    said = labels_said(transfer)
    return NoVerdictRecord(
        headline=HEADLINE,
        sentence=(
            f"{HEADLINE}. {said} Whether transfer is better on the target than the control, or than always saying one "
            "class, is not known. Put labelled images of the target under data/raw/target/test/<class>/: they give a "
            "verdict, and train nothing."
        ),
        labels_said=said,
        level=params.level,
        n_seeds=len(transfer.runs),
        strategy=transfer.strategy,
        techniques=transfer.techniques,
        ships=shipped.arm,
        ships_because=shipped.because,
        ships_seed=runs[median_run(runs)].seed,
        on_inconclusive=params.on_inconclusive,
    )
