"""Predictions of both arms on the test split, a small table in git: what later comparisons and the report read."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import visible, write_whole
from graft.records.common import SHA256_DIGITS, Arm
from graft.store.catalogue import Labelled


class Predictions(NamedTuple):
    """Predicted classes of n test images, s seeds an arm."""

    images: tuple[str, ...]
    """first hex digits of the images' sha256"""
    labels: NDArray[np.int64]
    """(n,) true class numbers"""
    by_arm: dict[str, NDArray[np.int64]]
    """(s, n) predicted class numbers by arm"""
    seeds: dict[str, tuple[int, ...]]
    """the s seeds by arm"""

    def of(self, arm: Arm, seed: int) -> NDArray[np.int64]:
        """(n,) class numbers that one run predicted."""
        place = self.seeds[arm].index(seed)
        runs = self.by_arm[arm]
        return runs[place, :]


def write_predictions(predicted: Mapping[str, NDArray[np.int64]], test: Labelled, path: Path) -> None:
    """Write `image,label,transfer_0,...,scratch_0,...`: class numbers, one row a test image, sorted by image.

    Numbers keep it small (about 40 bytes an image with five seeds); the catalogue record has the names of the classes
    in the same order.

    Args:
        predicted: (n,) class numbers by arm and seed, such as `transfer_0`.
        test: the n images.
        path: of the CSV file.
    """
    rows = sorted(
        (sha256[:SHA256_DIGITS], int(label), *(int(column[index]) for column in predicted.values()))
        for index, (sha256, label) in enumerate(zip(test.sha256, test.labels, strict=True))
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", *predicted])
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def read_predictions(path: Path, n_classes: int) -> Predictions:
    """Predictions of a CSV file: image, label, then one column an arm and seed, such as `transfer_0`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing or unknown, or a cell is no class number.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want predictions, got no file. Run `dvc repro check_transfer`.")
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [*csv.reader(file)] or [[]]
    whole = [row for row in rows if len(row) == len(header)]
    if not rows or len(whole) < len(rows) or header[:2] != ["image", "label"]:
        raise ValueError(
            f"{path}: want columns image, label, ... and rows as long as the header, got "
            f"{visible(', '.join(header[:2]))} "
            f"and {len(whole)} of {len(rows)} rows. Run `dvc repro check_transfer`; it writes the file anew."
        )
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    numbers = {name: _class_numbers(f"{path}, {name}", columns[name], n_classes) for name in header[1:]}
    runs = {arm: _runs_of(arm, header, path) for arm in ("transfer", "scratch")}
    return Predictions(
        images=columns["image"],
        labels=numbers["label"],
        by_arm={arm: np.stack([numbers[f"{arm}_{seed}"] for seed in seeds]) for arm, seeds in runs.items()},
        seeds=runs,
    )


def _runs_of(arm: str, header: Sequence[str], path: Path) -> tuple[int, ...]:
    seeds = tuple(int(name.removeprefix(f"{arm}_")) for name in header if name.startswith(f"{arm}_"))
    if not seeds:
        raise ValueError(
            f"{path}: want columns {arm}_0, {arm}_1, ..., got none of them. "
            "Run `dvc repro check_transfer`; it writes the file anew."
        )
    return seeds


def _class_numbers(where: str, cells: Sequence[str], n_classes: int) -> NDArray[np.int64]:
    allowed = {str(number) for number in range(n_classes)}
    strange = next((cell for cell in cells if cell not in allowed), None)
    if strange is not None:
        raise ValueError(
            f"{where}: want class numbers 0 to {n_classes - 1}, got {strange!r}. "
            "Run `dvc repro check_transfer`; it writes the file anew."
        )
    return np.array(cells, dtype=np.int64)
