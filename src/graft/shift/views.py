"""What a network says of a sample of images beyond their features; kept in files between the stages."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import write_whole
from graft.shift.yardstick import FEWEST, YardstickFeatures, yardstick_features
from graft.statistics.moments import BlockMeans, BlockMoments

Images = NDArray[np.uint8]
Places = NDArray[np.int64]
Array = NDArray[np.floating[Any]]
Arrays = Mapping[str, NDArray[Any]]


class Network(NamedTuple):
    """How a network looks at (n, s, s, 3) uint8 images; whoever has torch hands it in."""

    features: Callable[[Images], Array]
    block_means: Callable[[Images], tuple[BlockMeans, ...]]
    moments: Callable[[Images], tuple[BlockMoments, ...]]
    """raises ValueError where the network has no BatchNorm"""


class SourceView(NamedTuple):
    """Of a sample of source images."""

    rows: Places
    """(k,) places in the image store"""
    blocks: tuple[BlockMeans, ...]
    yardstick: YardstickFeatures | None
    """None: too few images"""


class TargetView(NamedTuple):
    """Of a sample of target images."""

    rows: Places
    """(k,) places in the image store"""
    blocks: tuple[BlockMeans, ...]
    moments: tuple[BlockMoments, ...]
    """empty where they were not asked for, or the network has no BatchNorm"""
    refusal: str
    """why the network has no moments; empty where it has, or they were not asked for"""


def view_source(
    images: Images, rows: Places, groups: NDArray[Any], network: Network, n_sample: int, seed: int
) -> SourceView:
    """Blocks and yardstick of a sample of source images.

    Args:
        images: (n, s, s, 3), the image store.
        rows: (k,) places of the images that may be looked at; none where there is no source.
        groups: (k,) names of groups of images that are not independent.
        network: how the images are looked at.
        n_sample: images that are looked at, at most.
        seed: of the sample, and of the yardstick's halves and noise.
    """
    chosen = _sample(len(rows), n_sample, seed)
    sample, names = images[rows[chosen]], groups[chosen]
    enough = len(np.unique(names)) >= FEWEST
    yardstick = yardstick_features(sample, network.features, groups=names, seed=seed) if enough else None
    return SourceView(rows[chosen], network.block_means(sample), yardstick)


def view_target(
    images: Images, rows: Places, network: Network, n_sample: int, seed: int, with_moments: bool
) -> TargetView:
    """Blocks of a sample of target images, and where there is no source what they put into BatchNorm layers.

    Args:
        images: (n, s, s, 3), the image store.
        rows: (k,) places of the images that may be looked at.
        network: how the images are looked at.
        n_sample: images that are looked at, at most.
        seed: of the sample.
        with_moments: whether the moments are needed.
    """
    chosen = rows[_sample(len(rows), n_sample, seed)]
    sample = images[chosen]
    blocks = network.block_means(sample)
    if not with_moments:
        return TargetView(chosen, blocks, (), "")
    try:
        return TargetView(chosen, blocks, network.moments(sample), "")
    except ValueError as refusal:
        return TargetView(chosen, blocks, (), str(refusal))


def save_source_view(view: SourceView, path: Path) -> None:
    """Write a view, whole or not at all."""
    save_arrays(source_arrays(view), path)


def read_source_view(path: Path) -> SourceView:
    """A view that save_source_view wrote.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return source_view_of(read_arrays(path))


def source_arrays(view: SourceView) -> dict[str, NDArray[Any]]:
    """A view as named arrays."""
    arrays = {"rows": view.rows, **{f"block {each.block}": each.means for each in view.blocks}}
    yardstick = {} if view.yardstick is None else view.yardstick._asdict()
    return {**arrays, **{f"yardstick {name}": array for name, array in yardstick.items()}}


def source_view_of(arrays: Arrays) -> SourceView:
    """The view that source_arrays made named arrays of."""
    yardstick = _named(arrays, "yardstick ")
    return SourceView(arrays["rows"], _blocks(arrays), YardstickFeatures(**yardstick) if yardstick else None)


def save_target_view(view: TargetView, path: Path) -> None:
    """Write a view, whole or not at all."""
    moments = {
        f"{part} {each.block}": getattr(each, part) for each in view.moments for part in ("means", "squares", "floor")
    }
    blocks = {f"block {each.block}": each.means for each in view.blocks}
    save_arrays({"rows": view.rows, "refusal": np.array(view.refusal), **blocks, **moments}, path)


def read_target_view(path: Path) -> TargetView:
    """A view that save_target_view wrote.

    Raises:
        FileNotFoundError: there is no such file.
    """
    arrays = read_arrays(path)
    parts = [_named(arrays, f"{part} ") for part in ("means", "squares", "floor")]
    moments = tuple(BlockMoments(name, *(part[name] for part in parts)) for name in parts[0])
    return TargetView(arrays["rows"], _blocks(arrays), moments, str(arrays["refusal"]))


def save_arrays(arrays: Arrays, path: Path) -> None:
    """Write named arrays as .npz, in their order, whole or not at all."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_whole(path, content.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named arrays in the order they were written.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want arrays, got no file. Run `dvc repro extract_features`.")
    with path.open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _named(arrays: Arrays, start: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def _blocks(arrays: Arrays) -> tuple[BlockMeans, ...]:
    return tuple(BlockMeans(name, means) for name, means in _named(arrays, "block ").items())


def _sample(n: int, n_sample: int, seed: int) -> Places:
    """Sorted places of at most n_sample of n."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:n_sample])
