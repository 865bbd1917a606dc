"""A model that names the strongest colour of an image, in the form of models/final."""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from graft.files import record_sha256, write_record
from graft.records.cards import ModelCard
from graft.records.common import Preprocessing

if TYPE_CHECKING:
    from starlette.testclient import TestClient

LABELS = ("red", "green", "blue")
SIDE_PX = 8
PREPROCESSING = Preprocessing(
    resize_px=SIDE_PX, crop_px=SIDE_PX, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear"
)
SCALE = 0.02
"""change of a logit for each grey level of the mean of its channel"""


def write_model(folder: Path) -> Path:
    """Write model.onnx and its card; the logits are SCALE times the means of the channels."""
    content = _graph().SerializeToString()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content)
    card = ModelCard(
        graft_version="0.1.0",
        labels=LABELS,
        preprocessing=PREPROCESSING,
        preprocessing_sha256=record_sha256(PREPROCESSING),
        network="small_cnn",
        origin="pretrain",
        arm="transfer",
        strategy="full",
        seed=0,
        verdict="POSITIVE",
        verdict_sentence="Transfer helped.",
        metric="accuracy",
        test_score=0.9,
        n_test_images=100,
        model_sha256=hashlib.sha256(content).hexdigest(),
        data_files={},
        weights_sha256="1" * 64,
        data_sha256="2" * 64,
    )
    write_record(card, folder / "card.json")
    return folder


@pytest.fixture(scope="session")
def red() -> bytes:
    """An image file that the model classifies as red."""
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE_PX, SIDE_PX), (200, 10, 10)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def classifier() -> Any:
    """The BentoML service."""
    # bentoml uses deprecated parts of pathspec and pydantic
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "GitWildMatchPattern .* is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "The `__get_pydantic_core_schema__` method", DeprecationWarning)
        from graft.serving.service import Classifier
    return Classifier


@pytest.fixture(scope="session")
def client(classifier: Any, model_folder: Path) -> "Iterator[TestClient]":
    """A client of the one running service; BentoML's metrics do not allow a second one in a process."""
    # starlette warns about the version of httpx
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `httpx` with `starlette.testclient`", UserWarning)
        from starlette.testclient import TestClient
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_MODEL", str(model_folder))
        with TestClient(classifier.to_asgi(), raise_server_exceptions=False) as client:
            yield client


@pytest.fixture(scope="session")
def make_model() -> Callable[[Path], Path]:
    return write_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "final")


def _graph() -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
        for name in ("logits", "probabilities", "features")
    ]
    weights = [
        numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "sides"),
        numpy_helper.from_array(SCALE * np.eye(3, dtype=np.float32), "head"),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "sides"], ["features"], keepdims=0),
        helper.make_node("MatMul", ["features", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(nodes, "colours", [image], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
