"""The network and the weights that a run starts from, and whether the weights are available."""

import difflib
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from graft.files import file_sha256, named_path, visible
from graft.networks.families import networks
from graft.networks.preprocessing import import_torchvision, published_weights
from graft.networks.published import load_published, network_of
from graft.networks.state_files import states_in
from graft.params.network import NetworkParams
from graft.params.pipeline import Params

# folder of the user's own files of weights, where DVC and queued experiments find them
HOME = Path("models/weights")
# small enough for two cores; the values in docs/decisions/values.md were measured with it
DEFAULT = "mobilenet_v2"
ASKED = "as asked for"
PATIENCE_S = 10
# endings of files in HOME that hold no weights
NO_WEIGHTS = (".dvc", ".gitignore", ".md", ".txt")


class StartingPoint(NamedTuple):
    """Network and weights that a run starts from."""

    name: str
    """name of the network"""
    weights: str
    """pretrain, file, or a torchvision weight name"""
    why: str
    """reason for the network, in a few words"""
    file: Path | None = None
    """where the file of weights lies now; None if the weights are no file"""
    kept: bool = False
    """whether params.yaml holds this already, so that nothing is written"""

    @property
    def kept_as(self) -> Path | None:
        """Where the file of weights will lie, relative to the repository; None if there is no file."""
        if self.file is None:
            return None
        here, file = Path.cwd().resolve(), self.file.parent.resolve() / self.file.name
        return file.relative_to(here) if file.is_relative_to(here) else HOME / file.name

    @property
    def weights_why(self) -> str:
        """What the weights are, in a few words."""
        return {"pretrain": self.why, "file": "the file that fits"}.get(self.weights, "published by torchvision")

    def values(self, path: Path | None) -> dict[str, str | None]:
        """Values of the section `network`, with the file of weights at a path."""
        sha256 = None if self.file is None else file_sha256(self.file)
        file = None if path is None else path.as_posix()
        return {"name": self.name, "weights": self.weights, "weights_file": file, "weights_sha256": sha256}


def check_network(name: str, weights: str | None) -> None:
    """Refuse an unknown network, and weights that it cannot have, before any image is read.

    Args:
        name: name of the network.
        weights: `pretrain`, a torchvision weight name or a path; None: not given.

    Raises:
        ValueError: there is no such network, or it has no such weights.
    """
    known = ["small_cnn", *networks()]
    if name not in known:
        close = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=3)
        cure = f"Did you mean {' or '.join(close)}?" if close else f"Choose one of {', '.join(known)}."
        raise ValueError(
            "graft start, --network: want small_cnn or a classification network of torchvision, got "
            f"{visible(name)}. {cure}"
        )
    if name == "small_cnn" and weights not in (None, "pretrain"):
        raise ValueError(
            f"graft start, --weights: want pretrain with small_cnn, got {visible(weights)}. Name a network of "
            "torchvision, such as `--network resnet18`: there are no weights of small_cnn to be had."
        )


def choose(params: Params, network: str | None, weights: str | None, has_source: bool) -> StartingPoint:
    """Choose network and weights from the options and params.yaml.

    Without options, the network and weights of params.yaml are kept, unless they are those of the built-in example.
    Those are replaced by the file in models/weights if one fits, else by published weights.

    Args:
        params: params before the change.
        network: name of a known network; None: not given.
        weights: `pretrain`, a torchvision weight name or a path; None: not given.
        has_source: whether there are source images to pretrain on.

    Raises:
        FileNotFoundError: the file that params.yaml names does not exist.
        ValueError: there are no such weights, the file holds no weights, or there are no images to pretrain on.
    """
    chosen = _choose(params, network, weights, has_source)
    if chosen.weights == "pretrain" and not has_source:
        raise ValueError(
            f"graft start: want images to pretrain {chosen.name} on under data/raw/source/<class>/, got none. Put some "
            "there, or start from published weights: `graft start --network mobilenet_v2 --weights IMAGENET1K_V1`."
        )
    return chosen


