"""The runs of an arm on disk: each is trained once, and not repeated when the stage was killed."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from graft.networks.adapters import Shape, adapters_in, add_adapters
from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.records.training import Epoch, PhaseRecord
from graft.training.checkpoints import Keeper, State, keeper_in, read_state, write_state
from graft.training.loop import Fitted
from graft.training.steps import Tick
from graft.transfer.arms.rates import RunKey

# factors of a change of weights, and what their product is multiplied by
LowRank = tuple[Tensor, Tensor, float]


class Trained(NamedTuple):
    """A network after its run."""

    network: Network
    fitted: Fitted
    factors: Mapping[str, LowRank] = {}
    """of LoRA, which the network holds merged"""


Train = Callable[[RunKey, Tick, Keeper], Trained]
# trains these runs, one after another or several at once
Execute = Callable[[Sequence[RunKey]], None]


def complete(runs: Sequence[RunKey], folder: Path, execute: Execute, tick: Tick) -> dict[RunKey, Fitted]:
    """Train the runs that have not ended yet, and return the results of all.

    Args:
        runs: all runs of an arm, in the order in which they start.
        folder: of the checkpoints.
        execute: trains the runs, one after another or several at once.
        tick: told the number of images that runs of an earlier process saw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = [run for run in runs if _ended(folder, run).is_file()]
    tick(sum(read_fitted(folder, run).n_seen for run in before))
    execute([run for run in runs if run not in before])
    return {run: read_fitted(folder, run) for run in runs}


def one_by_one(train: Train, folder: Path, tick: Tick) -> Execute:
    """Train the runs in this process, one after another."""

    def execute(runs: Sequence[RunKey]) -> None:
        for run in runs:
            train_once(train, run, folder, tick)

    return execute


def train_once(train: Train, run: RunKey, folder: Path, tick: Tick) -> None:
    """Train a run from its last checkpoint, or from its start, and keep its result in the folder."""
    began, seen = list[float](), list[int]()

    def timed(n_seen: int) -> None:
        began.append(time.perf_counter())
        seen.append(n_seen)
        tick(n_seen)

    trained = train(run, timed, keeper_in(folder, _name(run)))
    # the first tick tells what an earlier process saw, where there was one, and each of the others of a batch
    timing = {"seconds": time.perf_counter() - began[0], "n_timed": sum(seen[1:])}
    write_state({**_state(trained), **timing}, _ended(folder, run))
    (folder / f"{_name(run)}.pt").unlink(missing_ok=True)


def read_fitted(folder: Path, run: RunKey) -> Fitted:
    """The result of a run that has ended."""
    return _fitted(_read(folder, run))


def read_timing(folder: Path, run: RunKey) -> tuple[float, int]:
    """Seconds of a run from its first batch on, scoring included, and the images of these batches.

    Of a run that was killed, the part in its last process counts alone.
    """
    state = _read(folder, run)
    return state["seconds"], state["n_timed"]


def read_network(folder: Path, run: RunKey, blank: Network) -> Network:
    """The blank network, with the weights of a run that has ended, and its adapters if it has any."""
    state = _read(folder, run)
    add_adapters(blank, {block: Shape(*shape) for block, shape in state["adapters"].items()})
    blank.load_state_dict(state["network"])
    return blank


def read_factors(folder: Path, run: RunKey) -> dict[str, LowRank]:
    """LoRA's factors of a run that has ended, by the name of the weights that they change."""
    factors: dict[str, LowRank] = _read(folder, run)["factors"]
    return factors


def _read(folder: Path, run: RunKey) -> State:
    state = read_state(_ended(folder, run))
    assert state is not None, "only runs that have ended are asked for"
    return state


def _name(run: RunKey) -> str:
    return f"{run.variant or 'arm'}-seed{run.seed}-rate{run.rate:.17g}"


def _ended(folder: Path, run: RunKey) -> Path:
    return folder / f"{_name(run)}-ended.pt"


def _state(trained: Trained) -> State:
    fitted = trained.fitted
    return {
        "network": trained.network.state_dict(),
        "adapters": {block: tuple(shape) for block, shape in adapters_in(trained.network).items()},
        "factors": {name: tuple(each) for name, each in trained.factors.items()},
        "best_epoch": fitted.best_epoch,
        "best": tuple(fitted.best),
        "curve": [each.model_dump() for each in fitted.curve],
        "phases": [each.model_dump() for each in fitted.phases],
        "n_seen": fitted.n_seen,
        "choice": None if fitted.choice is None else tuple(fitted.choice),
    }


def _fitted(state: State) -> Fitted:
    return Fitted(
        best_epoch=state["best_epoch"],
        best=Score(*state["best"]),
        curve=tuple(Epoch.model_validate(each) for each in state["curve"]),
        phases=tuple(PhaseRecord.model_validate(each) for each in state["phases"]),
        n_seen=state["n_seen"],
        choice=None if state["choice"] is None else Score(*state["choice"]),
    )
