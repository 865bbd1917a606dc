import copy
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx.external_data_helper import ExternalDataInfo
from PIL import Image
from tests.examples import EXPORT, absent_domain, domain_record, training_record, verdict_record
from tests.house import ROOT
from torch import nn

from graft.export import parity, to_onnx
from graft.export.card import model_card
from graft.export.parity import check_parity
from graft.export.to_onnx import export_onnx
from graft.files import record_sha256, write_record
from graft.networks.adapters import add_adapters, shapes_for
from graft.networks.input_transform import InputTransform
from graft.networks.networks import Network, build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.records.cards import BackboneCard
from graft.records.catalog import CatalogRecord
from graft.serving.predictor import load_predictor, predict

Array = NDArray[np.float32]
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
DOMAIN = domain_record().model_copy(update={"sha256": "d" * 64})
CATALOG = CatalogRecord(
    dataset="folders", preprocessing=SMALL_CNN, source=DOMAIN, target=DOMAIN, unlabeled=absent_domain()
)
BACKBONE = BackboneCard(
    network="small_cnn",
    origin="file w.pth",
    read_as="",
    blocks=("block1",),
    n_features=128,
    preprocessing=SMALL_CNN,
    weights_sha256="b" * 64,
    source_head=True,
    blocks_sha256="c" * 64,
    source_val_accuracy=None,
)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    net = build_network("small_cnn", 3, SMALL_CNN)
    with torch.no_grad():
        next(net.head.parameters()).mul_(20)  # logits as spread as those of a trained network
    return net.eval()


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("final") / "model.onnx"
    export_onnx(network, path)
    return path


