"""What stands on a backbone: a linear layer, or a small network of its own."""

from torch import nn

from graft.params.network import Head

HIDDEN = 512
DROPOUT = 0.25


def make_head(n_features: int, n_classes: int, kind: Head) -> nn.Module:
    """A head from random start.

    Args:
        n_features: d, what the backbone gives.
        n_classes: c, its outputs.
        kind: linear; or mlp, one hidden layer with BatchNorm and dropout.
    """
    if kind == "linear":
        return nn.Linear(n_features, n_classes)
    return nn.Sequential(
        nn.Linear(n_features, HIDDEN, bias=False),  # BatchNorm has the bias
        nn.BatchNorm1d(HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, n_classes),
    )
