"""Cut train, val and test where the folders do not name them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graft.records import Split
from graft.store import SPLITS

CUT_SHARE = 0.15
"""share of val, and of test, of what they are cut from"""


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
    becomes test. With train and one other, 15 % of train become val. Every class keeps its shares
    (stratified), groups stay whole, and order follows a hash of seed and group, so that the same files fall
    the same way wherever they lie.

    Args:
        units: the images.
        where: name of the domain's folder, for the message.
        seed: of the hash.

    Raises:
        ValueError: a class has fewer groups than splits are to be cut.
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
    """The split of each group of the pool, class by class."""
    sizes = Counter(each.group for each in pool)
    members_of: defaultdict[str, list[str]] = defaultdict(list)
    for group, label in {each.group: each.label for each in reversed(pool)}.items():
        members_of[label].append(group)
    placed: dict[str, Split] = {}
    for label in sorted({each.label for each in pool}):
        members = members_of[label]
        if len(members) < len(cut):
            raise ValueError(
                f"{where}, class {label}: want at least {len(cut)} different readable images, to cut "
                f"{', '.join(cut)} from them, got {len(members)}. Add images to its folder, or remove it."
            )
        placed |= _place({group: sizes[group] for group in members}, cut, seed)
    return placed


def _place(sizes: Mapping[str, int], cut: Sequence[Split], seed: int) -> dict[str, Split]:
    """The split of each group of one class: each goes where most is lacking, the largest first."""
    n_images = sum(sizes.values())
    lacking = {split: max(1, round(CUT_SHARE * n_images)) for split in cut}
    lacking["train"] = n_images - sum(n for split, n in lacking.items() if split != "train")
    order = sorted(sizes, key=lambda group: (-sizes[group], _hash(seed, group)))
    placed: dict[str, Split] = {}
    empty = set(cut)
    for index, group in enumerate(order):
        open_splits = [split for split in cut if split in empty] if len(order) - index <= len(empty) else cut
        chosen = max(open_splits, key=lambda split: lacking[split])
        placed[group] = chosen
        lacking[chosen] -= sizes[group]
        empty.discard(chosen)
    return placed


def _hash(seed: int, group: str) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