@pytest.fixture
def split(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same network, too large for one file; the folder has been moved since, as a stage does."""
    monkeypatch.setattr(to_onnx, "MOST_BYTES_INSIDE", 1000)
    export_onnx(network, tmp_path / "on its way" / "model.onnx")
    (tmp_path / "on its way").rename(tmp_path / "final")
    return tmp_path / "final" / "model.onnx"


def test_adapters_are_exported_with_their_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network("small_cnn", 3, SMALL_CNN).eval()
    plain = outputs_of(network, IMAGES).logits
    add_adapters(network, shapes_for(network, ["block2", "block4"], 4))
    for each in ("block2", "block4"):
        nn.init.normal_(network.get_parameter(f"blocks.{each}.adapter.up.weight"))
    export_onnx(network, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    logits, _, _ = session.run(None, {"image": IMAGES})
    np.testing.assert_allclose(logits, outputs_of(network, IMAGES).logits, atol=1e-4)
    assert not np.allclose(logits, plain, atol=1e-2)


def _with_initializer(path: Path, to: Path, change: Callable[[Array], Array], size: int | None = None) -> Path:
    """A copy of the model with one tensor changed: the largest, or the one of so many values."""
    model = onnx.load(path)
    tensors = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    fitting = [each for each in tensors if size is None or np.prod(each.dims) == size]
    tensor = max(fitting, key=lambda each: len(each.raw_data))
    values = np.frombuffer(tensor.raw_data, dtype=np.float32).copy()
    tensor.raw_data = change(values).astype(np.float32).tobytes()
    onnx.save(model, to / "model.onnx")
    return to / "model.onnx"


def _with_tail(path: Path, to: Path, output: str, *nodes: onnx.NodeProto, **values: float | Sequence[float]) -> Path:
    """A copy of the model with nodes that compute an output from the original, which they call `sound`."""
    model = onnx.load(path)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["sound" if name == output else name for name in names]
    model.graph.node.extend(nodes)
    arrays = {name: np.array(value, dtype=np.float32) for name, value in values.items()}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in arrays.items())
    onnx.save(model, to / "model.onnx")
    return to / "model.onnx"


def _off_at(batch_size: int, by: Sequence[float], path: Path, to: Path) -> Path:
    """A copy of the model whose logits are off by these amounts, class by class, in batches of one size alone."""
    make = onnx.helper.make_node
    return _with_tail(
        path,
        to,
        "logits",
        make("Shape", ["image"], ["size"], start=0, end=1),
        make("Cast", ["size"], ["size_as_float"], to=onnx.TensorProto.FLOAT),
        make("Equal", ["size_as_float", "wrong"], ["is_wrong"]),
        make("Cast", ["is_wrong"], ["share"], to=onnx.TensorProto.FLOAT),
        make("Mul", ["share", "by"], ["off"]),
        make("Add", ["sound", "off"], ["logits"]),
        wrong=batch_size,
        by=by,
    )


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_input_is_uint8_with_a_free_batch_axis(exported: Path) -> None:
    (image,) = _session(exported).get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["batch", 32, 32, 3])


@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_batch_size_gives_the_pipelines_logits(exported: Path, network: Network, n: int) -> None:
    logits, _, features = _session(exported).run(["logits", "probabilities", "features"], {"image": IMAGES[:n]})
    expected = outputs_of(network, IMAGES[:n])
    np.testing.assert_allclose(logits, expected.logits, atol=1e-4)
    np.testing.assert_allclose(features, expected.features, atol=1e-4)


def test_probabilities_are_the_softmax_of_the_logits(exported: Path) -> None:
    logits, probabilities = _session(exported).run(["logits", "probabilities"], {"image": IMAGES})
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)


def test_the_file_names_no_folder_of_this_machine(exported: Path) -> None:
    content = exported.read_bytes()
    assert str(ROOT).encode() not in content
    assert b"site-packages" not in content


def test_parity_holds_for_the_exported_file(exported: Path, network: Network) -> None:
    record = check_parity(exported, network, IMAGES)
    assert record.max_logit_difference <= 1e-4
    assert record.top1_agreement == 1
    assert record.n_images == len(IMAGES)
    assert record.data_files == {}
    assert record.onnx_sha256 == hashlib.sha256(exported.read_bytes()).hexdigest()


def test_weights_too_large_for_one_file_are_written_beside_it(split: Path, exported: Path, network: Network) -> None:
    assert sorted(each.name for each in split.parent.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert split.stat().st_size < exported.stat().st_size / 5
    (logits,) = _session(split).run(["logits"], {"image": IMAGES})
    np.testing.assert_allclose(logits, outputs_of(network, IMAGES).logits, atol=1e-4)
    assert str(ROOT).encode() not in split.read_bytes()


def test_the_record_and_the_card_hold_the_hash_of_weights_beside_the_file(split: Path, network: Network) -> None:
    record = check_parity(split, network, IMAGES)
    data = split.parent / "model.onnx.data"
    assert record.data_files == {"model.onnx.data": hashlib.sha256(data.read_bytes()).hexdigest()}
    assert record.onnx_sha256 == hashlib.sha256(split.read_bytes()).hexdigest()


def test_the_same_network_gives_the_same_bytes_beside_the_file(split: Path, network: Network, tmp_path: Path) -> None:
    export_onnx(network, tmp_path / "again" / "model.onnx")
    for name in ("model.onnx", "model.onnx.data"):
        assert (tmp_path / "again" / name).read_bytes() == (split.parent / name).read_bytes()


def test_a_changed_weight_beside_the_file_breaks_parity(split: Path, network: Network) -> None:
    tensors = onnx.load(split, load_external_data=False).graph.initializer
    floats = [ExternalDataInfo(each) for each in tensors if each.data_type == onnx.TensorProto.FLOAT]
    place = max(floats, key=lambda each: each.length or 0)
    n = int(place.length or 0) // 4
    content = np.memmap(split.parent / "model.onnx.data", np.float32, "r+", int(place.offset or 0), n)
    content += np.float32(0.01)
    content.flush()
    with pytest.raises(RuntimeError, match="want logits and probabilities within 1e-04 of torch"):
        check_parity(split, network, IMAGES)


def test_a_changed_weight_breaks_parity(exported: Path, network: Network, tmp_path: Path) -> None:
    broken = _with_initializer(exported, tmp_path, lambda values: values + 0.01)
    with pytest.raises(RuntimeError, match=r"want logits and probabilities within 1e-04 of torch .*, got"):
        check_parity(broken, network, IMAGES)


def test_outputs_that_are_not_numbers_break_parity(exported: Path, network: Network, tmp_path: Path) -> None:
    broken = _with_initializer(exported, tmp_path, lambda values: values * np.nan, size=3)  # the bias of the head
    with pytest.raises(RuntimeError, match="want logits and probabilities within 1e-04 of torch"):
        check_parity(broken, network, IMAGES)


def test_another_input_transform_breaks_parity(network: Network, tmp_path: Path) -> None:
    other = copy.deepcopy(network)
    other.input_transform = InputTransform((0.0, 0.0, 0.0), SMALL_CNN.std)
    export_onnx(other, tmp_path / "model.onnx")
    with pytest.raises(RuntimeError, match="want logits and probabilities within 1e-04 of torch"):
        check_parity(tmp_path / "model.onnx", network, IMAGES)


@pytest.mark.parametrize("wrong", parity.BATCH_SIZES)
def test_every_batch_size_counts(exported: Path, network: Network, tmp_path: Path, wrong: int) -> None:
    broken = _off_at(min(wrong, len(IMAGES)), (0.01,) * 3, exported, tmp_path)
    with pytest.raises(RuntimeError, match=r"got 1\.0e-02"):
        check_parity(broken, network, IMAGES)


def test_the_record_holds_the_worst_of_all_batch_sizes(network: Network, tmp_path: Path) -> None:
    """Off by less than the limit, but by more than the difference of the two best classes of some images."""
    tied = copy.deepcopy(network)
    with torch.no_grad():
        tied.get_parameter("head.weight")[1] = tied.get_parameter("head.weight")[0]
        tied.get_parameter("head.bias")[1] = tied.get_parameter("head.bias")[0] + 4e-5
    export_onnx(tied, tmp_path / "tied.onnx")
    first_or_second = np.isin(outputs_of(tied, IMAGES).logits.argmax(axis=1), (0, 1))
    assert first_or_second.any()
    record = check_parity(_off_at(3, (8e-5, 0, 0), tmp_path / "tied.onnx", tmp_path), tied, IMAGES)
    assert record.max_logit_difference > 7e-5
    in_threes = np.arange(len(IMAGES)) < 18  # 20 images: the last two come in a batch of their own
    assert record.top1_agreement == np.mean(~(first_or_second & in_threes))


def test_probabilities_that_are_not_the_softmax_break_parity(exported: Path, network: Network, tmp_path: Path) -> None:
    shrink = onnx.helper.make_node("Mul", ["sound", "share"], ["probabilities"])
    broken = _with_tail(exported, tmp_path, "probabilities", shrink, share=0.9)
    with pytest.raises(RuntimeError, match="want logits and probabilities within"):
        check_parity(broken, network, IMAGES)


def test_a_file_that_is_not_onnx_is_refused(network: Network, tmp_path: Path) -> None:
    model = onnx.helper.make_model(
        onnx.helper.make_graph([onnx.helper.make_node("Nonsense", ["a"], ["b"])], "g", [], [])
    )
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(onnx.checker.ValidationError):
        check_parity(tmp_path / "model.onnx", network, IMAGES)


def test_logits_that_are_all_alike_break_parity(exported: Path, network: Network) -> None:
    flat = copy.deepcopy(network)
    with torch.no_grad():
        next(flat.head.parameters()).zero_()
    with pytest.raises(RuntimeError, match="want logits that differ between images"):
        check_parity(exported, flat, IMAGES)


def test_hash_of_preprocessing_sees_every_field() -> None:
    other = SMALL_CNN.model_copy(update={"interpolation": "bicubic"})
    assert record_sha256(SMALL_CNN) != record_sha256(other)
    assert record_sha256(SMALL_CNN) == record_sha256(SMALL_CNN.model_copy())


def test_card_is_that_of_the_seed_that_ships() -> None:
    training = training_record()
    other = training.runs[0].model_copy(update={"seed": 1, "weights_sha256": "w" * 64})
    training = training.model_copy(update={"runs": (training.runs[0], other)})
    verdict = verdict_record("POSITIVE").model_copy(update={"ships_seed": 1, "ships_score": 0.75})
    export = EXPORT.model_copy(update={"onnx_sha256": "m" * 64, "data_files": {"model.onnx.data": "f" * 64}})
    read_as = SMALL_CNN.model_copy(update={"value_bits": 12, "max_pixels": 30_000_000})
    catalog = CATALOG.model_copy(update={"preprocessing": read_as})
    card = model_card(catalog, BACKBONE, training, verdict, export)
    assert (card.seed, card.weights_sha256, card.model_sha256) == (1, "w" * 64, "m" * 64)
    assert card.labels == ("a", "b")
    assert (card.preprocessing.value_bits, card.preprocessing.max_pixels) == (12, 30_000_000)
    assert card.origin == "file w.pth"
    assert (card.metric, card.test_score) == ("accuracy", 0.75)
    scratch = training.model_copy(update={"arm": "scratch"})
    assert card.data_files == {"model.onnx.data": "f" * 64}
    assert model_card(CATALOG, BACKBONE, scratch, verdict, export).origin == "random start"
    assert card.data_sha256 == "d" * 64


def test_a_network_with_weights_beside_the_file_is_served(split: Path, network: Network) -> None:
    record = check_parity(split, network, IMAGES)
    card = model_card(CATALOG, BACKBONE, training_record(), verdict_record("POSITIVE"), record)
    write_record(card.model_copy(update={"labels": ("a", "b", "c")}), split.parent / "card.json")
    content = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(content, "png")
    found = predict(load_predictor(split.parent), content.getvalue()).probabilities
    (expected,) = _session(split).run(["probabilities"], {"image": IMAGES[:1]})
    np.testing.assert_allclose(list(found.values()), expected[0], atol=1e-5)
