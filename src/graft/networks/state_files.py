"""Read files of weights as people have them, by their content and without unpickling.

Only tensors are read: from safetensors, or from torch's own format by its reader that runs no code.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]

# levels of nested dictionaries that are searched, such as {"model": {"state_dict": ...}}
DEEPEST = 3
SAVE = "Save it with `torch.save(network.state_dict(), path)`."
# first bytes of files that are not weights, what the files are, and what to do
BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer", "Fetch the file itself with `git lfs pull`."),
    (b"<", "a web page", "Download the file itself, not the page about it."),
    (b"{", "a JSON file", "Name the file that holds the tensors."),
    (b"\x89HDF", "an HDF5 file, such as Keras writes", "Take weights of torchvision's network."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it."),
)


def states_in(path: Path) -> dict[str, State]:
    """All sets of named tensors in a file, by the keys that lead to them; "" for the file itself.

    Raises:
        ValueError: the file holds no tensors, is cut short, or needs code of its own to be run.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise _no_weights(path, "an empty file", "Fetch it again.")
    for beginning, what, cure in BEGINNINGS:
        if start.lstrip().startswith(beginning):
            raise _no_weights(path, what, cure)
    content = _safetensors(path) if start[8:9] == b"{" else _torch_file(path)
    states = dict(_states(content, ()))
    if not states:
        raise _no_weights(path, f"a {type(content).__name__}", SAVE)
    return states


def _no_weights(path: Path, got: str, cure: str) -> ValueError:
    return ValueError(f"{path}: want a state dict of tensors, got {got}. {cure}")


def _states(content: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, State]]:
    if not isinstance(content, Mapping) or len(keys) > DEEPEST:
        return
    tensors = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if tensors:
        # the dictionary itself where it holds tensors alone: torch keeps versions of modules in an attribute of it
        yield ".".join(keys), content if len(tensors) == len(content) and isinstance(content, dict) else tensors
    for key, value in content.items():
        yield from _states(value, (*keys, str(key)))


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _no_weights(path, f"a safetensors file that cannot be read ({error})", "Fetch it again.") from None


def _torch_file(path: Path) -> Any:
    _check_archive(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # torch raises many kinds of exception for a file of another format
    except Exception as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found is None:
            raise _no_weights(path, f"a file that torch cannot read ({type(error).__name__})", SAVE) from None
        whole = f"a pickle that wants {found[1]}, whose code graft does not run"
        cure = "Where you trust it, save its tensors alone: `torch.save(network.state_dict(), path)`."
        raise _no_weights(path, whole, cure) from None


def _check_archive(path: Path) -> None:
    """Refuse zip archives that are cut short or were not written by torch.save."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
    if not zipfile.is_zipfile(path):
        raise _no_weights(path, "an archive that is cut short", "Fetch it again.")
    with zipfile.ZipFile(path) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    if "constants.pkl" in names:
        raise _no_weights(path, "a TorchScript program", SAVE)
    if "data.pkl" not in names:
        raise _no_weights(path, "an archive of other files", "Unpack it, and name the file that holds the tensors.")
