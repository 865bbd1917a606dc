"""A killed stage goes on; a finished one leaves nothing; other params never take old state up."""

import contextlib
import errno
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch

from graft.files import to_json
from graft.networks.networks import state_sha256
from graft.networks.runtime import Runtime
from graft.networks.saving import load_network
from graft.training import checkpoints, resume
from graft.training.resume import half_done
from graft.transfer.arms.target_data import TargetData
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import strategy, tiny_params
from tests.transfer.killed import KilledError

pytestmark = pytest.mark.exact

RATES: dict[str, object] = {"rates": [0.001, 0.003, 0.01]}


class Bar:
    """Stands for tqdm: what it was told to expect, and what it saw."""

    def __init__(self, total: int) -> None:
        self.total, self.seen = total, 0

    def update(self, n: int) -> None:
        self.seen += n

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path / "checkpoints")
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE_OF_TIME", 1e9)


@pytest.fixture
def run(backbone: Backbone, data: TargetData, tmp_path: Path) -> Callable[[str, str], str]:
    """A stage as its script runs it, by arm and folder; what it made, as text."""

    def stage(arm: str, name: str) -> str:
        params = tiny_params(finetune_target=RATES, train_scratch=RATES)
        folder = tmp_path / name
        with half_done(arm, params.model_dump_json(), [], ON_CPU) as kept:
            if arm == "scratch":
                record = train_scratch(data, params, folder, kept)
            else:
                record = finetune_target(TransferTask(backbone, data, strategy(arm), params), folder, kept)
        weights = [state_sha256([load_network(file)]) for file in sorted(folder.glob("*.safetensors"))]
        return to_json(record) + str(weights)

    return stage


@pytest.mark.parametrize("arm", ["full", "gradual", "feature_extraction", "scratch"])
def test_a_stage_killed_again_and_again_makes_what_an_undisturbed_one_makes(
    arm: str, run: Callable[[str, str], str], steps_taken: list[int]
) -> None:
    whole = run(arm, "whole")
    n_whole, steps_taken[0] = steps_taken[0], 0
    n_kills, ended = 0, ""
    while not ended:
        steps_taken[:] = [0, 7]
        try:
            ended = run(arm, "killed")
        except KilledError:
            n_kills += 1
            torch.rand(5)
    assert ended == whole
    assert n_kills >= n_whole // 8


@pytest.mark.parametrize("nth", [3, 7])
def test_a_stage_whose_state_cannot_be_written_fails_and_loses_no_more_than_a_step(
    run: Callable[[str, str], str], steps_taken: list[int], monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """The first run writes seven: one after each of its six steps, and one at its end."""
    whole = run("full", "whole")
    n_whole, steps_taken[0], save, n_saved = steps_taken[0], 0, torch.save, 0

    def onto_a_full_disk(state: object, file: object) -> None:
        nonlocal n_saved
        n_saved += 1
        if n_saved == nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, file)  # type: ignore[arg-type]

    monkeypatch.setattr("graft.training.checkpoints.torch.save", onto_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        run("full", "killed")
    assert run("full", "killed") == whole
    assert steps_taken[0] <= n_whole + 1


@pytest.mark.parametrize("arm", ["full", "feature_extraction", "scratch"])
def test_the_progress_bar_ends_full_also_after_kills(
    arm: str, run: Callable[[str, str], str], steps_taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[Bar] = []

    def bar(total: int, **_: object) -> Bar:
        bars.append(Bar(total))
        return bars[-1]

    monkeypatch.setattr("tqdm.tqdm", bar)
    for after in (7, 29, 10**9):
        steps_taken[:] = [0, after]
        with contextlib.suppress(KilledError):
            run(arm, "killed")
    assert bars[-1].seen == bars[-1].total > 0
    assert len(bars) == 3


def test_a_finished_stage_trains_every_step_again_when_it_is_forced(
    run: Callable[[str, str], str], steps_taken: list[int]
) -> None:
    first = run("full", "a")
    n_first, steps_taken[0] = steps_taken[0], 0
    assert run("full", "b") == first
    assert steps_taken[0] == n_first > 0


def test_other_params_start_anew(
    run: Callable[[str, str], str], steps_taken: list[int], backbone: Backbone, data: TargetData, tmp_path: Path
) -> None:
    steps_taken[1] = 7
    with pytest.raises(KilledError):
        run("full", "a")
    steps_taken[:] = [0, 10**9]
    params = tiny_params(training={"weight_decay": 0.5})
    with half_done("full", params.model_dump_json(), [], ON_CPU) as kept:
        finetune_target(TransferTask(backbone, data, strategy("full"), params), tmp_path / "b", kept)
    n_other, steps_taken[0] = steps_taken[0], 0
    with half_done("full", params.model_dump_json(), [], ON_CPU) as kept:
        finetune_target(TransferTask(backbone, data, strategy("full"), params), tmp_path / "c", kept)
    assert n_other == steps_taken[0]


def test_files_code_packages_device_precision_and_threads_are_part_of_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = [tmp_path / "images.npy"]
    files[0].write_bytes(b"pixels")

    def key(runtime: Runtime = ON_CPU) -> str:
        with half_done("full", "same", files, runtime) as folder:
            return folder.name

    keys = {key()}
    files[0].write_bytes(b"pixels resized by other code")
    keys.add(key())
    keys.add(key(ON_CPU._replace(device=torch.device("meta"))))
    keys.add(key(ON_CPU._replace(precision=torch.bfloat16)))
    keys.add(key(ON_CPU._replace(n_threads=99)))
    monkeypatch.setattr(resume, "CODE", (tmp_path / "code",))
    keys.add(key())
    for package in ("torch", "numpy", "scikit-learn"):
        monkeypatch.setattr(resume, "version", lambda name, other=package: "other" if name == other else version(name))
        keys.add(key())
    assert len(keys) == 9


def test_training_without_lora_needs_no_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        if name == "peft":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(resume, "version", absent)
    with half_done("full", "same", [], ON_CPU) as folder:
        assert folder.is_dir()


def test_the_number_of_processes_is_no_part_of_the_key() -> None:
    with (
        half_done("full", "same", [], ON_CPU) as one,
        half_done("other", "same", [], ON_CPU._replace(n_processes=7)) as two,
    ):
        assert one.name == two.name
