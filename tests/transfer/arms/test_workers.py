"""Runs in worker processes: the same bytes as in one, and every way in which a worker can end."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tests.examples import backbone_card
from tests.transfer.conftest import strategy, tiny_catalog, tiny_images, tiny_params, write_companions
from tests.transfer.test_resume import Bar

from graft.files import to_json, write_record
from graft.networks.networks import build_network
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.params.pipeline import Params
from graft.records.training import TrainingRecord
from graft.store.catalogue import write_catalog
from graft.transfer.arms.rates import RunKey
from graft.transfer.arms.runs import complete
from graft.transfer.arms.target_data import Labels
from graft.transfer.arms.workers import in_workers
from graft.transfer.control import read_target, train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import TaskFiles, read_task

pytestmark = pytest.mark.exact

LABELLED = ("labelled.csv", "labelled.npy")
COMPANIONS = ("companions.csv", "companions.npy", "unlabelled.npy")
TARGET = ("target.csv", "target.npy", "features.npy")
TRANSFER = ("strategy.json", "backbone.safetensors", "card.json", *TARGET, *LABELLED, *COMPANIONS)


class Made(NamedTuple):
    """What an arm made."""

    record: str
    weights: list[bytes]
    bar: Bar


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before would leave."""
    folder = tmp_path_factory.mktemp("files")
    write_record(SMALL_CNN, folder / "preprocessing.json")
    write_catalog(tiny_catalog(), folder / "target.csv")
    write_companions(folder)
    np.save(folder / "target.npy", tiny_images())
    torch.manual_seed(0)
    network = build_network("small_cnn", 2, SMALL_CNN).eval()
    write_record(strategy("top_blocks"), folder / "strategy.json")
    save_network(network, "small_cnn", folder / "backbone.safetensors")
    write_record(backbone_card(preprocessing=SMALL_CNN), folder / "card.json")
    np.save(folder / "features.npy", np.zeros((40, network.n_features), np.float32))
    return folder


def scratch(files: Path, params: Params, folder: Path) -> TrainingRecord:
    domains = Labels(files / "target.csv", files / "target.npy"), Labels(*(files / name for name in LABELLED))
    reread = partial(read_target, params, files / "preprocessing.json", *domains)
    return train_scratch(reread(), params, folder, folder / "half", reread)


def transfer(files: Path, params: Params, folder: Path) -> TrainingRecord:
    reread = partial(read_task, params, TaskFiles(*(files / name for name in TRANSFER)))
    return finetune_target(reread(), folder, folder / "half", reread)


def made(arm: Callable[[Path, Params, Path], TrainingRecord], files: Path, folder: Path, n_processes: int) -> Made:
    params, bars = tiny_params(finetune_target={"views": 2, "batchnorm": "adapt"}), list[Bar]()

    def bar(total: int, **_: object) -> Bar:
        bars.append(Bar(total))
        return bars[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_PROCESSES", str(n_processes))
        patch.setattr("tqdm.tqdm", bar)
        record = arm(files, params, folder)
    return Made(to_json(record), [each.read_bytes() for each in sorted(folder.glob("*.safetensors"))], bars[0])


@pytest.fixture(scope="module", params=[scratch, transfer])
def both(files: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Made, Made]:
    """An arm in one process and in two."""
    folder = tmp_path_factory.mktemp("both")
    return made(request.param, files, folder / "1", 1), made(request.param, files, folder / "2", 2)


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def test_two_processes_make_the_bytes_of_one(both: tuple[Made, Made]) -> None:
    assert both[1].record == both[0].record
    assert both[1].weights == both[0].weights
    assert len(both[0].weights) == 2


def test_one_progress_bar_shows_all_processes_and_ends_full(both: tuple[Made, Made]) -> None:
    assert both[1].bar.seen == both[1].bar.total == both[0].bar.total > 0


def trained(make: Callable[[], object], folder: Path) -> None:
    """A run in a worker that gets no further than to what loads its data."""
    complete([RunKey(0, 0.1)], folder, in_workers(make, ["cpu"], print), print)  # type: ignore[arg-type]


def test_an_error_in_a_worker_is_that_of_the_stage(files: Path, tmp_path: Path) -> None:
    none = Labels(tmp_path / "none.csv", files / "target.npy")
    make = partial(read_target, tiny_params(), files / "preprocessing.json", none, none)
    with pytest.raises(FileNotFoundError, match=r"none\.csv: want a catalogue, got no file") as told:
        trained(make, tmp_path)
    assert "read_catalog" in told.value.__notes__[0]


def test_an_error_that_cannot_be_sent_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="StrangeError: from far away") as told:
        trained(partial(exec, "class StrangeError(Exception): ...\nraise StrangeError('from far away')"), tmp_path)
    assert "in _work" in told.value.__notes__[0]


def test_a_worker_that_the_system_kills_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"got one killed by SIGKILL: .* Set GRAFT_PROCESSES=1, close other"):
        trained(partial(signal.raise_signal, signal.SIGKILL), tmp_path)


@pytest.mark.parametrize(
    ("code", "how"),
    [("os._exit(7)", "that ended with exit code 7"), ("os.kill(os.getpid(), 11)", "killed by SIGSEGV")],
)
def test_a_worker_that_ends_otherwise_is_not_said_to_lack_memory(tmp_path: Path, code: str, how: str) -> None:
    with pytest.raises(RuntimeError, match=rf"got one {how}\. What it printed above may say why\. Run it again"):
        trained(partial(exec, f"import os; {code}"), tmp_path)


def test_a_second_ctrl_c_spares_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would wait at its exit for one that is left."""
    kill = SpawnProcess.kill

    def interrupted(process: SpawnProcess) -> None:
        kill(process)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(SpawnProcess, "kill", interrupted)
    # a shell starts what runs in the background with SIGINT ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    code = "import os, time; time.sleep(60 * (os.environ['GRAFT_DEVICE'] == 'slow')); raise ValueError"
    three = [RunKey(0, rate) for rate in (0.1, 0.2, 0.3)]
    try:
        with pytest.raises(KeyboardInterrupt):
            complete(three, tmp_path, in_workers(partial(exec, code), ["slow", "slow", "fast"], print), print)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGINT, before)
