"""Estimate of the minutes that a run takes on this machine, from a few steps that are timed on it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from graft.params.both_arms import Strategy
from graft.params.combinations import effective
from graft.params.pipeline import Params
from graft.params.techniques import EWC, LwF, Replay
from graft.preparation.splits import CUT_SHARE
from graft.start.timing import Costs, costs_here

# runs of the backbone over the source sample, for corruptions at several severities
YARDSTICK_RUNS = 14
# largest number of validation images that the exported network is compared on
EXPORTED = 256
# select_strategy takes as long as fitting so many linear heads on all train images: five strengths in five folds and
# more
HEADS = 70
# time of a run of the small network beside the arms, as a share of a run of the control
SMALL = 0.25
# time of a stage without its images, in starts of a process with torch, measured in runs with hardly any training;
# `dvc` is what DVC and the checks do before, between and after the stages
STARTS = {
    "prepare_data": 0.7,
    "validate_data": 2.1,
    "pretrain_source": 1.0,
    "gather_companions": 0.15,
    "extract_features": 1.0,
    "measure_shift": 0.3,
    "select_strategy": 1.2,
    "finetune_target": 2.1,
    "train_scratch": 2.1,
    "train_variants": 2.1,
    "check_transfer": 1.2,
    "measure_gain": 1.0,
    "export_onnx": 5.0,
    "write_report": 0.3,
    "gate_release": 0.15,
    "dvc": 7.0,
}


class Counts(NamedTuple):
    """Numbers of images and classes."""

    n_source: int
    n_train: int
    n_val: int
    n_test: int
    n_classes: int
    n_unlabelled: int = 0
    """images of the target without a label"""


class RunMinutes(NamedTuple):
    """Minutes of a run on this machine if it does nothing else."""

    total: float
    """all minutes, with the strategy that params.yaml names, else with top_blocks, the middle one of three"""
    by_stage: dict[str, float]
    """minutes by stage, in the order of the stages; `dvc`, the last, is all that belongs to no stage"""
    least: float
    """all minutes with the fastest strategy"""
    most: float
    """all minutes with the slowest strategy; least and most equal total if params.yaml names the strategy"""


def minutes(params: Params, counts: Counts, pictures: Sequence[Path]) -> RunMinutes:
    """Estimate the minutes of a run in which no stage is up to date; takes 10 to 15 seconds.

    Args:
        params: params of the run.
        counts: numbers of images and classes.
        pictures: a few image files of the target; they are read.

    Raises:
        ValueError: there is no such network, or it cannot take the size.
    """
    return reckoned(params, counts, costs_here(params, counts.n_classes, pictures))


def reckoned(params: Params, counts: Counts, costs: Costs) -> RunMinutes:
    """Estimate from the seconds of single steps."""
    named = params.select_strategy.overrule
    likely: tuple[Strategy, ...] = (named,) if named else ("top_blocks", "feature_extraction", "full")
    by_stage, *others = ({k: s / 60 for k, s in _seconds(params, counts, costs, each).items()} for each in likely)
    totals = [sum(each.values()) for each in (by_stage, *others)]
    return RunMinutes(totals[0], by_stage, min(totals), max(totals))


def _seconds(params: Params, counts: Counts, costs: Costs, strategy: Strategy) -> dict[str, float]:
    """Seconds by stage."""
    n_target = counts.n_train + counts.n_val + counts.n_test
    every = (counts.n_source, n_target)
    passes = {
        "prepare_data": (sum(every) + counts.n_unlabelled) * costs.read,
        "pretrain_source": _pretraining(params, counts, costs),
        "extract_features": (sum(every) + _looked_at(params, counts)) * costs.forward,
        "select_strategy": HEADS * counts.n_train * costs.head,
        "finetune_target": _side_by_side(params, costs, _transfer_run(params, counts, costs, strategy)),
        "train_scratch": _side_by_side(params, costs, _scratch_run(params, counts, costs)),
        "train_variants": _variants(params, counts, costs, strategy),
        "check_transfer": _n_tested(params, costs, strategy) * counts.n_test * costs.forward,
        "export_onnx": 3 * min(counts.n_val, EXPORTED) * costs.forward,
    }
    return {name: starts * costs.start + passes.get(name, 0.0) for name, starts in STARTS.items()}


def _pretraining(params: Params, counts: Counts, costs: Costs) -> float:
    if params.network.weights != "pretrain":
        return 0.0
    n_val = CUT_SHARE * counts.n_source
    n_train = counts.n_source - 2 * n_val
    return params.pretrain_source.epochs * (n_train * costs.full + n_val * costs.forward)


def _looked_at(params: Params, counts: Counts) -> int:
    """Images that the backbone runs over for the details of both domains."""
    sample = params.extract_features.sample_images
    of_source, of_target = min(sample, counts.n_source), min(sample, counts.n_train)
    return of_source * (1 + YARDSTICK_RUNS) + of_target * (1 if counts.n_source else 2)


def _side_by_side(params: Params, costs: Costs, of_run: float) -> float:
    """Seconds of all runs of an arm, every seed at every rate, which go over processes."""
    n_runs = len(params.finetune_target.rates) * params.training.n_seeds
    return math.ceil(n_runs / costs.n_processes) * of_run


def _transfer_run(params: Params, counts: Counts, costs: Costs, strategy: Strategy) -> float:
    """Seconds of a run of the transfer arm; strategies other than the first two train all blocks."""
    seen, epochs = _seen(params, counts), params.training.epochs
    head = seen * costs.head
    if strategy == "feature_extraction" and params.training.head == "linear":
        return head
    if strategy not in ("top_blocks", "feature_extraction"):
        beside = _beside(params, counts, costs._replace(top=costs.full), strategy)
        return head + beside + epochs * (seen * costs.full + counts.n_val * costs.forward)
    views, learning = params.finetune_target.views, max(costs.top - costs.forward, 0.0)
    frozen = (seen * epochs if views is None else counts.n_train * views) * costs.forward
    beside = _beside(params, counts, costs, strategy)
    return head + beside + frozen + epochs * seen * learning + counts.n_val * costs.forward


def _beside(params: Params, counts: Counts, costs: Costs, strategy: Strategy) -> float:
    """Seconds of what keeping and adapting pass through the network in a run, beside the labelled images.

    Args:
        params: of the run.
        counts: numbers of images.
        costs: `top` is that of a step of the strategy.
        strategy: under feature extraction there is nothing beside.
    """
    settings = effective(strategy, params.finetune_target)
    keeping, adapting = settings.keeping, settings.adapting
    # images with a gradient for each labelled one: a share of a step, and a batch of each other domain
    trained = keeping.share / (1 - keeping.share) if isinstance(keeping, Replay) else 0.0
    trained += 0 if adapting == "none" else (counts.n_source > 0) + (counts.n_unlabelled > 0)
    teacher = costs.forward if isinstance(keeping, LwF) else 0.0
    once = keeping.images * costs.full if isinstance(keeping, EWC) else 0.0
    return once + params.training.epochs * _seen(params, counts) * (trained * costs.top + teacher)


def _scratch_run(params: Params, counts: Counts, costs: Costs) -> float:
    """Seconds of a run of the control."""
    epoch = _seen(params, counts) * costs.full + counts.n_val * costs.forward
    return params.train_scratch.long_factor * params.training.epochs * epoch


def _variants(params: Params, counts: Counts, costs: Costs, strategy: Strategy) -> float:
    """Seconds of all that is trained beside the arms, as `graft.transfer.variants.plan` lists it."""
    from graft.transfer.variants.heads import HEAD_SHARES
    from graft.transfer.variants.plan import SHARES

    training, n_rates, n_seeds = params.training, len(params.finetune_target.rates), _n_seeds_beside(params)
    if not n_seeds:
        return 0.0
    scratch, transfer = _scratch_run(params, counts, costs), _transfer_run(params, counts, costs, strategy)
    # a run with fewer labels takes as many steps
    whole = len(SHARES) * n_seeds * (scratch + transfer) + n_rates * SMALL * scratch
    if training.budget == "thorough":
        whole += n_seeds * (n_rates * _n_shuffled(params, strategy) + _n_reset(params, costs, strategy)) * transfer
    heads = training.n_seeds * sum(HEAD_SHARES) * _seen(params, counts) * costs.head
    return whole / costs.n_processes + heads


def _n_seeds_beside(params: Params) -> int:
    """Seeds of each training beside the arms."""
    from graft.transfer.variants.plan import N_SEEDS

    n_seeds = params.training.n_seeds
    return {"smoke": 0, "thorough": n_seeds}.get(str(params.training.budget), min(N_SEEDS, n_seeds))


def _n_tested(params: Params, costs: Costs, strategy: Strategy) -> int:
    """Networks that run over the test split: those of both arms, and those beside them."""
    from graft.transfer.variants.plan import SHARES

    n_beside = _n_seeds_beside(params)
    altered = _n_shuffled(params, strategy) + _n_reset(params, costs, strategy)
    altered = altered if params.training.budget == "thorough" else 0
    return 2 * params.training.n_seeds + n_beside * (2 * len(SHARES) + altered) + (n_beside > 0)


def _n_shuffled(params: Params, strategy: Strategy) -> int:
    """Number of networks with shuffled weights: none where there is something to keep in the weights."""
    return int(effective(strategy, params.finetune_target).keeping == "none")


def _n_reset(params: Params, costs: Costs, strategy: Strategy) -> int:
    """Number of networks with ever more blocks at random: one for each block that the strategy trains whole."""
    tuned_little = params.finetune_target.tuning != "whole"
    if strategy in ("feature_extraction", "norms") or tuned_little or not _n_shuffled(params, strategy):
        return 0
    trained = {"top_blocks": params.finetune_target.top_blocks, "surgical": len(params.finetune_target.surgical_blocks)}
    return min(trained.get(strategy, costs.n_blocks), costs.n_blocks)


def _seen(params: Params, counts: Counts) -> float:
    return params.training.subsample * counts.n_train