def _choose(params: Params, network: str | None, weights: str | None, has_source: bool) -> StartingPoint:
    now, dataset = params.network, params.prepare_data.dataset
    of_example = now.name == "small_cnn" and not (has_source and dataset == "folders")
    named = network or (None if now.name == "small_cnn" else now.name)
    if weights == "pretrain" or (weights is None and network == "small_cnn"):
        return StartingPoint(network or now.name, "pretrain", "trained first on the source images")
    if weights is None and not of_example and network in (None, now.name):
        return _as_it_is(now)
    if weights is None:
        chosen = _in_home(named) or _published(named or DEFAULT, None)
        return chosen._replace(why=ASKED) if network else chosen
    path = named_path(weights)
    return _of_file(path, named) if path.is_file() else _published(named or DEFAULT, weights)


def check_at_hand(choice: StartingPoint) -> str:
    """A sentence on where published weights are; empty for other weights.

    Raises:
        RuntimeError: the weights are not on this machine and cannot be downloaded.
    """
    if choice.weights in ("pretrain", "file"):
        return ""
    weights = published_weights(_section(choice))
    return at_hand(weights.url, f"{choice.weights} of {choice.name}", _hub() / "checkpoints")


def at_hand(url: str, what: str, cache: Path) -> str:
    """A sentence on where a published file is: in the cache, or at its address, which is queried without a download.

    Args:
        url: address of the file, whose name holds the first digits of its sha256, as torchvision's names do.
        what: what the file holds, for the sentence.
        cache: folder of downloads.

    Raises:
        RuntimeError: the file is in neither place, or broken in the cache.
    """
    file = cache / Path(urlsplit(url).path).name
    if file.is_file():
        digits = re.search(r"-([0-9a-f]{8,})\.", file.name)
        if digits and not file_sha256(file).startswith(digits[1]):
            raise RuntimeError(f"{visible(file)}: want {what}, got a file that is cut short or changed. Delete it.")
        return f"{what} is on this machine"
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            n_bytes = int(answer.headers.get("Content-Length") or 0)
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = getattr(error, "reason", None) or error
        raise RuntimeError(
            f"graft start: want {what} on this machine or from {url}, got no file and no answer ({visible(reason)}). "
            f"Fetch it on another machine and name the file: `graft start --weights PATH`; or put it into {HOME}/."
        ) from None
    return f"{what} will be downloaded{f', {n_bytes / 1e6:,.0f} MB' if n_bytes else ''}"


def _as_it_is(network: NetworkParams) -> StartingPoint:
    file = named_path(network.weights_file) if network.weights_file else None
    if file is not None and not file.is_file():
        raise FileNotFoundError(
            f"params.yaml, network.weights_file: want a file, got none at {visible(file)}. Put it there, or name "
            "another: `graft start --weights PATH`."
        )
    return StartingPoint(network.name, network.weights, "as it was", kept=True)


def _in_home(name: str | None) -> StartingPoint | None:
    """The only file in HOME that fits the network, or any known network if none is named."""
    files = sorted(each for each in HOME.glob("[!.]*") if each.is_file() and not each.name.endswith(NO_WEIGHTS))
    fitting = [each for file in files if (each := _tried(file, name)) is not None]
    return fitting[0] if len(fitting) == 1 else None


def _tried(file: Path, name: str | None) -> StartingPoint | None:
    try:
        choice = _of_file(file, name)
        load_published(_section(choice), 224)
    except ValueError:
        return None
    return choice._replace(why=f"{HOME} holds weights of it")


def _of_file(path: Path, name: str | None) -> StartingPoint:
    """Weights in a file, of the named network or else of one with as many parameters."""
    known = None if name else network_of(states_in(path))
    why = "the network whose number of weights the file holds" if known else ASKED
    return StartingPoint(name or known or DEFAULT, "file", why, path)


def _published(name: str, weights: str | None) -> StartingPoint:
    """Published weights by name; None: the first weights of the network."""
    known = _published_names(name)
    if weights is None:
        return StartingPoint(name, known[0], "small_cnn fits the small pictures of the example only")
    if weights not in known:
        raise ValueError(
            f"graft start, --weights: want pretrain, the path of a file, or published weights of {name} "
            f"({', '.join(known)}), got {visible(weights)}, which is no file here. Mend the name or the path."
        )
    return StartingPoint(name, weights, ASKED)


def _published_names(name: str) -> list[str]:
    return [each.name for each in import_torchvision().models.get_model_weights(name) if each.meta["categories"]]


def _section(choice: StartingPoint) -> NetworkParams:
    return NetworkParams.model_validate(choice.values(choice.file))


def _hub() -> Path:
    import torch

    return Path(torch.hub.get_dir())
