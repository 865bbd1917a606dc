"""What extract_features keeps of the images: features row by row, and details of a sample."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import read_arrays, read_table, write_arrays, write_table, write_whole

Images = NDArray[np.uint8]
Places = NDArray[np.int64]
Array = NDArray[np.floating[Any]]
Groups = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]

# Corruptions of the yardstick, in the order of its features.
CORRUPTION_NAMES = ("blur", "noise", "contrast", "JPEG", "pixelate")
SEVERITIES = (1, 2, 3, 4, 5)
# Fewest images, or groups, of a source that get a yardstick: two in each half.
FEWEST = 4


class BlockMeans(NamedTuple):
    """Mean activations of n images at the end of one block."""

    block: str
    means: Array
    """(n, k) mean over positions of each channel"""


class BlockMoments(NamedTuple):
    """Moments of the inputs of the BatchNorm layers of one block, for n images.

    An input x is standardised by the running moments: (x - running mean) / sqrt(running variance + eps).
    """

    block: str
    means: Array
    """(n, k) means over positions, for the k channels of all BatchNorm layers of the block"""
    squares: Array
    """(n, k) means of the squares over positions"""
    floor: Array
    """(k,) eps / (running variance + eps): the share that BatchNorm adds to a variance"""


class YardstickFeatures(NamedTuple):
    """Features of two halves of the source, from which the yardstick is made."""

    kept: Array
    """(k, d) features of the first half, which is never corrupted"""
    clean: Array
    """(k, d) features of the second half before corruption"""
    corrupted: Array
    """(25, k, d) features of the second half, by corruption and then by severity"""
    noise: Array
    """(k, d) features of images of pure noise"""
    kept_groups: Groups
    """(k,) group numbers of the first half"""
    other_groups: Groups
    """(k,) group numbers of the second half"""


class SourceDetails(NamedTuple):
    """Activations and yardstick features of a sample of source images."""

    rows: Places
    """(k,) indices into the image store"""
    blocks: tuple[BlockMeans, ...]
    yardstick: YardstickFeatures | None
    """None if there are too few images"""


class TargetDetails(NamedTuple):
    """Activations and BatchNorm moments of a sample of target images."""

    rows: Places
    """(k,) indices into the image store"""
    blocks: tuple[BlockMeans, ...]
    moments: tuple[BlockMoments, ...]
    """empty if they were not asked for, or if the network does not have BatchNorm layers"""
    refusal: str
    """why there are no moments; empty if there are, or if they were not asked for"""


def save_source_details(details: SourceDetails, path: Path) -> None:
    """Write the details of one domain as .npz, whole or not at all."""
    write_arrays(source_arrays(details), path)


def read_source_details(path: Path) -> SourceDetails:
    """Read what save_source_details wrote.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    return source_details_of(read_arrays(path, "details of the source", "extract_features"))


def source_arrays(details: SourceDetails) -> dict[str, NDArray[Any]]:
    """Details of the source as named arrays."""
    arrays = {"rows": details.rows, **{f"block {each.block}": each.means for each in details.blocks}}
    yardstick = {} if details.yardstick is None else details.yardstick._asdict()
    return {**arrays, **{f"yardstick {name}": array for name, array in yardstick.items()}}


def source_details_of(arrays: Arrays) -> SourceDetails:
    """Details of the source from the named arrays of source_arrays."""
    yardstick = _named(arrays, "yardstick ")
    return SourceDetails(arrays["rows"], _blocks(arrays), YardstickFeatures(**yardstick) if yardstick else None)


def save_target_details(details: TargetDetails, path: Path) -> None:
    """Write the details of one domain as .npz, whole or not at all."""
    moments = {
        f"{part} {each.block}": getattr(each, part)
        for each in details.moments
        for part in ("means", "squares", "floor")
    }
    blocks = {f"block {each.block}": each.means for each in details.blocks}
    write_arrays({"rows": details.rows, "refusal": np.array(details.refusal), **blocks, **moments}, path)


def read_target_details(path: Path) -> TargetDetails:
    """Read what save_target_details wrote.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    arrays = read_arrays(path, "details of the target", "extract_features")
    parts = [_named(arrays, f"{part} ") for part in ("means", "squares", "floor")]
    moments = tuple(BlockMoments(name, *(part[name] for part in parts)) for name in parts[0])
    return TargetDetails(arrays["rows"], _blocks(arrays), moments, str(arrays["refusal"]))


def _named(arrays: Arrays, start: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def _blocks(arrays: Arrays) -> tuple[BlockMeans, ...]:
    return tuple(BlockMeans(name, means) for name, means in _named(arrays, "block ").items())


def save_array(array: NDArray[np.float32], path: Path) -> None:
    """Write an array as .npy, whole or not at all."""
    content = io.BytesIO()
    np.save(content, array)
    write_whole(path, content.getvalue())


class MapPoint(NamedTuple):
    """An image on the map."""

    image: str
    """leading digits of its sha256; empty for an image of a bank"""
    side: Literal["source", "target"]
    label: str
    """class of the image; empty for an image of a bank"""
    x: float
    y: float


def write_map(points: Sequence[MapPoint], path: Path) -> None:
    """Write the points of the map as CSV, whole or not at all. There are none if there is no source."""
    rows = (each._replace(x=round(each.x, 4), y=round(each.y, 4)) for each in points)
    write_table(MapPoint._fields, rows, path)


def read_map(path: Path) -> tuple[MapPoint, ...]:
    """Points that `write_map` wrote.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    sides: dict[str, Literal["source", "target"]] = {"source": "source", "target": "target"}
    return tuple(
        MapPoint(each["image"], sides[each["side"]], each["label"], float(each["x"]), float(each["y"]))
        for each in read_table(MapPoint._fields, path, "the points of the map", "measure_shift")
    )
