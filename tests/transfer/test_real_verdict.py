"""The verdict on arms that are trained here: weights that help, and weights that a huge rate destroyed."""

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from graft.networks.networks import Network, build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network
from graft.params.pipeline import Params
from graft.records.common import Split
from graft.statistics.comparison.compare import compare
from graft.training.batches import Samples
from graft.transfer.arms.target_data import TargetData, target_data
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from tests.examples import catalog_row
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import strategy, tiny_params

# images of a class; the rest of them pretrain
N_TRAIN, N_VAL, N_TEST = 5, 4, 30
PX, WHITE = 8, 16
HUGE_RATE = 100.0

Right = NDArray[np.bool_]


class Digits(NamedTuple):
    """Few digits for both arms, others to pretrain on, and what the control gets right on a third part."""

    images: NDArray[np.uint8]
    """all of the target, test images last"""
    labels: NDArray[np.int64]
    data: TargetData
    params: Params
    pretrained: Network
    source: Samples
    scratch: Right


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    params = tiny_params(
        training={"budget": 3, "epochs": 5, "augmentation": "none"},
        finetune_target={"rates": [0.01]},
        train_scratch={"rates": [0.01], "long_factor": 2},
    )
    found = load_digits()
    images = np.repeat((found.images * (255 / WHITE)).astype(np.uint8)[..., None], 3, axis=3)
    order = np.argsort(found.target, kind="stable")
    place = np.concatenate([np.arange(n) for n in np.bincount(found.target)])
    ends = np.cumsum([N_TRAIN, N_VAL, N_TEST])
    part = np.searchsorted(ends, place, side="right")
    rows = [order[part == index] for index in range(4)]
    kept = np.concatenate(rows[:3])
    names: tuple[Split, ...] = ("train", "val", "test")
    catalog = tuple(
        catalog_row(f"{index}.png", label=str(found.target[index]), split=name, row=place)
        for place, (index, name) in enumerate(
            (index, name) for chosen, name in zip(rows[:3], names, strict=True) for index in chosen
        )
    )
    preprocessing = SMALL_CNN.model_copy(update={"resize_px": PX, "crop_px": PX})
    data = target_data(catalog, images[kept], preprocessing, params.recipes["none"], ON_CPU)
    source = Samples(torch.from_numpy(images[rows[3]]).permute(0, 3, 1, 2), torch.from_numpy(found.target[rows[3]]))
    torch.manual_seed(0)
    pretrained = _steps(build_network("small_cnn", 10, preprocessing), source, 0.003)
    folder = tmp_path_factory.mktemp("scratch")
    train_scratch(data, params, folder / "weights", folder / "half")
    labels = found.target[kept].astype(np.int64)
    scratch = _right(folder / "weights", images[kept], labels)
    return Digits(images[kept], labels, data, params, pretrained, source, scratch)


def _steps(network: Network, source: Samples, rate: float) -> Network:
    """The network after 60 steps at a rate, in place."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    network.train()
    for rows in torch.randint(len(source.labels), (60, 32), generator=torch.Generator().manual_seed(0)):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(source.images[rows]), source.labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network.eval()


def _right(weights: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Right:
    """Whether each seed is right on each test image, (k, n)."""
    networks = map(load_network, sorted(weights.glob("seed_*.safetensors")))
    n_test = 10 * N_TEST
    logits = (outputs_of(network, images[-n_test:]).logits for network in networks)
    return np.stack([each.argmax(axis=1) == labels[-n_test:] for each in logits])


def _verdict_of(digits: Digits, network: Network, folder: Path) -> str:
    """The verdict on features of a network that do not learn."""
    features = outputs_of(network, digits.images).features
    task = TransferTask(
        Backbone(network, "small_cnn", features), digits.data, strategy("feature_extraction"), digits.params
    )
    finetune_target(task, folder / "weights", folder / "half")
    return compare(_right(folder / "weights", digits.images, digits.labels), digits.scratch).verdict


def test_pretrained_features_come_out_positive(digits: Digits, tmp_path: Path) -> None:
    assert _verdict_of(digits, digits.pretrained, tmp_path) == "POSITIVE"


def test_features_that_a_huge_rate_destroyed_come_out_negative(digits: Digits, tmp_path: Path) -> None:
    destroyed = _steps(copy.deepcopy(digits.pretrained), digits.source, HUGE_RATE)
    assert _verdict_of(digits, destroyed, tmp_path) == "NEGATIVE"
