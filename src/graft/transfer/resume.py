"""Runs that a killed stage need not repeat: one that ended is read, one that was under way goes on."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from graft.files import file_sha256
from graft.learning import device
from graft.learning.checkpoints import Keeper, State, checkpoints, keeper_in, key_of, read_state, write_state
from graft.learning.loop import Fitted
from graft.learning.networks import Network
from graft.learning.scores import Score
from graft.learning.steps import Tick
from graft.records import Epoch, PhaseRecord
from graft.transfer.arms import Trained

PACKAGE = Path(__file__).parents[1]
CODE = tuple(PACKAGE / name for name in ("learning", "transfer", "probe.py", "store.py"))


def half_done(stage: str, params: str, files: Iterable[Path]) -> AbstractContextManager[Path]:
    """The folder of this stage's checkpoints for these params and files, this code, device, precision and threads.

    Args:
        stage: its name.
        params: those that decide on the result.
        files: all that the stage reads.

    Raises:
        RuntimeError: another process trains this stage.
    """
    precision = device.pick_precision(device.picked)
    here = (torch.__version__, str(device.picked), str(precision), str(torch.get_num_threads()))
    return checkpoints(stage, key_of([params, *map(file_sha256, files), *here], CODE))


def remembered(
    run: Callable[[int, float, Keeper], Trained], blank: Callable[[], Network], folder: Path, tick: Tick
) -> Callable[[int, float], Trained]:
    """The run by seed and rate, from where an earlier process left it.

    Args:
        run: trains a network by seed and rate, its state in the keeper.
        blank: a network for weights to be read into.
        folder: of the checkpoints of one arm at one budget.
        tick: told of the images that an ended run saw.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def taken_up(seed: int, rate: float) -> Trained:
        name = f"seed{seed}-rate{rate:.9g}"
        ended = read_state(folder / f"{name}-ended.pt")
        if ended is not None:
            trained = Trained(blank(), _fitted(ended), rate)
            trained.network.load_state_dict(ended["network"])
            tick(trained.fitted.n_seen)
            return trained
        trained = run(seed, rate, keeper_in(folder, name))
        write_state(_state(trained), folder / f"{name}-ended.pt")
        (folder / f"{name}.pt").unlink(missing_ok=True)
        return trained

    return taken_up


def _state(trained: Trained) -> State:
    fitted = trained.fitted
    return {
        "network": trained.network.state_dict(),
        "best_epoch": fitted.best_epoch,
        "best": tuple(fitted.best),
        "curve": [each.model_dump() for each in fitted.curve],
        "phases": [each.model_dump() for each in fitted.phases],
        "n_seen": fitted.n_seen,
    }


def _fitted(state: State) -> Fitted:
    return Fitted(
        best_epoch=state["best_epoch"],
        best=Score(*state["best"]),
        curve=tuple(Epoch.model_validate(each) for each in state["curve"]),
        phases=tuple(PhaseRecord.model_validate(each) for each in state["phases"]),
        n_seen=state["n_seen"],
    )
