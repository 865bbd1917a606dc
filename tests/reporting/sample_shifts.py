"""The shift as measure_shift would write it, against every kind of source, with the points of its map."""

from collections.abc import Sequence

import numpy as np

from graft.records.common import Interval
from graft.records.shift import (
    BlockProfile,
    BlockShift,
    ClassMoved,
    CorruptionPlace,
    LabelShift,
    ShiftRecord,
    ShiftSize,
    ShiftSource,
    ShiftTest,
    ShiftYardstick,
    SourceKind,
    TriedBandwidth,
    Witnesses,
    YardstickMark,
)
from graft.store.features import MapPoint

MMD_OF_CORRUPTIONS = {
    "blur": (0.09, 0.16, 0.24, 0.31, 0.42),
    "noise": (0.12, 0.19, 0.29, 0.4, 0.52),
    "contrast": (0.2, 0.26, 0.36, 0.49, 0.58),
    "JPEG": (0.05, 0.07, 0.09, 0.13, 0.17),
    "pixelate": (0.04, 0.08, 0.13, 0.19, 0.26),
}
"""root of the squared MMD at severities 1 to 5"""
SOURCES = {
    "own": ShiftSource(kind="own", name="data/raw/source", licence=None, n_images=800),
    "proxy": ShiftSource(kind="proxy", name="street photographs", licence="CC BY 4.0", n_images=2000),
    "bn_stats": ShiftSource(kind="bn_stats", name="mobilenet_v2", licence=None, n_images=0),
    "none": ShiftSource(kind="none", name="", licence=None, n_images=0),
}
SENTENCES = {
    "own": "The target lies between blur 2 and noise 3 (the source's own images, corrupted; severity 1.8 of 5 by "
    "contrast to 5.0 by JPEG, 3.1 in the median): mid (MMD^2 0.061, 0.055 to 0.067; p = 0.001).",
    "proxy": "Held against the bank street photographs (2000 images, CC BY 4.0), not the network's own source: the "
    "target lies between blur 2 and noise 3 (the bank's own images, corrupted) (MMD^2 0.061; p = 0.001).",
    "bn_stats": "There are no source images, so similarity is unknown. Held against the running moments of "
    "mobilenet_v2, the target differs most in block features.18.",
    "none": "There are no source images, so the distance is unknown.",
}


def sample_shift(classes: Sequence[str], kind: SourceKind = "own") -> ShiftRecord:
    """A target at a medium distance; bn_stats knows its blocks alone, none nothing, the others all fields."""
    seen = kind in ("own", "proxy")
    return ShiftRecord(
        source=SOURCES[kind],
        n_target=600,
        n_features=128,
        test=sample_test() if seen else None,
        size=sample_size() if seen else None,
        yardstick=sample_yardstick() if seen else None,
        profile=None if kind == "none" else sample_profile(kind),
        classes=sample_moved(classes) if kind == "own" else (),
        labels=sample_mix(classes) if kind == "own" else None,
        witnesses=sample_witnesses() if seen else None,
        map_shares=(0.342, 0.117) if seen else None,
        similarity="mid" if seen else "unknown",
        sentence=SENTENCES[kind],
        remarks=("3 source images stand in the target too and were left out.",) if seen else (),
        warnings=("Underpowered: only shifts of 0.3 standard deviations are found.",) if kind == "proxy" else (),
    )


def sample_test() -> ShiftTest:
    multiples = (1 / 256, 1 / 64, 1 / 16, 1 / 4, 1.0, 4.0)
    values = (None, 0.0031, 0.0195, 0.0807, 0.0612, 0.0208)
    return ShiftTest(
        p_value=0.001,
        n_permutations=999,
        mmd2=0.0807,
        bandwidth2=12.5 / 4,
        bandwidths=tuple(
            TriedBandwidth(
                multiple=multiple,
                bandwidth2=12.5 * multiple,
                mmd2=value,
                dropped="812 effective pairs of rows, fewer than 14000" if value is None else None,
            )
            for multiple, value in zip(multiples, values, strict=True)
        ),
        null_mmd2=tuple((0.0025 * np.linspace(-1, 1.6, 101) ** 3).tolist()),
        method="binned",
        bins=(400, 300),
        rows_used=(800, 600),
        detectable_mmd2=0.0064,
        detectable_shift=0.083,
    )


