"""From the bytes of one image to class probabilities: ONNX Runtime and the model card, nothing of HTTP."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from graft import images
from graft.cards import ModelCard
from graft.files import read_record

MAX_PIXELS = 25_000_000  # two such uploads at once stay under 1 GB
THREADS = 1  # cores a prediction; the service predicts several images at a time
TOTAL_TOLERANCE = 1e-3  # of the sum of a softmax in float32


class Prediction(BaseModel):
    """What the model says of one image."""

    model_config = ConfigDict(frozen=True)

    label: str
    """the most probable class"""
    probability: float
    """of that class"""
    probabilities: dict[str, float]
    """of every class, in the order of the card's labels; they sum to 1"""


@dataclass(frozen=True)
class Predictor:
    """A loaded model and its card."""

    session: Any
    """an onnxruntime.InferenceSession, which many threads may run at once"""
    card: ModelCard


def load_predictor(folder: Path) -> Predictor:
    """Load model.onnx and card.json of a folder, and ask the model once, so that it is known to answer.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the card cannot be read, or the model is not the card's or does not answer as it says.
    """
    card = read_record(ModelCard, folder / "card.json")
    path = folder / "model.onnx"
    predictor = Predictor(_session(_checked_bytes(path, card.model_sha256)), card)
    side = card.preprocessing.crop_px
    answer = _probabilities(predictor, np.zeros((1, side, side, 3), dtype=np.uint8))
    total = float(answer.sum())
    if answer.shape != (1, len(card.labels)) or not abs(total - 1) <= TOTAL_TOLERANCE:
        raise ValueError(
            f"{path}: want {len(card.labels)} probabilities that sum to 1, one a label of the card, "
            f"got {answer.shape[-1]} that sum to {total:.6g}. Export the model again with `dvc repro`."
        )
    return predictor


def predict(predictor: Predictor, content: bytes) -> Prediction:
    """Class probabilities of one image file.

    Raises:
        ValueError: the bytes are no image that can be read.
    """
    image = images.fit(images.decode(content, "image", MAX_PIXELS), predictor.card.preprocessing)
    probabilities = _probabilities(predictor, image[None])[0]
    best = int(probabilities.argmax())
    labels = predictor.card.labels
    return Prediction(
        label=labels[best],
        probability=float(probabilities[best]),
        probabilities={label: float(p) for label, p in zip(labels, probabilities, strict=True)},
    )


def _checked_bytes(path: Path, sha256: str) -> bytes:
    """The model file; neither the ONNX checker nor the runtime notices a changed weight, its hash does."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want the model, got no file. Run `dvc repro`.")
    content = path.read_bytes()
    got = hashlib.sha256(content).hexdigest()
    if got != sha256:
        raise ValueError(
            f"{path}: want the model of the card, sha256 {sha256[:12]}, got {got[:12]}. "
            "Bring both files back with `dvc checkout`, or make them anew with `dvc repro`."
        )
    return content


def _session(content: bytes) -> Any:
    """A session on the CPU; idle threads sleep: spinning ones take the cores from the next request."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import; on by default
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _probabilities(predictor: Predictor, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, c) float32 probabilities of (n, s, s, 3) uint8 images."""
    (probabilities,) = predictor.session.run(["probabilities"], {"image": batch})
    return np.asarray(probabilities, dtype=np.float32)
