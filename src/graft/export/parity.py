"""Check that the ONNX file gives the outputs of the pipeline, on real images and at several batch sizes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.export.to_onnx import OPSET, OUTPUTS, data_files
from graft.files import file_sha256
from graft.networks.networks import Network
from graft.networks.outputs import outputs_of
from graft.records.release import ExportRecord

LOGIT_TOLERANCE = 1e-4
BATCH_SIZES = (1, 3, 8, 64)
# below this standard deviation all logits are alike, and their agreement shows nothing
MIN_LOGIT_STD = 1e-2

Floats = NDArray[np.float32]


def check_parity(path: Path, network: Network, images: NDArray[np.uint8]) -> ExportRecord:
    """Compare the ONNX file with the network as the pipeline runs it, input transform included.

    Args:
        path: model.onnx.
        network: on the CPU.
        images: (n, s, s, 3) uint8 RGB, real ones.

    Raises:
        RuntimeError: logits differ from those of torch by more than 1e-4 or are not finite, probabilities are not
            their softmax, another class is on top outside that tolerance, or logits are too alike to compare.
        onnx.checker.ValidationError: the file is not valid ONNX.
    """
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    expected = outputs_of(network, images).logits
    found = [_run(path, images, batch_size) for batch_size in BATCH_SIZES]
    _raise_on_breach(path, expected, found)
    return ExportRecord(
        onnx_sha256=file_sha256(path),
        data_files={name: file_sha256(path.parent / name) for name in data_files(path)},
        opset=OPSET,
        n_images=len(images),
        batch_sizes=BATCH_SIZES,
        max_logit_difference=max(float(np.abs(logits - expected).max()) for logits, _ in found),
        logit_tolerance=LOGIT_TOLERANCE,
        logit_std=float(expected.std()),
        top1_agreement=min(float(np.mean(_top(logits) == _top(expected))) for logits, _ in found),
    )


def _run(path: Path, images: NDArray[np.uint8], batch_size: int) -> tuple[Floats, Floats]:
    """Logits and probabilities of all images, in batches of this size."""
    # read when onnxruntime is imported; telemetry is on by default
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    starts = range(0, len(images), batch_size)
    blocks = [session.run(OUTPUTS[:2], {"image": images[start : start + batch_size]}) for start in starts]
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


def _raise_on_breach(path: Path, expected: Floats, found: list[tuple[Floats, Floats]]) -> None:
    from scipy.special import softmax

    if not expected.std() >= MIN_LOGIT_STD:
        raise RuntimeError(
            f"{path}: want logits that differ between images, got a standard deviation of {expected.std():.1e}. "
            "The network has learnt nothing: look at the training curves."
        )
    # (n,) each, of the two largest logits; where they are closer than twice the tolerance either may be the top
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > 2 * LOGIT_TOLERANCE
    for logits, probabilities in found:
        gap = float(np.abs(logits - expected).max())
        odd = float(np.abs(probabilities - softmax(expected, axis=1)).max())
        # negated comparisons: a NaN compares false and must not pass
        if not gap <= LOGIT_TOLERANCE or not odd <= LOGIT_TOLERANCE or np.any((_top(logits) != _top(expected))[clear]):
            raise RuntimeError(
                f"{path}: want logits and probabilities within {LOGIT_TOLERANCE:.0e} of torch and the same top class, "
                f"got {gap:.1e} and {odd:.1e}. This is a fault of the export; please report the network's name."
            )


def _top(logits: Floats) -> NDArray[np.int64]:
    top: NDArray[np.int64] = logits.argmax(axis=1)
    return top
