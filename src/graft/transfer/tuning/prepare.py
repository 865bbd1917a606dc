"""Makes a network ready to learn little, and whole again afterwards."""

from collections.abc import Sequence

from graft.networks.adapters import add_adapters, shapes_for
from graft.networks.networks import Network
from graft.params.techniques import Adapters, Lora, TuningChoice
from graft.training.phases import biases
from graft.transfer.tuning.lora import NARROW, Layer, add_lora, layers_of

KEY = "params.yaml, finetune_target.tuning"


def prepare(network: Network, tuning: TuningChoice, blocks: Sequence[str]) -> None:
    """Add to a network, in place, what learns in its blocks; what it computes stays the same.

    Args:
        network: pretrained blocks with a head of their own.
        tuning: what of a block learns.
        blocks: names of the blocks that any phase trains.

    Raises:
        ValueError: nothing in these blocks can learn so.
    """
    if not blocks:
        return
    if isinstance(tuning, Lora):
        add_lora(network, taking_lora(network, tuning, blocks), tuning.rank, tuning.alpha)
    elif isinstance(tuning, Adapters):
        add_adapters(network, shapes_for(network, blocks, tuning.width))
    else:
        check_tuning(network, tuning, blocks)


def check_tuning(network: Network, tuning: TuningChoice, blocks: Sequence[str]) -> None:
    """Refuse to tune where nothing can learn; an outline of the network will do.

    Args:
        network: pretrained blocks.
        tuning: what of a block learns.
        blocks: names of the blocks that any phase trains.

    Raises:
        ValueError: nothing in these blocks can learn so.
    """
    if isinstance(tuning, Lora) and blocks:
        taking_lora(network, tuning, blocks)
    elif tuning == "bias" and blocks and not any(biases(network.blocks[name]) for name in blocks):
        raise ValueError(f"{KEY}: want a bias in the blocks that learn, got none in {', '.join(blocks)}. Choose lora.")


def taking_lora(network: Network, tuning: Lora, blocks: Sequence[str]) -> tuple[Layer, ...]:
    """Layers of these blocks that take LoRA.

    Raises:
        ValueError: none does, or the rank is larger than all of them allow.
    """
    layers = layers_of(network, blocks)
    open_ = [each for each in layers if each.obstacle is None]
    if not open_:
        why = f"{layers[0].name}: {layers[0].obstacle}" if layers else "no layer with a matrix of weights"
        raise ValueError(f"{KEY}: want a layer that takes LoRA, got none in {', '.join(blocks)} ({why}). Choose bias.")
    fitting = tuple(each for each in open_ if tuning.rank <= each.widest)
    if not fitting:
        widest = max(open_, key=lambda each: each.widest)
        raise ValueError(
            f"{KEY}.rank: want at most {widest.widest}, as {widest.name} allows, got {tuning.rank}. Lower it."
        )
    return fitting


def left_alone(network: Network, tuning: TuningChoice, blocks: Sequence[str]) -> tuple[str, ...]:
    """Why layers of blocks that learn took no LoRA, a clause for each reason."""
    if not blocks or not isinstance(tuning, Lora):
        return ()
    taken = taking_lora(network, tuning, blocks)
    by_reason: dict[str, list[str]] = {}
    for each in layers_of(network, blocks):
        if each not in taken:
            by_reason.setdefault(each.obstacle or NARROW, []).append(each.name)
    return tuple(f"{len(names)} layers, {names[0]} the first: {why}" for why, names in by_reason.items())
