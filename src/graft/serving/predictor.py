"""Predict class probabilities from the bytes of one image, with ONNX Runtime and the model card. No HTTP here."""

import hashlib
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from graft.files import record_sha256

# Read when Pillow is imported. Blocks smaller than this come from a thread's heap, which keeps freed memory.
os.environ.setdefault("PILLOW_BLOCK_SIZE", "128m")

from graft.files import read_record
from graft.images import decode
from graft.images.resizing import fit
from graft.records.cards import ModelCard
from graft.records.common import SHA256_DIGITS

# A request waits for pixels at most twice as long; BentoML's timeout has passed for one that waits longer.
WAIT_S = 4
BUSY = "image: want memory for its pixels, got none while other images are processed. Send it again later."
# Largest side of the network's input; a larger one is a mistake in the card.
MAX_SIDE_PX = 4096
# Cores for one prediction; the service predicts several images at a time.
THREADS = 1
# Tolerance on the sum of a softmax in float32.
TOTAL_TOLERANCE = 1e-3
EXPORT_AGAIN = "Export the model again with `dvc repro`."


class Prediction(BaseModel):
    """The predicted class of one image."""

    model_config = ConfigDict(frozen=True)

    label: str
    """the most probable class"""
    probability: float
    """probability of that class"""
    probabilities: dict[str, float]
    """probability of each class, in the order of the card's labels; they sum to 1"""


