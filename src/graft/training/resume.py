"""Where a stage keeps its checkpoints, so that a killed stage continues only under the same conditions."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from graft.files import file_sha256
from graft.networks.runtime import Runtime
from graft.training.checkpoints import checkpoints, key_of

PACKAGE = Path(__file__).parents[1]
CODE = tuple(
    PACKAGE / name
    for name in ("networks", "training", "transfer", "statistics/features/probe.py", "store/catalogue.py")
)
# packages that compute networks, steps, and the head that is fitted
PACKAGES = ("torch", "torchvision", "peft", "numpy", "scipy", "scikit-learn")


def half_done(stage: str, params: str, files: Iterable[Path], runtime: Runtime) -> AbstractContextManager[Path]:
    """Folder of the stage's checkpoints for these params, files and runtime, this code and its packages.

    Files are hashed themselves, the image store too: the sha256 in its record is what prepare_data wrote, and a stage
    that is run alone does not compare it with the file.

    Args:
        stage: name of the stage.
        params: JSON of the params that decide the result.
        files: everything that the stage reads.
        runtime: device, precision and threads are part of the key; the number of processes changes no result.

    Raises:
        RuntimeError: another process trains this stage.
    """
    here = (*map(_version, PACKAGES), str(runtime.device), str(runtime.precision), str(runtime.n_threads))
    return checkpoints(stage, key_of([params, *map(file_sha256, files), *here], CODE))


def _version(package: str) -> str:
    """Version of a package; peft, which only LoRA needs, may be absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
