"""Linear heads on cached features of the unmodified backbone, by share of the labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.networks.outputs import Score
from graft.records.variants import VariantRun
from graft.statistics.features.probe import head_logits, linear_head
from graft.training.objective import score_of
from graft.transfer.finetuning.task import TransferTask, head_c
from graft.transfer.variants.plan import SHARES, Variant
from graft.transfer.variants.subsets import labels_seen

HEAD_SHARES = (*SHARES, 1.0)


class Heads(NamedTuple):
    """Linear heads, in the order of their shares and seeds."""

    runs: tuple[VariantRun, ...]
    weights: dict[str, NDArray[np.float32]]
    """(c, d + 1) weights with the bias last, by name of the run"""


def fitted_heads(task: TransferTask, seeds: Sequence[int]) -> Heads:
    """Fit a head for each share of the labels and each seed.

    All have the regularisation strength that the probe of the strategy record chose on the whole train split.

    Args:
        task: what the transfer arm is trained from.
        seeds: of the arms.
    """
    runs, weights = [], {}
    for variant in (Variant("head", share) for share in HEAD_SHARES):
        for seed in seeds:
            places = labels_seen(task.data, task.params.training, variant.share, seed)
            name, c = f"{variant.name}_{seed}", head_c(task.strategy)
            weights[name], score = _fitted(task, places)
            runs.append(
                VariantRun(
                    name=name,
                    kind="head",
                    share=variant.share,
                    n_labels=len(places),
                    seed=seed,
                    network=task.backbone.name,
                    block=None,
                    rate=c,
                    best_epoch=0,
                    val_accuracy=score.accuracy,
                    val_loss=score.loss,
                )
            )
    return Heads(tuple(runs), weights)


def _fitted(task: TransferTask, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], Score]:
    """(c, d + 1) weights with the bias last, and their validation score."""
    data, features = task.data, task.backbone.features
    labels, balanced = data.train.labels.cpu().numpy()[places], task.params.training.balance != "none"
    seen = features[data.train_rows[places]]
    head = linear_head(seen, labels, head_c(task.strategy), len(data.classes), balanced=balanced)
    logits = torch.from_numpy(head_logits(head, features[data.val_rows]))
    score = score_of(logits.float(), data.val.labels.cpu())
    return np.column_stack([head.weight, head.bias]).astype(np.float32), score
