"""The two arms that are compared, and what makes them comparable."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.training import TrainingRecord
from graft.records.variants import VariantsRecord
from graft.store.catalogue import Labelled

CATALOG = "target-catalog"
AGAIN = "Run `dvc repro finetune_target train_scratch`."


class JudgedArm(NamedTuple):
    """Training record and logits of one arm."""

    training: TrainingRecord
    logits: NDArray[np.float32]
    """(k, n, c) logits, one table per run of the training record, in its order"""


def judged_arm(training: TrainingRecord, logits: Mapping[str, NDArray[np.float32]]) -> JudgedArm:
    """An arm with the logits of its runs.

    Args:
        training: record of the arm.
        logits: (n, c) logits by arm and seed, such as `transfer_0`.
    """
    return JudgedArm(training, np.stack([logits[f"{training.arm}_{run.seed}"] for run in training.runs]))


def weights_of(*arms: tuple[TrainingRecord, Path]) -> dict[str, Path]:
    """Files of the weights of both arms, by the name of their logits.

    Args:
        arms: record of each arm, and the folder of its weights.
    """
    return {
        f"{arm.arm}_{run.seed}": folder / f"seed_{run.seed}.safetensors" for arm, folder in arms for run in arm.runs
    }


def networks_of(variants: VariantsRecord, folder: Path) -> dict[str, Path]:
    """Files of the weights of the networks beside the arms; heads are no networks, and have one file together."""
    return {each.name: folder / f"{each.name}.safetensors" for each in variants.variants if each.kind != "head"}


def check_records(transfer: TrainingRecord, scratch: TrainingRecord, catalog_sha256: str) -> None:
    """Check that two training records are those of both arms, of the same seeds and of the same images.

    Args:
        transfer: record of the transfer arm.
        scratch: record of the control.
        catalog_sha256: hash of the target's catalogue, which holds the test split.

    Raises:
        ValueError: an arm is missing, has fewer than two seeds, other seeds or another catalogue.
    """
    arms = (transfer.arm, scratch.arm)
    if arms != ("transfer", "scratch"):
        raise ValueError(
            f"check_transfer: want the records of transfer and scratch, got those of {arms[0]} and {arms[1]}. {AGAIN}"
        )
    seeds, others = ([run.seed for run in each.runs] for each in (transfer, scratch))
    if seeds != others or len(seeds) < 2:
        raise ValueError(
            f"check_transfer: want the same seeds in both arms, at least two, got {seeds} and {others}. {AGAIN}"
        )
    for each in (transfer, scratch):
        if each.made_from.get(CATALOG) != catalog_sha256:
            raise ValueError(
                f"check_transfer, {each.arm}: want an arm that was made from the target's catalogue as it is now, got "
                f"one of another catalogue, and so of another test split. {AGAIN}"
            )


def check_logits(arm: JudgedArm, test: Labelled) -> None:
    """Check that an arm has logits of every run for every test image.

    Raises:
        ValueError: it has not, or there is no test image.
    """
    if len(test.labels) == 0:
        raise ValueError(
            "check_transfer: want a test split with labelled images, got none, so there is no verdict. Put images "
            "under data/raw/target/test/<class>/, or leave out split folders: prepare_data then cuts a test split."
        )
    want = (len(arm.training.runs), len(test.labels))
    if arm.logits.shape[:2] != want:
        raise ValueError(
            f"check_transfer, {arm.training.arm}: want logits as (seeds, images) {want}, got {arm.logits.shape[:2]}. "
            "Run `dvc repro check_transfer`; it predicts anew."
        )