def sample_size() -> ShiftSize:
    return ShiftSize(
        mmd2=0.0612,
        interval=Interval(estimate=0.0612, low=0.0551, high=0.0673),
        bandwidth2=12.5,
        confidence=0.95,
        auc=Interval(estimate=0.968, low=0.957, high=0.977),
        a_distance=1.62,
        frechet=41.27,
        frechet_by_chance=1.934,
    )


def sample_yardstick() -> ShiftYardstick:
    return ShiftYardstick(
        n_images=(400, 400),
        clean=-0.0004,
        marks=tuple(
            YardstickMark(corruption=name, severity=place + 1, mmd2=mmd**2)
            for name, values in MMD_OF_CORRUPTIONS.items()
            for place, mmd in enumerate(values)
        ),
        noise=0.71,
        severity=3.1,
        severities=(2.6, 3.7),
        by_corruption=(
            CorruptionPlace(corruption="contrast", severity=1.8),
            CorruptionPlace(corruption="blur", severity=3.1),
            CorruptionPlace(corruption="JPEG", severity=5.0),
        ),
        between=("blur 2", "noise 3"),
        doubts=(),
    )


def sample_profile(kind: SourceKind) -> BlockProfile:
    if kind == "bn_stats":
        shifts = [0.11 + 0.9 * (place / 18) ** 2 for place in range(19)]
        return BlockProfile(
            measure="divergence",
            n_images=(0, 400),
            blocks=tuple(_block(f"features.{place}", shift) for place, shift in enumerate(shifts)),
        )
    shifts = [0.142, 0.119, 0.083, 0.061]
    blocks = tuple(_block(f"block{place + 1}", shift) for place, shift in enumerate(shifts))
    return BlockProfile(measure="mmd2", n_images=(400, 400), blocks=blocks)


def _block(name: str, shift: float) -> BlockShift:
    interval = Interval(estimate=shift, low=0.8 * shift, high=1.25 * shift)
    return BlockShift(block=name, n_channels=64, shift=interval)


def sample_moved(classes: Sequence[str]) -> tuple[ClassMoved, ...]:
    """Classes by name, each moved by another distance, the fourth of every five not at all."""
    return tuple(
        ClassMoved(
            label=name,
            n_source=80,
            n_target=60,
            mmd2=-0.001 if place % 5 == 3 else 0.04 + 0.011 * (7 * place % len(classes)),
            p_value=0.41 if place % 5 == 3 else 0.001,
            p_holm=1.0 if place % 5 == 3 else 0.012,
        )
        for place, name in sorted(enumerate(classes), key=lambda each: each[1])
    )


def sample_mix(classes: Sequence[str]) -> LabelShift:
    n = len(classes)
    target = np.linspace(0.5, 1.5, n) / n
    told = tuple(Interval(estimate=share, low=0.7 * share, high=1.3 * share) for share in target.tolist())
    return LabelShift(
        classes=tuple(classes),
        source=(1 / n,) * n,
        target=tuple(target.tolist()),
        total_variation=0.125,
        black_box=told,
    )


def sample_witnesses() -> Witnesses:
    """Names of images among the samples of the target."""
    rows = [tuple(f"2{place:011x}" for place in range(start, start + 8)) for start in (0, 40, 80, 120)]
    return Witnesses(source_odd=rows[0], source_typical=rows[1], target_odd=rows[2], target_typical=rows[3])


def sample_map(classes: Sequence[str], kind: SourceKind = "own") -> tuple[MapPoint, ...]:
    """Two overlapping clouds of points. Images of a bank have neither name nor class."""
    random = np.random.default_rng(4)
    known = kind == "own"
    source = [
        MapPoint(f"2{row:011x}" if known else "", "source", classes[row % len(classes)] if known else "", x, y)
        for row, (x, y) in enumerate((random.normal(size=(300, 2)) * (3, 1.4)).tolist())
    ]
    target = [
        MapPoint(f"2{row:011x}", "target", classes[row % len(classes)], x + 3, y + 1)
        for row, (x, y) in enumerate((random.normal(size=(100, 2)) * (1.5, 1.2)).tolist())
    ]
    return (*source, *target) if kind in ("own", "proxy") else ()
