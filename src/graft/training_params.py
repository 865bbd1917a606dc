"""What params.yaml may say of training: recipes of augmentation, what both arms share, and either arm."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms"]
Balance = Literal["none", "weights", "sampling"]
Rate = Annotated[float, Field(gt=0, le=10)]
MOST_SEEDS = 50


class Section(BaseModel):
    """A part of params.yaml: frozen, no unknown key, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


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


class FinetuneTarget(Section):
    """The transfer arm."""

    rates: tuple[Rate, ...] = Field(min_length=1, strict=False, examples=[[0.001, 0.003, 0.01]])
    """learning rates of the head that are tried on validation; as many as train_scratch.rates"""
    depth_decay: float = Field(gt=0, le=1, examples=[0.5])
    """factor of the learning rate from each block to the one below it, above 0 to 1"""
    top_blocks: int = Field(ge=1, examples=[1])
    """blocks below the head that the strategy top_blocks trains, from 1"""
    unfreeze: Literal["plateau", "schedule"] = Field(examples=["plateau"])
    """gradual: unfreeze the next block when validation stands still (plateau) or after equal shares of the epochs"""
    unfreeze_patience: int = Field(ge=1, examples=[2])
    """gradual by plateau: epochs without gain after which the next block is unfrozen, from 1"""
    surgical_blocks: tuple[str, ...] = Field(strict=False, examples=[[]])
    """names of the blocks that the strategy surgical trains; the card in models/pretrained lists them"""
    batchnorm: Literal["frozen", "adapt", "train"] | None = Field(examples=[None])
    """statistics of BatchNorm: frozen, adapt (replaced by the target's before training, then frozen) or train (they
    move in the blocks that learn); null: frozen under published weights, train under weights that were made here. In
    frozen blocks they never move in training"""
    views: int | None = Field(ge=1, le=64, examples=[None])
    """fixed augmented views of each image, 1 to 64, on which frozen blocks run once; null: a new view every epoch, as
    in every phase that trains the lowest block"""


class TrainScratch(Section):
    """The control arm."""

    rates: tuple[Rate, ...] = Field(min_length=1, strict=False, examples=[[0.001, 0.003, 0.01]])
    """learning rates that are tried on validation; as many as finetune_target.rates"""
    long_factor: int = Field(ge=2, le=20, examples=[3])
    """epochs of the long budget as a multiple of training.epochs, 2 to 20; the stronger budget counts"""
