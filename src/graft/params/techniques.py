"""Techniques that an arm may add to its strategy: keeping what was learned, adapting to the target, tuning little."""

from typing import Annotated, Literal

from pydantic import Field

from graft.params.section import Choice, Section

Strength = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class L2SP(Section):
    """A penalty on the distance of the weights from where they started."""

    kind: Literal["l2_sp"] = Field(examples=["l2_sp"])
    strength: Strength = Field(examples=[0.01])
    """factor of half the squared distance, above 0; 0.1 to 0.001 are usual"""


class EWC(Section):
    """The same penalty, with each weight counted by how much the source's labels depend on it."""

    kind: Literal["ewc"] = Field(examples=["ewc"])
    strength: Strength = Field(examples=[1000.0])
    """factor of half the weighted squared distance, above 0; 100 to 10,000 are usual"""
    images: int = Field(ge=1, examples=[400])
    """number of source images by which the weights are counted, from 1"""


class LwF(Section):
    """The old head shall say of the target's images what it said before."""

    kind: Literal["lwf"] = Field(examples=["lwf"])
    strength: Strength = Field(examples=[1.0])
    """factor of the loss, above 0; 1 is usual"""
    temperature: Strength = Field(examples=[2.0])
    """temperature that softens what both heads say, above 0; 2 is usual"""


class Replay(Section):
    """Source images stay among the training images."""

    kind: Literal["replay"] = Field(examples=["replay"])
    share: float = Field(gt=0, lt=1, examples=[0.2])
    """share of source images in a step, above 0 to below 1"""


class Dan(Section):
    """Features of source and target shall have the same distribution, by the MMD of several blocks."""

    kind: Literal["dan"] = Field(examples=["dan"])
    strength: Strength = Field(examples=[1.0])
    """factor of the squared MMD, above 0; 1 is usual"""
    blocks: tuple[str, ...] = Field(min_length=1, strict=False, examples=[["block3", "block4"]])
    """names of the blocks whose outputs are compared; the card in models/pretrained lists all names"""


class Coral(Section):
    """Features of source and target shall have the same covariance."""

    kind: Literal["coral"] = Field(examples=["coral"])
    strength: Strength = Field(examples=[100.0])
    """factor of the loss, above 0; 100 did well with small_cnn, and at 1 the loss hardly counts"""


class Dann(Section):
    """A classifier shall not be able to tell features of the source from those of the target."""

    kind: Literal["dann"] = Field(examples=["dann"])
    strength: Strength = Field(examples=[1.0])
    """largest factor of the reversed gradient, which it reaches during the run, above 0; 1 is usual"""


class Lora(Section):
    """A product of two thin matrices is learned beside each weight matrix, and added to it in the end."""

    kind: Literal["lora"] = Field(examples=["lora"])
    rank: int = Field(ge=1, examples=[8])
    """width of the thin matrices, from 1"""
    alpha: Strength = Field(examples=[16.0])
    """the product is multiplied by alpha / rank, above 0; twice the rank is usual"""


class Adapters(Section):
    """A small bottleneck is learned behind each block."""

    kind: Literal["adapters"] = Field(examples=["adapters"])
    width: int = Field(ge=1, examples=[16])
    """channels of the bottleneck, from 1"""


KeepingChoice = Annotated[Literal["none"] | L2SP | EWC | LwF | Replay, Choice()]
AdaptingChoice = Annotated[Literal["none"] | Dan | Coral | Dann, Choice()]
TuningChoice = Annotated[Literal["whole", "bias"] | Lora | Adapters, Choice()]
ChooseBy = Literal["information_maximisation", "soft_neighbourhood_density"]


def check_keeping(keeping: KeepingChoice, tuning: TuningChoice, weights: str) -> None:
    """Refuse what cannot hold on to anything.

    Args:
        keeping: finetune_target.keeping.
        tuning: finetune_target.tuning.
        weights: network.weights.

    Raises:
        ValueError: source images are asked of published weights, or weights that do not change are to be held.
    """
    kind = kind_of(keeping)
    if kind in ("ewc", "replay") and weights != "pretrain":
        raise ValueError(
            f"want network.weights pretrain with finetune_target.keeping {kind}, got {weights}. The head of published "
            "weights does not know the classes of data/raw/source: set keeping to l2_sp or lwf."
        )
    if kind in ("l2_sp", "ewc") and kind_of(tuning) in ("lora", "adapters"):
        raise ValueError(
            f"want finetune_target.keeping none, lwf or replay with tuning {kind_of(tuning)}, got {kind}. The weights "
            f"that {kind} holds do not change there: leave keeping out, or set tuning to whole."
        )


def check_choose_by(choose_by: ChooseBy | None, has_labels: bool) -> None:
    """Refuse a choice among runs that does not fit the labels.

    Args:
        choose_by: finetune_target.choose_by.
        has_labels: whether the target has labels to train on.

    Raises:
        ValueError: there are labels and a score without labels is to choose, or there are none and nothing chooses.
    """
    where = "params.yaml, finetune_target.choose_by"
    if has_labels and choose_by is not None:
        raise ValueError(
            f"{where}: want null where the target has labels, got {choose_by}. Its validation images choose: remove "
            "the line."
        )
    if not has_labels and choose_by is None:
        raise ValueError(
            f"{where}: want information_maximisation or soft_neighbourhood_density where the target has no labels, "
            "got null. Write under `finetune_target:` the line `  choose_by: information_maximisation`."
        )


def kind_of(choice: str | Section) -> str:
    """The word that names a choice, with or without values of its own."""
    return choice if isinstance(choice, str) else str(choice.model_dump()["kind"])
