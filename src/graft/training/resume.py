"""Where a stage that trains keeps what is half done, so that a killed one goes on under the same conditions alone."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

from graft.files import file_sha256
from graft.networks.runtime import Runtime
from graft.training.checkpoints import checkpoints, key_of

PACKAGE = Path(__file__).parents[1]
CODE = tuple(
    PACKAGE / name
    for name in ("networks", "training", "transfer", "statistics/features/probe.py", "store/catalogue.py")
)
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")
"""that compute: networks, steps, and the head that is fitted"""


def half_done(stage: str, params: str, files: Iterable[Path], runtime: Runtime) -> AbstractContextManager[Path]:
    """Folder of this stage's checkpoints for these params, files and this runtime, this code and its packages.

    Files are hashed, the image store too: the sha256 in its record says what prepare_data wrote, and nobody holds the
    file against it where a stage is run without those before it.

    Args:
        stage: its name.
        params: those that decide on the result.
        files: all that the stage reads.
        runtime: device, precision and threads count; the number of processes does not, for it changes no number.

    Raises:
        RuntimeError: another process trains this stage.
    """
    here = (*map(version, PACKAGES), str(runtime.device), str(runtime.precision), str(runtime.n_threads))
    return checkpoints(stage, key_of([params, *map(file_sha256, files), *here], CODE))
