"""How each run beside the arms is trained; all but its images and its start is as in the arm."""

import torch

from graft.params.pipeline import Params
from graft.training.checkpoints import Keeper
from graft.training.loop import fit
from graft.training.steps import Tick
from graft.transfer import control
from graft.transfer.arms.rates import RunKey
from graft.transfer.arms.runs import Train, Trained
from graft.transfer.arms.target_data import TargetData, part_of, seen_by
from graft.transfer.finetuning import finetune
from graft.transfer.finetuning.task import Start, TransferTask, head_c, start_of, with_head
from graft.transfer.finetuning.techniques import plan_of
from graft.transfer.tuning.lora import merge_lora
from graft.transfer.variants.altered import reset, shuffled, started_from
from graft.transfer.variants.plan import Plan, Variant, reset_blocks, small_network
from graft.transfer.variants.subsets import Places, labels_seen, repeated
from graft.transfer.variants.task import VariantsTask


def trainer(variants: VariantsTask, plan: Plan) -> Train:
    """What trains a run beside the arms."""
    by_name = {variant.name: variant for variant in plan}
    start = start_of(variants.task)

    def train(run: RunKey, tick: Tick, keeper: Keeper) -> Trained:
        variant = by_name[run.variant]
        return _trainer_of(variants, variant, start, run.seed)(run, tick, keeper)

    return train


def network_name(variant: Variant, params: Params) -> str:
    """Name of the network of a run."""
    return small_network(params.network.name) if variant.kind == "small" else params.network.name


def n_images(variant: Variant, run: RunKey, variants: VariantsTask) -> int:
    """Number of images that a run sees, repeats included, if it does not end early."""
    task, params = variants.task, variants.task.params
    if variant.kind in ("scratch", "small"):
        return control.epochs_of(params) * _n_seen(task, run.seed)
    if finetune.by_steps(task):
        return params.training.epochs * _n_seen(task, run.seed)
    return len(labels_seen(task.data, params.training, variant.share, run.seed))


def _trainer_of(variants: VariantsTask, variant: Variant, start: Start, seed: int) -> Train:
    task = variants.task
    params = task.params
    if variant.kind == "small":
        network = params.network.model_copy(update={"name": network_name(variant, params)})
        return control.trainer(task.data, params.model_copy(update={"network": network}))
    if variant.kind in ("shuffled", "reset"):
        altered = _altered(variants, variant, seed)
        return finetune.trainer(altered, start_of(altered))
    places = labels_seen(task.data, params.training, variant.share, seed)
    if variant.kind == "scratch":
        return control.trainer(*_seen_as_train(task, repeated(places, _n_seen(task, seed), seed)))
    if finetune.by_steps(task):
        return _tuner(task, start, places)
    data, params = _seen_as_train(task, places)
    fewer = start._replace(train=start.train[:, places], plain=start.plain[places])
    return finetune.trainer(task._replace(data=data, params=params), fewer)


def _altered(variants: VariantsTask, variant: Variant, seed: int) -> TransferTask:
    """The task of the transfer arm, from weights that are shuffled or in part at random."""
    task, backbone = variants.task, variants.task.backbone
    if variant.kind == "shuffled":
        return started_from(task, shuffled(backbone, seed), list(backbone.network.blocks))
    from_top = reset_blocks(variants.arms.transfer)
    assert variant.block is not None, "a reset network names its lowest block"
    blocks = from_top[: from_top.index(variant.block) + 1]
    return started_from(task, reset(backbone, blocks, seed), blocks)


def _tuner(task: TransferTask, start: Start, places: Places) -> Train:
    """What fine-tunes with these labels alone, in as many steps of batches as large as with all of them."""

    def train(run: RunKey, tick: Tick, keeper: Keeper) -> Trained:
        torch.manual_seed(run.seed)  # of a random head
        network = with_head(task, start, places, head_c(task.strategy))
        seen = part_of(task.data.train, repeated(places, _n_seen(task, run.seed), run.seed))
        fitted = fit(network, seen, task.data.val, plan_of(task, start, run.rate), run.seed, tick, keeper)
        return Trained(network, fitted, merge_lora(network))

    return train


def _seen_as_train(task: TransferTask, places: Places) -> tuple[TargetData, Params]:
    """The target with these train images alone, and params by which a seed sees all of them."""
    data, training = task.data, task.params.training.model_copy(update={"subsample": 1.0})
    fewer = data._replace(
        train=part_of(data.train, places),
        train_rows=data.train_rows[places],
        train_groups=data.train_groups[places],
    )
    return fewer, task.params.model_copy(update={"training": training})


def _n_seen(task: TransferTask, seed: int) -> int:
    """Images that a seed trains on in the arms."""
    return len(seen_by(task.data, task.params.training, seed))
