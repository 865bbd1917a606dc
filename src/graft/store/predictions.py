"""Logits of both arms on the test split, and the classes predicted from them.

check_transfer opens the test split once and writes both files; no later stage predicts again. The logits of every run
are in one file that DVC tracks. The predicted classes are a small table in git, which the report and people read.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import read_arrays, read_table, write_arrays, write_table
from graft.records.common import SHA256_DIGITS, Arm

Labels = NDArray[np.int64]
AGAIN = "Run `dvc repro check_transfer`; it rewrites the file."


class Predictions(NamedTuple):
    """Predicted classes of n test images by s seeds of each arm."""

    images: tuple[str, ...]
    """leading hex digits of the images' sha256"""
    labels: Labels
    """(n,) true class numbers"""
    by_arm: dict[str, Labels]
    """(s, n) predicted class numbers by arm"""
    seeds: dict[str, tuple[int, ...]]
    """the s seeds by arm"""

    def of(self, arm: Arm, seed: int) -> Labels:
        """(n,) class numbers that one run predicted."""
        place = self.seeds[arm].index(seed)
        runs = self.by_arm[arm]
        return runs[place, :]


class Logits(NamedTuple):
    """Logits of n test images by every run of both arms, and by what was trained beside them."""

    sha256: NDArray[np.str_]
    """(n,) sha256 of the image files, in ascending order"""
    labels: Labels
    """(n,) true class numbers"""
    by_run: dict[str, NDArray[np.float32]]
    """(n, c) logits by arm and seed, such as `transfer_0`, or by the name of a run in the record of variants"""


def write_logits(
    logits: Mapping[str, NDArray[np.float32]], sha256: NDArray[np.str_], labels: Labels, path: Path
) -> None:
    """Write the logits of all runs as one .npz file, sorted by image.

    Args:
        logits: (n, c) float32 by arm and seed, such as `transfer_0`.
        sha256: (n,) sha256 of the image files.
        labels: (n,) true class numbers.
        path: the .npz file.
    """
    order = np.argsort(sha256, kind="stable")
    # one byte a digit: numpy's own strings take four
    index: dict[str, NDArray[Any]] = {"sha256": sha256[order].astype("S"), "labels": labels[order]}
    write_arrays(index | {name: values[order].astype(np.float32) for name, values in logits.items()}, path)


def read_logits(path: Path) -> Logits:
    """Logits that `write_logits` wrote.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file holds other arrays.
    """
    arrays = read_arrays(path, "logits of the test split", "check_transfer")
    if [*arrays][:2] != ["sha256", "labels"]:
        raise ValueError(f"{path}: want the arrays sha256, labels, ..., got {', '.join(arrays) or 'none'}. {AGAIN}")
    sha256, labels = arrays.pop("sha256").astype(np.str_), arrays.pop("labels")
    return Logits(sha256, labels, arrays)


def head_logits(path: Path, features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """(n, c) logits by name, of the linear heads that train_variants fitted; none where it fitted none.

    Args:
        path: the .npz file of (c, d + 1) weights with the bias last.
        features: (n, d) features of the images by the unmodified backbone.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    heads = read_arrays(path, "linear heads", "train_variants")
    # (n, d) to (n, d + 1)
    padded = np.column_stack([features, np.ones(len(features), dtype=np.float32)])
    return {name: (padded @ head.T).astype(np.float32) for name, head in heads.items()}


def write_predictions(predicted: Mapping[str, Labels], sha256: NDArray[np.str_], labels: Labels, path: Path) -> None:
    """Write `image,label,transfer_0,...,scratch_0,...`: class numbers, one row a test image, sorted by image.

    Numbers instead of names keep the file small: about 40 bytes an image with five seeds. The names of the classes are
    in the catalogue record, in the order of the numbers.

    Args:
        predicted: (n,) class numbers by arm and seed, such as `transfer_0`.
        sha256: (n,) sha256 of the image files.
        labels: (n,) true class numbers.
        path: the CSV file.
    """
    # sorting whole rows gives images with equal leading digits a fixed order, too
    rows = sorted(
        (str(image)[:SHA256_DIGITS], int(labels[place]), *(int(column[place]) for column in predicted.values()))
        for place, image in enumerate(sha256)
    )
    write_table(("image", "label", *predicted), rows, path)


def read_predictions(path: Path, n_classes: int) -> Predictions:
    """Predictions that `write_predictions` wrote.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: a column is missing, there are no rows, or a cell is not a class number.
    """
    rows = list(read_table(("image", "label"), path, "predictions", "check_transfer"))
    if not rows:
        raise ValueError(f"{path}: want a row for each test image, got none. {AGAIN}")
    columns = {name: tuple(row[name] for row in rows) for name in rows[0]}
    numbers = {
        name: _class_numbers(f"{path}, {name}", cells, n_classes) for name, cells in columns.items() if name != "image"
    }
    runs = {arm: _runs_of(arm, tuple(columns), path) for arm in ("transfer", "scratch")}
    return Predictions(
        images=columns["image"],
        labels=numbers["label"],
        # (s, n) per arm: one row per seed, in the order of the columns
        by_arm={arm: np.stack([numbers[f"{arm}_{seed}"] for seed in seeds]) for arm, seeds in runs.items()},
        seeds=runs,
    )


def _runs_of(arm: str, header: Sequence[str], path: Path) -> tuple[int, ...]:
    seeds = tuple(int(name.removeprefix(f"{arm}_")) for name in header if name.startswith(f"{arm}_"))
    if not seeds:
        raise ValueError(f"{path}: want columns {arm}_0, {arm}_1, ..., got none of them. {AGAIN}")
    return seeds


def _class_numbers(where: str, cells: Sequence[str], n_classes: int) -> Labels:
    allowed = {str(number) for number in range(n_classes)}
    strange = next((cell for cell in cells if cell not in allowed), None)
    if strange is not None:
        raise ValueError(f"{where}: want class numbers 0 to {n_classes - 1}, got {strange!r}. {AGAIN}")
    return np.array(cells, dtype=np.int64)
