"""What every test starts from: the same seeds, few threads, no telemetry."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["DVC_NO_ANALYTICS"] = "1"
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository whose pipeline has run once, with very short training."""
    from tests.clone import run_once

    folder = tmp_path_factory.mktemp("clone") / "graft"
    run_once(folder)
    return folder
