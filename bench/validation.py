"""Time and memory of validation on 100,000 catalogued images.

Catalogue and store are synthetic: random hashes, and a sparse store of black images of 224 px (15 GB to read, almost
nothing on disk). Each case runs in a process of its own, through everything that validate_data does.

Run: OMP_NUM_THREADS=1 python bench/validation.py
"""

import hashlib
import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graft.params.pipeline import read_params
from graft.records.catalog import Domain
from graft.records.common import Preprocessing
from graft.records.validation import ValidationRecord
from graft.store.catalogue import SPLITS, CatalogRow, write_catalog

N_IMAGES = 100_000
N_CLASSES = 100
SIDE_PX = 224
N_RUNS = 3
PREPROCESSING = Preprocessing(
    resize_px=256, crop_px=SIDE_PX, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bilinear"
)
PARAMS = Path(__file__).parent.parent / "params.yaml"


class Measured(NamedTuple):
    """One run of validation."""

    seconds: float
    hashing: float
    """seconds of these that the hash of the store took"""
    mib: int
    """peak resident memory of the process, including mapped parts of the store"""
    n_broken: int
    """number of expectations that do not hold"""


def sound(number: int) -> dict[str, object]:
    """Every image has a content of its own."""
    return {}


def twice(number: int) -> dict[str, object]:
    """Every image is there twice: in two splits, in two classes."""
    return {"sha256": f"{number // 2:064x}", "group": f"{number // 2:064x}"}


def blank(number: int) -> dict[str, object]:
    """All perceptual hashes are equal, like those of blank scans."""
    return {"phash": "0" * 16}


def unreadable(number: int) -> dict[str, object]:
    """Only the first thousand images can be read, and they are small."""
    return {"width": 4, "height": 4} if number < 1_000 else {"row": -1, "error": "want an image, got: an empty file."}


CASES: dict[str, Callable[[int], dict[str, object]]] = {
    "sound": sound,
    "every image twice": twice,
    "all hashes equal": blank,
    "hardly one readable": unreadable,
}


def catalogued(case: str) -> list[CatalogRow]:
    """Rows of the catalogue: 70 % train, 15 % val, 15 % test in every class."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, N_IMAGES).tolist()
    looks = rng.uniform(0.1, 0.6, (N_IMAGES, 6)).round(4).tolist()
    rows = []
    for number in range(N_IMAGES):
        split = SPLITS[0 if number % 20 < 14 else 1 if number % 20 < 17 else 2]
        label, sha256 = f"class{number // 20 % N_CLASSES:03}", f"{number:064x}"
        path = f"{label}/image_{number:08}.jpg"
        values = [path, label, split, sha256, sha256, f"{hashes[number]:016x}", 90_000, 500, 375, "RGB", "JPEG", 1, 1]
        row = CatalogRow._make([*values, *looks[number], number, ""])
        rows.append(row._replace(**CASES[case](number)))  # type: ignore[arg-type]
    return rows


def measure(case: str, folder: str, results: "multiprocessing.Queue[Measured]") -> None:
    """Open and validate one catalogue; the process ends afterwards."""
    from graft.validation.domains import Domains, OpenDomain, open_domain
    from graft.validation.expectations import validate

    catalog, store, docs = (Path(folder) / name for name in ("t.csv", "t.npy", "docs"))
    empty = np.zeros((0, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    record = Domain.model_validate_json((Path(folder) / "domain.json").read_text())
    docs.mkdir()
    started = time.perf_counter()
    target = open_domain("target", record, catalog, store)
    opened = time.perf_counter()
    domains = Domains(OpenDomain("source", (), empty, ""), target, OpenDomain("unlabeled", (), empty, ""))
    found: ValidationRecord = validate(domains, PREPROCESSING, read_params(PARAMS), docs).record
    seconds = time.perf_counter() - started
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    results.put(Measured(seconds, opened - started, mib, sum(not each.ok for each in found.findings)))


def main() -> None:
    """Print one table: median seconds and peak memory of three runs."""
    spawn = multiprocessing.get_context("spawn")
    print(f"{N_IMAGES:,} images of {SIDE_PX} px, {N_RUNS} runs each\n")
    print("| catalogue | seconds | of them hashing the store | MiB | expectations broken |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "t.npy"
        np.lib.format.open_memmap(store, "w+", np.uint8, (N_IMAGES, SIDE_PX, SIDE_PX, 3))
        with store.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        domain = Domain(
            present=True, n_images=N_IMAGES, n_undecodable=0, classes=(), counts={}, sha256="", store_sha256=sha256,
            quarantine=(),
        )  # fmt: skip
        (Path(folder) / "domain.json").write_text(domain.model_dump_json())
        for case in CASES:
            write_catalog(catalogued(case), Path(folder) / "t.csv")
            runs = [_one_run(spawn, case, folder) for _ in range(N_RUNS)]
            seconds, hashing = (statistics.median(numbers) for numbers in list(zip(*runs, strict=True))[:2])
            mib = max(run.mib for run in runs)
            print(f"| {case} | {seconds:.1f} | {hashing:.1f} | {mib} | {runs[0].n_broken} |", flush=True)


def _one_run(spawn: "multiprocessing.context.SpawnContext", case: str, folder: str) -> Measured:
    shutil.rmtree(Path(folder) / "docs", ignore_errors=True)
    results: multiprocessing.Queue[Measured] = spawn.Queue()
    process = spawn.Process(target=measure, args=(case, folder, results))
    process.start()
    measured = results.get()
    process.join()
    return measured


if __name__ == "__main__":
    main()
