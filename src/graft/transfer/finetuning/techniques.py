"""What a run adds to the data loss: terms that keep what was learned, and terms that adapt to the target."""

from graft.params.techniques import EWC, L2SP, LwF, Replay
from graft.training.objective import MakeTerm
from graft.training.steps import Plan
from graft.transfer.companions import labelled_source
from graft.transfer.finetuning.adapted import adapted
from graft.transfer.finetuning.task import Backbone, Start, TransferTask, plan_at
from graft.transfer.keeping.ewc import ewc
from graft.transfer.keeping.l2_sp import l2_sp
from graft.transfer.keeping.lwf import lwf
from graft.transfer.keeping.replay import replay


def plan_of(task: TransferTask, start: Start, rate: float) -> Plan:
    """The plan of a run of the chosen strategy at this learning rate of the head, with its terms."""
    return adapted(plan_at(task, rate)._replace(terms=_keeping(task, start)), task, start)


def _keeping(task: TransferTask, start: Start) -> tuple[MakeTerm, ...]:
    """What holds the blocks to what they were; nothing where none of them learns.

    Raises:
        ValueError: lwf has no old head, or replay no images of the source with its labels.
    """
    keeping, network = task.params.finetune_target.keeping, start.network
    if task.strategy.choice == "feature_extraction":
        return ()
    match keeping:
        case L2SP():
            return (l2_sp(keeping.strength),)
        case EWC():
            return (ewc(keeping.strength, start.fisher_roots),)
        case LwF():
            _check_old_head(task.backbone)
            return (lwf(network, keeping.strength, keeping.temperature, task.data.runtime.precision),)
        case Replay():
            source = labelled_source(task.companions, network, "replay")
            return (replay(network, source, keeping.share, task.data.recipe),)
    return ()


def _check_old_head(backbone: Backbone) -> None:
    if not backbone.source_head:
        raise ValueError(
            f"params.yaml, finetune_target.keeping: want weights with the head of their source for lwf, got "
            f"{backbone.name} without one. Its published head is no linear layer of the features, or the file holds "
            "none: set keeping to l2_sp, or take other weights."
        )
