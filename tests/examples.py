"""Small valid records that several tests start from."""

import hashlib
from pathlib import Path
from typing import Any

from graft.files import file_sha256, write_record
from graft.records.cards import BackboneCard
from graft.records.catalog import CatalogRecord, Domain
from graft.records.chapters import Records
from graft.records.checks import ChecksRecord, LabelCheck
from graft.records.gain import GainRecord
from graft.records.release import ExportRecord
from graft.records.shift import ShiftRecord, ShiftSource
from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.records.validation import Stamp, ValidationRecord
from graft.records.verdict import NoVerdictRecord, VerdictRecord
from graft.store.catalogue import SPLITS, CatalogRow

EXPORT = ExportRecord(
    onnx_sha256="0" * 64,
    data_files={},
    opset=20,
    n_images=100,
    batch_sizes=(1, 8),
    max_logit_difference=1e-6,
    logit_tolerance=1e-4,
    logit_std=1.0,
    top1_agreement=1.0,
)
CLEAN = ValidationRecord(ok=True, findings=())


def catalog_row(path: str, **changes: Any) -> CatalogRow:
    """Row of a readable grey image of 32 px in train, of class cat and without a group. Its hash depends on its path.

    With an `error`, what depends on pixels is as for an image that cannot be read.
    """
    sha256 = changes.get("sha256", hashlib.sha256(path.encode()).hexdigest())
    row = CatalogRow(
        path=path,
        label="cat",
        split="train",
        group=sha256,
        sha256=sha256,
        phash=sha256[:16],
        n_bytes=900,
        width=32,
        height=32,
        mode="RGB",
        format="PNG",
        frames=1,
        orientation=1,
        mean_red=0.5,
        mean_green=0.5,
        mean_blue=0.5,
        std_red=0.2,
        std_green=0.2,
        std_blue=0.2,
        row=0,
        error="",
    )
    unreadable: dict[str, Any] = {"phash": "", "width": 0, "height": 0, "mode": "", "format": "", "row": -1}
    unreadable |= {name: 0.0 for name in CatalogRow._fields if name.startswith(("mean_", "std_"))}
    return row._replace(**{**(unreadable if changes.get("error") else {}), **changes})


def write_stamp(folder: Path, ok: bool = True) -> None:
    """Write validated.json for those of the catalogues source.csv, target.csv and unlabeled.csv that a folder has."""
    paths = {name: folder / f"{name}.csv" for name in ("source", "target", "unlabeled")}
    hashes = {name: file_sha256(path) for name, path in paths.items() if path.is_file()}
    write_record(Stamp(ok=ok, catalogs=hashes), folder / "validated.json")


def domain_record() -> Domain:
    """Two classes with one image each in every split."""
    return Domain(
        present=True,
        n_images=6,
        n_undecodable=0,
        classes=("a", "b"),
        counts={split: {"a": 1, "b": 1} for split in SPLITS},
        sha256="0" * 64,
        store_sha256="1" * 64,
        quarantine=(),
    )


def absent_domain() -> Domain:
    """A domain without images."""
    nothing: dict[str, Any] = {"present": False, "n_images": 0, "classes": (), "counts": {each: {} for each in SPLITS}}
    return domain_record().model_copy(update=nothing)


def catalog_record(dataset: str) -> CatalogRecord:
    domain = domain_record()
    preprocessing = {
        "resize_px": 32,
        "crop_px": 32,
        "mean": (0, 0, 0),
        "std": (1, 1, 1),
        "interpolation": "bilinear",
    }
    return CatalogRecord.model_validate(
        {
            "dataset": dataset,
            "preprocessing": preprocessing,
            "source": domain,
            "target": domain,
            "unlabeled": absent_domain(),
        }
    )


def backbone_card(**changes: Any) -> BackboneCard:
    """Card of a small network that was trained on the source."""
    values: dict[str, Any] = {
        "network": "small_cnn",
        "origin": "pretrain",
        "read_as": "",
        "blocks": ("block1", "block2", "block3", "block4"),
        "n_features": 128,
        "preprocessing": catalog_record("folders").preprocessing,
        "weights_sha256": "a" * 64,
        "source_head": True,
        "blocks_sha256": "b" * 64,
        "source_val_accuracy": 0.9,
    }
    return BackboneCard.model_validate({**values, **changes})


def unknown_shift() -> ShiftRecord:
    """Record of a shift without anything that stands for the source."""
    return ShiftRecord(
        source=ShiftSource(kind="none", name="small_cnn (pretrain)", licence=None, n_images=0),
        n_target=180,
        n_features=6,
        test=None,
        size=None,
        yardstick=None,
        profile=None,
        classes=(),
        labels=None,
        witnesses=None,
        map_shares=None,
        similarity="unknown",
        sentence="There are no source images.",
        remarks=(),
        warnings=(),
    )


CHECKS = ChecksRecord(
    labels=LabelCheck(
        n_images=4, accuracy=0.5, n_suspects=0, n_right=0.0, suspects=(), sentence="No label stands out."
    ),
    splits=(),
)


