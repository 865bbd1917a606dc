"""Pretrained networks that lost something: the places of their weights, or their top blocks."""

import copy
from collections.abc import Sequence

import numpy as np
import torch

from graft.networks.networks import Network, build_network
from graft.training.activations import activations, parts
from graft.training.phases import adapt_batchnorm
from graft.transfer.finetuning.task import Backbone, TransferTask


def shuffled(backbone: Backbone, seed: int) -> Network:
    """A copy of the network in which the entries of each parameter tensor of the blocks are permuted.

    Every tensor keeps its values, and so their mean and variance, but no feature is left. What this start gains over a
    random one is scale alone.

    Args:
        backbone: the pretrained network.
        seed: of the permutations.

    Source: Raghu et al., Transfusion: understanding transfer learning for medical imaging, NeurIPS (2019), which
    draws from a normal distribution with the mean and variance of each tensor; a permutation keeps the others, too.
    """
    network, generator = copy.deepcopy(backbone.network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in network.blocks.parameters():
            order = torch.randperm(each.numel(), generator=generator).to(each.device)
            each.copy_(each.flatten()[order].view_as(each))
    return network


def reset(backbone: Backbone, blocks: Sequence[str], seed: int) -> Network:
    """A copy of the network in which these blocks are at random, as the library starts them.

    Args:
        backbone: the pretrained network.
        blocks: names of the blocks.
        seed: of the random start; the control with this seed starts from the same values.
    """
    network = copy.deepcopy(backbone.network)
    torch.manual_seed(seed)
    fresh = build_network(backbone.name, network.n_classes, network.preprocessing, network.head_kind)
    for name in blocks:
        network.blocks[name].load_state_dict(fresh.blocks[name].state_dict())
    return network


def started_from(task: TransferTask, network: Network, blocks: Sequence[str]) -> TransferTask:
    """The task of the transfer arm with another network, and with its features of the train and validation images.

    The running statistics of BatchNorm in blocks that were changed describe what the network no longer computes.
    They are measured anew on the train images, whatever happens to them in training; else a policy that freezes them
    would hold a wrong scale against the changed blocks.

    Args:
        task: what the transfer arm is trained from.
        network: the network to start from.
        blocks: names of the blocks that were changed.
    """
    data = task.data
    network = network.to(data.train.labels.device).eval()
    adapt_batchnorm(network, data.train.images, blocks)
    # other images are not trained on, and their features are never read
    features = np.zeros((len(task.backbone.features), network.n_features), dtype=np.float32)
    for rows, samples in ((data.train_rows, data.train), (data.val_rows, data.val)):
        features[rows] = activations(network, len(network.blocks), parts(samples.images)).cpu().numpy()
    return task._replace(backbone=task.backbone._replace(network=network, features=features))
