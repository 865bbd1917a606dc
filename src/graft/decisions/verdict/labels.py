"""What the arms learned from, in words, where it is not labelled images of the target."""

from graft.params.combinations import READ_TARGET
from graft.records.training import TrainingRecord
from graft.wording import TECHNIQUE_WORDS, joined


def labels_said(transfer: TrainingRecord) -> str:
    """That both arms learned from the source's labels alone, and what else transfer saw of the target.

    Args:
        transfer: record of the transfer arm.
    """
    learned = "Both arms were trained on the source's labels alone"
    ways = [TECHNIQUE_WORDS[each] for each in transfer.techniques if each in READ_TARGET]
    ways += ["the choice of its epochs and rates"] if transfer.choose_by else []
    if not ways:
        return f"{learned}; neither saw an image of the target."
    return f"{learned}; transfer also saw unlabelled images of the target ({joined(ways)}), the control saw none."
