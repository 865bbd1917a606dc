"""Scores by number of labels: which networks make a point, and what the sentence says."""

from typing import cast

import numpy as np
import pytest

from graft.decisions.gain.label_curve import label_curve
from graft.decisions.gain.scoring import Scoring, difference_of
from graft.decisions.gain.tried import Kind, Tried
from graft.records.gain import LabelCurve

N = 200
ON = Scoring(np.arange(N) % 2, np.array([f"{each:03}" for each in range(N)]), "accuracy", 0.05)


def tried(kind: str, seed: int, share: float, accuracy: float, n_labels: int = 0) -> Tried:
    """A network that is right on the first images: exactly this share of them."""
    return Tried(cast("Kind", kind), seed, np.arange(N) < accuracy * N, share, n_labels)


def curve(*networks: Tried) -> LabelCurve:
    return label_curve(networks, ON, "no smaller shares")


WHOLE = [tried(kind, seed, 1.0, score) for kind, score in (("transfer", 0.9), ("scratch", 0.7)) for seed in range(3)]


def test_every_share_has_a_point_in_ascending_order() -> None:
    found = curve(*WHOLE, tried("transfer", 0, 0.1, 0.5), tried("head", 0, 0.5, 0.4))
    assert [each.share for each in found.points] == [0.1, 0.5, 1.0]
    assert [each.head and each.head.estimate for each in found.points] == [None, 0.4, None]


def test_the_gain_is_paired_by_the_seeds_that_both_arms_have() -> None:
    networks = [tried("transfer", 0, 0.1, 0.2), tried("transfer", 1, 0.1, 0.8), tried("scratch", 1, 0.1, 0.5)]
    (point, _) = curve(*WHOLE, *networks).points
    assert point.n_seeds == 1
    assert point.transfer is not None
    assert point.transfer.estimate == pytest.approx(0.5)
    expected = difference_of(networks[1].right[None], networks[2].right[None], ON).interval
    assert point.difference == expected


def test_one_seed_is_said_to_speak_of_images_alone() -> None:
    found = curve(*WHOLE, tried("transfer", 0, 0.1, 0.8, 20), tried("scratch", 0, 0.1, 0.3, 20))
    assert "(20 images, 1 seed)" in found.sentence
    assert found.sentence.endswith("the interval is that of the test images: other seeds may differ by more.")


def test_fewer_labels_are_held_against_scratch_with_all_of_them_by_an_interval() -> None:
    shares = [tried(kind, 0, share, score) for share, ours, others in ((0.1, 0.6, 0.2), (0.25, 0.75, 0.4))
              for kind, score in (("transfer", ours), ("scratch", others))]  # fmt: skip
    found = curve(*WHOLE, *shares)
    gaps = [
        difference_of(networks.right[None], WHOLE[3].right[None], ON).interval for networks in (shares[0], shares[2])
    ]
    said = [f"{100 * each.estimate:.1f} ({100 * each.low:.1f} to {100 * each.high:.1f})" for each in gaps]
    assert said[1].startswith("5.0 (")
    assert f"Against scratch with all labels, transfer gains {said[0]} with 10%, {said[1]} with 25%." in found.sentence


def test_a_share_without_transfer_is_not_held_against_scratch() -> None:
    assert "Against scratch" not in curve(*WHOLE, tried("head", 0, 0.1, 0.2)).sentence


def test_without_smaller_shares_the_reason_is_given() -> None:
    assert curve(*WHOLE).sentence == "no smaller shares"
