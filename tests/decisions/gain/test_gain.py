"""The whole record from logits: each part gets the networks that it is about."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.examples import backbone_card, training_record, verdict_record

from graft.decisions.gain.forgetting import forgetting_of
from graft.decisions.gain.gain import OnTest, Trained, measure_gain
from graft.records.common import Arm
from graft.records.gain import GainRecord
from graft.records.training import Epoch, TrainingRecord
from graft.records.variants import VariantRun, VariantsRecord
from graft.store.catalogue import Labelled

N, SEEDS = 240, (3, 4, 5)
NAMES = np.array([f"{place:03}" for place in range(N)])
IMAGES = Labelled(np.arange(N), np.arange(N) % 3, NAMES, NAMES)
FORGETTING = forgetting_of(None, None, backbone_card(origin="file x"), 0.05)


def logits(accuracy: float, seed: int) -> NDArray[np.float32]:
    """(n, 3) logits that are right on about this share of the images."""
    wrong = np.random.default_rng(seed).random(N) >= accuracy
    return np.eye(3, dtype=np.float32)[(IMAGES.labels + wrong) % 3]


def arm(name: Arm, accuracies: tuple[float, ...]) -> TrainingRecord:
    curve = tuple(
        Epoch(epoch=place, steps=10 * place, train_loss=1, val_loss=1, val_accuracy=each)
        for place, each in enumerate(accuracies, start=1)
    )
    blank = training_record()
    changes = {"best_epoch": len(curve), "val_accuracy": accuracies[-1], "curve": curve}
    runs = tuple(blank.runs[0].model_copy(update={"seed": seed, **changes}) for seed in SEEDS)
    return blank.model_copy(update={"arm": name, "runs": runs})


def variant(name: str, kind: str, share: float = 1.0, **changes: Any) -> VariantRun:
    values = {"name": name, "kind": kind, "share": share, "n_labels": round(90 * share), "seed": SEEDS[0]}
    others = {"network": "small_cnn", "block": None, "rate": 0.1, "best_epoch": 1, "val_accuracy": 0.5, "val_loss": 1.0}
    return VariantRun.model_validate(values | others | changes)


def gain_of(*variants: VariantRun, left_out: tuple[str, ...] = ()) -> GainRecord:
    scores = {"transfer": 0.9, "scratch": 0.7}
    by_name = {f"{name}_{seed}": logits(score, seed) for name, score in scores.items() for seed in SEEDS}
    by_name |= {each.name: logits(0.5, 10 + place) for place, each in enumerate(variants)}
    trained = Trained(
        arm("transfer", (0.8, 0.9)),
        arm("scratch", (0.1, 0.2, 0.3, 0.7)),
        VariantsRecord(variants=variants, left_out=left_out),
        ("block1", "block2"),
    )
    on = OnTest(IMAGES, ("ant", "bee", "cat"), by_name)
    return measure_gain(trained, on, verdict_record("POSITIVE"), FORGETTING)


def test_a_smoke_run_has_what_costs_no_training() -> None:
    gain = gain_of(left_out=("Two seeds: none with fewer labels.", "No controls."))
    assert gain.labels.sentence == "Two seeds: none with fewer labels. No controls."
    assert [each.share for each in gain.labels.points] == [1.0]
    assert (gain.small, gain.why) == (None, None)
    assert [each.name for each in gain.classes.scores] == ["ant", "bee", "cat"]
    assert [(each.transfer, each.scratch) for each in gain.speed.seeds] == [(10, 40)] * 3
    assert gain.forgetting == FORGETTING


def test_scores_at_all_labels_are_those_of_the_arms() -> None:
    (point,) = gain_of().labels.points
    right = [(logits(0.9, seed).argmax(axis=1) == IMAGES.labels).mean() for seed in SEEDS]
    assert point.transfer is not None
    assert point.transfer.estimate == pytest.approx(np.mean(right))
    assert point.n_seeds == 3


def test_every_variant_goes_to_its_part() -> None:
    gain = gain_of(
        variant("transfer10_3", "transfer", 0.1),
        variant("scratch10_3", "scratch", 0.1),
        variant("head100_3", "head"),
        variant("small_3", "small", network="tiny_cnn"),
        variant("shuffled_3", "shuffled"),
        variant("reset_block2_3", "reset", block="block2"),
    )
    assert [(each.share, each.n_labels) for each in gain.labels.points] == [(0.1, 9), (1.0, 90)]
    assert gain.labels.points[1].head is not None
    assert gain.small is not None
    assert (gain.small.network, gain.small.seed) == ("tiny_cnn", 3)
    assert gain.why is not None
    assert [each.block for each in gain.why.resets] == ["block2"]
    assert gain.why.features is not None
