"""What the arms learned from, in words, where it is not labelled images of the target."""

from graft.records.training import TrainingRecord


def labels_said(transfer: TrainingRecord) -> str:
    """That both arms learned from the source's labels alone, and what else transfer saw of the target.

    Args:
        transfer: record of the transfer arm.
    """
    ways = ["BatchNorm statistics"] if transfer.batchnorm == "adapt" else []
    saw = f"transfer also saw unlabelled images of the target ({', '.join(ways)}), the control saw none"
    return (
        f"Both arms were trained on the source's labels alone; {saw if ways else 'neither saw an image of the target'}."
    )
