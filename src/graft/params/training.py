"""What params.yaml may say of training: recipes of augmentation, pretraining, and what both arms share."""

from typing import Literal

from pydantic import Field

from graft.params.section import Rate, Section

Balance = Literal["none", "weights", "sampling"]
MOST_SEEDS = 50


class Recipe(Section):
    """How training images are varied, each by its own draw; validation and test see them as they are."""

    crop: float = Field(ge=0.05, le=1, examples=[1.0])
    """smallest share of an image's area that a random crop keeps, 0.05 to 1; 1: all of it"""
    stretch: float = Field(ge=1, le=2, examples=[1.0])
    """largest ratio of a crop's sides, either way, 1 to 2; 1: square"""
    shift: float = Field(ge=0, le=0.5, examples=[0.0625])
    """largest shift in either direction as a share of the side, 0 to 0.5; rounded to pixels"""
    flip: float = Field(ge=0, le=1, examples=[0.0])
    """probability of a mirror left to right, 0 to 1; 0 where left and right differ: chest X-rays, text, digits"""
    rotation: float = Field(ge=0, le=180, examples=[0.0])
    """largest turn either way in degrees, 0 to 180"""
    brightness: float = Field(ge=0, le=1, examples=[0.0])
    """largest relative change of brightness, 0 to 1"""
    contrast: float = Field(ge=0, le=1, examples=[0.0])
    """largest relative change of contrast, 0 to 1"""
    saturation: float = Field(ge=0, le=1, examples=[0.0])
    """largest relative change of saturation, 0 to 1"""
    hue: float = Field(ge=0, le=0.5, examples=[0.0])
    """largest turn of the colour circle either way, 0 to 0.5 of a full turn"""
    grey: float = Field(ge=0, le=1, examples=[0.0])
    """probability that an image turns grey, 0 to 1"""
    ops: int = Field(ge=0, le=4, examples=[0])
    """operations drawn for each image in the manner of RandAugment, 0 to 4"""
    magnitude: float = Field(ge=0, le=1, examples=[0.0])
    """strength of each of these operations, 0 to 1; 0.3 is usual"""
    erase: float = Field(ge=0, le=1, examples=[0.0])
    """probability that a random box is covered by one colour, 0 to 1"""


EXAMPLE = {name: field.examples[0] for name, field in Recipe.model_fields.items() if field.examples}
"""a recipe to paste"""


def mirror_note(flip: float) -> str:
    """What to know of training that mirrors images; empty where it does not."""
    if flip == 0:
        return ""
    return (
        f"Training mirrors images left to right with probability {flip:g}. Where left and right differ in meaning, as "
        "in chest X-rays or text, add a recipe with `flip: 0.0` and name it in `training.augmentation`."
    )


class Training(Section):
    """What both arms share: the comparison is fair because they cannot differ in these."""

    n_seeds: int = Field(ge=2, le=MOST_SEEDS, examples=[5])
    """paired seeds of the comparison, 2 to 50"""
    epochs: int = Field(ge=1, le=10_000, examples=[30])
    """passes over the target train split in a run, 1 to 10,000"""
    patience: int | None = Field(ge=1, examples=[None])
    """epochs without gain on validation after which a run ends, from 1; null: it never ends early"""
    batch_size: int = Field(ge=2, le=4096, examples=[32])
    """images in a batch, 2 to 4096"""
    accumulate: int = Field(ge=1, le=1024, examples=[1])
    """batches whose gradients are added up to one step of the optimizer, 1 to 1024"""
    optimizer: Literal["adamw", "sgd"] = Field(examples=["adamw"])
    """adamw, or sgd with Nesterov momentum"""
    momentum: float = Field(ge=0, lt=1, examples=[0.9])
    """of sgd, 0 to below 1"""
    weight_decay: float = Field(ge=0, le=1, examples=[0.01])
    """on weights, not on biases and norms, 0 to 1; decoupled from the rate's gradient in adamw, a penalty in sgd"""
    schedule: Literal["one_cycle", "cosine", "warm_restarts", "constant"] = Field(examples=["one_cycle"])
    """how the learning rate goes: one_cycle, cosine, warm_restarts or constant, each after its warm-up"""
    warmup: float = Field(ge=0, le=0.9, examples=[0.3])
    """share of the steps in which the rate rises to its peak, 0 to 0.9"""
    restarts: int = Field(ge=1, le=100, examples=[3])
    """cycles of warm_restarts, 1 to 100"""
    clip_norm: float | None = Field(gt=0, examples=[None])
    """largest norm of all gradients together, above 0; null: no clipping"""
    ema_decay: float | None = Field(ge=0.5, lt=1, examples=[None])
    """decay of a running mean of the weights, which is then scored and kept, 0.5 to below 1; null: no mean"""
    label_smoothing: float = Field(ge=0, lt=1, examples=[0.0])
    """share of each label that is spread over all classes, 0 to below 1"""
    mixing: Literal["none", "mixup", "cutmix"] = Field(examples=["none"])
    """blend pairs of training images and their labels: none, mixup or cutmix"""
    mixing_alpha: float = Field(gt=0, le=10, examples=[0.2])
    """of the Beta distribution of the blend, above 0 to 10; 0.2 is usual for mixup, 1 for cutmix"""
    balance: Balance = Field(examples=["none"])
    """for skewed labels: none, weights (rare classes count more in the loss) or sampling (they are drawn more often); a
    head that is fitted counts all classes alike under either"""
    find_rate: bool = Field(examples=[False])
    """look for the learning rate first; `rates` then only say how many are tried around it"""
    subsample: float = Field(gt=0, le=1, examples=[0.9])
    """share of each class of the train split that a seed sees, above 0 to 1"""
    augmentation: str = Field(examples=["digits"])
    """name of the recipe in `recipes` by which training images are varied; pretrain_source uses it too"""


class PretrainSource(Section):
    """Training on the source images, where `network.weights` is pretrain."""

    epochs: int = Field(ge=1, le=10_000, examples=[20])
    """passes over the source images, 1 to 10,000"""
    rate: Rate = Field(examples=[0.003])
    """learning rate at the peak of the one-cycle schedule, above 0 to 10"""