def strategy_record() -> StrategyRecord:
    """Record of a choice with a clear lead."""
    score = {"mean": 0.5, "standard_error": 0.01, "setting": "k=1"}
    values: dict[str, Any] = {
        "n_train": 2,
        "n_classes": 2,
        "n_per_class": 1,
        "similarity": "unknown",
        "votes": (),
        "conflict": False,
        "probe": score,
        "probe_c": 1.0,
        "knn": score,
        "weights": {"full": 4.0, "top_blocks": 0.0, "feature_extraction": 0.0},
        "candidates": (),
        "choice": "full",
        "techniques": (),
        "runner_up": "top_blocks",
        "overruled": False,
        "reasons": (),
        "would_change": (),
    }
    return StrategyRecord.model_validate(values)


def verdict_record(outcome: str, **changes: Any) -> VerdictRecord:
    """Record of a first look with five seeds at ten images, by accuracy."""
    interval = {"estimate": 0.0, "low": -0.1, "high": 0.1}
    arms = dict.fromkeys(("transfer", "scratch", "difference"), interval)
    zeros = ("degrees_of_freedom", "margin", "standard_error", "median_of_seeds", "largest_unit_share")
    values: dict[str, Any] = {
        "verdict": outcome,
        "headline": "The headline",
        "sentence": "The sentence.",
        "decided_by": "The interval decided.",
        "limits": (),
        "scores": [{"metric": each, **arms} for each in ("accuracy", "balanced_accuracy", "nll")],
        "level": 0.05,
        "equivalence": interval,
        "planned_looks": 1,
        "n_looks": 1,
        "looks_left": int(outcome == "POSITIVE"),
        "unplanned": False,
        "looks_said": "",
        "design": "images",
        **dict.fromkeys(zeros, 0.0),
        "variances": dict.fromkeys(("seeds", "units", "residual"), 0.0),
        "n_seeds": 5,
        "n_images": 10,
        "n_units": 10,
        "effective_units": 10.0,
        "by_seed": (0.0,) * 5,
        "n_diverged": {"transfer": 0, "scratch": 0},
        "diverged_up_to": {"transfer": 0.45, "scratch": 0.45},
        "sign_flip_p": 1.0,
        "mcnemar_p": 1.0,
        "bootstrap": interval,
        "could_show": {"as_is": 0.3, "any_seeds": 0.2, "any_images": None},
        "to_show": None,
        "majority": {"label": "b", "accuracy": -0.2, "score": -0.2},
        "strategy": "full",
        "ships": "transfer",
        "ships_because": "Transfer ships.",
        "ships_seed": 0,
        "ships_score": 0.5,
        "on_negative": "fail",
        "on_inconclusive": "warn",
    }
    return VerdictRecord.model_validate({**values, **changes})


def no_verdict_record(**changes: Any) -> NoVerdictRecord:
    """Record of a run whose target has no labelled image."""
    values: dict[str, Any] = {
        "headline": "No verdict: no labelled test images",
        "sentence": "No verdict: no labelled test images. Both arms were trained on the source's labels alone.",
        "labels_said": "Both arms were trained on the source's labels alone.",
        "level": 0.05,
        "n_seeds": 5,
        "strategy": "full",
        "ships": "transfer",
        "ships_because": "Transfer ships, with a warning.",
        "ships_seed": 0,
        "on_inconclusive": "warn",
    }
    return NoVerdictRecord.model_validate({**values, **changes})


def training_record(n_runs: int = 1) -> TrainingRecord:
    run = {
        "seed": 0,
        "rate": 0.1,
        "best_epoch": 0,
        "val_accuracy": 0.5,
        "val_loss": 1.0,
        "n_images_seen": 0,
        "weights_sha256": "0",
        "curve": (),
        "phases": (),
    }
    return TrainingRecord.model_validate(
        {
            "arm": "transfer",
            "strategy": "full",
            "network": "small_cnn",
            "block_factors": {},
            "batchnorm": "train",
            "flip": 0.0,
            "rate_curve": None,
            "trials": (),
            "runs": (run,) * n_runs,
        }
    )


GAIN = GainRecord.model_validate(
    {
        "metric": "accuracy",
        "level": 0.05,
        "majority": 0.5,
        "labels": {"points": (), "sentence": "Nothing was trained with fewer labels."},
        "speed": {"target": 0.5, "seeds": (), "ratio": None, "at_least": False, "sentence": "No steps were taken."},
        "classes": {"scores": (), "sentence": "No class is shown to be worse with transfer."},
        "forgetting": dict.fromkeys(("split", "before", "after", "difference"))
        | {"state": "unknown", "seeds": (), "n_images": 0, "sentence": "Forgetting is not measured."},
        "small": None,
        "why": None,
    }
)


def run_records() -> Records:
    """Records of a run on folders without any fault."""
    return Records(
        catalog=catalog_record("folders"),
        validation=CLEAN,
        shift=unknown_shift(),
        strategy=strategy_record(),
        checks=CHECKS,
        transfer=training_record(),
        scratch=training_record(),
        verdict=verdict_record("POSITIVE"),
        gain=GAIN,
        export=EXPORT,
    )
