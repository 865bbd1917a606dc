"""What a run adds to the data loss: terms that keep what was learned, and terms that adapt to the target."""

from graft.params.techniques import kind_of
from graft.training.objective import MakeTerm
from graft.training.steps import Plan
from graft.transfer.finetuning.task import Start, TransferTask, plan_at


def plan_of(task: TransferTask, start: Start, rate: float) -> Plan:
    """The plan of a run of the chosen strategy at this learning rate of the head, with its terms."""
    return plan_at(task, rate)._replace(terms=terms_of(task, start))


def terms_of(task: TransferTask, start: Start) -> tuple[MakeTerm, ...]:
    """Makers of the terms that params.yaml names; none where no block learns, as nothing is lost or adapts there."""
    if task.strategy.choice == "feature_extraction":
        return ()
    return (*_keeping(task, start), *_adapting(task, start))


def _keeping(task: TransferTask, start: Start) -> tuple[MakeTerm, ...]:
    makers: dict[str, MakeTerm] = {}
    kind = kind_of(task.params.finetune_target.keeping)
    return () if kind == "none" else (makers[kind],)


def _adapting(task: TransferTask, start: Start) -> tuple[MakeTerm, ...]:
    makers: dict[str, MakeTerm] = {}
    kind = kind_of(task.params.finetune_target.adapting)
    return () if kind == "none" else (makers[kind],)
