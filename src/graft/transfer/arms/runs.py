"""The runs of an arm: each is trained once, kept on disk, and not repeated when the stage was killed."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from graft.networks.networks import Network
from graft.records.training import Epoch, PhaseRecord
from graft.training.checkpoints import Keeper, State, keeper_in, read_state, write_state
from graft.training.loop import Fitted
from graft.training.objective import Score
from graft.training.steps import Tick


class Trained(NamedTuple):
    """A network after its run."""

    network: Network
    fitted: Fitted


class Runs(NamedTuple):
    """The runs of one arm at one budget, by seed and rate."""

    fitted: Callable[[int, float], Fitted]
    """what came of a run, which is trained where it has not ended yet"""
    network: Callable[[int, float], Network]
    """with the weights of a run that has ended"""


def remembered(
    run: Callable[[int, float, Keeper], Trained], blank: Callable[[], Network], folder: Path, tick: Tick
) -> Runs:
    """The runs by seed and rate, each from where an earlier process left it.

    Args:
        run: trains a network by seed and rate, its state in the keeper.
        blank: a network for weights to be read into.
        folder: of the checkpoints of one arm at one budget.
        tick: told of the images that an ended run saw.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def ended(seed: int, rate: float) -> Path:
        return folder / f"{_name(seed, rate)}-ended.pt"

    def fitted(seed: int, rate: float) -> Fitted:
        state = read_state(ended(seed, rate))
        if state is not None:
            tick(state["n_seen"])
            return _fitted(state)
        trained = run(seed, rate, keeper_in(folder, _name(seed, rate)))
        write_state(_state(trained), ended(seed, rate))
        (folder / f"{_name(seed, rate)}.pt").unlink(missing_ok=True)
        return trained.fitted

    def network(seed: int, rate: float) -> Network:
        state, again = read_state(ended(seed, rate)), blank()
        assert state is not None, "only runs that have ended are asked for"
        again.load_state_dict(state["network"])
        return again

    return Runs(fitted, network)


def _name(seed: int, rate: float) -> str:
    return f"seed{seed}-rate{rate:.17g}"


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
