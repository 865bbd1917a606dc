"""Scores of a network on unlabelled images, by which runs and epochs are chosen where the target has no labels."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.runtime import autocast
from graft.params.techniques import ChooseBy
from graft.training.activations import back, front, parts

# score of (n, c) logits of unlabelled images; larger is better
Validator = Callable[[Tensor], float]

# temperature of the neighbourhoods
TEMPERATURE = 0.05
# similarities that are held at once: 64 MiB in float32
AT_ONCE = 2**24
# images that a score looks at: with thousands an epoch's score would take longer than its steps
MOST_IMAGES = 4_000


def information_maximisation(logits: Tensor) -> float:
    """Entropy of the mean prediction minus the mean entropy of the predictions; larger is better.

    It is large where each image gets a sure prediction and all classes occur equally often.

    Args:
        logits: (n, c) of unlabelled images, n at least 1.

    Returns:
        Nats, from 0 to ln c.

    Source: Shi and Sha, Information-theoretical learning of discriminative clusters for unsupervised domain
    adaptation, ICML (2012); as a score of runs: Musgrave, Belongie and Lim, Benchmarking validation methods for
    unsupervised domain adaptation (2022).
    """
    shares = logits.double().softmax(dim=1)
    return (_entropy(shares.mean(dim=0)) - _entropy(shares).mean()).item()


def soft_neighbourhood_density(logits: Tensor) -> float:
    """Mean entropy of the similarities of each image's prediction to those of all others; larger is better.

    Predictions are similar by their cosine, and a softmax at TEMPERATURE makes shares of the similarities to the other
    images. The entropy is large where each image has many near neighbours, as in dense clusters.

    Args:
        logits: (n, c) of unlabelled images.

    Returns:
        Nats, from 0 to ln(n - 1); 0 for fewer than three images.

    Source: Saito et al., Tune it the right way: unsupervised validation of domain adaptation via soft neighborhood
    density, ICCV (2021).
    """
    n = len(logits)
    if n < 3:
        return 0.0
    # (n, c) of length 1
    rows = torch.nn.functional.normalize(logits.float().softmax(dim=1))
    total = torch.zeros((), dtype=torch.float64, device=rows.device)
    for places in torch.split(torch.arange(n, device=rows.device), max(1, AT_ONCE // n)):
        # (k, n): from k images to all, without the images themselves
        similar = rows[places] @ rows.T / TEMPERATURE
        similar[torch.arange(len(places), device=rows.device), places] = -torch.inf
        total += _entropy(similar.softmax(dim=1)).sum(dtype=torch.float64)
    return (total / n).item()


VALIDATORS: Mapping[ChooseBy, Validator] = {
    "information_maximisation": information_maximisation,
    "soft_neighbourhood_density": soft_neighbourhood_density,
}


def score_by(kind: ChooseBy, images: Tensor, precision: torch.dtype) -> Callable[[Network], float]:
    """Score of a network on unlabelled images that are not augmented, in the precision of training.

    Args:
        kind: which score.
        images: (n, 3, s, s) uint8, n at least 1; of more than MOST_IMAGES, as many at even distances count.
        precision: of the network's arithmetic; the score itself is computed in float32 or more.
    """
    places = torch.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES), device=images.device).round().long()
    seen = images[places] if len(places) < len(images) else images

    def score(network: Network) -> float:
        network.eval()
        with torch.inference_mode(), autocast(seen.device, precision):
            logits = [back(network, 0, front(network, 0, each)).logits for each in parts(seen)]
        return VALIDATORS[kind](torch.cat(logits))

    return score


def _entropy(shares: Tensor) -> Tensor:
    """Entropy in nats over the last axis; a share of 0 adds nothing."""
    entropy: Tensor = torch.special.entr(shares).sum(dim=-1)
    return entropy
