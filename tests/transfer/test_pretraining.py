import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from graft.networks.networks import state_sha256
from graft.networks.outputs import Score
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network
from graft.training.loop import Fitted
from graft.transfer import pretraining
from graft.transfer.pretraining import make_backbone
from tests.examples import catalog_record
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import tiny_catalog, tiny_images, tiny_params

RECORD = catalog_record("folders").model_copy(update={"preprocessing": SMALL_CNN})


def test_pretraining_learns_the_source(tmp_path: Path) -> None:
    params = tiny_params(pretrain_source={"epochs": 6})
    card = make_backbone(params, tiny_catalog(), tiny_images(), RECORD, tmp_path / "net.safetensors", ON_CPU)
    assert card.origin == "pretrain"
    assert card.source_val_accuracy is not None
    assert card.source_val_accuracy >= 0.9


def test_card_tells_the_weights(tmp_path: Path) -> None:
    card = make_backbone(tiny_params(), tiny_catalog(), tiny_images(), RECORD, tmp_path / "net.safetensors", ON_CPU)
    assert card.weights_sha256 == hashlib.sha256((tmp_path / "net.safetensors").read_bytes()).hexdigest()
    assert card.blocks == tuple(load_network(tmp_path / "net.safetensors").blocks)
    assert card.n_features == 128
    assert card.source_head
    assert card.blocks_sha256 == state_sha256(load_network(tmp_path / "net.safetensors").blocks.values())


def test_pretraining_without_source_images_is_one_sentence(tmp_path: Path) -> None:
    empty = np.empty((0, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"data/raw/source: want at least 2 classes of images with .*, got 0"):
        make_backbone(tiny_params(), (), empty, RECORD, tmp_path / "net.safetensors", ON_CPU)


def test_size_that_the_network_cannot_take_is_one_sentence(tmp_path: Path) -> None:
    record = RECORD.model_copy(update={"preprocessing": SMALL_CNN.model_copy(update={"crop_px": 64})})
    params = tiny_params(network={"name": "inception_v3"})
    with pytest.raises(ValueError, match=r"images\.size_px: want a size that inception_v3 takes, got 64"):
        make_backbone(params, tiny_catalog(), tiny_images(), record, tmp_path / "net.safetensors", ON_CPU)


def test_weights_of_a_file_need_no_source_images(tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), tmp_path / "w.pth")
    sha256 = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    network: dict[str, object] = {
        "name": "squeezenet1_1",
        "weights": "file",
        "weights_file": str(tmp_path / "w.pth"),
        "weights_sha256": sha256,
    }
    empty = np.empty((0, 32, 32, 3), dtype=np.uint8)
    params = tiny_params(network=network)
    card, other = (
        make_backbone(
            params.model_copy(update={"seed": seed}), (), empty, RECORD, tmp_path / f"{seed}.safetensors", ON_CPU
        )
        for seed in (0, 1)
    )
    assert card.origin == "file w.pth"
    assert card.source_val_accuracy is None
    assert not card.source_head
    assert card.weights_sha256 != other.weights_sha256  # the head is drawn
    assert card.blocks_sha256 == other.blocks_sha256


def test_a_published_linear_head_stays_with_its_backbone(tmp_path: Path) -> None:
    state = torchvision.models.mobilenet_v2(weights=None, num_classes=5).state_dict()
    torch.save(state, tmp_path / "w.pth")
    sha256 = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    file = {"weights": "file", "weights_file": str(tmp_path / "w.pth"), "weights_sha256": sha256}
    params = tiny_params(network={"name": "mobilenet_v2", **file})
    empty = np.empty((0, 32, 32, 3), dtype=np.uint8)
    card = make_backbone(params, (), empty, RECORD, tmp_path / "net.safetensors", ON_CPU)
    assert card.source_head
    head = load_network(tmp_path / "net.safetensors").head.state_dict()
    assert torch.equal(head["weight"], state["classifier.1.weight"])


def test_pretraining_learns_from_train_and_chooses_by_validation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The source's test split has no part in it; the plan follows the section pretrain_source."""
    given: list[Any] = []

    def fit(*values: Any) -> Fitted:
        given.extend(values)
        return Fitted(1, Score(0.5, 0.5), (), (), 0)

    monkeypatch.setattr(pretraining, "fit", fit)
    params = tiny_params(pretrain_source={"augmentation": "photographs", "batch_size": 5})
    make_backbone(params, tiny_catalog(), tiny_images(), RECORD, tmp_path / "net.safetensors", ON_CPU)
    _, train, val, plan, seed, *_ = given
    images = torch.from_numpy(tiny_images()).permute(0, 3, 1, 2)
    assert torch.equal(train.images, images[:24])
    assert torch.equal(val.images, images[24:32])
    assert (plan.recipe, plan.learning.batch_size, seed) == (params.recipes["photographs"], 5, params.seed)
