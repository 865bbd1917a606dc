"""Where the gain comes from: parts that add up, and the block that does harm."""

import numpy as np
import pytest

from graft.decisions.gain.scoring import Scoring
from graft.decisions.gain.tried import Kind, Tried
from graft.decisions.gain.why import why_of
from graft.records.gain import Why

N = 300
ON = Scoring(np.arange(N) % 3, np.array([f"{each:03}" for each in range(N)]), "accuracy", 0.05)
BLOCKS = ("block1", "block2", "block3")


def tried(kind: Kind, accuracy: float, block: str = "", seed: int = 0) -> Tried:
    """A network that is right on exactly this share of the images, each with its own thirtieth of flips."""
    flips = np.zeros(N, dtype=bool)
    flips[[seed, N - 1 - seed]] = True
    return Tried(kind, seed, (np.arange(N) < accuracy * N) ^ flips, block=block)


ARMS = (tried("transfer", 0.9), tried("scratch", 0.6))


def test_reused_features_and_scale_add_up_to_the_gain() -> None:
    why = why_of((*ARMS, tried("shuffled", 0.65)), BLOCKS, ON)
    assert why is not None
    assert why.features is not None
    assert why.scale is not None
    assert why.features.estimate + why.scale.estimate == pytest.approx(0.3)
    assert "25.0 (" in why.sentence
    assert "5.0 (" in why.sentence


def test_a_block_whose_weights_lower_the_score_is_named() -> None:
    resets = (tried("reset", 0.85, "block3"), tried("reset", 0.95, "block2"), tried("reset", 0.9, "block1"))
    why = why_of((*ARMS, *resets), BLOCKS, ON)
    assert why is not None
    assert [each.block for each in why.resets] == ["block3", "block2", "block1"]
    assert [each.difference.estimate for each in why.resets] == pytest.approx([0.05, -0.1, 0.05])
    assert why.harmful == "block2"
    assert "block2 do harm" in why.sentence


def test_a_loss_by_chance_names_no_block() -> None:
    why = why_of((*ARMS, tried("reset", 0.907, "block3")), BLOCKS, ON)
    assert why is not None
    assert why.harmful is None
    assert "No block was found" in why.sentence


def reset_of_eight(harm: float) -> Why:
    """Eight blocks; the score rises by `harm` when the top one is re-initialised and stays for the others."""
    blocks = tuple(f"block{each}" for each in range(1, 9))
    resets = (tried("reset", 0.9 + harm, each) for each in blocks)
    why = why_of((*ARMS, *resets), blocks, ON)
    assert why is not None
    return why


def test_a_block_is_named_only_if_it_is_proved_among_all_that_were_tried() -> None:
    why = reset_of_eight(0.02)
    top, *others = why.resets
    assert top.difference.high < 0
    assert top.p_holm > ON.level
    assert why.harmful is None
    assert [each.difference.estimate for each in others] == [0.0] * 7
    assert reset_of_eight(0.05).harmful == "block8"


def test_blocks_are_told_as_far_down_as_they_were_re_initialised() -> None:
    why = why_of((*ARMS, tried("reset", 0.85, "block3"), tried("reset", 0.5, "block1")), BLOCKS, ON)
    assert why is not None
    assert [each.block for each in why.resets] == ["block3"]


def test_one_seed_is_said_to_speak_of_images_alone() -> None:
    one = why_of((*ARMS, tried("shuffled", 0.65)), BLOCKS, ON)
    assert one is not None
    assert one.sentence.endswith("One seed was trained: intervals are those of the test images alone.")


def test_without_the_controls_nothing_is_said() -> None:
    assert why_of(ARMS, BLOCKS, ON) is None
