"""Which parts of a network a phase trains, and proof that it changes no other."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from graft.networks.adapters import adapter_parameters
from graft.networks.networks import Network
from graft.records.common import SHA256_DIGITS

BatchNormPolicy = Literal["frozen", "adapt", "train"]
Learns = Literal["whole", "norms", "bias", "lora", "adapters"]
NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)
ADAPT_BATCH = 64


class Phase(NamedTuple):
    """A part of a run with its own schedule; it starts from the best weights so far."""

    name: str
    rates: Mapping[str, float]
    """Peak learning rate by block, `head` included; 0 keeps a block frozen."""
    epochs: int
    """Largest number of epochs."""
    patience: int | None
    """Epochs without gain on validation after which the phase ends; None: it never ends early."""
    learns: Learns = "whole"
    """What of a block learns; the head always learns whole."""


def parts_of(network: Network) -> dict[str, nn.Module]:
    """Blocks by name from input to output, then the head."""
    return {**dict(network.blocks.items()), "head": network.head}


def trained_parameters(network: Network, phase: Phase) -> dict[str, list[nn.Parameter]]:
    """Parameters that a phase trains, by part; parts without any are left out."""
    trained: dict[str, list[nn.Parameter]] = {}
    for name, part in parts_of(network).items():
        found = _learning(part, "whole" if name == "head" else phase.learns)
        if found and phase.rates[name] > 0:
            trained[name] = found
    return trained


def freeze(network: Network, phase: Phase) -> None:
    """Make the parameters that a phase trains require gradients, and no others."""
    network.requires_grad_(False)
    for members in trained_parameters(network, phase).values():
        for each in members:
            each.requires_grad_(True)


def set_modes(network: Network, phase: Phase, policy: BatchNormPolicy) -> None:
    """Set training mode for the parts that learn; BatchNorm statistics of frozen blocks do not change.

    Unless the policy is `train`, the statistics of blocks that learn do not change either.
    """
    trained = trained_parameters(network, phase)
    for name, part in parts_of(network).items():
        part.train(name in trained)
        if policy != "train" and name != "head":
            for norm in _batchnorms(part):
                norm.eval()


@contextmanager
def settled(network: Network) -> Iterator[None]:
    """Context in which no pass moves the running statistics of BatchNorm; batches are normalised as before."""
    moving = [each for each in _batchnorms(network) if each.training]
    momenta = [each.momentum for each in moving]
    for each in moving:
        each.momentum = 0.0
    yield
    for each, momentum in zip(moving, momenta, strict=True):
        each.momentum = momentum


def n_frozen_blocks(network: Network, phase: Phase) -> int:
    """Number of blocks below the first that learns; their output for an image does not change during the phase."""
    trained = trained_parameters(network, phase)
    return next((n for n, name in enumerate(network.blocks) if name in trained), len(network.blocks))


def frozen_state(network: Network, phase: Phase, policy: BatchNormPolicy) -> dict[str, Tensor]:
    """Parameters and buffers that the phase must not change, by name."""
    trained = trained_parameters(network, phase)
    moving = {id(each) for members in trained.values() for each in members}
    for name, part in parts_of(network).items():
        if name in trained and (policy == "train" or name == "head"):
            moving |= {id(each) for norm in _batchnorms(part) for each in norm.buffers()}
    # a state dict, because it leaves out the input transform; keep_vars, for tensors with the ids of the network's own
    state = network.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in state.items() if id(tensor) not in moving}


def frozen_sha256(network: Network, phase: Phase, policy: BatchNormPolicy) -> str | None:
    """Hash of everything that a phase must not change; None where it trains everything."""
    state = frozen_state(network, phase, policy)
    if not state:
        return None
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        # as bytes, because numpy does not have bfloat16
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def check_frozen(network: Network, phase: Phase, policy: BatchNormPolicy, before: str | None) -> None:
    """Check that frozen parameters and buffers still have the hash from before the phase.

    Raises:
        RuntimeError: a frozen parameter or buffer changed.
    """
    after = frozen_sha256(network, phase, policy)
    if after != before:
        raise RuntimeError(
            f"training, phase {phase.name}: want frozen parameters and buffers unchanged, got "
            f"{str(after)[:SHA256_DIGITS]} for {str(before)[:SHA256_DIGITS]}. This is a fault of graft; please report "
            "it."
        )


def adapt_batchnorm(network: Network, images: Tensor, blocks: Sequence[str] | None = None) -> None:
    """Replace the BatchNorm statistics of blocks by those of these images, in one pass.

    Batches are drawn at random: images are sorted by class, and a batch of one class would be normalised by the mean
    of that class.

    Args:
        network: is changed, and left in evaluation mode.
        images: (n, 3, s, s) uint8.
        blocks: names of the blocks; None for all.

    Source: Li et al., Revisiting batch normalization for practical domain adaptation (2016).
    """
    chosen = [network.blocks[name] for name in (network.blocks if blocks is None else blocks)]
    norms = [each for block in chosen for each in _batchnorms(block) if each.track_running_stats]
    momenta = [each.momentum for each in norms]
    network.eval()
    for each in norms:
        each.reset_running_stats()
        # without momentum the statistics are the plain mean over batches
        each.momentum = None
        each.train()
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).to(images.device)
    with torch.no_grad():
        for batch in torch.tensor_split(rows, max(1, len(rows) // ADAPT_BATCH)):
            network.features(images[batch])
    for each, momentum in zip(norms, momenta, strict=True):
        each.momentum = momentum
    network.eval()


def has_norms(network: Network) -> bool:
    """Whether any block of the network has a normalisation layer."""
    return bool(_norms(network.blocks))


def biases(part: nn.Module) -> list[nn.Parameter]:
    """Biases of all layers, of norms and of attention too.

    Source: Ben Zaken et al., BitFit: simple parameter-efficient fine-tuning, ACL (2022).
    """
    # in_proj_bias of attention; Swin's table of position biases is none
    return [each for name, each in part.named_parameters() if name.endswith("bias")]


def _learning(part: nn.Module, learns: Learns) -> list[nn.Parameter]:
    """Parameters of a part that learn where its rate is above 0."""
    match learns:
        case "whole":
            return list(part.parameters())
        case "norms":
            return [each for norm in _norms(part) for each in norm.parameters()]
        case "bias":
            return biases(part)
        case "lora":
            # as peft names the factors
            return [each for name, each in part.named_parameters() if ".lora_" in name]
        case "adapters":
            return adapter_parameters(part)


def _norms(part: nn.Module) -> list[nn.Module]:
    return [each for each in part.modules() if isinstance(each, NORMS)]


def _batchnorms(part: nn.Module) -> list[_BatchNorm]:
    return [each for each in part.modules() if isinstance(each, _BatchNorm)]


def equal_rates(blocks: Sequence[str], rate: float) -> dict[str, float]:
    """The same learning rate for all blocks and the head, as random initialisation needs."""
    return dict.fromkeys([*blocks, "head"], rate)
