"""Every way in which a stage or a command can end early, as one sentence that says what to do.

A sentence of the house is an error that graft raised itself: it says what was wanted and passes through as it is.
What the system or a library raised is named by its cause, found also where a library wrapped it. The rest is a
fault of graft or of a library, and keeps its trace in a file.
"""

import errno
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from graft.files import FULL, no_room, write_whole

INTERRUPTED = 130
"""exit code after Ctrl-C, as shells give it"""
NO_MEMORY = ("can't allocate memory", "out of memory", "failed to allocate memory", "bad allocation", "bad_alloc")
"""what libraries say that raise no MemoryError: torch, onnxruntime"""
LESS_MEMORY = "Lower training.batch_size or images.size_px in params.yaml"
TOO_LARGE_FOR_PROTOBUF = ("2gb", "2 gb", "2gib", "2147483647")


def is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error, whatever a library made of it."""
    return any(isinstance(each, KeyboardInterrupt) for each in _behind(error))


def sentence(where: str, error: BaseException, traces: Path) -> str:
    """What a person is told.

    Args:
        where: stage or command.
        error: not of the house's own exits.
        traces: folder for the trace of an error that nobody foresaw.
    """
    if _is_ours(error):
        return str(error)
    for each in _behind(error):
        told = _interrupt(where, each) or _memory(where, each) or _system(where, each) or _protobuf(where, each)
        if told:
            return told
    return _unforeseen(where, error, traces)


def peak_memory_mib() -> int:
    """The most memory that this process had at once."""
    import resource

    unit = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 * unit)


def _is_ours(error: BaseException) -> bool:
    return isinstance(error, (ValueError, OSError, RuntimeError)) and "want " in str(error)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, the nearest first."""
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop(0)
        if each is not None and each not in seen:
            seen.append(each)
            todo += [*getattr(each, "exceptions", ()), each.__cause__, each.__context__]
            yield each


def _interrupt(where: str, error: BaseException) -> str:
    if not isinstance(error, KeyboardInterrupt):
        return ""
    return f"{where}: want to run to the end, got stopped by Ctrl-C. Run it again: training goes on where it was."


def _memory(where: str, error: BaseException) -> str:
    text = str(error)
    if not isinstance(error, MemoryError) and not any(each in text.lower() for each in NO_MEMORY):
        return ""
    on_gpu = "OutOfMemory" in type(error).__name__ or "CUDA" in text
    had = "on the GPU" if on_gpu else f"after {peak_memory_mib():,} MiB"
    cure = "set GRAFT_DEVICE=cpu" if on_gpu else "close other programs, or raise the container's limit"
    return f"{where}: want more memory, got none {had} ({_first_line(error)}). {LESS_MEMORY}, or {cure}."


def _system(where: str, error: BaseException) -> str:
    """Of files, disks and pipes."""
    if isinstance(error, EOFError):
        return f"{where}: want a whole file, got one that ends too soon ({_first_line(error)}). Run `dvc repro` again."
    if not isinstance(error, OSError):
        return ""
    if error.errno in FULL:
        return no_room(Path(error.filename or "."), error)
    if error.filename is None or error.strerror is None:
        return ""
    cure = "Run `dvc repro`." if error.errno == errno.ENOENT else "`make doctor` says more."
    return f"{where}: want to use {error.filename}, got '{error.strerror}'. {cure}"


def _protobuf(where: str, error: BaseException) -> str:
    by_name = type(error).__module__.startswith(("google.protobuf", "onnx"))
    text = str(error).lower()
    if not (by_name or "protobuf" in text) or not any(each in text for each in TOO_LARGE_FOR_PROTOBUF):
        return ""
    return f"{where}: want an ONNX file of at most 2 GB, got more. Choose a smaller network.name in params.yaml."


def _unforeseen(where: str, error: BaseException, traces: Path) -> str:
    path = traces / f"{where.replace(' ', '-')}-trace.txt"
    try:
        write_whole(path, "".join(traceback.format_exception(error)).encode(errors="backslashreplace"))
        report = f"Report it with {path}"
    except OSError:  # the sentence matters more
        report = "Report it"
    found = _first_line(error)
    return f"{where}: want no fault in graft or its libraries, got {found}. {report}; GRAFT_DEBUG=1 shows the trace."


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
