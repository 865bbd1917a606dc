"""Steps are timed; how long they take is this machine's affair."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.house import ROOT

from graft.params.pipeline import Params, read_params
from graft.start.timing import Costs, costs_here


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(2)]
    for path in paths:
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)
    (folder / "torn.png").write_bytes(b"no picture")
    return [*paths, folder / "torn.png"]


@pytest.fixture(scope="module")
def params() -> Params:
    params = read_params(ROOT / "params.yaml")
    return params.model_copy(update={"images": params.images.model_copy(update={"size_px": 16})})


@pytest.fixture(scope="module")
def costs(params: Params, pictures: list[Path]) -> Costs:
    return costs_here(params, 3, pictures)


def test_everything_costs_something(costs: Costs) -> None:
    assert min(costs) > 0


def test_a_start_takes_longer_than_a_step(costs: Costs) -> None:
    assert costs.start > costs.full


def test_without_pictures_reading_costs_nothing(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graft.start.timing.LOADS", "pass")
    assert costs_here(params, 2, []).read == 0
