"""Describe why a stage or a command ended early, in one sentence that says what to do.

Errors that graft raises itself say what was wanted, and are shown unchanged. Errors of the system or of a library are
described by their cause, even if a library wrapped it. Anything else is a fault of graft or of a library, and its
traceback is kept in a file.
"""

import errno
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from graft.files import FULL, no_room, write_whole

# Exit code after Ctrl-C, as in shells.
INTERRUPTED = 130
# Messages of libraries that do not raise MemoryError: torch and onnxruntime.
NO_MEMORY = ("can't allocate memory", "out of memory", "failed to allocate memory", "bad allocation", "bad_alloc")
LESS_MEMORY = "Lower training.batch_size or images.size_px in params.yaml"
TOO_LARGE_FOR_PROTOBUF = ("2gb", "2 gb", "2gib", "2147483647")


def is_interrupt(error: BaseException) -> bool:
    """Whether an error was caused by Ctrl-C, even if a library wrapped it."""
    return any(isinstance(each, KeyboardInterrupt) for each in _behind(error))


def sentence(where: str, error: BaseException, traces: Path) -> str:
    """The message that a person sees.

    Args:
        where: stage or command.
        error: the error, other than SystemExit.
        traces: folder for the traceback of an unforeseen error.
    """
    if _is_ours(error):
        return str(error)
    for each in _behind(error):
        told = _interrupt(where, each) or _memory(where, each) or _system(where, each) or _protobuf(where, each)
        if told:
            return told
    return _unforeseen(where, error, traces)


def peak_memory_mib() -> int:
    """Peak memory in MiB of this process, or of the largest of its children that have ended."""
    import resource

    # macOS counts in bytes, Linux in KiB
    unit = 1024 if sys.platform == "darwin" else 1
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(peaks) // (1024 * unit)


def _is_ours(error: BaseException) -> bool:
    return isinstance(error, (ValueError, OSError, RuntimeError)) and "want " in str(error)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, the nearest first."""
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
    return f"{where}: want to run to the end, got stopped by Ctrl-C. Run it again: training resumes where it stopped."


def _memory(where: str, error: BaseException) -> str:
    text = str(error)
    if not isinstance(error, MemoryError) and not any(each in text.lower() for each in NO_MEMORY):
        return ""
    on_gpu = "OutOfMemory" in type(error).__name__ or "CUDA" in text
    had = "on the GPU" if on_gpu else f"after {peak_memory_mib():,} MiB"
    cure = "set GRAFT_DEVICE=cpu" if on_gpu else "close other programs, or raise the container's limit"
    return f"{where}: want more memory, got none {had} ({_first_line(error)}). {LESS_MEMORY}, or {cure}."


def _system(where: str, error: BaseException) -> str:
    """The message for faults of files, disks and pipes; empty for other errors."""
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
    except OSError:
        # the message matters more than the file
        report = "Report it"
    found = _first_line(error)
    return (
        f"{where}: want no fault in graft or its libraries, got {found}. {report}; GRAFT_DEBUG=1 shows the traceback."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
