"""Does the ONNX file say what torch says, on real images and at several batch sizes?"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from graft.export.to_onnx import OPSET, Shipped
from graft.records import ExportRecord

LOGIT_TOLERANCE = 1e-4
BATCH_SIZES = (1, 3, 8, 64)
N_IMAGES = 256
MIN_LOGIT_STD = 1e-2
"""below this the logits are all alike and agreement says nothing"""


def check_parity(path: Path, shipped: Shipped, images: NDArray[np.uint8]) -> ExportRecord:
    """Compare the ONNX file with the torch module it was made from.

    Args:
        path: model.onnx.
        shipped: the torch module.
        images: (n, s, s, 3) uint8 RGB, real ones.

    Raises:
        RuntimeError: not a valid ONNX file, logits beyond 1e-4 of torch or too alike to compare, or another top class.
    """
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = shipped(torch.from_numpy(images.copy()))[0].numpy()
    largest, agreement = 0.0, 1.0
    for batch_size in BATCH_SIZES:
        starts = range(0, len(images), batch_size)
        blocks = [session.run(["logits"], {"image": images[start : start + batch_size]})[0] for start in starts]
        logits = np.concatenate(blocks)
        largest = max(largest, float(np.abs(logits - expected).max()))
        agreement = min(agreement, float(np.mean(logits.argmax(axis=1) == expected.argmax(axis=1))))
    record = ExportRecord(
        onnx_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        opset=OPSET,
        n_images=len(images),
        batch_sizes=BATCH_SIZES,
        max_logit_difference=largest,
        logit_tolerance=LOGIT_TOLERANCE,
        logit_std=float(expected.std()),
        top1_agreement=agreement,
        ok=largest <= LOGIT_TOLERANCE,
    )
    _raise_on_breach(path, record)
    return record


def _raise_on_breach(path: Path, record: ExportRecord) -> None:
    if record.logit_std < MIN_LOGIT_STD:
        raise RuntimeError(
            f"{path}: want logits that differ between images, got a standard deviation of {record.logit_std:.1e}. "
            "The network has learnt nothing: look at the training curves."
        )
    if not record.ok:
        raise RuntimeError(
            f"{path}: want logits within {LOGIT_TOLERANCE:.0e} of torch, got {record.max_logit_difference:.1e}. "
            "This is a fault of the export; please report the network's name."
        )
