"""The terms that adapt to the target, made from what params.yaml says; refused where they cannot work."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from graft.files import visible
from graft.params.recipes import Recipe
from graft.params.techniques import Coral as CoralParams
from graft.params.techniques import Dan as DanParams
from graft.params.techniques import Dann as DannParams
from graft.records.common import LabelsFrom
from graft.training.objective import MakeTerm
from graft.transfer.adapting.coral import Coral
from graft.transfer.adapting.dann import Dann
from graft.transfer.adapting.mmd import Dan
from graft.transfer.adapting.sides import Further

WHERE = "params.yaml, finetune_target.adapting"
# batches of images that a domain needs at least: the loss of fewer would tell single images apart, not domains
LEAST_BATCHES = 2


class Setting(NamedTuple):
    """What a run has that adapts."""

    labels_from: LabelsFrom
    """domain of the labelled images"""
    n_labelled: int
    """labelled train images"""
    source: Tensor | None
    """(n, 3, s, s) uint8 source images beside the labelled ones of the target; None: there are none"""
    unlabelled: Tensor | None
    """(m, 3, s, s) uint8 images of the target without labels; None: there are none"""
    recipe: Recipe
    batch_size: int
    blocks: tuple[str, ...]
    """of the network, from input to output"""
    n_still: int
    """blocks from the input on that do not change in any phase"""


def maker_of(choice: DanParams | CoralParams | DannParams, setting: Setting) -> MakeTerm:
    """What makes the term of a run.

    Raises:
        ValueError: there are fewer than two batches of a domain, or the blocks whose features are compared do not
            exist or never change.
    """
    last = setting.blocks[-1]
    check_images(choice.kind, _counts(setting), setting.batch_size)
    check_blocks(choice.blocks if isinstance(choice, DanParams) else (last,), setting)
    source = None if setting.labels_from == "source" else setting.source
    further = Further(source, setting.unlabelled, setting.recipe)
    if isinstance(choice, DanParams):
        return lambda network: Dan(choice.strength, choice.blocks, further)
    if isinstance(choice, CoralParams):
        return lambda network: Coral(choice.strength, last, further)
    return lambda network: Dann(choice.strength, network, further)


def check_images(kind: str, counts: Mapping[str, int], batch_size: int) -> None:
    """Refuse to adapt with fewer than two batches of images of a domain.

    Args:
        kind: value of `adapting`.
        counts: images to train on, by folder of those domains that must have enough.
        batch_size: images in a batch.

    Raises:
        ValueError: there are too few source images or, where the labels are the source's, unlabelled ones.
    """
    least = LEAST_BATCHES * batch_size
    for folder, n in counts.items():
        if n < least:
            raise ValueError(
                f"{WHERE}: want at least {least} images to train on in data/raw/{folder} for {kind}, two batches, got "
                f"{n}. Add images, lower training.batch_size, or remove the line."
            )


def _counts(setting: Setting) -> dict[str, int]:
    """Images of the domains that must have enough, by folder: unlabelled ones may be lacking beside labels."""
    further = setting.source if setting.labels_from == "target" else setting.unlabelled
    n_further = 0 if further is None else len(further)
    if setting.labels_from == "target":
        return {"source": n_further}
    return {"source": setting.n_labelled, "target_unlabeled": n_further}


def check_blocks(named: Sequence[str], setting: Setting) -> None:
    """Refuse blocks that the network does not have, and blocks of which none ever changes.

    Raises:
        ValueError: there is such a block, or all of them are frozen with all that is below them.
    """
    check_names(named, setting.blocks)
    if all(setting.blocks.index(name) < setting.n_still for name in named):
        raise ValueError(
            f"{WHERE}: want blocks that learn, or that lie above one that does, got {', '.join(named)}, frozen in all "
            "phases. Name others, set select_strategy.overrule to full, or remove adapting."
        )


def check_names(named: Sequence[str], blocks: Sequence[str]) -> None:
    """Refuse blocks that the network does not have.

    Raises:
        ValueError: a name is none of the blocks.
    """
    strange = [name for name in named if name not in blocks]
    if strange:
        raise ValueError(
            f"{WHERE}.blocks: want blocks of the network, got {visible(', '.join(strange))}. Choose of "
            f"{', '.join(blocks)}."
        )
