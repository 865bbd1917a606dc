"""Keys, the lock, and states that are written whole or not at all."""

import errno
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graft.training import checkpoints as module
from graft.training.checkpoints import State, checkpoints, keeper_in, key_of, read_state, write_state

pytestmark = pytest.mark.exact


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path / "checkpoints")


def test_every_part_and_every_line_of_code_makes_another_key(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text("1")
    keys = [key_of(["params", "data"], [code]), key_of(["params", "other"], [code]), key_of(["paramsdata"], [code])]
    (code / "a.py").write_text("2")
    keys.append(key_of(["params", "data"], [code]))
    assert len(set(keys)) == 4


def test_the_same_parts_make_the_same_key(tmp_path: Path) -> None:
    assert key_of(["a"], [tmp_path]) == key_of(["a"], [tmp_path])


def test_a_stage_that_ends_well_leaves_nothing_behind(tmp_path: Path) -> None:
    with checkpoints("tune", "k") as folder:
        write_state({"a": 1}, folder / "run.pt")
    assert not list((tmp_path / "checkpoints").rglob("*.pt"))


def _interrupted(key: str) -> None:
    with checkpoints("tune", key) as folder:
        write_state({"a": 1}, folder / "run.pt")
        raise KeyboardInterrupt


def test_a_stage_that_fails_keeps_its_state() -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted("k")
    with checkpoints("tune", "k") as folder:
        assert read_state(folder / "run.pt") == {"a": 1}


def test_another_key_starts_with_nothing_and_the_old_state_goes(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted("old")
    with checkpoints("tune", "new") as folder:
        assert read_state(folder / "run.pt") is None
        assert not (tmp_path / "checkpoints/tune/old").exists()


def test_two_stages_do_not_touch_each_other() -> None:
    with checkpoints("tune", "k") as one, checkpoints("scratch", "k") as two:
        assert one != two


SECOND = """
import sys
from pathlib import Path
from graft.training import checkpoints as module
module.FOLDER = Path(sys.argv[1])
with module.checkpoints("tune", "k"):
    print("got it")
"""


def _second(folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", SECOND, folder], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with checkpoints("tune", "k"):
        assert "RuntimeError: tune: want to train alone, got another process" in _second(tmp_path / "checkpoints")
    assert _second(tmp_path / "checkpoints") == "got it\n"


def test_a_keeper_writes_after_an_interval_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("graft.training.checkpoints.time.monotonic", lambda: now[0])
    keeper = keeper_in(tmp_path, "run")
    keeper.save(lambda: {"n": 1})
    assert keeper.load() is None
    now[0] = module.SECONDS_BETWEEN + 1
    keeper.save(lambda: {"n": 2})
    now[0] += 1
    keeper.save(lambda: {"n": 3})
    assert keeper.load() == {"n": 2}


def test_a_slow_write_delays_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("graft.training.checkpoints.time.monotonic", lambda: now[0])
    keeper = keeper_in(tmp_path, "run")

    def slow(n: int) -> State:
        now[0] += 2.0
        return {"n": n}

    now[0] = begun = module.SECONDS_BETWEEN + 1
    keeper.save(lambda: slow(1))
    due = begun + 2.0 + 2.0 / module.SHARE_OF_TIME
    for now[0], written in ((due - 0.1, 1), (due + 0.1, 2)):
        keeper.save(lambda: slow(2))
        assert keeper.load() == {"n": written}


def test_tensors_are_restored_to_the_last_bit(tmp_path: Path) -> None:
    state: State = {"a": torch.randn(3, 4), "b": [{"c": torch.arange(3), "d": None}], "e": (0.1, 2)}
    write_state(state, tmp_path / "s.pt")
    got = read_state(tmp_path / "s.pt")
    assert got is not None
    assert torch.equal(got["a"], state["a"])
    assert got["e"] == (0.1, 2)


def test_a_write_that_is_interrupted_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state({"n": 1}, tmp_path / "s.pt")

    def cut_off(state: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left")

    monkeypatch.setattr("graft.training.checkpoints.torch.save", cut_off)
    with pytest.raises(OSError, match="no space"):
        write_state({"n": 2}, tmp_path / "s.pt")
    assert read_state(tmp_path / "s.pt") == {"n": 1}


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.file,)


def test_a_state_that_holds_foreign_code_is_not_read_and_the_code_not_run(tmp_path: Path) -> None:
    torch.save({"a": Payload(tmp_path / "ran")}, tmp_path / "s.pt")
    with pytest.raises(pickle.UnpicklingError):
        read_state(tmp_path / "s.pt")
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_reported_as_such_although_torch_raises_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(state: object, file: object) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 704 vs 598")

    monkeypatch.setattr("graft.training.checkpoints.torch.save", fill)
    with pytest.raises(OSError, match=rf"{tmp_path}/s\.pt: want room on the disk of {tmp_path}, got .* MB free"):
        write_state({"n": 1}, tmp_path / "s.pt")
