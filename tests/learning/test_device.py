import pytest
import torch

from graft.learning.device import pick_device


def test_environment_overrules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")


def test_cuda_where_there_is_one_else_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFT_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device().type == "cpu"


def test_unknown_device_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_DEVICE", "toaster")
    with pytest.raises(
        ValueError, match=r"GRAFT_DEVICE: want a device of this machine such as cpu or cuda, got 'toaster'"
    ):
        pick_device()
