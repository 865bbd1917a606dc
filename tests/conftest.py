"""What every test starts from: the same seeds, few threads, no telemetry."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GRAFT_PROCESSES", "1")
os.environ["DVC_NO_ANALYTICS"] = "1"
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that need the pipeline's run come first, since nothing else takes as long.

    Where processes share the tests, one takes a whole file (`--dist loadfile`), for its fixtures are made once.
    """
    piped = {item.path for item in items if "short_run" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path not in piped)


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository whose pipeline has run once, with very short training."""
    from tests.clone import run_once

    folder = tmp_path_factory.mktemp("clone") / "graft"
    run_once(folder)
    return folder
