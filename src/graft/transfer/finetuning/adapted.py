"""What adapts a run to the target: its term, the statistics that follow the target, and the choice without labels."""

import copy
from collections.abc import Callable

from graft.networks.networks import Network
from graft.params.combinations import effective
from graft.params.techniques import check_choose_by
from graft.training.objective import MakeTerm
from graft.training.phases import n_frozen_blocks
from graft.training.steps import Plan
from graft.transfer.adapting.making import Setting, maker_of
from graft.transfer.adapting.sides import Following
from graft.transfer.adapting.validators import score_by
from graft.transfer.companions import unlabelled_of
from graft.transfer.finetuning.task import Start, TransferTask, made_ready, plan_at


def adapted(plan: Plan, task: TransferTask, start: Start) -> Plan:
    """The plan with what adapts it to the target.

    Running statistics of BatchNorm follow the target alone: labelled images of the source leave them to the unlabelled
    images, which a term passes.

    Raises:
        ValueError: the images do not allow it, or the choice among runs does not fit the labels.
    """
    plan = plan._replace(terms=(*plan.terms, *adapting_terms(task, start)), unlabelled_score=unlabelled_score(task))
    settings, data = effective(task.strategy.choice, task.params.finetune_target), task.data
    if data.labels_from == "target" or (settings.adapting == "none" and plan.batchnorm != "adapt"):
        return plan
    if plan.batchnorm == "adapt":
        # each batch by its own statistics: those of the target would not fit images of the source
        plan = plan._replace(batchnorm="train")
    if settings.adapting == "none":
        images = unlabelled_of(task.companions, "batchnorm: adapt")
        plan = plan._replace(terms=(*plan.terms, lambda network: Following(images, data.recipe)))
    return plan._replace(settled=True)


def adapting_terms(task: TransferTask, start: Start) -> tuple[MakeTerm, ...]:
    """The term that params.yaml names under `adapting`; none where it names none, or where no block learns.

    Raises:
        ValueError: there are fewer than two batches of images of a domain, or the blocks whose features are compared
            do not exist or never change.
    """
    choice, data = effective(task.strategy.choice, task.params.finetune_target).adapting, task.data
    if choice == "none":
        return ()
    source, ready = task.companions.source, made_ready(task, copy.deepcopy(start.network))
    setting = Setting(
        labels_from=data.labels_from,
        n_labelled=len(data.train.labels),
        source=None if source is None else source.images,
        unlabelled=task.companions.unlabelled,
        recipe=data.recipe,
        batch_size=task.params.training.batch_size,
        blocks=tuple(start.network.blocks),
        n_still=min(n_frozen_blocks(ready, phase) for phase in plan_at(task, 1.0).phases),
    )
    return (maker_of(choice, setting),)


def unlabelled_score(task: TransferTask) -> Callable[[Network], float] | None:
    """The score without labels by which epochs and runs are chosen; None where validation labels choose.

    Raises:
        ValueError: labels and choose_by do not fit together, or there are no images to score.
    """
    kind = task.params.finetune_target.choose_by
    check_choose_by(kind, task.data.labels_from == "target")
    if kind is None:
        return None
    return score_by(kind, unlabelled_of(task.companions, f"choose_by: {kind}"), task.data.runtime.precision)
