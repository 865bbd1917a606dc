"""A run that is killed, and goes on from what it last saved."""

import io
from collections.abc import Callable

import torch

from graft.training.checkpoints import Keeper, State


class KilledError(Exception):
    """The run was killed."""


def kill_at(n_steps: int, kept: list[State]) -> Keeper:
    """Keeper that keeps the state after so many steps, as a file holds it, and kills the run."""
    done = list[int]()

    def save(make: Callable[[], State]) -> None:
        done.append(1)
        if len(done) == n_steps:
            file = io.BytesIO()
            torch.save(make(), file)
            file.seek(0)
            kept.append(torch.load(file, weights_only=True))
            raise KilledError

    return Keeper(lambda: None, save)


def from_state(state: State) -> Keeper:
    """Keeper of a run that goes on from this state."""
    return Keeper(lambda: state, lambda make: None)
