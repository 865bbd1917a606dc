"""The message that a person sees when a stage or a command ends early."""

import errno
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.endings import is_interrupt, sentence
from graft.files import no_room, room_for, write_whole

HUGE = 2**50


def _raised(make: object) -> BaseException:
    assert callable(make)
    try:
        make()
    except BaseException as error:
        return error
    pytest.fail("nothing was raised")


def _wrapped(cause: BaseException) -> RuntimeError:
    error = RuntimeError("the library's own words")
    error.__context__ = cause
    return error


def _told(error: BaseException, folder: Path) -> str:
    told = sentence("train", error, folder)
    assert "\n" not in told
    return told


def test_an_error_of_graft_is_shown_unchanged(tmp_path: Path) -> None:
    said = "params.yaml, seed: want a number, got x. Write one."
    assert _told(ValueError(said), tmp_path) == said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros(HUGE),
        lambda: torch.zeros(HUGE),
        lambda: (_ for _ in ()).throw(MemoryError()),
        lambda: (_ for _ in ()).throw(_wrapped(MemoryError())),
        lambda: (_ for _ in ()).throw(RuntimeError("[ONNXRuntimeError] : 6 : bad allocation")),
    ],
)
def test_lack_of_memory_is_reported_with_what_to_lower(tmp_path: Path, make: object) -> None:
    told = _told(_raised(make), tmp_path)
    assert re.match(r"train: want more memory, got none after [\d,]+ MiB \(.+\)\. Lower training.batch_size", told)
    assert told.endswith("or images.size_px in params.yaml, or close other programs, or raise the container's limit.")
    assert list(tmp_path.iterdir()) == []


def test_lack_of_gpu_memory_names_the_device(tmp_path: Path) -> None:
    told = _told(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), tmp_path)
    assert "got none on the GPU (OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.)" in told
    assert told.endswith("or set GRAFT_DEVICE=cpu.")


@pytest.mark.parametrize("wrap", [lambda error: error, _wrapped])
def test_a_full_disk_names_the_folder_and_what_is_free(tmp_path: Path, wrap: object) -> None:
    assert callable(wrap)
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "weights"))
    told = _told(wrap(full), tmp_path)
    assert re.match(
        rf"{tmp_path}/weights: want room on the disk of {tmp_path}, got [\d,.]+ MB free \(No space left on device\)\. ",
        told,
    )


@pytest.mark.parametrize("wrap", [lambda error: error, _wrapped])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_file_that_does_not_fit_says_how_much_it_wants(tmp_path: Path, wrap: object, number: int) -> None:
    assert callable(wrap)
    said = r"a: want 3\.0 MB on the disk of .*, got [\d,.]+ MB free \(full\)\. Free some"
    with pytest.raises(OSError, match=said), room_for(tmp_path / "a", 3_000_000):
        raise wrap(OSError(number, "full"))


def test_another_error_of_a_writer_is_not_changed(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="no"), room_for(tmp_path / "a", 1):
        raise PermissionError(errno.EPERM, "no")


def test_a_file_that_does_not_fit_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match=r"want 0\.0 MB on the disk"):
        write_whole(tmp_path / "a", b"new")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_the_disk_of_a_missing_folder_is_found(tmp_path: Path) -> None:
    assert f"on the disk of {tmp_path}," in no_room(tmp_path / "not" / "yet", OSError(errno.ENOSPC, "full"))


def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    told = _told(PermissionError(errno.EACCES, "Permission denied", "models/a"), tmp_path)
    assert told == "train: want to use models/a, got 'Permission denied'. `make doctor` says more."
    told = _told(FileNotFoundError(errno.ENOENT, "No such file or directory", "models/a"), tmp_path)
    assert told == "train: want to use models/a, got 'No such file or directory'. Run `dvc repro`."


def test_a_truncated_file_is_reported(tmp_path: Path) -> None:
    told = _told(EOFError("No data left in file"), tmp_path)
    assert told.startswith("train: want a whole file, got one that ends too soon (EOFError: No data left in file).")


def test_the_limit_of_protobuf_is_reported(tmp_path: Path) -> None:
    message = "The protobuf size of the model is larger than 2GB: Message onnx.ModelProto exceeds maximum protobuf size"
    told = _told(ValueError(message), tmp_path)
    assert told == "train: want an ONNX file of at most 2 GB, got more. Choose a smaller network.name in params.yaml."


def test_a_message_of_a_library_is_not_taken_for_one_of_graft(tmp_path: Path) -> None:
    told = _told(RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)\nmore"), tmp_path)
    assert told == (
        "train: want no fault in graft or its libraries, got RuntimeError: mat1 and mat2 shapes cannot be multiplied "
        f"(2x3 and 4x5). Report it with {tmp_path}/train-trace.txt; GRAFT_DEBUG=1 shows the traceback."
    )
    assert "mat1 and mat2" in (tmp_path / "train-trace.txt").read_text()


def test_the_message_is_shown_even_if_the_traceback_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", full)
    assert "got KeyError: 'a'. Report it; GRAFT_DEBUG=1 shows the traceback." in _told(KeyError("a"), tmp_path)


def test_only_ctrl_c_is_an_interrupt() -> None:
    assert is_interrupt(_wrapped(KeyboardInterrupt()))
    assert not is_interrupt(_wrapped(MemoryError()))
