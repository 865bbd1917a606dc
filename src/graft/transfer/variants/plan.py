"""Which trainings stand beside the arms: by the budget, the strategy, and what the arms chose."""

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from graft.params.learning import Training
from graft.params.techniques import kind_of
from graft.records.training import TrainingRecord
from graft.records.variants import VariantKind
from graft.transfer.arms.rates import RunKey

# shares of the labels; the arms themselves have all of them
SHARES = (0.1, 0.25, 0.5)
# seeds at each share; a thorough run takes all
N_SEEDS = 2
SMOKE = "With `training.budget: smoke` nothing is trained beside the two arms."
OF_SOURCE = (
    "Nothing is trained beside the two arms: what fewer labels or altered weights do is asked of a target that has "
    "labels to train on."
)
# by name of the network: a small one
SMALL = {"small_cnn": "tiny_cnn"}


class Variant(NamedTuple):
    """A training beside the arms."""

    kind: VariantKind
    share: float = 1.0
    """of the labelled train images that a seed sees"""
    block: str | None = None
    """lowest block that starts at random, with all above it"""

    @property
    def name(self) -> str:
        """Such as transfer10 for 10 % of the labels, small, or reset_block3."""
        if self.kind in ("transfer", "scratch", "head"):
            return f"{self.kind}{round(100 * self.share)}"
        return self.kind if self.block is None else f"{self.kind}_{self.block}"


class Arms(NamedTuple):
    """Records of both arms, with the same seeds."""

    transfer: TrainingRecord
    scratch: TrainingRecord


Plan = dict[Variant, tuple[RunKey, ...]]


def plan_of(arms: Arms, training: Training) -> Plan:
    """The runs of each training beside the arms, the longest first; none where the budget is smoke.

    With fewer labels a seed keeps the rate that it chose with all of them. The small network and shuffled weights,
    which nothing was chosen for, choose as the arms do: each seed among as many rates, on validation. A network with
    reset blocks keeps the rate that the seed chose for the whole pretrained one, so that nothing but the block differs;
    where it does better even so, the block does harm. Altered weights are left out where the arm keeps what was
    learned: they lost it.

    Args:
        arms: what both arms chose.
        training: the budget.
    """
    if training.budget == "smoke":
        return {}
    thorough = training.budget == "thorough"
    some = slice(None if thorough else N_SEEDS)
    plan: Plan = {Variant("small"): tuple(_tried(Variant("small"), arms.scratch, seeds_of(arms)[0]))}
    # a run of the control is the longest, and no process should be left alone with one at the end
    for arm in (arms.scratch, arms.transfer):
        for variant in (Variant(arm.arm, share) for share in SHARES):
            plan[variant] = _chosen(variant, arm)[some]
    if thorough and arms.transfer.keeping == "none":
        shuffled = Variant("shuffled")
        plan[shuffled] = tuple(run for seed in seeds_of(arms) for run in _tried(shuffled, arms.transfer, seed))
        for block in reset_blocks(arms.transfer):
            variant = Variant("reset", block=block)
            plan[variant] = _chosen(variant, arms.transfer)
    return plan


def seeds_of(arms: Arms) -> tuple[int, ...]:
    """Seeds of the arms."""
    return tuple(run.seed for run in arms.transfer.runs)


def reset_blocks(transfer: TrainingRecord) -> tuple[str, ...]:
    """Names of the blocks, from the top down, that can start at random: those that the strategy trains whole.

    A block that starts at random must learn, and with `keeping` there must be something to keep in it. One below a
    frozen block stays as it is, too, because all above a block that starts at random do.
    """
    if transfer.strategy == "norms" or transfer.tuning != "whole" or transfer.keeping != "none":
        return ()
    blocks = [name for name in transfer.block_factors if name != "head"]
    return tuple(takewhile(lambda name: transfer.block_factors[name] > 0, reversed(blocks)))


def left_out(arms: Arms, training: Training) -> tuple[str, ...]:
    """A sentence for each training that is left out, with the reason."""
    if training.budget == "smoke":
        return (SMOKE,)
    sentences = []
    if training.budget != "thorough":
        sentences.append("Shuffled weights and reset blocks are trained with `training.budget: thorough` alone.")
    elif arms.transfer.keeping != "none":
        sentences.append(
            "Neither shuffled weights nor reset blocks are trained, as transfer keeps what was learned "
            f"({kind_of(arms.transfer.keeping)}): in weights that are lost there is nothing to keep, and without "
            "keeping they would differ from transfer in more than these weights."
        )
    elif not reset_blocks(arms.transfer):
        tuned = "" if arms.transfer.tuning == "whole" else f" with {kind_of(arms.transfer.tuning)}"
        sentences.append(f"No block is reset: {arms.transfer.strategy}{tuned} trains none of them whole.")
    return tuple(sentences)


def small_network(network: str) -> str:
    """Name of the small network that is trained beside this one.

    It is small_cnn, or for small_cnn itself a network with a quarter of its channels.
    """
    return SMALL.get(network, "small_cnn")


def _chosen(variant: Variant, arm: TrainingRecord) -> tuple[RunKey, ...]:
    """A run for each seed, at the rate that it chose in the arm."""
    return tuple(RunKey(run.seed, run.rate, variant.name) for run in arm.runs)


def _tried(variant: Variant, arm: TrainingRecord, seed: int) -> Iterator[RunKey]:
    """A run for each rate that the arm tried with a seed."""
    return (RunKey(seed, trial.rate, variant.name) for trial in arm.trials if trial.seed == seed)
