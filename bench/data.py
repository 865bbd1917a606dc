"""Cost of preparing images relative to decoding them, and speed of reading them from the store.

Run     python bench/data.py [--images 10000] [--runs 3] [--folder /tmp/graft-bench]
Prints  one table. Rates are medians over the runs; "cpu" compares processor time, which a busy machine affects less.

The photographs are generated: 500 x 375 JPEG files of soft shapes and grain, at the quality that gives them the size of
photographs (about 110 kB), so that decoding costs as much as for photographs. All files are in the page cache: the disk
is not measured.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from graft.images.decode import decode, read
from graft.images.resizing import fit
from graft.params.data import PrepareData
from graft.preparation.found import Found
from graft.preparation.prepare import PrepareSettings, prepare
from graft.preparation.scan import scan
from graft.preparation.shards import npy_header
from graft.records.common import Preprocessing
from graft.store.catalogue import open_images

QUALITY = 90
N_CORES = len(os.sched_getaffinity(0))
BATCH = 256
SIZES = {"32 px": (32, 32), "224 px": (256, 224)}
GROUPS = PrepareData(dataset="folders", group_pattern=None, group_file=None, near_duplicate_bits=4)


class Cost(NamedTuple):
    """Time for one image."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Make the photographs, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--width", type=int, default=500, help="of the photographs in pixels; the height is 3/4 of it")
    parser.add_argument("--folder", type=Path, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name) / "target"
        size = (args.width, args.width * 3 // 4)
        draw_photographs(folder, args.images, size)
        found = scan(folder)
        mean_bytes = sum((folder / each.path).stat().st_size for each in found) / len(found)
        print(f"{len(found):,} images of {size[0]} x {size[1]}, {mean_bytes / 1e3:.0f} kB each, {N_CORES} cores\n")
        print("| what | reach | median | runs |\n|---|---|---|---|")
        for title, reach, values in measurements(folder, found, args.runs):
            runs = ", ".join(f"{each:.3g}" for each in values)
            print(f"| {title} | {reach} | {statistics.median(values):.3g} | {runs} |", flush=True)


def measurements(folder: Path, found: Sequence[Found], runs: int) -> Iterator[tuple[str, str, list[float]]]:
    """Title, target value, and one value per run, for each line of the table."""
    for title, (resize_px, crop_px) in SIZES.items():
        preprocessing = Preprocessing(
            resize_px=resize_px, crop_px=crop_px, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear"
        )
        store = folder.parent / f"{crop_px}.npy"
        bare, fitted, prepared = [], [], []
        # In turn, so that other work on the machine affects all three.
        for _ in range(runs):
            bare.append(decode_all(folder, found))
            fitted.append(fit_all(folder, found, preprocessing))
            prepared.append(prepare_all(folder, found, store, preprocessing))
        yield f"{title}: decode, images/s", "", [1 / each.wall_s for each in bare]
        yield f"{title}: decode and resize, images/s", "", [1 / each.wall_s for each in fitted]
        yield f"{title}: prepare, images/s", "", [1 / each.wall_s for each in prepared]
        for name, others, reach in (("decode", bare, ">= 0.80"), ("decode and resize", fitted, "")):
            pairs = list(zip(others, prepared, strict=True))
            yield f"{title}: prepare against {name}, wall", reach, [one.wall_s / two.wall_s for one, two in pairs]
            yield f"{title}: prepare against {name}, cpu", reach, [one.cpu_s / two.cpu_s for one, two in pairs]
        both = [(one_by_one(folder, found, preprocessing), from_store(store)) for _ in range(runs)]
        yield f"{title}: PIL decode and transform, images/s/core", "", [1 / each.cpu_s for each, _ in both]
        yield f"{title}: from the store, images/s/core", "", [1 / each.cpu_s for _, each in both]
        yield f"{title}: store / PIL, cpu", ">= 5", [one.cpu_s / other.cpu_s for one, other in both]
    opened = [seconds_to_open(folder.parent / "sparse.npy") for _ in range(runs)]
    yield "opening a store of 100,000 images of 224 px (a sparse file), s", "< 0.1", opened


def draw_photographs(folder: Path, n: int, size: tuple[int, int]) -> None:
    """Write JPEG files of soft coloured shapes under grain, all of them different."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 20, (2 * size[1], 2 * size[0], 1)).astype(np.float32)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)

    def draw(number: int) -> None:
        own = np.random.default_rng(number)
        coarse = Image.fromarray(own.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        shapes = coarse.resize(size, Image.Resampling.BICUBIC)
        top, left = (int(own.integers(side)) for side in size[::-1])
        pixels = np.asarray(shapes) + grain[top : top + size[1], left : left + size[0]]
        path = folder / ("cat" if number % 2 else "dog") / f"{number:06}.jpg"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=QUALITY)

    with ThreadPoolExecutor(N_CORES) as pool:
        list(pool.map(draw, range(n)))


def decode_all(folder: Path, found: Sequence[Found]) -> Cost:
    """Decode only, from file to pixels, in as many threads as prepare uses."""

    def work(each: Found) -> None:
        decode((folder / each.path).read_bytes(), each.path)

    return _cost(lambda: _in_threads(work, found), len(found))


def fit_all(folder: Path, found: Sequence[Found], preprocessing: Preprocessing) -> Cost:
    """Decode and resize, which any way of preparing must do, in as many threads."""

    def work(each: Found) -> None:
        fit(read((folder / each.path).read_bytes(), each.path).picture, preprocessing)

    return _cost(lambda: _in_threads(work, found), len(found))


def prepare_all(folder: Path, found: Sequence[Found], store: Path, preprocessing: Preprocessing) -> Cost:
    """Run all of prepare_data: decode, resize, hash, fingerprint, write, join, group, split."""
    shards = folder.parent / "shards"
    shutil.rmtree(shards, ignore_errors=True)
    return _cost(lambda: prepare(folder, found, store, shards, PrepareSettings(preprocessing, GROUPS, 0)), len(found))


def one_by_one(folder: Path, found: Sequence[Found], preprocessing: Preprocessing) -> Cost:
    """Do what a data loader does without a store, on one core: PIL decode, resize, crop, array."""
    chosen = found[:: max(1, len(found) // 1000)]
    crop = preprocessing.crop_px

    def work() -> None:
        for each in chosen:
            with Image.open(folder / each.path) as file:
                picture = file.convert("RGB")
            short = min(picture.size)
            width, height = (preprocessing.resize_px * side // short for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
            left, top = (width - crop) // 2, (height - crop) // 2
            np.array(picture.crop((left, top, left + crop, top + crop)))

    return _cost(work, len(chosen))


def from_store(store: Path) -> Cost:
    """Copy random batches from the memory-mapped store, on one core."""
    stored = open_images(store)
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, len(stored), BATCH) for _ in range(40)]

    def work() -> None:
        for batch in batches:
            np.take(stored, batch, axis=0)

    # The first pass reads the store into the page cache.
    work()
    return _cost(work, BATCH * len(batches))


def seconds_to_open(path: Path) -> float:
    """Seconds to open a store of 100,000 images of 224 px and read the last one."""
    header = npy_header(100_000, 224)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 100_000 * 224 * 224 * 3)
    started = time.perf_counter()
    open_images(path)[-1].sum()
    seconds = time.perf_counter() - started
    path.unlink()
    return seconds


def _in_threads(work: Callable[[Found], None], found: Sequence[Found]) -> None:
    with ThreadPoolExecutor(N_CORES) as pool:
        list(pool.map(work, found))


def _cost(work: Callable[[], object], n: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost((time.perf_counter() - wall) / n, (time.process_time() - cpu) / n)


if __name__ == "__main__":
    main()
