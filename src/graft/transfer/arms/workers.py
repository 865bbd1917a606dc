"""Runs in several processes at once, with the same bytes as one after another.

The parent says who trains which run and reads the results from the checkpoints; a worker loads the data itself and
trains one run after another. No worker trains on after the death of its parent.
"""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from graft.transfer.arms.rates import RunKey
    from graft.transfer.arms.runs import Execute

# a forked process would share locks of torch's threads, and a CUDA context cannot be forked at all
SPAWN = multiprocessing.get_context("spawn")
SECONDS_BETWEEN_TICKS = 0.1
# PR_SET_PDEATHSIG of Linux's prctl
DIES_WITH_PARENT = 1
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

Tick = Callable[[int], object]
# trains one run in a worker, and tells how many images it saw
Work = Callable[["RunKey", Tick], None]
# picklable: loads the data of a worker, and returns what trains a run
Make = Callable[[], Work]


class Worker(NamedTuple):
    """A process that trains, as its parent sees it."""

    process: SpawnProcess
    talk: Connection
    """takes a run; answers with numbers of images seen, None when the run has ended, or an exception"""


def in_workers(make: Make, devices: Sequence[str], tick: Tick) -> "Execute":
    """Train the runs in other processes, at most one for each device in the list.

    Args:
        make: loads what a worker needs; picklable.
        devices: values of GRAFT_DEVICE, one a worker.
        tick: told the numbers of images that the workers saw.
    """

    def execute(runs: Sequence["RunKey"]) -> None:
        waiting = list(reversed(runs))
        n_left = len(waiting)
        with _team() as team:
            for device in devices[: len(runs)]:
                with _deaf():
                    team.append(_start(make, device))
                _give(waiting.pop(), team[-1].talk)
            while n_left:
                for talk, message in _messages(team):
                    if message is not None:
                        tick(message)
                        continue
                    n_left -= 1
                    if waiting:
                        _give(waiting.pop(), talk)

    return execute


def _give(run: "RunKey", talk: Connection) -> None:
    """Give the run to a worker that has none."""
    # a dead worker takes nothing, and _messages tells why it died
    with suppress(OSError):
        talk.send(run)


def _messages(team: Sequence[Worker]) -> Iterator[tuple[Connection, int | None]]:
    """Wait for a message of any worker, and yield all that have come.

    Raises:
        RuntimeError: a worker died.
        Exception: the one that a worker met.
    """
    talks = {worker.talk: worker for worker in team}
    for talk in connection.wait(list(talks)):
        assert isinstance(talk, Connection)
        try:
            message = talk.recv()
        except (EOFError, OSError):
            raise _death(talks[talk]) from None
        if isinstance(message, BaseException):
            raise message
        yield talk, message


def _death(worker: Worker) -> RuntimeError:
    worker.process.join()
    code = worker.process.exitcode or 0
    if code == -signal.SIGKILL:
        why = (
            "killed by SIGKILL: most likely the system did, for want of memory. Set GRAFT_PROCESSES=1, close other "
            "programs, or raise the container's limit; training goes on where it was."
        )
    else:
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"that ended with exit code {code}"
        why = (
            f"{how}. What it printed above may say why. Run it again: training goes on where it was; "
            "GRAFT_PROCESSES=1 does without other processes."
        )
    return RuntimeError(f"training: want every process to run to its end, got one {why}")


@contextmanager
def _team() -> Iterator[list[Worker]]:
    """A list for workers, which are killed at the end, whatever the reason: their checkpoints are always whole."""
    team: list[Worker] = []
    try:
        yield team
    finally:
        # a second Ctrl-C must not spare any: Python would wait for it at its exit, for ever
        with _deaf():
            for worker in team:
                worker.process.kill()
            for worker in team:
                worker.process.join()
                worker.talk.close()


@contextmanager
def _deaf() -> Iterator[None]:
    """Hold signals back; a process that is started meanwhile never gets any, so that Ctrl-C is for the parent alone."""
    # on its first start the tracker would let signals through again
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(make: Make, device: str) -> Worker:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_work, args=(theirs, make, device, os.getpid()), daemon=True)
    process.start()
    # so that the death of the worker closes the last copy of its end
    theirs.close()
    return Worker(process, ours)


def _work(talk: Connection, make: Make, device: str, parent: int) -> None:
    """Train one run after another, until the parent kills this process or dies."""
    try:
        _die_with(parent)
        os.environ["GRAFT_DEVICE"] = device
        work, ticks = make(), Ticks(talk)
        while True:
            work(talk.recv(), ticks.tick)
            ticks.flush()
            talk.send(None)
    except BaseException as error:
        # where the parent is dead nobody listens
        with suppress(OSError):
            talk.send(_sendable(error))


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the next tick fails, for the pipe is closed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        raise EOFError("the parent died before this process asked to die with it")


def _sendable(error: BaseException) -> BaseException:
    """The error, with its trace as a note, or one that says the same where it cannot be pickled."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(trace)
    return error


class Ticks:
    """Numbers of images seen, sent to the parent now and then."""

    def __init__(self, talk: Connection) -> None:
        self.talk, self.n_unsent, self.due = talk, 0, 0.0

    def tick(self, n_seen: int) -> None:
        """Count images; send their number when enough time has passed."""
        self.n_unsent += n_seen
        if time.monotonic() >= self.due:
            self.flush()

    def flush(self) -> None:
        """Send what was counted since."""
        self.talk.send(self.n_unsent)
        self.n_unsent, self.due = 0, time.monotonic() + SECONDS_BETWEEN_TICKS
