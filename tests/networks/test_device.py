import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graft import stage
from graft.networks import device
from graft.networks.device import autocast, free_bytes, make_deterministic, pick_device, pick_precision


def test_environment_overrules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")


def test_cuda_where_there_is_one_else_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFT_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device().type == "cpu"


@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_environment_overrules_the_precision(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("GRAFT_PRECISION", wanted)
    assert pick_precision(torch.device("cpu")) == getattr(torch, wanted)


STAGE = """
from graft import stage
from graft.networks.device import pick_device, pick_precision
stage.run(lambda: pick_precision(pick_device()))
"""


def test_provenance_says_which_device_and_precision_were_picked(tmp_path: Path) -> None:
    (tmp_path / "train_hard.py").write_text(STAGE)
    wanted = {"GRAFT_DEVICE": "cpu:0", "GRAFT_PRECISION": "bfloat16"}
    subprocess.run([sys.executable, "train_hard.py"], cwd=tmp_path, env=os.environ | wanted, check=True)
    written = json.loads((tmp_path / stage.PROVENANCE / "train_hard.json").read_text())
    assert (written["device"], written["precision"]) == ("cpu:0", "bfloat16")


def test_a_precision_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_PRECISION", "float16")
    with pytest.raises(ValueError, match=r"GRAFT_PRECISION: want float32 or bfloat16, got 'float16'\. Unset it"):
        pick_precision(torch.device("cpu"))


@pytest.mark.parametrize(("device", "picked"), [("cpu", torch.float32), ("cuda", torch.bfloat16)])
def test_a_gpu_takes_bfloat16_and_a_processor_keeps_to_float32(
    monkeypatch: pytest.MonkeyPatch, device: str, picked: torch.dtype
) -> None:
    monkeypatch.delenv("GRAFT_PRECISION", raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    assert pick_precision(torch.device(device)) == picked


def test_a_gpu_without_bfloat16_keeps_to_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFT_PRECISION", raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert pick_precision(torch.device("cuda")) == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_runs_in_the_precision_that_was_picked(precision: torch.dtype) -> None:
    with autocast(torch.device("cpu"), precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is precision


def test_deterministic_means_deterministic() -> None:
    make_deterministic(3)
    assert torch.are_deterministic_algorithms_enabled()
    first = torch.rand(3)
    make_deterministic(3)
    assert torch.equal(first, torch.rand(3))


def test_no_empty_tensor_is_filled_before_it_is_written() -> None:
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
    monkeypatch.setattr(device, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(device, "CONTROL_GROUPS", tmp_path)
    return tmp_path


def _limit(folder: Path, most: str, names: tuple[str, str, str, str]) -> None:
    limit, usage, stat, cold = names
    (folder / limit).parent.mkdir(exist_ok=True)
    (folder / limit).write_text(f"{most}\n")
    (folder / usage).write_text(f"{GIB}\n")
    (folder / stat).write_text(f"anon 7\n{cold} {GIB // 2}\n")


def test_memory_that_caches_files_is_free(machine: Path) -> None:
    assert free_bytes(torch.device("cpu")) == 4 * GIB


@pytest.mark.parametrize("names", device.CONTAINER)
def test_a_container_leaves_what_its_limit_does(machine: Path, names: tuple[str, str, str, str]) -> None:
    _limit(machine, str(2 * GIB), names)
    assert free_bytes(torch.device("cpu")) == 2 * GIB - GIB + GIB // 2
    _limit(machine, str(100 * GIB), names)
    assert free_bytes(torch.device("cpu")) == 4 * GIB


def test_a_container_without_a_limit_leaves_the_machine(machine: Path) -> None:
    _limit(machine, "max", device.CONTAINER[0])
    assert free_bytes(torch.device("cpu")) == 4 * GIB


def test_where_nothing_tells_half_of_the_memory_is_taken_for_free(machine: Path) -> None:
    (machine / "meminfo").unlink()
    assert 0 < free_bytes(torch.device("cpu")) < 2**60


def test_what_torch_holds_in_reserve_on_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in (("mem_get_info", (10, 100)), ("memory_reserved", 50), ("memory_allocated", 20)):
        monkeypatch.setattr(torch.cuda, name, lambda _, answer=answer: answer)
    assert free_bytes(torch.device("cuda")) == 40


def test_unknown_device_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_DEVICE", "toaster")
    with pytest.raises(
        ValueError, match=r"GRAFT_DEVICE: want a device of this machine such as cpu or cuda, got 'toaster'"
    ):
        pick_device()
