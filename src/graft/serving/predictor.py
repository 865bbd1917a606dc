"""From the bytes of one image to class probabilities: ONNX Runtime and the model card, nothing of HTTP."""

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

# read at the import of Pillow, megabytes: smaller blocks come from the heap of a thread, which keeps what is freed
os.environ.setdefault("PILLOW_BLOCK_SIZE", "128m")

from graft.files import read_record
from graft.images import decode
from graft.images.resizing import fit
from graft.records.cards import ModelCard, preprocessing_sha256

WAIT_S = 4  # for pixels, twice at most: who waits longer is no longer waited for
BUSY = "image: want room for its pixels, got none while others are in work. Send it again later."
MAX_SIDE_PX = 4096  # of what the network sees; a larger one is a mistake in the card
THREADS = 1  # cores a prediction; the service predicts several images at a time
TOTAL_TOLERANCE = 1e-3  # of the sum of a softmax in float32
EXPORT_AGAIN = "Export the model again with `dvc repro`."


class Prediction(BaseModel):
    """What the model says of one image."""

    model_config = ConfigDict(frozen=True)

    label: str
    """the most probable class"""
    probability: float
    """of that class"""
    probabilities: dict[str, float]
    """of every class, in the order of the card's labels; they sum to 1"""


class PixelBudget:
    """Pixels in work at once, by all threads together; who finds too few left waits in turn.

    It is taken where the work is done: a request that has timed out leaves its thread at work.
    """

    def __init__(self, pixels: int, wait_s: float) -> None:
        self._left = pixels
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Hold so many pixels, at most the whole budget, while the block runs.

        Raises:
            TimeoutError: others held them for wait_s, or twice that behind another that waits.
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
    """an onnxruntime.InferenceSession, which many threads may run at once"""
    card: ModelCard
    budget: PixelBudget


def load_predictor(folder: Path) -> Predictor:
    """Load model.onnx and card.json of a folder, and ask the model once, so that it is known to answer.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the card cannot be read or contradicts itself, or a file is not the card's, or the model does
            not answer as the card says.
    """
    card = read_record(ModelCard, folder / "card.json")
    _check_card(card, folder / "card.json")
    path = folder / "model.onnx"
    files = {path.name: card.model_sha256, **card.data_files}
    contents = {name: _checked_bytes(folder / name, sha256) for name, sha256 in files.items()}
    side = card.preprocessing.crop_px
    # one image of the largest size at a time: of 25 megapixels it takes at most 560 MB (JPEG 2000), 220 MB of a PNG
    budget = PixelBudget(card.preprocessing.max_pixels, WAIT_S)
    try:
        predictor = Predictor(_session(path.name, contents), card, budget)
        answer = _answers(predictor, np.zeros((1, side, side, 3), dtype=np.uint8))
    except Exception as error:  # the runtime's own kinds have no other parent
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"{path}: want a model that runs, with the data files that its card lists, got: {reason}. {EXPORT_AGAIN}"
        ) from None
    _check_probabilities(answer, len(card.labels), str(path))
    return predictor


def predict(predictor: Predictor, content: bytes) -> Prediction:
    """Class probabilities of one image file.

    Raises:
        ValueError: the bytes are no image that can be read, or one that training would not have read.
        TimeoutError: other images were in work for too long.
        RuntimeError: the model gives no probabilities for this image.
    """
    card, preprocessing = predictor.card, predictor.card.preprocessing
    most = preprocessing.max_pixels
    # the whole budget where the header does not tell
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
    """Hold a card against itself: a hand or a merge may have changed a part of it."""
    preprocessing = card.preprocessing
    if preprocessing_sha256(preprocessing) != card.preprocessing_sha256:
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
    """Raise ValueError where (1, n_labels) probabilities are none; a NaN fails every comparison."""
    total = float(answer.sum())
    if answer.shape != (1, n_labels) or not (abs(total - 1) <= TOTAL_TOLERANCE and answer.min() >= 0):
        raise ValueError(
            f"{where}: want {n_labels} probabilities that sum to 1, none below 0, one a label of the card, "
            f"got {answer.shape[-1]} that sum to {total:.6g}. {EXPORT_AGAIN}"
        )


def _checked_bytes(path: Path, sha256: str) -> mmap.mmap | bytes:
    """A file of the model, mapped; neither the ONNX checker nor the runtime notices a changed weight, its hash does."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want the model, got no file. Run `dvc repro`.")
    with path.open("rb") as file:
        # a mapping of nothing is none
        empty = path.stat().st_size == 0
        content = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    got = hashlib.sha256(content).hexdigest()
    if got != sha256:
        raise ValueError(
            f"{path}: want the model of the card, sha256 {sha256[:12]}, got {got[:12]}. "
            "Bring both files back with `dvc checkout`, or make them anew with `dvc repro`."
        )
    return content


def _session(model: str, contents: dict[str, mmap.mmap | bytes]) -> Any:
    """A session on the CPU; idle threads sleep: spinning ones take the cores from the next request.

    Args:
        model: name of the model file.
        contents: of the model and its data files, by name. The runtime opens no file by itself then, so that
            weights come from bytes whose hash is known, and from nowhere else.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import; on by default
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers_from_files_in_memory(
        list(contents), list(contents.values()), [len(content) for content in contents.values()]
    )
    return ort.InferenceSession(bytes(contents[model]), options, providers=["CPUExecutionProvider"])


def _answers(predictor: Predictor, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, c) float32 probabilities of (n, s, s, 3) uint8 images."""
    (probabilities,) = predictor.session.run(["probabilities"], {"image": batch})
    return np.asarray(probabilities, dtype=np.float32)
