"""The sections `pretrain_source` and `training`: how networks learn."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from graft.params.errors import echo
from graft.params.network import Head
from graft.params.section import Choice, Rate, Section

MOST_SEEDS = 50
# by budget; two seeds never claim more than INCONCLUSIVE
SEEDS = {"smoke": 2, "standard": 5, "thorough": 8}


class Sgd(Section):
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = Field(examples=["sgd"])
    momentum: float = Field(ge=0, lt=1, examples=[0.9])
    """Nesterov momentum, 0 to below 1; 0: none"""


class WarmRestarts(Section):
    """A cosine that starts again from the peak."""

    kind: Literal["warm_restarts"] = Field(examples=["warm_restarts"])
    restarts: int = Field(ge=1, le=100, examples=[3])
    """cycles of equal length, 1 to 100"""


class Mixing(Section):
    """How pairs of training images are blended."""

    kind: Literal["mixup", "cutmix"] = Field(examples=["mixup"])
    alpha: float = Field(gt=0, le=10, examples=[0.2])
    """parameter of the Beta(alpha, alpha) distribution of an image's share, above 0 to 10; 0.2 is usual for mixup, 1
    for cutmix"""


OptimizerChoice = Annotated[Literal["adamw"] | Sgd, Choice()]
ScheduleChoice = Annotated[Literal["one_cycle", "cosine", "constant"] | WarmRestarts, Choice()]
MixingChoice = Annotated[Literal["none"] | Mixing, Choice()]
Balance = Literal["none", "weights", "sampling"]


def _seeds_known(value: Any) -> Any:
    """Refuse what is neither a budget nor a number of seeds."""
    if value in SEEDS if isinstance(value, str) else type(value) is int and 2 <= value <= MOST_SEEDS:
        return value
    raise ValueError(
        f"want smoke, standard, thorough or a number of seeds from 2 to {MOST_SEEDS}, got {echo(value)}. Write "
        "`budget: standard` for 5 seeds."
    )


Seeds = Annotated[
    Literal["smoke", "standard", "thorough"] | Annotated[int, Field(ge=2, le=MOST_SEEDS)], BeforeValidator(_seeds_known)
]


class Learning(Section):
    """Values that every training has."""

    epochs: int = Field(ge=1, le=10_000, examples=[30])
    """passes over the train split in a run, 1 to 10,000"""
    batch_size: int = Field(ge=2, le=4096, examples=[32])
    """number of images in a batch, 2 to 4096"""
    accumulate: int = Field(default=1, ge=1, le=1024)
    """number of batches whose gradients are summed for one step of the optimizer, 1 to 1024"""
    optimizer: OptimizerChoice = Field(examples=["adamw"])
    """adamw, or sgd with its momentum"""
    weight_decay: float = Field(ge=0, le=1, examples=[0.01])
    """decay of weights, not of biases and norms, 0 to 1; decoupled from the gradient in adamw, a penalty in sgd"""
    schedule: ScheduleChoice = Field(examples=["one_cycle"])
    """course of the learning rate after its warm-up: one_cycle, cosine, constant, or warm_restarts with their number"""
    warmup: float = Field(ge=0, le=0.9, examples=[0.3])
    """share of the steps in which the rate rises to its peak, 0 to 0.9"""
    clip_norm: float | None = Field(default=None, gt=0)
    """largest norm of all gradients of the network together, above 0; null: no clipping"""
    ema_decay: float | None = Field(default=None, ge=0.5, lt=1)
    """decay of a running mean of the weights, which is then scored and kept, 0.5 to below 1; null: no mean"""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """share of each label that is spread over all classes, 0 to below 1"""
    mixing: MixingChoice = "none"
    """blending of pairs of training images and their labels: none, or mixup or cutmix with their alpha"""
    balance: Balance = "none"
    """remedy for skewed labels: none, weights (rare classes count more in the loss) or sampling (they are drawn more
    often); a fitted head weighs all classes alike with either"""
    augmentation: str = Field(examples=["digits"])
    """name of the recipe in `recipes` by which training images are varied"""


class PretrainSource(Learning):
    """Training on the source images, with `network.weights: pretrain` only."""

    rate: Rate = Field(examples=[0.003])
    """learning rate at the peak of the schedule, above 0 to 10"""


class Training(Learning):
    """Values that both arms share, so that the comparison between them is fair."""

    head: Head = Field(examples=["linear"])
    """head on top of the backbone in both arms: linear, or mlp (one hidden layer with BatchNorm and dropout)"""
    budget: Seeds = Field(examples=["standard"])
    """number of paired seeds in the comparison: smoke (2, which never claim more than INCONCLUSIVE), standard (5),
    thorough (8, and the controls that say why), or a whole number from 2 to 50; planned before the test split is
    opened"""
    patience: int | None = Field(default=None, ge=1)
    """epochs without gain on validation after which a run ends, from 1; null: no run ends early"""
    find_rate: bool = False
    """whether to look for the learning rate first; `rates` then only say how many are tried around it"""
    subsample: float = Field(gt=0, le=1, examples=[0.9])
    """share of each class of the train split that a seed sees, above 0 to 1"""

    @property
    def n_seeds(self) -> int:
        """Number of paired seeds."""
        return SEEDS[self.budget] if isinstance(self.budget, str) else self.budget
