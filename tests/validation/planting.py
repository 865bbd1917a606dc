"""Make small folders of images, and prepare and validate them as the stages do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tests.validation.samples import GREY_WEIGHTS, params

from graft.params.pipeline import Params
from graft.preparation.found import FOLDERS
from graft.preparation.prepare import Prepared, PrepareSettings, prepare
from graft.preparation.raw import scan_raw
from graft.records.common import Preprocessing
from graft.records.validation import ValidationRecord
from graft.store.catalogue import write_catalog
from graft.validation.domains import Domains, OpenDomain, open_domain
from graft.validation.expectations import validate

SPLITS = ("train", "val", "test")
CLASSES = ("cat", "dog")


class Found(NamedTuple):
    """A finding that is not ok."""

    severity: str
    examples: tuple[str, ...]


def picture(seed: int, side: int = 48) -> NDArray[np.uint8]:
    """(side, side, 3) blurred coloured shapes that depend on the seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def save(path: Path, image: NDArray[np.uint8], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def without_split_folders(raw: Path) -> Path:
    """Move the target's images from split folders into class folders."""
    for split in SPLITS:
        for label in CLASSES:
            for file in (raw / "target" / split / label).iterdir():
                (raw / "target" / label).mkdir(exist_ok=True)
                file.rename(raw / "target" / label / f"{split}{file.name}")
        shutil.rmtree(raw / "target" / split)
    return raw


def prepared(raw: Path, name: str, given: Params, preprocessing: Preprocessing) -> Prepared:
    """Prepare a domain as the stage prepare_data does, with its results beside the raw folder."""
    folder, store = raw / FOLDERS[name], raw.parent / f"{name}.npy"
    found = getattr(scan_raw(raw), name)
    done = prepare(folder, found, store, raw.parent / "shards", PrepareSettings(preprocessing, given.prepare_data, 0))
    write_catalog(done.rows, raw.parent / f"{name}.csv")
    return done


def run(
    raw: Path,
    between: Callable[[], object] = lambda: None,
    preprocessing: Preprocessing = GREY_WEIGHTS,
    grouping: dict[str, Any] | None = None,
    **limits: Any,
) -> ValidationRecord:
    """Prepare and validate, with a call in between."""
    given = params(**limits)
    given = given.model_copy(update={"prepare_data": given.prepare_data.model_copy(update=grouping or {})})
    domains = {name: prepared(raw, name, given, preprocessing).domain for name in FOLDERS}
    between()

    def domain(name: Any) -> OpenDomain:
        return open_domain(name, domains[name], raw.parent / f"{name}.csv", raw.parent / f"{name}.npy")

    (raw.parent / "docs").mkdir()
    opened = Domains(*map(domain, FOLDERS))
    return validate(opened, preprocessing, given, raw.parent / "docs").record


def faults(record: ValidationRecord) -> dict[str, Found]:
    return {each.name: Found(each.severity, each.examples) for each in record.findings if not each.ok}
