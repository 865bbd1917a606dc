"""Cut train, val and test where the folders do not name them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graft.files import visible
from graft.records.common import Split
from graft.store.catalogue import SPLITS

CUT_SHARE = 0.15
"""share of val, and of test, of what they are cut from"""
MOST_MOVES = 10_000
"""moves of groups in the search for a cut in which no class lacks a split"""

Sizes = Mapping[str, Mapping[str, int]]
"""of each group, how many images of each class it holds"""


class Unit(NamedTuple):
    """A readable image, as far as splitting looks at it."""

    label: str
    group: str
    """images of one group go to one split"""
    split: Split | None
    """of the folder it lies in"""


def assign_splits(units: Sequence[Unit], where: str, seed: int) -> tuple[Split, ...]:
    """A split for each image: named folders are kept, missing ones are cut from what there is.

    Without split folders, or with train alone, 15 % become val and 15 % test. With train and val, val
    becomes test. With train and one other, 15 % of train become val. Groups stay whole. As far as whole groups
    allow, every class keeps its shares (stratified), also where groups hold several classes. Order follows a
    hash of seed and group, so that the same files fall the same way wherever they lie.

    Args:
        units: the images.
        where: name of the domain's folder, for the message.
        seed: of the hash and of the search.

    Raises:
        ValueError: a class has fewer groups than splits are to be cut, or no cut was found in which every class
            has an image in every split.
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
    """The split of each group of the pool."""
    sizes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in pool:
        sizes[each.group][each.label] += 1
    _check_enough(sizes, cut, where)
    placed = _place(sizes, cut, seed)
    lacking = _fill(placed, sizes, cut, seed)
    if lacking:
        label, split = lacking[0]
        raise ValueError(
            f"{where}, class {visible(label)}: want images of it in every split, got none in {split}: its groups hold "
            "other classes too, and no way to cut them was found. Add images of other groups, or make split folders."
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
                "it, or leave the class out; where images were joined that do not belong together, look at "
                "prepare_data.group_pattern, group_file and near_duplicate_bits."
            )


def _place(sizes: Sizes, cut: Sequence[Split], seed: int) -> dict[str, Split]:
    """The split of each group, the largest first: where its classes lack most, as shares of each class."""
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
    """Images of a class that each split should have."""
    shares = {split: max(1, round(CUT_SHARE * n_images)) for split in cut}
    return {**shares, "train": n_images - sum(n for split, n in shares.items() if split != "train")}


def _fill(placed: dict[str, Split], sizes: Sizes, cut: Sequence[Split], seed: int) -> list[tuple[str, Split]]:
    """Move groups until every class has one in every split; returns what still lacks after MOST_MOVES.

    A walk: into a split that a class lacks moves that one of its groups which leaves least lacking, drawn among
    equals. To find such a cut, or that there is none, is a hard problem (colouring of a hypergraph); where groups
    are few, the walk was seen to agree with trying all cuts.
    """
    rng = np.random.default_rng(seed)
    members: defaultdict[str, list[str]] = defaultdict(list)
    for group in sorted(sizes, key=lambda each: _hash(seed, each)):
        for label in sizes[group]:
            members[label].append(group)
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
