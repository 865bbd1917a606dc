"""What the tests of the report share: the records of samples.py, with images and files to go with them."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.examples import catalog_row
from tests.reporting import sample_shifts

from graft.records.shift import ShiftRecord, SourceKind
from graft.reporting.evidence import Evidence
from graft.reporting.pictures import Exhibits, StoredImages
from graft.reporting.provenance import Provenance, StageRun
from graft.store.features import MapPoint
from graft.store.predictions import Predictions

SPEC = importlib.util.spec_from_file_location("samples_of_the_report", Path(__file__).with_name("samples.py"))
assert SPEC is not None
assert SPEC.loader is not None
samples_module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(samples_module)

DIGITS: tuple[str, ...] = samples_module.DIGITS
N_TEST: int = samples_module.N_TEST
SIDE_PX = 32


def sample_evidence(**variant: object) -> Evidence:
    return samples_module.sample_evidence(**variant)  # type: ignore[no-any-return]


@pytest.fixture
def samples() -> ModuleType:
    """This module, for tests that build other variants."""
    return sys.modules[__name__]


@pytest.fixture
def evidence() -> Evidence:
    return sample_evidence()


@pytest.fixture
def shift() -> ShiftRecord:
    """A run whose target is compared with images of the source."""
    return sample_shifts.sample_shift(DIGITS)


@pytest.fixture
def target() -> StoredImages:
    return sample_target()


@pytest.fixture
def provenance() -> Provenance:
    stages = tuple(
        StageRun(name, f"2026-01-01T00:00:0{place}+00:00", 12.3 + place, 400 + place, "cpu")
        for place, name in enumerate(("prepare_data", "validate_data", "pretrain_source", "finetune_target"))
    )
    return Provenance(stages, ("Linux x86_64, 2 cores, Python 3.11.9",), ("numpy 2.4.1", "torch 2.10.0"))


def sample_map(kind: SourceKind = "own") -> tuple[MapPoint, ...]:
    return sample_shifts.sample_map(DIGITS, kind)


def sample_target(classes: Sequence[str] = DIGITS, side_px: int = SIDE_PX) -> StoredImages:
    """One image per test row: a gradient with a bright square whose position depends on the class."""
    ramp = np.linspace(40, 170, side_px)
    images = np.empty((N_TEST, side_px, side_px, 3), dtype=np.uint8)
    catalog = []
    for row in range(N_TEST):
        label = row % len(classes)
        images[row] = (ramp[:, None, None] + np.array([row % 60, 30, 60 - row % 60])).astype(np.uint8)
        images[row, 4 + 2 * label % 20 : 12 + 2 * label % 20, 8:24] = 250
        sha256 = f"2{row:011x}" + "0" * 52
        catalog.append(
            catalog_row(
                f"{classes[label]}/{row}.png",
                label=classes[label],
                split="test",
                group=sha256,
                sha256=sha256,
                width=side_px,
                height=side_px,
                row=row,
            )
        )
    return StoredImages(tuple(catalog), images)


def sample_sheet(side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """(6, 6, s, s, 3) pictures: in each row an image followed by shifted copies."""
    images = sample_target(side_px=side_px).images[:6]
    return np.stack([np.roll(images, 3 * place, axis=2) for place in range(6)], axis=1)


def sample_exhibits(
    target: StoredImages, source: StoredImages | None = None, points: Sequence[MapPoint] = ()
) -> Exhibits:
    """Images and points of the page. By default the source looks like the target."""
    sheet = sample_sheet(target.images.shape[1])
    return Exhibits(target if source is None else source, target, target, points, sheet, "digits")


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write the CSV that check_transfer writes."""
    columns = {
        f"{arm}_{seed}": run
        for arm, runs in predictions.by_arm.items()
        for seed, run in zip(predictions.seeds[arm], runs, strict=True)
    }
    lines = [",".join(("image", "label", *columns))]
    for place, image in enumerate(predictions.images):
        cells = (predictions.labels[place], *(run[place] for run in columns.values()))
        lines.append(",".join((image, *(str(each) for each in cells))))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
