import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.house import ROOT

from graft import stage
from graft.networks import runtime
from graft.networks.runtime import autocast, free_bytes, make_deterministic, make_runtime


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAFT_DEVICE", "GRAFT_PRECISION", "GRAFT_PROCESSES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU that multiplies bfloat16 in hardware."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_gpu_is_taken_where_there_is_one_and_computes_in_bfloat16(a_gpu: None) -> None:
    runtime = make_runtime(0)
    assert (runtime.device.type, runtime.precision) == ("cuda", torch.bfloat16)


def test_a_processor_keeps_to_float32(no_gpu: None) -> None:
    runtime = make_runtime(0)
    assert (runtime.device.type, runtime.precision) == ("cpu", torch.float32)


def test_a_gpu_that_only_emulates_bfloat16_keeps_to_float32(a_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert make_runtime(0).precision == torch.float32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_environment_overrules(a_gpu: None, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    wanted = {"GRAFT_DEVICE": "cpu", "GRAFT_PRECISION": precision, "GRAFT_PROCESSES": "7"}
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    runtime = make_runtime(0)
    assert (runtime.device, runtime.precision, runtime.n_processes) == (
        torch.device("cpu"),
        getattr(torch, precision),
        7,
    )


def test_the_number_of_processes_is_none_unless_the_environment_sets_it(no_gpu: None) -> None:
    assert make_runtime(0).n_processes is None


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GRAFT_PRECISION", "float16", r"want float32 or bfloat16, got 'float16'\. Unset it"),
        ("GRAFT_DEVICE", "toaster", r"want a device of this machine such as cpu or cuda, got 'toaster'"),
        ("GRAFT_PROCESSES", "0", r"want a whole number from 1, got '0'\. Unset it"),
        ("GRAFT_PROCESSES", "two", r"want a whole number from 1, got 'two'\. Unset it"),
        ("GRAFT_PROCESSES", "-1", r"want a whole number from 1, got '-1'\. Unset it"),
    ],
)
def test_invalid_environment_variables_are_refused_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"^{name}: {sentence}"):
        make_runtime(0)


STAGE = """
from graft import stage
from graft.networks.runtime import make_runtime
stage.run(lambda: make_runtime(0).provenance())
"""


def test_provenance_says_which_device_and_precision_a_stage_computed_on(tmp_path: Path) -> None:
    (tmp_path / "train_hard.py").write_text(STAGE)
    wanted = {"GRAFT_DEVICE": "cpu:0", "GRAFT_PRECISION": "bfloat16", "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "train_hard.py"], cwd=tmp_path, env=os.environ | wanted, check=True)
    written = json.loads((tmp_path / stage.PROVENANCE / "train_hard.json").read_text())
    assert (written["device"], written["precision"], written["threads"]) == ("cpu:0", "bfloat16", 2)


def _holds_state(tree: ast.Module) -> list[str]:
    """`global` statements, and names of a module that hold a device, a precision or a runtime."""
    found = [f"global {', '.join(each.names)}" for each in ast.walk(tree) if isinstance(each, ast.Global)]
    for each in tree.body:
        if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            made = [call.func for call in ast.walk(each.value) if isinstance(call, ast.Call)]
            found += [ast.unparse(each) for func in made if MAKES_STATE.search(ast.unparse(func))]
    return found


MAKES_STATE = re.compile(r"(^|\.)(device|Runtime|make_runtime|get_default_dtype|get_default_device)$")
# the processor, whatever a stage computes on: the store's images are in its memory
# and how many threads have asked Pillow to be quiet
CONSTANT = {"CPU = torch.device('cpu')", "global _quiet_threads, _quiet_filters"}


def test_no_module_holds_a_device_a_precision_or_a_runtime() -> None:
    found = {
        str(file.relative_to(ROOT)): sorted(set(_holds_state(ast.parse(file.read_text()))) - CONSTANT)
        for file in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    }
    assert {file: held for file, held in found.items() if held} == {}


@pytest.mark.parametrize(
    "code",
    [
        "picked = torch.device('cuda')",
        "def f():\n    global picked\n",
        "R = make_runtime(0)",
        "x: T = runtime.Runtime(a)",
    ],
)
def test_a_module_that_holds_a_device_is_seen(code: str) -> None:
    assert _holds_state(ast.parse(code))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_runs_in_the_precision_that_was_picked(precision: torch.dtype) -> None:
    with autocast(torch.device("cpu"), precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is precision


def test_the_same_seed_gives_the_same_draws_in_deterministic_mode() -> None:
    make_deterministic(3)
    assert torch.are_deterministic_algorithms_enabled()
    first = torch.rand(3)
    make_deterministic(3)
    assert torch.equal(first, torch.rand(3))


def test_empty_tensors_are_not_filled() -> None:
    make_deterministic(0)
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


@pytest.mark.parametrize(("wanted", "threads"), [(None, 1), ("2", 2)])
def test_one_thread_unless_the_user_asks_for_more(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, threads: int
) -> None:
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if wanted:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    try:
        torch.set_num_threads(2)
        make_deterministic(0)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 4 GiB left, of which most is not free but caches files, and no limit on this container."""
    (tmp_path / "meminfo").write_text("MemFree:   1024 kB\nMemAvailable:  4194304 kB\n")
    monkeypatch.setattr(runtime, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(runtime, "CONTROL_GROUPS", tmp_path)
    return tmp_path


def _limit(folder: Path, most: str, names: tuple[str, str, str, str]) -> None:
    limit, usage, stat, cold = names
    (folder / limit).parent.mkdir(exist_ok=True)
    (folder / limit).write_text(f"{most}\n")
    (folder / usage).write_text(f"{GIB}\n")
    (folder / stat).write_text(f"anon 7\n{cold} {GIB // 2}\n")


def test_memory_that_caches_files_counts_as_free(machine: Path) -> None:
    assert free_bytes(torch.device("cpu")) == 4 * GIB


@pytest.mark.parametrize("names", runtime.CONTAINER)
def test_a_container_leaves_what_its_limit_does(machine: Path, names: tuple[str, str, str, str]) -> None:
    _limit(machine, str(2 * GIB), names)
    assert free_bytes(torch.device("cpu")) == 2 * GIB - GIB + GIB // 2
    _limit(machine, str(100 * GIB), names)
    assert free_bytes(torch.device("cpu")) == 4 * GIB


def test_a_container_without_a_limit_leaves_the_machine(machine: Path) -> None:
    _limit(machine, "max", runtime.CONTAINER[0])
    assert free_bytes(torch.device("cpu")) == 4 * GIB


def test_half_of_the_memory_counts_as_free_where_the_system_does_not_tell(machine: Path) -> None:
    (machine / "meminfo").unlink()
    assert 0 < free_bytes(torch.device("cpu")) < 2**60


def test_what_torch_holds_in_reserve_on_a_gpu_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in (("mem_get_info", (10, 100)), ("memory_reserved", 50), ("memory_allocated", 20)):
        monkeypatch.setattr(torch.cuda, name, lambda _, answer=answer: answer)
    assert free_bytes(torch.device("cuda")) == 40
