"""The map of both domains: a point for each image, kept as CSV beside the record."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from graft.escaping import from_cell
from graft.files import write_table


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
