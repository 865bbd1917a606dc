"""Sides, details and a network that sees little, for the tests of the shift."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.extraction.looking import Looks
from graft.params.measure_shift import MeasureShift
from graft.records.common import Preprocessing
from graft.records.shift import ShiftSource
from graft.shift.origin import Origin
from graft.shift.sides import Side
from graft.store.features import BlockMeans, BlockMoments, Images, SourceDetails, TargetDetails, YardstickFeatures

Rows = NDArray[np.floating[Any]]

PARAMS = MeasureShift(
    n_permutations=99, confidence=0.95, near_below=1.0, far_above=3.0, bank_file=None, bank_sha256=None
)
PREPROCESSING = Preprocessing(resize_px=8, crop_px=8, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")
D = 6


def normal(n: int, seed: int, d: int = D) -> Rows:
    return np.random.default_rng(seed).normal(size=(n, d))


def side_of(features: Rows, domain: str, labels: Sequence[str] | None = None, groups: Any = None) -> Side:
    """A side of images that stand alone, or in these groups; the domain's name begins their sha256."""
    n = len(features)
    images = np.array([f"{domain}{row:011d}".ljust(64, "0") for row in range(n)], dtype=np.str_)
    names = np.array(labels if labels is not None else [""] * n, dtype=np.str_)
    return Side(features, np.arange(n), names, images if groups is None else np.asarray(groups, np.str_), images)


def yardstick_of(features: Rows) -> YardstickFeatures:
    """Every corruption moves the second half by 0.3 of its severity in every feature; noise by 5."""
    half = len(features) // 2
    kept, other = features[:half], features[half:]
    moved = np.stack([other + 0.3 * severity for _ in range(5) for severity in range(1, 6)])
    numbers = np.arange(len(features))
    return YardstickFeatures(kept, other, moved, other + 5, numbers[:half], numbers[half:])


def source_details_of_side(side: Side) -> SourceDetails:
    return SourceDetails(side.rows, (BlockMeans("block1", side.features[:, :2]),), yardstick_of(side.features))


def target_details_of_side(side: Side, *, moments: bool = False, refusal: str = "") -> TargetDetails:
    k = side.features[:, :2]
    seen = (BlockMoments("block1", k, k**2 + 1, np.full(2, 1e-5)),) if moments else ()
    return TargetDetails(side.rows, (BlockMeans("block1", k),), seen, refusal)


def own(side: Side, details: SourceDetails | None = None) -> Origin:
    described = ShiftSource(kind="own", name="source", licence=None, n_images=len(side.rows))
    return Origin(described, side, details or source_details_of_side(side))


def nothing() -> Origin:
    """Neither images nor a bank."""
    side = side_of(np.zeros((0, D)), "a")
    described = ShiftSource(kind="bn_stats", name="small_cnn (pretrain)", licence=None, n_images=0)
    return Origin(described, side, SourceDetails(side.rows, (), None))


def grey_images(n: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def _features(images: Images) -> Rows:
    """(n, 3) mean of each channel."""
    means: Rows = images.mean(axis=(1, 2), dtype=np.float32)
    return means


def _refuse(images: Images) -> tuple[BlockMoments, ...]:
    raise ValueError("bn_stats: want a network with BatchNorm layers, got one with none.")


def _moments(images: Images) -> tuple[BlockMoments, ...]:
    means = _features(images)
    return (BlockMoments("block1", means, means**2, np.full(3, 1e-5)),)


def network(batchnorm: bool = True) -> Looks:
    """Two blocks that see the mean colour; what BatchNorm layers would see, or a refusal."""
    return Looks(
        _features,
        lambda images: (BlockMeans("block1", _features(images)[:, :2]), BlockMeans("block2", _features(images))),
        _moments if batchnorm else _refuse,
    )
