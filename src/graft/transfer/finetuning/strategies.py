"""What each strategy trains: phases, each with a learning rate for every block."""

from collections.abc import Sequence

from graft.files import visible
from graft.networks.networks import Network
from graft.params.both_arms import FinetuneTarget, Plateau, Strategy
from graft.params.combinations import phases_as
from graft.training.phases import Learns, Phase, equal_rates, has_norms


def phases_of(
    strategy: Strategy, blocks: Sequence[str], rate: float, params: FinetuneTarget, epochs: int, patience: int | None
) -> tuple[Phase, ...]:
    """The phases of a run of a strategy; all strategies take at most `epochs` epochs.

    Gradual unfreezing trains the block nearest to the head first, then one more each phase (Howard and Ruder 2018).
    All phases are of equal length; by plateau a phase ends early when validation has not risen for as many epochs
    as its patience.

    Args:
        strategy: the strategy that was chosen.
        blocks: names from input to output, head left out.
        rate: learning rate of the head.
        params: settings of the strategies.
        epochs: length of the run.
        patience: epochs without gain after which the run ends; None: never.

    Raises:
        ValueError: surgical names a block that the network does not have.
    """
    learns = learns_of(strategy, params)
    if strategy != "gradual":
        rates = block_rates(strategy, blocks, rate, params)
        return (Phase(strategy, rates, epochs, patience, learns),)
    waits = params.unfreeze.patience if isinstance(params.unfreeze, Plateau) else None
    n_phases = min(len(blocks), epochs)
    heights = [round((index + 1) * len(blocks) / n_phases) for index in range(n_phases)]
    lengths = [(index + 1) * epochs // n_phases - index * epochs // n_phases for index in range(n_phases)]
    return tuple(
        Phase(
            name=f"top {height} of {len(blocks)}",
            rates=_decayed(blocks, rate, height, params.depth_decay),
            epochs=length,
            patience=patience if height == len(blocks) else waits,
            learns=learns,
        )
        for height, length in zip(heights, lengths, strict=True)
    )


def learns_of(strategy: Strategy, params: FinetuneTarget) -> Learns:
    """What of a block learns under a strategy."""
    if strategy == "norms":
        return "norms"
    return "whole" if params.tuning == "whole" else "bias" if params.tuning == "bias" else params.tuning.kind


def block_rates(strategy: Strategy, blocks: Sequence[str], rate: float, params: FinetuneTarget) -> dict[str, float]:
    """Peak learning rate by block, from input to output, `head` last; 0 means frozen.

    Deeper blocks hold more general features and learn slower: each block's rate is the one above it times
    `depth_decay` (discriminative learning rates, Howard and Ruder 2018). Blocks that surgical fine-tuning names are
    meant to change and learn at the head's rate (Lee et al. 2023), and so do normalisation layers.

    Args:
        strategy: feature_extraction trains the head alone, top_blocks also the blocks nearest to it, full all blocks,
            as gradual does in its last phase and the name of a technique stands for, surgical the blocks named, norms
            the normalisation layers of all.
        blocks: names from input to output, head left out.
        rate: learning rate of the head.
        params: depth_decay, the number of top blocks, the names for surgical.

    Raises:
        ValueError: surgical names no block, or one that the network does not have.
    """
    if strategy == "surgical":
        strange = sorted(set(params.surgical_blocks) - set(blocks))
        if strange or not params.surgical_blocks:
            raise ValueError(
                f"params.yaml, finetune_target.surgical_blocks: want blocks of the network, got "
                f"{visible(', '.join(strange)) or 'none'}. Choose of {', '.join(blocks)}."
            )
        return {**{name: rate if name in params.surgical_blocks else 0.0 for name in blocks}, "head": rate}
    if strategy == "norms":
        return equal_rates(blocks, rate)
    every = len(blocks)
    n_trained = {"feature_extraction": 0, "top_blocks": params.top_blocks, "full": every, "gradual": every}
    return _decayed(blocks, rate, n_trained[phases_as(strategy)], params.depth_decay)


def check_norms(strategy: Strategy, network: Network, name: str) -> None:
    """Refuse to train normalisation layers alone in a network that has none.

    Raises:
        ValueError: the strategy is norms, and the network of this name has no normalisation layer.
    """
    if strategy == "norms" and not has_norms(network):
        raise ValueError(
            f"params.yaml, select_strategy.overrule: want a network with normalisation layers for norms, got {name}. "
            "Choose another strategy."
        )


def _decayed(blocks: Sequence[str], rate: float, n_trained: int, decay: float) -> dict[str, float]:
    """Rate by block: decayed from the head downwards in the n_trained blocks nearest to it, 0 in the others."""
    height = {name: len(blocks) - index for index, name in enumerate(blocks)}
    rates = {name: rate * decay ** height[name] if height[name] <= n_trained else 0.0 for name in blocks}
    return {**rates, "head": rate}
