"""Cut train, val and test if the folders do not name them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graft.files import visible
from graft.records.common import Split
from graft.store.catalogue import SPLITS

# Share of the images that val gets, and the same for test.
CUT_SHARE = 0.15
# Moves of groups in the search for a cut in which every class is in every split.
MOST_MOVES = 10_000

# For each group, the number of its images by class.
Sizes = Mapping[str, Mapping[str, int]]


class Unit(NamedTuple):
    """What splitting needs to know of a readable image."""

    label: str
    group: str
    """name of its group; images of a group go to one split"""
    split: Split | None
    """split that its folder or the table of labels names"""


def assign_splits(units: Sequence[Unit], where: str, seed: int) -> tuple[Split, ...]:
    """A split for each image: named splits are kept, missing ones are cut from train.

    Without named splits, or with train alone, 15 % become val and 15 % test. With train and val, val becomes test.
    With train and one other, 15 % of train become val. Groups stay whole. The cut is stratified by class as far as
    whole groups allow, also if groups have images of several classes. Ties are broken by a hash of seed and group,
    so that the split of an image does not depend on where the files are.

    Args:
        units: the images.
        where: the domain's folder, for the error message.
        seed: seed for the hash and the search.

    Raises:
        ValueError: a class has fewer groups than splits to be cut, or no cut was found in which every class has an
            image in every split.
    """
    named = {each.split for each in units} - {None}
    if named == set(SPLITS):
        return tuple(each.split or "train" for each in units)
    renamed: dict[Split, Split] = {"val": "test"} if "test" not in named else {}
    kept = [renamed.get(each.split, each.split) if each.split else "train" for each in units]
    cut: tuple[Split, ...] = ("train", "val") if "test" in kept else SPLITS
    pool = [each for each, split in zip(units, kept, strict=True) if split == "train"]
    placed = _cut(pool, cut, where, seed)
    return tuple(placed[unit.group] if split == "train" else split for unit, split in zip(units, kept, strict=True))


def _cut(pool: Sequence[Unit], cut: Sequence[Split], where: str, seed: int) -> dict[str, Split]:
    """Split of each group in the pool."""
    sizes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in pool:
        sizes[each.group][each.label] += 1
    _check_enough(sizes, cut, where)
    placed = _place(sizes, cut, seed)
    lacking = _fill(placed, sizes, cut, seed)
    if lacking:
        label, split = lacking[0]
        raise ValueError(
            f"{where}, class {visible(label)}: want images of it in every split, got none in {split}: its groups have "
            "images of other classes too, and no way to cut them was found. Add images of other groups, or make split "
            "folders."
        )
    return placed


def _check_enough(sizes: Sizes, cut: Sequence[Split], where: str) -> None:
    n_groups = Counter(label for of_group in sizes.values() for label in of_group)
    for label in sorted(n_groups):
        if n_groups[label] < len(cut):
            n_images = sum(of_group.get(label, 0) for of_group in sizes.values())
            raise ValueError(
                f"{where}, class {visible(label)}: want at least {len(cut)} different readable images, or groups of "
                f"them, to cut {', '.join(cut)} from them, got {n_groups[label]} in {n_images} files. Add images of "
                "it, or leave the class out; if unrelated images were joined into one group, check "
                "prepare_data.group_pattern, group_file and near_duplicate_bits."
            )


def _place(sizes: Sizes, cut: Sequence[Split], seed: int) -> dict[str, Split]:
    """Split of each group by a greedy rule.

    The groups are placed in order of size, the largest first. Each goes to the split that still lacks the largest
    share of the group's classes.
    """
    totals: Counter[str] = Counter()
    for each in sizes.values():
        totals.update(each)
    lacking = {label: _shares(n, cut) for label, n in totals.items()}
    placed: dict[str, Split] = {}
    for group in sorted(sizes, key=lambda name: (-sum(sizes[name].values()), _hash(seed, name))):
        of_group = sorted(sizes[group].items())
        gain = {split: sum(n * lacking[label][split] / totals[label] for label, n in of_group) for split in cut}
        placed[group] = chosen = max(cut, key=gain.__getitem__)
        for label, n in of_group:
            lacking[label][chosen] -= n
    return placed


def _shares(n_images: int, cut: Sequence[Split]) -> dict[Split, int]:
    """Number of images of a class that each split should get."""
    shares = {split: max(1, round(CUT_SHARE * n_images)) for split in cut}
    return {**shares, "train": n_images - sum(n for split, n in shares.items() if split != "train")}


def _fill(placed: dict[str, Split], sizes: Sizes, cut: Sequence[Split], seed: int) -> list[tuple[str, Split]]:
    """Move groups until every class is in every split.

    This is a random walk: one missing pair of class and split is drawn, and of the groups with that class the one
    whose move leaves the fewest pairs missing goes there, drawn among equals. Deciding whether such a cut exists is
    a hard problem (hypergraph colouring). With few groups the walk was found to agree with trying all cuts.

    Args:
        placed: split of each group, which is changed in place.
        sizes: images of each group by class.
        cut: the splits.
        seed: seed for the walk.

    Returns:
        The pairs of class and split that are still missing after MOST_MOVES.
    """
    rng = np.random.default_rng(seed)
    members: defaultdict[str, list[str]] = defaultdict(list)
    for group in sorted(sizes, key=lambda each: _hash(seed, each)):
        for label in sizes[group]:
            members[label].append(group)
    # number of groups with images of a class in a split
    held = Counter((label, placed[group]) for group, of_group in sizes.items() for label in of_group)

    def lost(group: str, split: Split) -> int:
        emptied = sum(held[label, placed[group]] == 1 for label in sizes[group])
        return emptied - sum(held[label, split] == 0 for label in sizes[group])

    wanted = [(label, split) for label in sorted(members) for split in cut]
    for _ in range(MOST_MOVES):
        lacking = [each for each in wanted if not held[each]]
        if not lacking:
            break
        label, split = lacking[int(rng.integers(len(lacking)))]
        moved = min(members[label], key=lambda each: (lost(each, split), rng.random()))
        for name in sizes[moved]:
            held[name, placed[moved]] -= 1
            held[name, split] += 1
        placed[moved] = split
    return [each for each in wanted if not held[each]]


def _hash(seed: int, group: str) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
