"""Train what stands beside the arms, in one stage, and write its weights."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from graft.files import write_arrays
from graft.networks.networks import build_network
from graft.networks.saving import save_network
from graft.params.errors import said_as_keys
from graft.params.network import ARM_KEYS
from graft.records.variants import VariantRun, VariantsRecord
from graft.training.loop import Fitted
from graft.training.phases import Phase, equal_rates
from graft.training.steps import Plan as RunPlan
from graft.transfer.arms.processes import Crew, bytes_of_run, train_all
from graft.transfer.arms.rates import RunKey, chosen_runs
from graft.transfer.arms.runs import Train, read_network
from graft.transfer.finetuning.task import TransferTask, made_ready, plan_at
from graft.transfer.variants.heads import fitted_heads
from graft.transfer.variants.plan import OF_SOURCE, Plan, Variant, left_out, plan_of, seeds_of
from graft.transfer.variants.runs import n_images, network_name, trainer
from graft.transfer.variants.subsets import labels_seen
from graft.transfer.variants.task import Reread, VariantsTask

# all linear heads in one file, because they are small and stand on one backbone
HEADS = "heads.npz"


@said_as_keys(ARM_KEYS)
def train_variants(
    variants: VariantsTask, folder: Path, half_done: Path, reread: Reread | None = None
) -> VariantsRecord:
    """Train what stands beside the arms, and write a file of weights for each run, and one for all heads.

    Nothing of it takes part in the verdict. With the budget smoke, or where the arms learn from the source, there is
    nothing to train, and no head.

    Args:
        variants: what is trained from, and what the arms chose.
        folder: of the weights.
        half_done: folder of the checkpoints.
        reread: how a worker process reads the task; None: all runs are trained in this process.

    Raises:
        ValueError: the fixed views do not fit into memory.
        RuntimeError: a process died.
    """
    params, arms = variants.task.params, variants.arms
    if variants.task.data.labels_from == "source":
        write_arrays({}, folder / HEADS)
        return VariantsRecord(variants=(), left_out=(OF_SOURCE,))
    plan = plan_of(arms, params.training)
    heads = fitted_heads(variants.task, seeds_of(arms) if plan else ())
    write_arrays(heads.weights, folder / HEADS)
    runs: tuple[VariantRun, ...] = ()
    if plan:
        runs = _saved(variants, plan, _trained(variants, plan, half_done, reread), (half_done, folder))
    return VariantsRecord(variants=(*heads.runs, *runs), left_out=left_out(arms, params.training))


def _trained(variants: VariantsTask, plan: Plan, half_done: Path, reread: Reread | None) -> dict[RunKey, Fitted]:
    by_run = {run: variant for variant, runs in plan.items() for run in runs}
    n_seen = sum(n_images(variant, run, variants) for run, variant in by_run.items())
    make = None if reread is None else partial(_trainer_from, reread)
    crew = Crew(variants.task.data.runtime, _bytes_of_run(variants.task), make)
    return train_all(tuple(by_run), half_done, trainer(variants, plan), crew, ("train_variants", n_seen))


def _trainer_from(reread: Reread) -> Train:
    """What trains a run in a worker process."""
    variants = reread()
    return trainer(variants, plan_of(variants.arms, variants.task.params.training))


def _bytes_of_run(task: TransferTask) -> int:
    """Memory that a process needs for the largest run: all blocks learn, or frozen ones run once."""
    data, params, features = task.data, task.params, task.backbone.features
    network = build_network(task.backbone.name, len(data.classes), data.preprocessing, params.training.head)
    network = network.to(data.train.labels.device)
    phase = Phase("scratch", equal_rates(list(network.blocks), 1.0), 1, None)
    whole = RunPlan((phase,), params.training, data.recipe, data.runtime.precision)
    n_views = params.finetune_target.views or 1
    # features of the fixed views, from which heads start
    cached = features.nbytes * (1 + n_views) + task.companions.nbytes
    # the control's network first, because the other way adds to it
    control = bytes_of_run(network, data, whole)
    return cached + max(control, bytes_of_run(made_ready(task, network), data, plan_at(task, 1.0)))


def _saved(
    variants: VariantsTask, plan: Plan, fitted: Mapping[RunKey, Fitted], folders: tuple[Path, Path]
) -> tuple[VariantRun, ...]:
    """Write the weights of each seed's best run, and return their records."""
    task = variants.task
    half_done, folder = folders
    records = []
    for variant, runs in plan.items():
        name = network_name(variant, task.params)
        for run in chosen_runs({run: fitted[run] for run in runs}):
            blank = build_network(name, len(task.data.classes), task.data.preprocessing, task.params.training.head)
            record = _record(variants, variant, run, fitted[run])
            save_network(read_network(half_done, run, blank), name, folder / f"{record.name}.safetensors")
            records.append(record)
    return tuple(records)


def _record(variants: VariantsTask, variant: Variant, run: RunKey, fitted: Fitted) -> VariantRun:
    task = variants.task
    return VariantRun(
        name=f"{variant.name}_{run.seed}",
        kind=variant.kind,
        share=variant.share,
        n_labels=len(labels_seen(task.data, task.params.training, variant.share, run.seed)),
        seed=run.seed,
        network=network_name(variant, task.params),
        block=variant.block,
        rate=run.rate,
        best_epoch=fitted.best_epoch,
        val_accuracy=fitted.best.accuracy,
        val_loss=fitted.best.loss,
    )
