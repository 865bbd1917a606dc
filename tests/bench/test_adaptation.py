"""The benchmark of techniques: its data, its files and its tables, on results that are made up."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.house import ROOT

Module = Callable[[str], Any]
N_IMAGES, N_CLASSES = 60, 3


@pytest.fixture(scope="module")
def bench() -> Iterator[Module]:
    """Imports from bench/, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        # the root too, for processes that import this file
        patch.syspath_prepend(str(ROOT))
        patch.syspath_prepend(str(ROOT / "bench"))
        yield importlib.import_module


def _options(bench: Module, size: str = "whole") -> Any:
    return bench("adaptation_training").Options(Path("nowhere"), Path("nothing"), size)


def _logits(rng: np.random.Generator, labels: np.ndarray[Any, Any], share_right: float) -> np.ndarray[Any, Any]:
    said = np.where(rng.random(len(labels)) < share_right, labels, (labels + 1) % N_CLASSES)
    return np.eye(N_CLASSES, dtype=np.float16)[said]


def _result(bench: Module, share_right: float, after: float = 0.5, **facts: Any) -> Any:
    """Result of a training that is right on this share of the test images, and of the source's images afterwards."""
    rng = np.random.default_rng(0)
    labels = np.arange(N_IMAGES) % N_CLASSES
    before, tuned, old = (_logits(rng, labels, share) for share in (0.9, share_right, after))
    arrays = {"logits": tuned, "labels": labels, "before": before, "after": old, "old_labels": labels}
    return bench("adaptation_pool").Result({"rank": [0.0], "im": 0.0, "snd": 0.0, **facts}, arrays)


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


def test_all_trainings_have_names_of_their_own(bench: Module) -> None:
    main, options = bench("adaptation"), _options(bench)
    names = [job.name for part in main.PARTS if part != "cost" for job in main.jobs_of(part, options)]
    assert len(set(names)) == len(names)


def test_every_backbone_that_is_needed_is_trained(bench: Module) -> None:
    main, options = bench("adaptation"), _options(bench)
    made = {job.name for origin in main.every_origin() for seed in range(5) if (job := origin.job(seed))}
    needed = {job.needs for part in main.PARTS if part != "cost" for job in main.jobs_of(part, options)}
    assert needed == made | {""}


def test_a_seed_chooses_the_best_of_its_candidates(bench: Module) -> None:
    pool, cells = bench("adaptation_pool"), bench("adaptation_cells")
    tried = {
        pool.Job("p", "t", "m", seed, str(rate)): _result(bench, 0.5, im=float(seed * rate), rate=rate)
        for seed, rate in ((1, 1), (1, 2), (-1, 1), (-1, 2))
    }
    chosen = cells.choose(tried, 2, lambda result: result.facts["im"])
    assert {seed: each.facts["rate"] for seed, each in chosen.items()} == {1: 2, -1: 1}


def test_a_seed_without_all_its_candidates_does_not_count(bench: Module) -> None:
    pool, cells = bench("adaptation_pool"), bench("adaptation_cells")
    jobs = [(0, "a"), (0, "b"), (1, "a")]
    tried = {pool.Job("p", "t", "m", seed, name): _result(bench, 0.5) for seed, name in jobs}
    assert list(cells.choose(tried, 2, lambda result: result.facts["im"])) == [0]


def test_a_difference_has_the_sign_of_the_first(bench: Module) -> None:
    cells = bench("adaptation_cells")
    good, bad = ({seed: np.full(N_IMAGES, value) for seed in range(3)} for value in (True, False))
    assert cells.gain(cells.comparison(good, bad)).startswith("+100.0 (")
    assert cells.gain(cells.comparison(bad, good)).startswith("-100.0 (")


def test_methods_are_compared_in_the_seeds_that_both_have(bench: Module) -> None:
    cells = bench("adaptation_cells")
    ours = {seed: np.full(N_IMAGES, seed < 3) for seed in range(5)}
    theirs = {seed: np.full(N_IMAGES, False) for seed in range(3)}
    assert cells.comparison(ours, theirs).by_seed == (1.0, 1.0, 1.0)
    assert cells.comparison({0: ours[0]}, theirs) is None


def test_adaptation_that_hurts_is_named(bench: Module) -> None:
    room, options = bench("adaptation_unsupervised"), _options(bench)
    shares = {"DANN": 0.1, "CORAL": 0.95}
    results = {job: _result(bench, shares.get(job.method, 0.6)) for job in room.jobs(options)}
    table, end = room.report(results, options).rsplit("\n\n", 1)
    assert len(_rows(table)) == 2 + len(room.TASKS) * len(room.METHODS)
    assert [part.split(", ")[-1].split(":")[0] for part in end.split(": ", 1)[1].split("; ")] == ["DANN"] * 5


def test_the_oracle_chooses_by_the_test_images(bench: Module) -> None:
    room, options = bench("adaptation_unsupervised"), _options(bench)
    best = f"{room.RATES[0]:g}"
    results = {
        job: _result(bench, 1.0 if job.candidate == best else 0.0, im=float(job.candidate), snd=-float(job.candidate))
        for job in room.jobs(options)
    }
    row = _rows(room.report(results, options))[2]
    assert (row[2][:4], row[4], row[5]) == ("0.0 ", "100.0", "100.0")


