"""What extract_features keeps of the images: features row by row, and details of a sample."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import from_cell, write_table, write_whole

Images = NDArray[np.uint8]
Places = NDArray[np.int64]
Array = NDArray[np.floating[Any]]
Groups = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]

CORRUPTION_NAMES = ("blur", "noise", "contrast", "JPEG", "pixelate")
"""of the yardstick, in the order of its features"""
SEVERITIES = (1, 2, 3, 4, 5)
FEWEST = 4
"""images, or groups, of a source that has a yardstick: two a half"""


class BlockMeans(NamedTuple):
    """Mean activations of n images at the end of one block."""

    block: str
    means: Array
    """(n, k) mean over positions of each channel"""


class BlockMoments(NamedTuple):
    """What n images put into the BatchNorm layers of one block, in units of the running moments.

    A value x counts as (x - running mean) / sqrt(running variance + eps).
    """

    block: str
    means: Array
    """(n, k) mean over positions, for the k channels of all BatchNorm layers of the block"""
    squares: Array
    """(n, k) mean of the squares over positions"""
    floor: Array
    """(k,) eps / (running variance + eps): what BatchNorm adds to a variance"""


class YardstickFeatures(NamedTuple):
    """What the yardstick is made of: (k, d) features of two halves of the source."""

    kept: Array
    """of the half that stays as it is"""
    clean: Array
    """of the other, as it is"""
    corrupted: Array
    """(25, k, d) of the other, corruption by corruption, severity by severity"""
    noise: Array
    """of images of pure noise, as many as in the other"""
    kept_groups: Groups
    """(k,) number of each kept image's group"""
    other_groups: Groups
    """(k,) the same of the other half"""


class SourceDetails(NamedTuple):
    """Activations and yardstick features of a sample of source images."""

    rows: Places
    """(k,) places in the image store"""
    blocks: tuple[BlockMeans, ...]
    yardstick: YardstickFeatures | None
    """None: too few images"""


class TargetDetails(NamedTuple):
    """Activations and BatchNorm moments of a sample of target images."""

    rows: Places
    """(k,) places in the image store"""
    blocks: tuple[BlockMeans, ...]
    moments: tuple[BlockMoments, ...]
    """empty where they were not asked for, or the network has no BatchNorm"""
    refusal: str
    """why the network has no moments; empty where it has, or they were not asked for"""


def save_source_details(details: SourceDetails, path: Path) -> None:
    """Write the details of one domain, whole or not at all."""
    save_arrays(source_arrays(details), path)


def read_source_details(path: Path) -> SourceDetails:
    """Read what save_source_details wrote.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return source_details_of(read_arrays(path))


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
    """Write the details of one domain, whole or not at all."""
    moments = {
        f"{part} {each.block}": getattr(each, part)
        for each in details.moments
        for part in ("means", "squares", "floor")
    }
    blocks = {f"block {each.block}": each.means for each in details.blocks}
    save_arrays({"rows": details.rows, "refusal": np.array(details.refusal), **blocks, **moments}, path)


def read_target_details(path: Path) -> TargetDetails:
    """Read what save_target_details wrote.

    Raises:
        FileNotFoundError: there is no such file.
    """
    arrays = read_arrays(path)
    parts = [_named(arrays, f"{part} ") for part in ("means", "squares", "floor")]
    moments = tuple(BlockMoments(name, *(part[name] for part in parts)) for name in parts[0])
    return TargetDetails(arrays["rows"], _blocks(arrays), moments, str(arrays["refusal"]))


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


def save_array(array: NDArray[np.float32], path: Path) -> None:
    """Write an array as .npy, whole or not at all."""
    content = io.BytesIO()
    np.save(content, array)
    write_whole(path, content.getvalue())


class MapPoint(NamedTuple):
    """An image on the map."""

    image: str
    """first 12 hex digits of its sha256; empty for an image of a bank"""
    side: Literal["source", "target"]
    label: str
    """class; empty for an image of a bank"""
    x: float
    y: float


def write_map(points: Sequence[MapPoint], path: Path) -> None:
    """Write the points, whole or not at all; none where there is nothing to hold the target against."""
    rows = (each._replace(x=round(each.x, 4), y=round(each.y, 4)) for each in points)
    write_table(MapPoint._fields, rows, path)


def read_map(path: Path) -> tuple[MapPoint, ...]:
    """Points that write_map wrote.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want the points of the map, got no file. Run `dvc repro measure_shift`.")
    sides: dict[str, Literal["source", "target"]] = {"source": "source", "target": "target"}
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            MapPoint(each["image"], sides[each["side"]], from_cell(each["label"]), float(each["x"]), float(each["y"]))
            for each in csv.DictReader(file)
        )
