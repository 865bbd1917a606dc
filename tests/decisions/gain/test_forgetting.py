"""What was forgotten of the source: which images, and why there may be none."""

import numpy as np
import pytest
from tests.examples import backbone_card, catalog_row

from graft.decisions.gain.forgetting import MOST_IMAGES, Source, forgetting_of, held_out
from graft.records.cards import BackboneCard
from graft.records.common import Split
from graft.store.catalogue import CatalogRow, Labelled


def card(origin: str = "pretrain") -> BackboneCard:
    return backbone_card(origin=origin)


def rows(**counts: int) -> tuple[CatalogRow, ...]:
    """So many images of each split, half of them cats and half dogs."""
    names = [(split, place) for split, n in counts.items() for place in range(n)]
    return tuple(
        catalog_row(f"{split}/{place}.png", split=split, label=("cat", "dog")[place % 2], row=number)
        for number, (split, place) in enumerate(names)
    )


@pytest.mark.parametrize(("counts", "split"), [({"train": 4, "val": 2, "test": 6}, "test"), ({"val": 6}, "val")])
def test_test_images_are_held_out_or_else_those_of_validation(counts: dict[str, int], split: Split) -> None:
    found = held_out(rows(**counts), card())
    assert found is not None
    assert found.split == split
    assert len(found.images.rows) == 6


def test_of_many_images_some_are_drawn_in_the_order_of_the_store() -> None:
    found = held_out(rows(test=MOST_IMAGES + 50), card())
    assert found is not None
    drawn = found.images.rows.tolist()
    assert len(set(drawn)) == MOST_IMAGES
    assert drawn == sorted(drawn)


@pytest.mark.parametrize("origin", ["torchvision IMAGENET1K_V1", "file weights.pt"])
def test_published_weights_are_not_asked_of_any_image(origin: str) -> None:
    assert held_out(rows(test=6), card(origin)) is None
    found = forgetting_of(None, None, card(origin), 0.05)
    assert found.state == "unknown"
    assert "published weights" in found.sentence


def test_a_source_that_holds_out_nothing_is_said() -> None:
    assert held_out(rows(train=6), card()) is None
    assert "no held-out images" in forgetting_of(None, None, card(), 0.05).sentence


def source(n: int) -> Source:
    names = np.array([f"{place:03}" for place in range(n)])
    return Source(Labelled(np.arange(n), np.arange(n) % 2, names, names), "test")


def logits(n: int, n_right: int) -> np.ndarray:
    """(n, 2) logits that are right on the first images."""
    predicted = (np.arange(n) + (np.arange(n) >= n_right)) % 2
    return np.eye(2, dtype=np.float32)[predicted]


def test_accuracy_is_compared_before_and_after_over_all_seeds() -> None:
    after = {3: logits(40, 20), 5: logits(40, 24)}
    found = forgetting_of(source(40), (logits(40, 36), after), card(), 0.05)
    assert (found.state, found.split, found.n_images) == ("measured", "test", 40)
    assert [(each.seed, each.after) for each in found.seeds] == [(3, 0.5), (5, 0.6)]
    assert found.before is not None
    assert found.after is not None
    assert found.difference is not None
    scores = (found.before.estimate, found.after.estimate, found.difference.estimate)
    assert scores == pytest.approx((0.9, 0.55, -0.35))
    assert found.difference.high < 0
    assert "scored 90.0% before it was tuned and scores 55.0% after" in found.sentence
    assert "mean over 2 seeds" in found.sentence


def test_seeds_that_differ_widen_the_interval_of_the_difference() -> None:
    before = logits(400, 360)
    alike, apart = (
        forgetting_of(source(400), (before, {seed: logits(400, n) for seed, n in enumerate(right)}), card(), 0.05)
        for right in ((240, 240, 240), (180, 240, 300))
    )
    assert alike.difference is not None
    assert apart.difference is not None
    assert apart.difference.estimate == pytest.approx(alike.difference.estimate)
    assert apart.difference.high - apart.difference.low > 2 * (alike.difference.high - alike.difference.low)


def test_a_seed_whose_blocks_did_not_change_scores_as_before() -> None:
    found = forgetting_of(source(40), (logits(40, 36), {0: None, 1: logits(40, 20)}), card(), 0.05)
    assert [each.after for each in found.seeds] == [0.9, 0.5]


def test_blocks_that_did_not_change_forget_nothing() -> None:
    found = forgetting_of(source(40), (logits(40, 36), {0: None, 1: None}), card(), 0.05)
    assert (found.state, found.seeds) == ("frozen", ())
    assert found.before is None
