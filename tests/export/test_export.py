import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.examples import training_record, verdict_record

from graft.cards import BackboneCard
from graft.export import parity
from graft.export.card import model_card, preprocessing_sha256
from graft.export.parity import check_parity
from graft.export.to_onnx import Shipped, export_onnx
from graft.learning.networks import Network, build_network
from graft.learning.preprocessing import SMALL_CNN
from graft.learning.scores import outputs_of
from graft.records import CatalogRecord, Domain

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    net = build_network("small_cnn", 3)
    with torch.no_grad():
        net.head.weight.mul_(20)  # logits as spread as those of a trained network
    return net.eval()


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Shipped]:
    path = tmp_path_factory.mktemp("final") / "model.onnx"
    return path, export_onnx(network, SMALL_CNN, path)


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_input_is_uint8_with_a_free_batch_axis(exported: tuple[Path, Shipped]) -> None:
    (image,) = _session(exported[0]).get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["batch", 32, 32, 3])


@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_batch_size_gives_the_pipelines_logits(exported: tuple[Path, Shipped], network: Network, n: int) -> None:
    logits, _, features = _session(exported[0]).run(["logits", "probabilities", "features"], {"image": IMAGES[:n]})
    expected = outputs_of(network, IMAGES[:n], SMALL_CNN)
    np.testing.assert_allclose(logits, expected.logits, atol=1e-4)
    np.testing.assert_allclose(features, expected.features, atol=1e-4)


def test_probabilities_are_the_softmax_of_the_logits(exported: tuple[Path, Shipped]) -> None:
    logits, probabilities = _session(exported[0]).run(["logits", "probabilities"], {"image": IMAGES})
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)


def test_parity_holds_for_the_exported_file(exported: tuple[Path, Shipped]) -> None:
    record = check_parity(*exported, IMAGES)
    assert record.ok
    assert record.max_logit_difference <= 1e-4
    assert record.top1_agreement == 1
    assert record.onnx_sha256 == hashlib.sha256(exported[0].read_bytes()).hexdigest()


def test_a_changed_weight_breaks_parity(exported: tuple[Path, Shipped], tmp_path: Path) -> None:
    model = onnx.load(exported[0])
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    values = np.frombuffer(tensor.raw_data, dtype=np.float32).copy()
    tensor.raw_data = (values + 0.01).tobytes()
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(RuntimeError, match=r"want logits within 1e-04 of torch, got"):
        check_parity(tmp_path / "model.onnx", exported[1], IMAGES)


def test_logits_that_are_all_alike_prove_nothing(network: Network, tmp_path: Path) -> None:
    with torch.no_grad():
        network.head.weight.mul_(1e-6)
        network.head.bias.zero_()
    try:
        shipped = export_onnx(network, SMALL_CNN, tmp_path / "model.onnx")
        with pytest.raises(RuntimeError, match="want logits that differ between images"):
            check_parity(tmp_path / "model.onnx", shipped, IMAGES)
    finally:
        with torch.no_grad():
            network.head.weight.mul_(1e6)


def test_several_batch_sizes_are_compared() -> None:
    assert len(set(parity.BATCH_SIZES)) >= 3
    assert 1 in parity.BATCH_SIZES


def test_hash_of_preprocessing_sees_every_field() -> None:
    other = SMALL_CNN.model_copy(update={"interpolation": "bicubic"})
    assert preprocessing_sha256(SMALL_CNN) != preprocessing_sha256(other)
    assert preprocessing_sha256(SMALL_CNN) == preprocessing_sha256(SMALL_CNN.model_copy())


def test_card_is_that_of_the_seed_that_ships() -> None:

    domain = Domain(present=True, n_images=1, n_undecodable=0, classes=("a", "b"), counts={}, sha256="d" * 64)
    catalog = CatalogRecord(dataset="folders", preprocessing=SMALL_CNN, source=domain, target=domain)
    backbone = BackboneCard(
        network="small_cnn",
        origin="file w.pth",
        blocks=("block1",),
        n_features=128,
        preprocessing=SMALL_CNN,
        weights_sha256="b" * 64,
        source_val_accuracy=None,
    )
    training = training_record()
    other = training.runs[0].model_copy(update={"seed": 1, "weights_sha256": "w" * 64})
    training = training.model_copy(update={"runs": (training.runs[0], other)})
    verdict = verdict_record("POSITIVE").model_copy(update={"ships_seed": 1})
    card = model_card(catalog, backbone, training, verdict, "m" * 64)
    assert (card.seed, card.weights_sha256, card.model_sha256) == (1, "w" * 64, "m" * 64)
    assert card.labels == ("a", "b")
    assert card.origin == "file w.pth"
    assert card.data_sha256 == "d" * 64
