"""What transfer gained in a run, in every variant that the report must show."""

import numpy as np
from numpy.typing import NDArray

from graft.decisions.gain.classes import classes_of
from graft.decisions.gain.scoring import Scoring
from graft.records.common import Interval
from graft.records.gain import (
    Forgetting,
    GainRecord,
    LabelCurve,
    LabelPoint,
    ResetBlock,
    SeedForgetting,
    SeedSteps,
    SmallNetwork,
    Speed,
    Why,
)
from graft.store.predictions import Predictions

SHARES = (0.1, 0.25, 0.5, 1.0)


def sample_gain(predictions: Predictions, classes: tuple[str, ...], *, thorough: bool, curve: bool) -> GainRecord:
    """A run whose classes are those of the predictions.

    Thorough: everything was measured; else only what costs no training. No curve: a feature extraction.
    """
    right = {arm: runs == predictions.labels for arm, runs in predictions.by_arm.items()}
    groups = np.array(predictions.images)
    on = Scoring(predictions.labels, groups, "accuracy", 0.05)
    return GainRecord(
        metric="accuracy",
        level=0.05,
        majority=0.1,
        labels=sample_labels(right) if thorough else sample_whole(right),
        speed=sample_speed() if curve else sample_no_steps(),
        classes=classes_of(right["transfer"], right["scratch"], classes, on),
        forgetting=sample_forgetting(curve) if thorough else sample_unknown(),
        small=SmallNetwork(network="tiny_cnn", seed=0, score=span(0.6, 0.05), difference=span(0.24, 0.05))
        if thorough
        else None,
        why=sample_why() if thorough and curve else None,
    )


def span(estimate: float, half: float) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half)


def sample_labels(right: dict[str, NDArray[np.bool_]]) -> LabelCurve:
    """Scores that rise with the labels to those of the predictions, scratch the steeper."""
    ours, others = (float(right[arm].mean()) for arm in ("transfer", "scratch"))
    points = tuple(
        LabelPoint(
            share=share,
            n_labels=round(200 * share),
            n_seeds=5 if share == 1 else 1,
            transfer=span(ours + 0.06 * np.log(share), 0.03),
            scratch=span(others + 0.14 * np.log(share), 0.03),
            difference=span(ours - others - 0.08 * np.log(share), 0.04),
            head=span(0.7 + 0.05 * np.log(share), 0.03),
        )
        for share in SHARES
    )
    return LabelCurve(points=points, sentence="Gain in points: 27.3 with 10% of the labels, 9.0 with all of them.")


def sample_whole(right: dict[str, NDArray[np.bool_]]) -> LabelCurve:
    points = sample_labels(right).points[-1:]
    whole = points[0].model_copy(update={"head": None, "n_labels": None})
    return LabelCurve(points=(whole,), sentence="`training.budget: smoke` trains nothing with fewer labels.")


def sample_speed() -> Speed:
    steps = ((60, 300), (40, 420), (60, None), (80, 360), (40, 300))
    return Speed(
        target=0.82,
        seeds=tuple(SeedSteps(seed=seed, transfer=a, scratch=b) for seed, (a, b) in enumerate(steps)),
        ratio=Interval(estimate=6.6, low=4.3, high=10.1),
        at_least=True,
        sentence="Transfer needs at least 6.6 times fewer steps.",
    )


def sample_no_steps() -> Speed:
    return Speed(target=0.82, seeds=(), ratio=None, at_least=False, sentence="It takes no steps.")


def sample_forgetting(curve: bool) -> Forgetting:
    if not curve:
        return sample_unknown().model_copy(update={"state": "frozen", "sentence": "Nothing is forgotten."})
    return Forgetting(
        state="measured",
        seeds=tuple(SeedForgetting(seed=seed, after=0.39 + 0.01 * seed) for seed in range(5)),
        split="test",
        n_images=90,
        before=span(0.93, 0.05),
        after=span(0.41, 0.1),
        difference=span(-0.52, 0.1),
        sentence="On 90 test images of the source the network scored 93.0% before and 41.0% after.",
    )


def sample_unknown() -> Forgetting:
    return Forgetting(
        state="unknown",
        seeds=(),
        split=None,
        n_images=0,
        before=None,
        after=None,
        difference=None,
        sentence="Forgetting is not measured: published weights.",
    )


def sample_why() -> Why:
    adds = {"block4": 0.05, "block3": -0.03, "block2": 0.02}
    return Why(
        n_seeds=1,
        features=span(0.08, 0.03),
        scale=span(0.01, 0.03),
        resets=tuple(
            ResetBlock(block=block, score=span(0.8, 0.03), difference=span(size, 0.02), p_holm=0.01)
            for block, size in adds.items()
        ),
        harmful="block3",
        sentence="Most of the gain is reused features. The pretrained weights of block3 do harm.",
    )