class PixelBudget:
    """Limit on the pixels that all threads together process at once. Threads wait their turn for them.

    The thread that processes an image takes the pixels, not the request: a request that has timed out leaves its
    thread running.
    """

    def __init__(self, pixels: int, wait_s: float) -> None:
        self._left = pixels
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Hold pixels, at most the whole budget, while the block runs.

        Raises:
            TimeoutError: others held them for wait_s, or for twice that if another thread was waiting too.
        """
        if not self._turn.acquire(timeout=self._wait_s):
            raise TimeoutError(BUSY)
        try:
            with self._freed:
                if not self._freed.wait_for(lambda: self._left >= pixels, self._wait_s):
                    raise TimeoutError(BUSY)
                self._left -= pixels
        finally:
            self._turn.release()
        try:
            yield
        finally:
            with self._freed:
                self._left += pixels
                self._freed.notify_all()


@dataclass(frozen=True)
class Predictor:
    """A loaded model and its card."""

    session: Any
    """an onnxruntime.InferenceSession, which threads may run concurrently"""
    card: ModelCard
    budget: PixelBudget


def load_predictor(folder: Path) -> Predictor:
    """Load model.onnx and card.json from a folder, and run the model once to check that it works.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the card is unreadable or inconsistent, a file is not the one in the card, or the model's output
            does not match the card.
    """
    card = read_record(ModelCard, folder / "card.json")
    _check_card(card, folder / "card.json")
    path = folder / "model.onnx"
    files = {path.name: card.model_sha256, **card.data_files}
    contents = {name: _checked_bytes(folder / name, sha256) for name, sha256 in files.items()}
    side = card.preprocessing.crop_px
    # room for one image of the largest size: with 25 megapixels it takes up to 560 MB (JPEG 2000), or 220 MB (PNG)
    budget = PixelBudget(card.preprocessing.max_pixels, WAIT_S)
    try:
        predictor = Predictor(_session(path.name, contents), card, budget)
        answer = _answers(predictor, np.zeros((1, side, side, 3), dtype=np.uint8))
    except Exception as error:
        # the runtime's exceptions have no more specific base class
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"{path}: want a model that runs, with the data files that its card lists, got: {reason}. {EXPORT_AGAIN}"
        ) from None
    _check_probabilities(answer, len(card.labels), str(path))
    return predictor


def predict(predictor: Predictor, content: bytes) -> Prediction:
    """Class probabilities of one image file.

    Raises:
        ValueError: the bytes are not a readable image, or are one that training would have refused.
        TimeoutError: other images were processed for too long.
        RuntimeError: the model's output for this image is not a probability distribution.
    """
    card, preprocessing = predictor.card, predictor.card.preprocessing
    most = preprocessing.max_pixels
    # the whole budget if the header is unreadable
    with predictor.budget.taken(min(decode.n_pixels(content) or most, most)):
        image = fit(decode.decode(content, "image", most, preprocessing.value_bits), preprocessing)
    answer = _answers(predictor, image[None])
    try:
        _check_probabilities(answer, len(card.labels), "model.onnx")
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    probabilities = answer[0]
    best = int(probabilities.argmax())
    return Prediction(
        label=card.labels[best],
        probability=float(probabilities[best]),
        probabilities={label: float(p) for label, p in zip(card.labels, probabilities, strict=True)},
    )


def _check_card(card: ModelCard, path: Path) -> None:
    """Check that a card is consistent: someone, or a merge, may have changed a part of it."""
    preprocessing = card.preprocessing
    if record_sha256(preprocessing) != card.preprocessing_sha256:
        raise ValueError(f"{path}: want the preprocessing of preprocessing_sha256, got another. {EXPORT_AGAIN}")
    if not 1 <= preprocessing.crop_px <= preprocessing.resize_px <= MAX_SIDE_PX:
        raise ValueError(
            f"{path}: want 1 <= crop_px <= resize_px <= {MAX_SIDE_PX}, got {preprocessing.crop_px} and "
            f"{preprocessing.resize_px}. {EXPORT_AGAIN}"
        )
    repeated = sorted({label for label in card.labels if card.labels.count(label) > 1})
    if repeated or not card.labels:
        raise ValueError(f"{path}: want labels, each once, got {repeated or 'none'}. {EXPORT_AGAIN}")
    foreign = [name for name in card.data_files if name != Path(name).name or name in ("model.onnx", "card.json")]
    if foreign:
        raise ValueError(f"{path}: want data_files beside the model, got {foreign}. {EXPORT_AGAIN}")


def _check_probabilities(answer: NDArray[np.float32], n_labels: int, where: str) -> None:
    """Raise ValueError unless the answer is a probability distribution, (1, n_labels)."""
    total = float(answer.sum())
    # written so that a NaN, which fails every comparison, is an error
    if answer.shape != (1, n_labels) or not (abs(total - 1) <= TOTAL_TOLERANCE and answer.min() >= 0):
        raise ValueError(
            f"{where}: want {n_labels} probabilities that sum to 1, none below 0, one for each label of the card, "
            f"got {answer.shape[-1]} that sum to {total:.6g}. {EXPORT_AGAIN}"
        )


def _checked_bytes(path: Path, sha256: str) -> mmap.mmap | bytes:
    """Content of a model file, mapped into memory, after a check of its hash.

    Only the hash shows a changed weight: neither the ONNX checker nor the runtime notices it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want the model, got no file. Run `dvc repro`.")
    with path.open("rb") as file:
        # an empty file cannot be mapped
        empty = path.stat().st_size == 0
        content = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    got = hashlib.sha256(content).hexdigest()
    if got != sha256:
        raise ValueError(
            f"{path}: want the model of the card, sha256 {sha256[:SHA256_DIGITS]}, got {got[:SHA256_DIGITS]}. "
            "Restore both files with `dvc checkout`, or make them again with `dvc repro`."
        )
    return content


def _session(model: str, contents: dict[str, mmap.mmap | bytes]) -> Any:
    """A session on the CPU.

    Args:
        model: name of the model file.
        contents: contents of the model and its data files, by name. Given these, the runtime opens no file itself,
            so that all weights come from bytes whose hash was checked.
    """
    # read at import; telemetry is on by default
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    # idle threads that spin would take the cores from the next request
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers_from_files_in_memory(
        list(contents), list(contents.values()), [len(content) for content in contents.values()]
    )
    return ort.InferenceSession(bytes(contents[model]), options, providers=["CPUExecutionProvider"])


def _answers(predictor: Predictor, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, c) float32 probabilities of (n, s, s, 3) uint8 images."""
    (probabilities,) = predictor.session.run(["probabilities"], {"image": batch})
    return np.asarray(probabilities, dtype=np.float32)
