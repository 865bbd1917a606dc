"""The benchmark of one GPU, as far as it can be held where there is none."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.house import ROOT, imported_names, reach

from graft.files import write_whole

Module = Callable[[str], Any]
ABSENT = {"dvc", "great_expectations", "bentoml", "httpx", "jinja2"}
"""not on a device machine, where nothing can be fetched"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Module]:
    """Imports from bench/, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "bench"))
        yield importlib.import_module


def test_all_parts_together_stay_under_nine_minutes(bench: Module) -> None:
    assert sum(part.limit_s for part in bench("gpu").PARTS.values()) <= 540


def test_every_part_is_a_table_of_its_file_and_the_reverse(bench: Module) -> None:
    parts = bench("gpu").PARTS
    for file in {part.file for part in parts.values()}:
        assert set(bench(Path(file).stem).TABLES) == {name for name, part in parts.items() if part.file == file}


@pytest.mark.parametrize(
    ("code", "limit_s", "how"),
    [
        ("pass", 60, "ok"),
        ("raise SystemExit(3)", 60, "FAILED: exit code 3"),
        ("import time; time.sleep(60)", 0.2, "FAILED: over 0 s"),
    ],
)
def test_a_part_that_fails_or_takes_too_long_is_reported(bench: Module, code: str, limit_s: float, how: str) -> None:
    assert bench("gpu").ended([sys.executable, "-c", code], limit_s) == how


def test_one_failed_part_fails_the_command(
    bench: Module, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = bench("gpu")
    monkeypatch.setattr(gpu, "ended", lambda command, limit_s: "FAILED: exit code 1" if "idle" in command else "ok")
    for parts, code in ((["idle", "top"], 1), (["top"], 0)):
        monkeypatch.setattr(sys, "argv", ["gpu.py", *parts, "--smoke"])
        with pytest.raises(SystemExit) as ended:
            gpu.main()
        assert ended.value.code == code
    assert re.search(r"^\| idle \| 0 \| \d+ \| FAILED: exit code 1 \|$", capsys.readouterr().out, re.MULTILINE)


def test_tests_marked_gpu_are_found_and_need_nothing_that_a_device_machine_lacks(bench: Module) -> None:
    marked = bench("gpu_tests").marked()
    assert "tests/training/test_cuda.py" in marked
    todo, seen = [ROOT / name for name in marked], set[Path]()
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            names = {name.rsplit(".", 1)[0] for name in imported_names(file) if name.startswith("tests.")}
            todo += [path for name in names if (path := ROOT / f"{name.replace('.', '/')}.py").is_file()]
    files = {each for file in seen for each in reach(file)}
    assert {name.split(".")[0] for file in files for name in imported_names(file)} & ABSENT == set()


def test_busy_time_counts_overlapping_kernels_once(bench: Module) -> None:
    spans = [(0, 1000), (500, 1000), (600, 100), (3000, 500), (3500, 500)]
    events = [{"cat": "kernel", "ts": start, "dur": length} for start, length in spans]
    others = [{"cat": "user_annotation", "ts": 0, "dur": 9000}, {"ph": "M"}]
    assert bench("gpu_idle").busy_ms([*others, *reversed(events)], ["kernel"]) == pytest.approx(2.5)


def _records(folder: Path, *, moved: float = 0, mmd2: float = 0.5, p: float = 0.2, verdict: str = "POSITIVE") -> Path:
    (folder / "data/features").mkdir(parents=True)
    for domain in ("source", "target"):
        np.save(folder / f"data/features/{domain}.npy", np.ones((4, 2)) + moved)
    test = f'{{"mmd2": {mmd2}, "p_value": {p}}}'
    shift = f'{{"test": {test}, "classes": [{{"p_value": {p}}}], "similarity": "far"}}'
    write_whole(folder / "data/records/shift.json", shift.encode())
    accuracy = '{"estimate": 0.5}'
    arms = f'"scores": [{{"transfer": {accuracy}, "scratch": {accuracy}}}]'
    write_whole(folder / "models/records/verdict.json", f'{{"verdict": "{verdict}", {arms}}}'.encode())
    return folder


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, []),
        ({"moved": 1e-6, "mmd2": 0.5004, "p": 0.21, "verdict": "NEGATIVE"}, []),
        ({"moved": 1e-4}, ["features of the source, apart", "features of the target, apart"]),
        ({"mmd2": 0.501}, ["MMD^2"]),
        ({"p": 0.215}, ["p of the shift test", "p of each class, farthest apart"]),
    ],
)
def test_records_that_must_agree_are_distinguished_from_those_that_need_not(
    bench: Module, tmp_path: Path, change: dict[str, Any], broken: list[str]
) -> None:
    found = [*bench("gpu_stages").held(_records(tmp_path / "a"), _records(tmp_path / "b", **change))]
    assert [each.what for each in found if each.agrees is False] == broken
    assert [each.what for each in found if each.agrees is None][-1] == "verdict"


def test_the_stages_are_those_of_dvc_yaml_without_those_that_a_device_machine_cannot_run(bench: Module) -> None:
    stages = bench("gpu_stages")
    for name in (*stages.BEFORE, *stages.AFTER):
        assert stages.command(name)[:2] == [sys.executable, f"stages/{name}.py"]
