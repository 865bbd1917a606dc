"""What was trained beside the two arms: models/records/variants.json."""

from typing import Literal

from graft.records.common import Linked, Record

VariantKind = Literal["transfer", "scratch", "head", "small", "shuffled", "reset"]


class VariantRun(Record):
    """One seed of one training beside the arms, at its best epoch on validation."""

    name: str
    """key of its logits, and stem of its weights; weights of heads are all in heads.npz"""
    kind: VariantKind
    """transfer, scratch: the arms with fewer labels; head: a linear head on cached features; small: a small network
    from random start; shuffled: the transfer arm from pretrained weights that are permuted within each tensor; reset:
    the transfer arm from pretrained weights with the top blocks at random"""
    share: float
    """share of the labelled train images that the seed sees; 1 stands for all"""
    n_labels: int
    """number of labelled train images"""
    seed: int
    network: str
    block: str | None
    """lowest block that starts at random, with all blocks above it; null but for reset"""
    rate: float
    """learning rate of the head; if the head was fitted in closed form, its inverse regularisation C"""
    best_epoch: int
    """0 stands for the start of the run, before any step"""
    val_accuracy: float
    val_loss: float


class VariantsRecord(Linked):
    """Trainings that stand beside the verdict and decide nothing: models/records/variants.json."""

    schema_version: Literal[1] = 1
    variants: tuple[VariantRun, ...]
    left_out: tuple[str, ...]
    """a sentence for each training that was left out, with the reason"""
