"""Published weights: a torchvision weight name, or a file with its sha256."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from graft.files import check_named_file, named_path
from graft.networks import fitting
from graft.networks.families import family_of, head_of, networks, torchvision_network
from graft.networks.preprocessing import import_torchvision, published_weights
from graft.networks.state_files import State, states_in
from graft.params.network import NetworkParams


class Published(NamedTuple):
    """Torchvision network with published weights."""

    model: nn.Module
    """Network with the published head, or with a random one where the weights hold none that it can use."""
    read_as: str
    """What was renamed or left out of a file of weights; empty where nothing was."""
    source_head: bool
    """Whether its head is the published one."""


def load_published(network: NetworkParams, size_px: int) -> Published:
    """Torchvision network with published weights for images of size_px pixels a side.

    Its head is the published one, with any number of classes, where that is one linear layer of the features.
    SqueezeNet classifies by a convolution before pooling, and many files hold a backbone alone: there it is random.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: there is no such network, or the file has another sha256, or does not hold exactly one complete
            state dict of the network.
        RuntimeError: the weights cannot be downloaded here.
    """
    family_of(network.name)
    from_file = network.weights == "file"
    states = _states_from_file(network) if from_file else {"": _state_from_torchvision(network)}
    model = torchvision_network(network.name, size_px)
    origin = network.weights_file or network.weights
    fit = _the_fit(network.name, model, states, origin)
    if not all(bool(value.isfinite().all()) for value in (*fit.state.values(), *fit.head.values())):
        raise ValueError(f"{origin}: want numbers in all weights, got some that are none. Take another file.")
    read_as = fitting.sentence(fit) if from_file else ""
    counters = {name: value for name, value in model.state_dict().items() if name.endswith(fitting.COUNTER)}
    # old files do not have counters
    for name, value in counters.items():
        fit.state.setdefault(name, value)
    name, last = head_of(model)
    if fit.head:
        assert isinstance(last, nn.Linear)
        last = nn.Linear(last.in_features, len(fit.head["weight"]))
        model.set_submodule(name, last)
    head = fit.head or last.state_dict()
    fit.state.update({f"{name}.{key}": value for key, value in head.items()})
    model.load_state_dict(fit.state, strict=True)
    return Published(model, read_as, bool(fit.head))


def _the_fit(name: str, model: nn.Module, states: Mapping[str, State], origin: str) -> fitting.Fit:
    """The only way to read a file as weights of this network.

    Raises:
        ValueError: there is no way, or more than one.
    """
    found, why_not = fitting.fits(model, family_of(name).translate, states)
    if len(found) > 1:
        places = " and ".join(fitting.place(each) or "its own names" for each in found)
        raise ValueError(
            f"{origin}: want one set of weights of {name}, got {len(found)}: {places}. "
            "Save the one that you mean alone: `torch.save(content[key], path)`."
        )
    if not found:
        library, nearest = fitting.library_of(states), network_of(states)
        cure = "Name the network that the weights belong to"
        cure += f": {nearest}." if nearest and nearest != name else "."
        if library:
            cure = f"Their names are those of {library}: take weights of torchvision's network."
        raise ValueError(f"{origin}: want weights of {name}, got others ({why_not}). {cure}")
    return found[0]


def network_of(states: Mapping[str, State]) -> str | None:
    """Torchvision network whose published weights have as many parameters as a file; None where there is none."""
    largest = max(states.values(), key=len)
    counters = ("running_mean", "running_var", "num_batches_tracked")
    torchvision = import_torchvision()
    n = sum(value.numel() for name, value in largest.items() if not name.endswith(counters))
    for name in networks():
        if any(each.meta["num_params"] == n for each in torchvision.models.get_model_weights(name)):
            return name
    return None


def _state_from_torchvision(network: NetworkParams) -> State:
    weights = published_weights(network)
    try:
        return weights.get_state_dict(progress=True, check_hash=True)  # type: ignore[no-any-return]
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"weights: want {network.weights} of {network.name} downloaded, got {error}. "
            f"Fetch {weights.url} on another machine, put it under models/weights/, set `weights: file`, "
            "weights_file to its path and weights_sha256 to what `sha256sum` prints for it."
        ) from None


def _states_from_file(network: NetworkParams) -> dict[str, State]:
    path = named_path(network.weights_file or "")
    absent = f"want a file, got none at {path}. Put the state dict there."
    check_named_file(path, network.weights_sha256, "weights", absent)
    return states_in(path)
