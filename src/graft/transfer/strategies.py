"""What each strategy trains: a learning rate for every block."""

from collections.abc import Sequence

from graft.params import FinetuneTarget, Strategy


def block_rates(strategy: Strategy, blocks: Sequence[str], rate: float, params: FinetuneTarget) -> dict[str, float]:
    """Peak learning rate by block, from input to output, `head` last; 0 means frozen.

    Deeper blocks hold more general features and learn slower: each block's rate is the one above it times
    `depth_decay` (discriminative learning rates, Howard and Ruder 2018).

    Args:
        strategy: feature_extraction trains the head alone, top_blocks the blocks nearest to it, full all.
        blocks: names from input to output, head left out.
        rate: of the head.
        params: depth_decay and the number of top blocks.
    """
    n_trained = {"feature_extraction": 0, "top_blocks": params.top_blocks, "full": len(blocks)}[strategy]
    height = {name: len(blocks) - index for index, name in enumerate(blocks)}
    rates = {name: rate * params.depth_decay ** height[name] if height[name] <= n_trained else 0.0 for name in blocks}
    return {**rates, "head": rate}


def equal_rates(blocks: Sequence[str], rate: float) -> dict[str, float]:
    """One rate for all blocks and the head: from random start nothing has been learnt yet."""
    return dict.fromkeys([*blocks, "head"], rate)
