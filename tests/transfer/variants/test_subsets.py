"""Subsets of the labels: nested, stratified, groups whole; an epoch over few images has the steps of a full one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.transfer.variants.subsets import nested_subset, repeated

SHARES = (0.1, 0.25, 0.5, 1.0)
LABELS = np.repeat([0, 1, 2], [40, 20, 3])
OWN = np.array([f"{place}" for place in range(len(LABELS))])
# patients of one to four images; every third holds images of two classes
PATIENTS = np.array([f"p{place // 4}" if place % 8 < 4 else f"q{place // 2}" for place in range(len(LABELS))])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [OWN, PATIENTS])
def test_a_smaller_share_is_a_part_of_a_larger_one(groups: NDArray[np.str_], seed: int) -> None:
    subsets = [set(nested_subset(LABELS, groups, share, seed).tolist()) for share in SHARES]
    assert subsets[0] < subsets[1] < subsets[2] < subsets[3]
    assert subsets[3] == set(range(len(LABELS)))


@pytest.mark.parametrize(("share", "counts"), [(0.1, [4, 2, 1]), (0.25, [10, 5, 1]), (0.5, [20, 10, 1])])
def test_each_class_gives_its_share_or_one_image(share: float, counts: list[int]) -> None:
    assert np.bincount(LABELS[nested_subset(LABELS, OWN, share, 0)]).tolist() == counts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", SHARES)
def test_groups_stay_whole_and_every_class_is_there(share: float, seed: int) -> None:
    taken = nested_subset(LABELS, PATIENTS, share, seed)
    assert not set(PATIENTS[taken]) & set(np.delete(PATIENTS, taken))
    assert set(LABELS[taken]) == {0, 1, 2}


def test_a_class_that_shares_all_its_groups_with_rarer_ones_is_there() -> None:
    labels = np.array([0, 0, 1, 0, 1, 0, 2])
    groups = np.array(list("abbccde"))
    for seed in range(10):
        assert set(labels[nested_subset(labels, groups, 0.1, seed)]) == {0, 1, 2}


def test_seeds_draw_other_images() -> None:
    assert len({tuple(nested_subset(LABELS, OWN, 0.25, seed)) for seed in range(5)}) == 5


@pytest.mark.parametrize("length", [7, 10, 14, 23])
def test_places_come_equally_often_up_to_one(length: int) -> None:
    again = repeated(np.array([3, 5, 8, 9, 11, 20, 21]), length, 0)
    counts = np.unique_counts(again).counts
    assert len(again) == length
    assert len(counts) == 7
    assert counts.max() - counts.min() <= 1
