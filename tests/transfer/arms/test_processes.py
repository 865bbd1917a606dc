"""How many processes train, and on which devices."""

import os
from pathlib import Path

import pytest
import torch

from graft.networks.runtime import Runtime
from graft.transfer.arms import processes
from graft.transfer.arms.processes import PROCESS_BYTES, devices_for, usable_cores

CPU = Runtime(torch.device("cpu"), torch.float32, 1, None)
GPU = CPU._replace(device=torch.device("cuda"))


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores, three GPUs, and room for ten processes of no need of their own."""
    monkeypatch.setattr(processes, "usable_cores", lambda groups: 4)
    monkeypatch.setattr(processes, "free_bytes", lambda device: 10 * PROCESS_BYTES)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)


def test_there_is_a_process_for_each_core() -> None:
    assert devices_for(9, CPU, 0) == ["cpu"] * 4


def test_processes_of_several_threads_share_the_cores() -> None:
    assert devices_for(9, CPU._replace(n_threads=3), 0) == ["cpu"]


def test_there_are_no_more_processes_than_runs() -> None:
    assert devices_for(3, CPU, 0) == ["cpu"] * 3


def test_graft_processes_overrules_the_cores() -> None:
    assert devices_for(9, CPU._replace(n_processes=6), 0) == ["cpu"] * 6


@pytest.mark.parametrize(("need", "n"), [(2 * PROCESS_BYTES, 3), (4 * PROCESS_BYTES, 2), (99 * PROCESS_BYTES, 1)])
def test_little_memory_lowers_their_number_and_refuses_none(need: int, n: int) -> None:
    assert devices_for(9, CPU, need) == ["cpu"] * n


def test_there_is_one_process_a_gpu() -> None:
    assert devices_for(9, GPU, 99 * PROCESS_BYTES) == ["cuda:0", "cuda:1", "cuda:2"]
    assert devices_for(2, GPU, 0) == ["cuda:0", "cuda:1"]


def test_a_gpu_that_was_named_is_the_only_one() -> None:
    assert devices_for(9, CPU._replace(device=torch.device("cuda:1")), 0) == ["cuda:1"]


def test_more_processes_than_gpus_take_turns() -> None:
    assert devices_for(9, GPU._replace(n_processes=4), 0) == ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]


@pytest.mark.parametrize(
    ("files", "n"),
    [
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_bounds_the_cores(tmp_path: Path, files: dict[str, str], n: int | None) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert usable_cores(tmp_path) == (n or here)