def test_forgetting_that_is_saved_is_counted_from_plain_tuning(bench: Module) -> None:
    room, options = bench("adaptation_keeping"), _options(bench)
    results = {job: _result(bench, 0.6, 0.8 if job.method == "replay" else 0.2) for job in room.jobs(options)}
    rows = {(row[0], row[1]): row for row in _rows(room.report(results, options))[2:]}
    assert len(rows) == len(room.TASKS) * len(room.SHARES) * (2 + len(room.STRENGTHS))
    task = f"{next(iter(room.TASKS))} at 15 %"
    assert float(rows[task, "replay"][6].split(" ")[0]) > 40
    assert float(rows[task, "EWC"][6].split(" ")[0]) == 0
    assert rows[task, "plain, same rate"][6] == ""


def test_seconds_are_those_of_the_trainings_that_are_timed(bench: Module) -> None:
    room, options = bench("adaptation_little"), _options(bench)
    results = {job: _result(bench, 0.6, cpu_s=1.0, trained=1234, share=0.05) for job in room.jobs(options)}
    results |= {job: _result(bench, 0.6, cpu_s=7.5) for job in room.timed_jobs(options)}
    row = _rows(room.report(results, options))[2]
    assert (row[4], row[5], row[7], row[8]) == ("1,234", "5.00%", "7.5", "5")


def test_a_table_of_nothing_is_a_table(bench: Module) -> None:
    for name in ("adaptation_unsupervised", "adaptation_keeping", "adaptation_little"):
        assert bench(name).report({}, _options(bench)).startswith("| ")


def test_results_travel_in_one_file(bench: Module, tmp_path: Path) -> None:
    pool = bench("adaptation_pool")
    jobs = [pool.Job("p", "a task, with words", "m", seed, "0.1") for seed in range(3)]
    for job in jobs[:2]:
        pool.keep(_result(bench, 0.5, seed=job.seed), tmp_path / f"{job.name}.npz")
    pool.in_one_file(tmp_path, jobs, tmp_path / "all.npz")
    pool.out_of_one_file(tmp_path / "all.npz", tmp_path / "there")
    found = pool.done(jobs, tmp_path / "there")
    assert [result.facts["seed"] for result in found.values()] == [0, 1]
    assert found[jobs[0]].arrays["logits"].shape == (N_IMAGES, N_CLASSES)


def test_parts_of_a_set_share_no_image_and_have_every_class_alike(bench: Module) -> None:
    data = bench("adaptation_data")
    labels = np.repeat(np.arange(N_CLASSES), 10)
    found = data.ImageSet(np.zeros((30, 2, 2, 3), dtype=np.uint8), labels, ("a", "b", "c"))
    rows = data.cut(found, (2, 5, 3))
    assert sorted(np.concatenate(rows).tolist()) == list(range(30))
    assert [np.bincount(labels[each]).tolist() for each in rows] == [[2] * 3, [5] * 3, [3] * 3]
    with pytest.raises(ValueError, match="want 11 images of every class, got 10"):
        data.cut(found, (6, 5))


def test_packed_sets_are_those_of_the_folder(bench: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, rng = bench("adaptation_data"), np.random.default_rng(0)
    for number in range(6):
        file = tmp_path / f"datasets/few/train/{'ab'[number % 2]}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(file)
    monkeypatch.setattr(data, "FOLDERS", {"few": ("few", data.SMALL_CNN, 2)})
    data.pack(tmp_path, tmp_path / "packed.npz")
    there, here = data.image_set("few", tmp_path / "packed.npz"), data.image_set("few", tmp_path)
    assert np.array_equal(there.images, here.images)
    assert there.labels.tolist() == here.labels.tolist() == [0, 0, 1, 1]
    assert there.classes == here.classes


def outcome(job: Any, device: str, folder: Path) -> Any:
    """Made-up training in a process of its own."""
    if job.method == "fails" or (job.method == "fails on a GPU" and device != "cpu"):
        raise ValueError(job.method)
    module = importlib.import_module("adaptation_pool")
    return module.Result({"device": device}, {})


def test_a_failed_training_stops_neither_others_nor_the_end(bench: Module, tmp_path: Path) -> None:
    pool = bench("adaptation_pool")
    bad = pool.Job("p", "t", "fails", 0, "-")
    first = pool.Job("p", "t", "works", 0, "-")
    after = [pool.Job("p", "t", "works", 1, "-", needs=each.name) for each in (first,)]
    never = pool.Job("p", "t", "works", 2, "-", needs=bad.name)
    moved = pool.Job("p", "t", "fails on a GPU", 0, "-", large=True)
    failures = pool.run([bad, first, *after, never, moved], outcome, tmp_path, ["other", "cpu"], 120)
    assert set(pool.done([bad, first, *after, never, moved], tmp_path)) == {first, *after, moved}
    assert any(each.startswith(f"{bad.name} on cpu: ValueError: fails") for each in failures)
