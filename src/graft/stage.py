"""The frame around a stage's one call: arguments, one-sentence errors and provenance.

No result depends on this file. Seconds, device and versions go to reports/provenance, which git ignores, and never
into a record.
"""

import argparse
import ctypes
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from graft import endings
from graft.files import file_sha256, printable, write_whole
from graft.yaml_files import read_yaml

PROVENANCE = Path("reports/provenance")
# The error message of the last stage that failed or was killed; `make repro` ends with it, below DVC's output.
FAILURE = PROVENANCE / "failure.txt"
WIRING = Path("dvc.yaml")
OWN_CODE = Path("src/graft")
REPORTED_PACKAGES = ("numpy", "pillow", "torch", "torchvision", "onnx", "onnxruntime", "great_expectations", "sklearn")
# Exit code after SIGTERM, as in shells; after SIGHUP, too.
STOPPED = 128 + signal.SIGTERM
# PR_SET_PDEATHSIG of Linux's prctl.
DIES_WITH_PARENT = 1


def arguments(doc: str | None, names: Sequence[str], argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line of a stage: each name is a required option whose value is a path."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args(argv)


def check_own_code() -> None:
    """Check that the code that runs is that of the working folder, if the folder has graft's code.

    Raises:
        RuntimeError: other code runs than DVC would hash.
    """
    if OWN_CODE.is_dir() and not OWN_CODE.samefile(Path(__file__).parent):
        raise RuntimeError(
            f"{OWN_CODE.resolve()}: want to run the code of this folder, got that of {Path(__file__).parent}. Run "
            "`export PYTHONPATH=src` here, or activate this folder's own environment (`make setup` makes it)."
        )


def made_from(args: argparse.Namespace, *names: str) -> dict[str, dict[str, str]]:
    """The field `made_from` of a stage's record: SHA-256 of the files that it reads, by option name."""
    return {"made_from": {name: file_sha256(getattr(args, name.replace("-", "_"))) for name in names}}


def run(main: Callable[[], Mapping[str, str | int | float] | None]) -> None:
    """Run a stage script. If it fails, exit with code 1 and one sentence (GRAFT_DEBUG=1 shows the traceback).

    Args:
        main: the stage. It returns the entries of provenance that describe its runtime, or None if it computes only on
            the CPU.
    """
    # an exception, unlike the signal's default action, lets half-written files be removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    # of a terminal that was closed; nohup ignores it
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(STOPPED))
    _die_with_parent()
    started = time.time()
    name = Path(sys.argv[0]).stem
    last = PROVENANCE / f"{name}.json"
    try:
        before = _read_provenance(last)
        print(_headline(name, before), file=sys.stderr, flush=True)
        # written beforehand, because a killed process cannot write
        write_whole(FAILURE, _if_killed(name, before).encode())
        check_own_code()
        of_runtime = main() or {}
    except BaseException as error:
        _end(name, error)
    FAILURE.unlink(missing_ok=True)
    write_whole(last, (json.dumps({**_provenance(name, started), **of_runtime}, indent=1) + "\n").encode())


def _end(name: str, error: BaseException) -> NoReturn:
    """Exit with one sentence that says why; a SystemExit passes through."""
    if isinstance(error, SystemExit):
        if error.code == STOPPED:
            with suppress(OSError):
                write_whole(
                    FAILURE, f"{name}: want to run to its end, got stopped from outside. Run it again.\n".encode()
                )
        else:
            # `--help` or invalid arguments: nothing ran
            FAILURE.unlink(missing_ok=True)
        raise error
    told = printable(endings.sentence(name, error, PROVENANCE))
    # the message is printed even if the disk is full
    with suppress(OSError):
        write_whole(FAILURE, f"{told if told.startswith(name) else f'{name}: {told}'}\n".encode())
    if os.environ.get("GRAFT_DEBUG") == "1":
        raise error
    print(f"\n{told}\n", file=sys.stderr, flush=True)
    sys.exit(endings.INTERRUPTED if endings.is_interrupt(error) else 1)


def _read_provenance(path: Path) -> dict[str, Any]:
    """Provenance of the last run; empty if there was none, or if its file is truncated."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (FileNotFoundError, ValueError):
        return {}


def _if_killed(name: str, before: dict[str, Any]) -> str:
    took = f" Its largest process took {before['memory_mib']:,} MiB the last time." if before else ""
    return (
        f"{name}: want to run to its end, got killed, most likely by the system for lack of memory.{took} "
        f"{endings.LESS_MEMORY}, close other programs, or raise the container's limit.\n"
    )


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that gets its name when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # left by a run that was killed; DVC never runs two at a time
    for stale in path.parent.glob(f"{path.name}*.tmp"):
        shutil.rmtree(stale)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name, suffix=".tmp") as temporary:
        folder = Path(temporary) / path.name
        folder.mkdir()
        yield folder
        if path.exists():
            shutil.rmtree(path)
        folder.replace(path)


def _headline(name: str, before: dict[str, Any]) -> str:
    """A line such as `[8/12] train_scratch (123.7 s the last time)`, without what is unknown."""
    stages = list(read_yaml(WIRING)["stages"]) if WIRING.is_file() else []
    place = f"[{stages.index(name) + 1}/{len(stages)}] " if name in stages else ""
    return f"{place}{name}" + (f" ({before['seconds']} s the last time)" if before else "")


def _die_with_parent() -> None:
    """Ask Linux to end this process if DVC is killed, so that a second run never works on the same files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGTERM)


def _provenance(name: str, started: float) -> dict[str, Any]:
    return {
        "stage": name,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        "memory_mib": endings.peak_memory_mib(),
        "device": "cpu",
        "precision": "float32",
        "threads": _threads(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {
            each: metadata.version("scikit-learn" if each == "sklearn" else each)
            for each in REPORTED_PACKAGES
            if ("PIL" if each == "pillow" else each) in sys.modules
        },
    }


def _threads() -> int:
    """Number of arithmetic threads. It matters because sums in another order differ in their last digits."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 1
