"""Records of a run as the pipeline would write them, in every variant that the report must show."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tests.examples import verdict_record
from tests.reporting.sample_gain import sample_gain
from tests.reporting.sample_shifts import sample_shift

from graft.decisions.claims import claim
from graft.records.catalog import CatalogRecord, Domain, Quarantined
from graft.records.checks import ChecksRecord, LabelCheck, SplitCheck, Suspect
from graft.records.common import Arm, Interval, Outcome, Preprocessing, Split, StrategyName
from graft.records.release import ExportRecord, Reason, ReleaseRecord
from graft.records.shift import SourceKind
from graft.records.strategy import Candidate, ProbeScore, StrategyRecord, Vote
from graft.records.training import Epoch, PhaseRecord, RateCurve, RunRecord, TrainingRecord, Trial
from graft.records.validation import Finding, ValidationRecord
from graft.records.verdict import Majority, ScoreRecord, VarianceComponents, VerdictRecord
from graft.reporting.evidence import Evidence
from graft.store.catalogue import SPLITS
from graft.store.predictions import Predictions

DIGITS = tuple("0123456789")
N_TEST = 300
N_SEEDS = 5


def sample_evidence(
    classes: Sequence[str] = DIGITS,
    outcome: Outcome = "POSITIVE",
    kind: SourceKind = "own",
    curve: bool = True,
    gradual: bool = False,
    thorough: bool = True,
) -> Evidence:
    """A run in which transfer gains or loses according to the outcome.

    No curve: a feature extraction. Gradual: the params said so, and the rate was looked for. Thorough: the
    controls beside the arms were trained, too.
    """
    gain = {"POSITIVE": 0.09, "NEGATIVE": -0.06, "EQUIVALENT": 0.0, "INCONCLUSIVE": 0.015}[outcome]
    predictions = sample_predictions(len(classes), gain)
    verdict = sample_verdict(predictions, outcome, curve, classes[0])
    level = "fail" if outcome == "NEGATIVE" else "warn" if outcome == "INCONCLUSIVE" else "pass"
    return Evidence(
        catalog=sample_catalog(classes, kind == "own"),
        validation=sample_validation(),
        shift=sample_shift(classes, kind),
        strategy=sample_strategy(classes, kind in ("own", "proxy"), curve).model_copy(
            update={"choice": "gradual", "overruled": True} if gradual else {}
        ),
        checks=ChecksRecord(labels=sample_labels(classes), splits=sample_splits()),
        transfer=in_phases(sample_training("transfer", curve)) if gradual else sample_training("transfer", curve),
        scratch=sample_training("scratch", True),
        verdict=verdict,
        gain=sample_gain(predictions, tuple(classes), thorough=thorough, curve=curve),
        export=sample_export(),
        release=ReleaseRecord(
            passed=True,
            model_sha256="0" * 64,
            reasons=(
                Reason(
                    check="data",
                    level="warn",
                    sentence="Warnings on the data: images of under 8 px on the smaller side.",
                ),
                Reason(check="seeds", level="pass", sentence="5 seeds were trained and 5 compared."),
                Reason.model_validate({"check": "verdict", "level": level, "sentence": verdict.sentence}),
                Reason(check="export", level="pass", sentence="ONNX agrees with torch (limit `1e-4`)."),
            ),
            next_steps=("Train longer: `dvc exp run -S training.epochs=60`.",),
        ),
        predictions=predictions,
    )


def sample_predictions(n_classes: int, gain: float) -> Predictions:
    """Predictions that are right about three times in four, in the transfer arm more often by the gain."""
    random = np.random.default_rng(0)
    labels = np.arange(N_TEST) % n_classes
    hardness = random.random(N_TEST)

    def runs(accuracy: float) -> NDArray[np.int64]:
        wrong = hardness + 0.1 * random.standard_normal((N_SEEDS, N_TEST)) > accuracy
        other = (labels + 1 + random.integers(0, max(n_classes // 3, 1), (N_SEEDS, N_TEST))) % n_classes
        return np.where(wrong, other, labels)

    images = tuple(f"2{place:011x}" for place in range(N_TEST))
    arms = {"transfer": runs(0.8 + gain), "scratch": runs(0.8)}
    return Predictions(images, labels, arms, {arm: tuple(range(N_SEEDS)) for arm in arms})


def sample_verdict(predictions: Predictions, outcome: Outcome, curve: bool, first: str = "0") -> VerdictRecord:
    right = {arm: (runs == predictions.labels).mean(axis=1) for arm, runs in predictions.by_arm.items()}
    by_seed = right["transfer"] - right["scratch"]
    mean, half = float(by_seed.mean()), 0.04 if outcome == "INCONCLUSIVE" else 0.021
    sentences: dict[Outcome, str] = {
        "POSITIVE": "Transfer helped: test accuracy rose by {:+.1f} points, 95% interval {:+.1f} to {:+.1f}.",
        "NEGATIVE": "Transfer hurt: test accuracy fell by {:+.1f} points, 95% interval {:+.1f} to {:+.1f}.",
        "EQUIVALENT": "Transfer made no difference: {:+.1f} points, 95% interval {:+.1f} to {:+.1f}.",
        "INCONCLUSIVE": "Not settled: {:+.1f} points, 95% interval {:+.1f} to {:+.1f}.",
    }
    ends = (100 * mean, 100 * (mean - half), 100 * (mean + half))
    strategy: StrategyName = "full" if curve else "feature_extraction"
    share = float(np.mean(predictions.labels == 0))
    return verdict_record(
        outcome,
        headline=claim(outcome, strategy),
        sentence=sentences[outcome].format(*ends),
        scores=sample_scores(right, mean, half),
        equivalence=around(mean, 0.8 * half),
        degrees_of_freedom=11.4,
        margin=0.01,
        standard_error=half / 2.2,
        variances=VarianceComponents(seeds=1e-5, units=1e-4, residual=2e-5),
        n_seeds=N_SEEDS,
        n_images=N_TEST,
        n_units=N_TEST,
        effective_units=N_TEST,
        largest_unit_share=1 / N_TEST,
        by_seed=tuple(float(each) for each in by_seed),
        median_of_seeds=float(np.median(by_seed)),
        majority=Majority(label=first, accuracy=share, score=share),
        sign_flip_p=0.0625,
        bootstrap=around(mean, 0.9 * half),
        to_show=(12, 1800) if outcome == "INCONCLUSIVE" else None,
        strategy=strategy,
        ships_seed=2,
        ships_score=float(right["transfer"][2]),
    )


def sample_scores(right: dict[str, NDArray[np.float64]], mean: float, half: float) -> tuple[ScoreRecord, ...]:
    """Both arms by all metrics; those that do not decide differ from the accuracy by a little."""
    arms = {
        "transfer": around(float(right["transfer"].mean()), 0.02),
        "scratch": around(float(right["scratch"].mean()), 0.024),
    }
    nats = {"transfer": around(0.61, 0.05), "scratch": around(0.83, 0.06), "difference": around(-0.22, 0.05)}
    return (
        ScoreRecord(metric="accuracy", difference=around(mean, half), **arms),
        ScoreRecord(metric="balanced_accuracy", difference=around(mean + 0.001, half), **arms),
        ScoreRecord(metric="nll", **nats),
    )


def around(estimate: float, half: float) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half)


def sample_domain(classes: Sequence[str], per_split: tuple[int, int, int]) -> Domain:
    counts: dict[Split, dict[str, int]] = {
        split: dict.fromkeys(classes, n) for split, n in zip(SPLITS, per_split, strict=True)
    }
    total = sum(per_split) * len(classes)
    return Domain(
        present=total > 0,
        n_images=total,
        n_undecodable=1 if total else 0,
        classes=tuple(classes),
        counts=counts,
        sha256="ab" * 32,
        store_sha256="cd" * 32,
        quarantine=(Quarantined(path="3/broken.png", reason="truncated"),) if total else (),
    )


def sample_catalog(classes: Sequence[str], source: bool) -> CatalogRecord:
    return CatalogRecord(
        dataset="example",
        preprocessing=Preprocessing(
            resize_px=32, crop_px=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bilinear"
        ),
        source=sample_domain(classes, (80, 20, 0)) if source else sample_domain((), (0, 0, 0)),
        target=sample_domain(classes, (20, 10, 30)),
        unlabeled=sample_domain((), (0, 0, 0)),
    )


def sample_validation() -> ValidationRecord:
    return ValidationRecord(
        ok=True,
        findings=(
            Finding(
                name="images in two splits",
                severity="critical",
                ok=True,
                n_unexpected=0,
                examples=(),
                advice="None.",
            ),
            Finding(
                name="images of under 8 px on the smaller side",
                severity="warning",
                ok=False,
                n_unexpected=2,
                examples=("3/a.png", "7/b.png"),
                advice="Look at these images, or lower `validate_data.min_side_px`.",
            ),
        ),
    )


def sample_strategy(classes: Sequence[str], source: bool, curve: bool) -> StrategyRecord:
    tables = ("size and similarity quadrants", "images per class", "size alone")
    return StrategyRecord(
        n_train=20 * len(classes),
        n_classes=len(classes),
        n_per_class=20,
        similarity="mid" if source else "unknown",
        votes=(
            Vote(
                table=tables[0],
                strategy="full" if source else None,
                reason="few images, similarity mid" if source else "it needs a similarity, and that is unknown",
            ),
            Vote(table=tables[1], strategy="top_blocks", reason="20 images a class"),
            Vote(table=tables[2], strategy="feature_extraction", reason="under 1,000 images"),
        ),
        conflict=True,
        probe=ProbeScore(mean=0.62, standard_error=0.021, setting="C=0.1"),
        probe_c=0.1,
        knn=ProbeScore(mean=0.55, standard_error=0.03, setting="k=5"),
        weights={"feature_extraction": 1.0, "top_blocks": 1.0, "full": 2.5, "scratch": 0.0},
        candidates=(
            Candidate(name="full", available=True, reason="weight 2.5 of votes and evidence"),
            Candidate(name="lora", available=False, reason="no values in finetune_target.tuning"),
        ),
        choice="full" if curve else "feature_extraction",
        techniques=(),
        runner_up="top_blocks",
        overruled=not curve,
        reasons=(
            "Frozen features reach 62.0% by cross-validation: the evidence says full.",
            "Tables: 1 for full.",
        ),
        would_change=("With 10 times the images the choice would be top_blocks.",),
    )


def sample_labels(classes: Sequence[str], n_suspects: int = 3) -> LabelCheck:
    """Suspects among the sample images of the target."""
    suspects = tuple(
        Suspect(
            image=f"2{place:011x}",
            path=f"{classes[place % len(classes)]}/{place}.png",
            label=classes[place % len(classes)],
            suggested=classes[(place + 1) % len(classes)],
            of_label=0.002 * (1 + place),
            of_suggested=0.9 - 0.01 * place,
        )
        for place in range(n_suspects)
    )
    return LabelCheck(
        n_images=30 * len(classes),
        accuracy=0.71,
        n_suspects=n_suspects,
        n_right=0.2 * n_suspects,
        suspects=suspects,
        sentence=f"{n_suspects} of the {30 * len(classes)} labels of train and val look wrong.",
    )


def sample_splits() -> tuple[SplitCheck, ...]:
    return (
        SplitCheck(other="val", by_class=True, auc=None, warns=False, sentence="Too few images to say."),
        SplitCheck(
            other="test",
            by_class=False,
            auc=around(0.71, 0.05),
            warns=True,
            sentence="Images of train and test can be told apart.",
        ),
    )


def sample_training(arm: Arm, curve: bool) -> TrainingRecord:
    random = np.random.default_rng(1 if arm == "transfer" else 2)
    n_epochs = 0 if not curve else 30 if arm == "transfer" else 60
    rates = (0.001, 0.003, 0.01) if curve else (0.1,)
    return TrainingRecord.model_validate(
        {
            "arm": arm,
            "strategy": "scratch" if arm == "scratch" else "full" if curve else "feature_extraction",
            "network": "small_cnn",
            "block_factors": {f"block{i}": 0.5 ** (4 - i) * curve for i in range(1, 5)} | {"head": 1.0},
            "batchnorm": "train",
            "flip": 0.0,
            "rate_curve": None,
            "trials": [
                Trial(
                    seed=seed,
                    rate=rate,
                    val_accuracy=0.7 + 0.03 * place,
                    val_loss=0.9 - 0.1 * place,
                    accuracy=0.7 + 0.03 * place,
                    loss=0.9 - 0.1 * place,
                )
                for seed in range(N_SEEDS)
                for place, rate in enumerate(rates)
            ],
            "runs": [sample_run(seed, n_epochs, arm, random, rates[-1 - seed % 2 * curve]) for seed in range(N_SEEDS)],
        }
    )


def sample_run(seed: int, n_epochs: int, arm: Arm, random: np.random.Generator, rate: float) -> RunRecord:
    start, end, pace = (0.55, 0.9, 5) if arm == "transfer" else (0.1, 0.82, 14)
    grown = [end - (end - start) * np.exp(-epoch / pace) for epoch in range(n_epochs + 1)]
    accuracy = [float(each + 0.012 * random.standard_normal()) for each in grown]
    curve = tuple(
        Epoch(epoch=epoch, steps=6 * epoch, train_loss=2 * (1 - each), val_loss=2.4 * (1 - each), val_accuracy=each)
        for epoch, each in enumerate(accuracy)
    )
    best = max(curve, key=lambda each: each.val_accuracy)
    return RunRecord(
        seed=seed,
        rate=rate,
        best_epoch=best.epoch,
        val_accuracy=best.val_accuracy,
        val_loss=best.val_loss,
        n_images_seen=180 * n_epochs,
        weights_sha256="ef" * 32,
        curve=curve if n_epochs else (),
        phases=(sample_phase("full" if arm == "transfer" else "scratch", 4, n_epochs, best.val_accuracy),)
        if n_epochs
        else (sample_phase("head", 0, 0, best.val_accuracy),),
    )


def in_phases(record: TrainingRecord) -> TrainingRecord:
    """The same arm, unfrozen block by block at a rate from a search. Seed 3 rolls back its second phase."""
    tens = np.linspace(-5, 0, 101)
    losses = 2.3 - 1.5 / (1 + np.exp(-3 * (tens + 2.4))) + np.maximum(3 * (tens + 0.9), 0)
    looked = RateCurve(rates=tuple(10**tens), losses=tuple(losses), suggested=10**-2.4)
    rates = tuple(0.004 * 3.0**place for place in (-2, -1, 0, 1, 2))
    trials = [
        Trial(seed=run.seed, rate=each, val_accuracy=0.9, val_loss=0.3, accuracy=0.9 - each, loss=0.3 + each)
        for run in record.runs
        for each in rates
    ]
    runs = []
    for run in record.runs:
        top, dropped = run.val_accuracy - 0.1, run.seed == 3
        phases = (
            sample_phase("top 1 of 4", 1, 6 + run.seed, top),
            sample_phase("top 2 of 4", 2, 8, top if dropped else top + 0.05, rolled_back=dropped),
            sample_phase("top 4 of 4", 4, 16 - run.seed, run.val_accuracy),
        )
        runs.append(run.model_copy(update={"phases": phases, "rate": rates[1]}))
    changes = {"strategy": "gradual", "rate_curve": looked, "trials": trials, "runs": runs}
    return record.model_copy(update=changes)


def sample_phase(name: str, n_blocks: int, epochs: int, accuracy: float, *, rolled_back: bool = False) -> PhaseRecord:
    """A phase that trains the top blocks of four and the head."""
    return PhaseRecord(
        name=name,
        trained=(*(f"block{number}" for number in range(5 - n_blocks, 5)), "head"),
        epochs=epochs,
        val_accuracy=accuracy,
        rolled_back=rolled_back,
        frozen_sha256="cd" * 32 if n_blocks < 4 else None,
    )


def sample_export() -> ExportRecord:
    return ExportRecord(
        onnx_sha256="12" * 32,
        data_files={},
        opset=18,
        n_images=300,
        batch_sizes=(1, 7, 32),
        max_logit_difference=3.1e-6,
        logit_tolerance=1e-4,
        logit_std=4.2,
        top1_agreement=1.0,
    )
