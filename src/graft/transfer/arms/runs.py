"""The runs of an arm on disk: each is trained once, and not repeated when the stage was killed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.records.training import Epoch, PhaseRecord
from graft.training.checkpoints import Keeper, State, keeper_in, read_state, write_state
from graft.training.loop import Fitted
from graft.training.steps import Tick
from graft.transfer.arms.halving import Halving, RunKey, startable


class Trained(NamedTuple):
    """A network after its run."""

    network: Network
    fitted: Fitted


Train = Callable[[RunKey, Tick, Keeper], Trained]
# asked again and again for the runs that may start now, in the order of preference
Waiting = Callable[[], list[RunKey]]
# trains what waits, and tells of each run that it has ended, until nothing waits any more
Execute = Callable[[Waiting, Callable[[RunKey], None]], None]


def complete(halvings: Sequence[Halving], folder: Path, execute: Execute, tick: Tick) -> dict[RunKey, Fitted]:
    """Train all runs of these halvings that have not ended yet, and return the results of all.

    Args:
        halvings: one a budget, side by side; runs of the first ones start first.
        folder: of the checkpoints.
        execute: trains the runs, one after another or several at once.
        tick: told the number of images that runs of an earlier process saw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[RunKey, Fitted] = {}
    looked_up: set[RunKey] = set()

    def waiting() -> list[RunKey]:
        while True:
            scores = {run: fitted.best for run, fitted in found.items()}
            runs = [run for halving in halvings for run in startable(halving, scores)]
            # what was handed out before ends in this process, which hears of it
            new = [run for run in runs if run not in looked_up]
            looked_up.update(new)
            before = {run: fitted for run in new if (fitted := read_fitted(folder, run)) is not None}
            if not before:
                return runs
            found.update(before)
            tick(sum(fitted.n_seen for fitted in before.values()))

    def ended(run: RunKey) -> None:
        fitted = read_fitted(folder, run)
        assert fitted is not None, "train_once has written it"
        found[run] = fitted

    execute(waiting, ended)
    return found


def one_by_one(train: Train, folder: Path, tick: Tick) -> Execute:
    """Train the runs in this process, one after another."""

    def execute(waiting: Waiting, ended: Callable[[RunKey], None]) -> None:
        while runs := waiting():
            train_once(train, runs[0], folder, tick)
            ended(runs[0])

    return execute


def train_once(train: Train, run: RunKey, folder: Path, tick: Tick) -> None:
    """Train a run from its last checkpoint, or from its start, and keep its result in the folder."""
    trained = train(run, tick, keeper_in(folder, _name(run)))
    write_state(_state(trained), _ended(folder, run))
    (folder / f"{_name(run)}.pt").unlink(missing_ok=True)


def read_fitted(folder: Path, run: RunKey) -> Fitted | None:
    """The result of a run; None where it has not ended."""
    state = read_state(_ended(folder, run))
    return None if state is None else _fitted(state)


def read_network(folder: Path, run: RunKey, blank: Network) -> Network:
    """The blank network, with the weights of a run that has ended."""
    state = read_state(_ended(folder, run))
    assert state is not None, "only runs that have ended are asked for"
    blank.load_state_dict(state["network"])
    return blank


def _name(run: RunKey) -> str:
    return f"{run.budget}-seed{run.seed}-rate{run.rate:.17g}"


def _ended(folder: Path, run: RunKey) -> Path:
    return folder / f"{_name(run)}-ended.pt"


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
