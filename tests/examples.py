"""Small valid records that several tests start from."""

from typing import Any

from graft.records import CatalogRecord, ExportRecord, StrategyRecord, TrainingRecord, ValidationRecord, VerdictRecord

EXPORT = ExportRecord(
    onnx_sha256="0" * 64,
    opset=20,
    n_images=100,
    batch_sizes=(1, 8),
    max_logit_difference=1e-6,
    logit_tolerance=1e-4,
    logit_std=1.0,
    top1_agreement=1.0,
)
CLEAN = ValidationRecord(ok=True, findings=())


def catalog_record(dataset: str) -> CatalogRecord:
    counts: dict[str, dict[str, int]] = {split: {"a": 1, "b": 1} for split in ("train", "val", "test")}
    domain = {
        "present": True,
        "n_images": 6,
        "n_undecodable": 0,
        "classes": ("a", "b"),
        "counts": counts,
        "sha256": "0",
    }
    preprocessing = {
        "resize_px": 32,
        "crop_px": 32,
        "mean": (0, 0, 0),
        "std": (1, 1, 1),
        "interpolation": "bilinear",
    }
    return CatalogRecord.model_validate(
        {"dataset": dataset, "preprocessing": preprocessing, "source": domain, "target": domain}
    )


def strategy_record() -> StrategyRecord:
    """A choice with a clear lead."""
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
        "choice": "full",
        "runner_up": "top_blocks",
        "overruled": False,
        "reasons": (),
        "would_change": (),
    }
    return StrategyRecord.model_validate(values)


def verdict_record(outcome: str, on_negative: str = "fail") -> VerdictRecord:
    interval = {"estimate": 0.0, "low": -0.1, "high": 0.1}
    numbers = dict.fromkeys(
        ("degrees_of_freedom", "margin", "standard_error", "variance_seeds", "variance_images", "variance_residual"),
        0.0,
    )
    values: dict[str, Any] = {
        "verdict": outcome,
        "sentence": "The sentence.",
        "difference": interval,
        "confidence": 0.95,
        **numbers,
        "n_seeds": 1,
        "n_images": 10,
        "n_units": 10,
        "transfer_accuracy": interval,
        "scratch_accuracy": interval,
        "by_seed": (0.0,),
        "sign_flip_p": 1.0,
        "bootstrap": interval,
        "seeds_to_settle": None,
        "images_to_settle": None,
        "strategy": "full",
        "ships": "transfer",
        "ships_seed": 0,
        "ships_accuracy": 0.5,
        "on_negative": on_negative,
    }
    return VerdictRecord.model_validate(values)


def training_record(n_runs: int = 1) -> TrainingRecord:
    run = {
        "seed": 0,
        "budget": "matched",
        "best_epoch": 0,
        "val_accuracy": 0.5,
        "val_loss": 1.0,
        "weights_sha256": "0",
        "curve": (),
    }
    return TrainingRecord.model_validate(
        {
            "arm": "transfer",
            "strategy": "full",
            "network": "small_cnn",
            "rate": 0.1,
            "block_rates": {},
            "frozen_sha256": None,
            "budget": "matched",
            "trials": (),
            "runs": (run,) * n_runs,
        }
    )
