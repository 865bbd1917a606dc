"""Every strategy on real photographs from real weights: better than chance, and than the same network from nothing."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from graft.images import decode
from graft.images.resizing import fit
from graft.networks.networks import published_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import preprocessing_for
from graft.params.both_arms import Plateau
from graft.params.network import Images
from graft.params.pipeline import Params
from graft.records.common import Split
from graft.store.catalogue import CatalogRow
from graft.transfer.arms.target_data import TargetData, target_data
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from tests.examples import catalog_row
from tests.house import ROOT
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import strategy, tiny_params

DATA = ROOT.parent / "shared" / "data"
WEIGHTS = DATA / "weights" / "mobilenet_v2.pth"
N_PER_CLASS, N_TRAIN = 40, 25
NAMED = ("stem", "block1")
PX = 48

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data here"),
]


class Real(NamedTuple):
    """Two classes of cifar10, and mobilenet_v2 with its ImageNet weights."""

    data: TargetData
    backbone: Backbone
    params: Params


@pytest.fixture(scope="module")
def real() -> Real:
    params = tiny_params(
        network={
            "name": "mobilenet_v2",
            "weights": "file",
            "weights_file": str(WEIGHTS),
            "weights_sha256": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        },
        training={"augmentation": "photographs", "epochs": 2},
        finetune_target={"rates": [0.001]},
        train_scratch={"rates": [0.001]},
    )
    preprocessing = preprocessing_for(params.network, Images(size_px=PX, value_bits=None, max_megapixels=25))
    files = [(name, place, file) for name in ("airplane", "frog") for place, file in _files(name)]
    rows, pixels = [], []
    for index, (name, place, file) in enumerate(files):
        split: Split = "train" if place < N_TRAIN else "val"
        rows.append(catalog_row(f"{name}/{place}.png", label=name, split=split, sha256=f"{index:064x}", row=index))
        pixels.append(fit(decode.decode(file.read_bytes(), file.name), preprocessing))
    store = np.stack(pixels)
    torch.manual_seed(0)
    network = published_network(params.network, 2, preprocessing)[0].eval()
    features = outputs_of(network, store).features
    recipe = params.recipes["photographs"]
    catalog: tuple[CatalogRow, ...] = tuple(rows)
    data = target_data(catalog, store, preprocessing, recipe, ON_CPU)
    return Real(data, Backbone(network, "mobilenet_v2", features), params)


def _files(name: str) -> list[tuple[int, Path]]:
    return list(enumerate(sorted((DATA / "datasets" / "cifar10").glob(f"*/{name}/*"))[:N_PER_CLASS]))


@pytest.fixture(scope="module")
def from_nothing(real: Real, tmp_path_factory: pytest.TempPathFactory) -> float:
    folder = tmp_path_factory.mktemp("scratch")
    record = train_scratch(real.data, real.params, folder / "weights", folder / "half")
    return max(run.val_accuracy for run in record.runs)


@pytest.mark.parametrize("name", ["feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms"])
def test_every_strategy_gains_from_real_weights(name: str, real: Real, from_nothing: float, tmp_path: Path) -> None:
    values: dict[str, dict[str, object]] = {
        "gradual": {"unfreeze": Plateau(kind="plateau", patience=2)},
        "surgical": {"surgical_blocks": NAMED},
    }
    settings = real.params.finetune_target.model_copy(update=values.get(name, {}))
    params = real.params.model_copy(update={"finetune_target": settings})
    record = finetune_target(
        TransferTask(real.backbone, real.data, strategy(name), params), tmp_path, tmp_path / "half"
    )
    accuracy = min(run.val_accuracy for run in record.runs)
    assert accuracy > max(0.75, from_nothing)
