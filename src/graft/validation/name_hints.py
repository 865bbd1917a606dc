"""Find groups in the names of images: frames of a video, slices of a patient, or days at a site."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import gcd
from typing import Literal, NamedTuple

from graft.store.catalogue import nfc

Kind = Literal["frames", "patients", "sites"]

# Smallest mean number of images in a group; with fewer, names identify images and not groups.
MEAN_SIZE: dict[Kind, float] = {"patients": 1.5, "frames": 1.5, "sites": 3.0}
# As many groups as there are splits to cut.
FEWEST_GROUPS = 3
# Groups that are needed if no word in the names says what they are.
FEWEST_SERIES = 10
# The numbers of a series span less than this many times their count.
SPARSE = 4
# Share of the images whose number occurs in another series too: each series starts anew, but a camera counts on.
SHARED = 0.5
# Share of the images whose number occurs once in their series; with fewer, the folder is part of the series' name.
ONCE = 0.9
# Share of the images that a pattern must match to be reported if it does not match all.
ALMOST = 0.2
# Letters of a word that may be the end of another, such as cam in webcam.
MOST_SHORT = 4
# Paths from which patterns are made, and on which they are tried first.
N_LOOKED_AT = 50
N_EXAMPLES = 3

# A word before a number or a letter that names what an image shows.
_WORDS: tuple[tuple[Kind, str], ...] = (
    (
        "patients",
        "patient|pat|subject|subj|sub|person|participant|volunteer|donor|individual|animal|mouse|case|pt|study|exam|"
        "slide|wsi|specimen|biopsy|scan|volume|vol|plant|tree|leaf",
    ),
    ("frames", "video|vid|clip|movie|sequence|seq|scene|track|burst|take"),
    (
        "sites",
        "site|hospital|clinic|centre|center|lab|camera|cam|sensor|device|scanner|station|location|loc|farm|field|plot|"
        "room|machine|batch|session|ses|run|plate|flight",
    ),
)
_MARK = r"\d+|(?<=[ _-])(?=[A-Za-z]*\d)[A-Za-z0-9]+|[A-Z](?![A-Za-z])"
_NAMED = {kind: re.compile(rf"(?<![A-Za-z])({words})([ _-]?)({_MARK})", re.IGNORECASE) for kind, words in _WORDS}
# A word for a part of something; the text before it, or the folder, names the whole.
_PART = re.compile(
    r"(?:([^/]*?)([_. -]?)(?<![A-Za-z]))(frame|frm|slice|tile|patch|crop|view|aug|shot|still|page)([_. -]?)\d",
    re.IGNORECASE,
)
# Patterns that need no word in the names: case numbers, left and right, hashes of versions, dates.
_FIXED: tuple[tuple[Kind, str], ...] = (
    ("patients", r"(TCGA-\w\w-\w{4})"),
    ("patients", r"(?<![A-Za-z0-9])([PS]\d+)(?=[_/-])"),
    ("patients", r"(?<![A-Za-z0-9])([ps]\d+)(?=[_/-])"),
    ("patients", r"([^/]+)[_-](?:left|right|LEFT|RIGHT|L|R|OD|OS)\b[^/]*$"),
    # versions of one image, as a known labelling service writes them
    ("frames", r"([^/]+)\.rf\.[0-9a-f]{16,}"),
    ("sites", r"(?<!\d)((?:19|20)\d\d[01]\d[0-3]\d)(?!\d)"),
    ("sites", r"(?<!\d)((?:19|20)\d\d-[01]\d-[0-3]\d)(?!\d)"),
    ("sites", r"(?<!\d)((?:19|20)\d\d_[01]\d_[0-3]\d)(?!\d)"),
)
# A name with a digit, then a running number. If the numbers start anew in each folder, the folder is part of the name.
_SERIES = (
    r"([^/]+)[_-][A-Za-z]*\d+\.[A-Za-z][^/]*$",
    r"([^/]+/[^/]+)[_-][A-Za-z]*\d+\.[A-Za-z][^/]*$",
    r"([^/]+)/[A-Za-z]*[_-]?\d+\.[A-Za-z][^/]*$",
)
_LAST_NUMBER = re.compile(r"(\d+)\.[A-Za-z][^/]*$")
_ORDER: tuple[Kind, ...] = ("patients", "frames", "sites")


class Hint(NamedTuple):
    """A pattern that finds groups in the names of all images."""

    kind: Kind
    """frames: a video or another series; patients: one thing in several images; sites: sites, cameras and days"""
    pattern: str
    """regular expression with one capturing group for prepare_data.group_pattern; it matches every path"""
    n_groups: int
    examples: tuple[str, ...]
    """two or three paths of one group"""


class Almost(NamedTuple):
    """A pattern that finds groups in the names of some images, but does not match others."""

    kind: Kind
    pattern: str
    n_matched: int
    """number of images that match"""
    n_groups: int
    """number of groups of the images that match"""
    examples: tuple[str, ...]
    """two or three paths of one group"""
    missed: str
    """a path that does not match"""


def hints(paths: Sequence[str], labels: Sequence[str]) -> tuple[Hint, ...]:
    """Patterns that find groups in the names of images, at most one of each kind, the likeliest leak first.

    A pattern must match every path. Its groups must be fewer than the images and at least three, and must not just
    repeat the classes. A camera's counter (`IMG_1234.jpg`), a running number or a hash is not a group.

    Args:
        paths: paths of the images, relative to the domain's folder, with forward slashes.
        labels: class of each image.
    """
    names = [nfc(path) for path in paths]
    some = _spread(names)
    found: dict[Kind, Hint] = {}
    seen: set[tuple[int, ...]] = set()
    for kind, pattern in _patterns(some):
        groups = None if kind in found else _groups(pattern, names, some)
        if groups is None or not _are_groups(kind, groups, names, labels) or (cut := _as_numbers(groups)) in seen:
            continue
        seen.add(cut)
        found[kind] = Hint(kind, pattern, len(set(groups)), _examples(paths, groups))
    return tuple(found[kind] for kind in _ORDER if kind in found) or tuple(_series(paths, names, some, labels))


def almost(paths: Sequence[str], labels: Sequence[str]) -> Almost | None:
    """The pattern that finds groups in the names of the most images, but not of all; None if there is none.

    Args:
        paths: paths of the images, relative to the domain's folder, with forward slashes.
        labels: class of each image.
    """
    names = [nfc(path) for path in paths]
    some = _spread(names)
    best: Almost | None = None
    for kind, pattern in _patterns(some):
        # half the share, since the paths that are tried first may match less often by chance
        if sum(bool(re.search(pattern, name)) for name in some) < ALMOST / 2 * len(some):
            continue
        marks = [match[1] if match else None for match in map(re.compile(pattern).search, names)]
        places = [place for place, mark in enumerate(marks) if mark]
        least = max(ALMOST * len(names), 0 if best is None else best.n_matched + 1)
        groups = [mark for mark in marks if mark]
        of_these = [[each[place] for place in places] for each in (names, labels, paths)]
        if len(names) > len(places) >= least and _are_groups(kind, groups, *of_these[:2]):
            missed = next(path for path, mark in zip(paths, marks, strict=True) if not mark)
            best = Almost(kind, pattern, len(places), len(set(groups)), _examples(of_these[2], groups), missed)
    return best


def _spread(names: Sequence[str]) -> list[str]:
    return list(names[:: max(1, len(names) // N_LOOKED_AT)])


def _patterns(some: Sequence[str]) -> list[tuple[Kind, str]]:
    """Patterns that words in some paths suggest, the commonest first, then those that need no word."""
    counts = Counter(each for name in some for each in dict.fromkeys(_suggested(name)))
    return [*(each for each, _ in counts.most_common()), *_FIXED]


def _suggested(name: str) -> Iterator[tuple[Kind, str]]:
    r"""Patterns that the words in a path suggest; `patient_7` suggests `(patient_\d+)`."""
    for kind, named in _NAMED.items():
        for word, gap, mark in (match.groups() for match in named.finditer(name)):
            kept = r"\d+" if mark.isdigit() else "[A-Z]" if len(mark) == 1 and not gap else "[A-Za-z0-9]+"
            start = "" if len(word) > MOST_SHORT else "(?<![A-Za-z])"
            yield kind, f"{start}({word}{gap}{kept})"
    part = _PART.search(name, name.rfind("/") + 1)
    if part:
        before, gap, word, gap_after = part.groups()
        whose: Kind = "patients" if word.lower() == "slice" else "frames"
        yield whose, rf"([^/]+){re.escape(gap) if before else '/'}{word}{re.escape(gap_after)}\d"


def _groups(pattern: str, names: Sequence[str], some: Sequence[str]) -> list[str] | None:
    """Group of each name; None if the pattern does not match all names."""
    search = re.compile(pattern).search
    if not all(search(name) for name in some):
        return None
    groups = [match[1] if match else "" for match in map(search, names)]
    return groups if all(groups) else None


def _are_groups(kind: Kind, groups: Sequence[str], names: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether groups are several, fewer than the files, and do not just repeat the classes.

    Files with equal names in several folders count once: `cat/scan_1.png` and `dog/scan_1.png` are not one scan.
    """
    n_groups, n_parts = len(set(groups)), len(set(zip(groups, labels, strict=True)))
    n_files = len({(group, name.rpartition("/")[2]) for group, name in zip(groups, names, strict=True)})
    return FEWEST_GROUPS <= n_groups <= n_files / MEAN_SIZE[kind] and n_parts > len(set(labels))


def _series(paths: Sequence[str], names: Sequence[str], some: Sequence[str], labels: Sequence[str]) -> Iterator[Hint]:
    """The first pattern that finds series in names without a word for groups, if there is one."""
    for pattern in _SERIES:
        groups = _groups(pattern, names, some)
        if groups is None or len(set(groups)) < FEWEST_SERIES or not _are_groups("frames", groups, names, labels):
            continue
        if all(re.search(r"\d", group.rpartition("/")[2]) for group in groups) and _are_series(groups, names):
            yield Hint("frames", pattern, len(set(groups)), _examples(paths, groups))
            return


def _are_series(groups: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the last numbers of most names are series: in each group without gaps or repeats, and from one start."""
    numbers = [int(match[1]) if (match := _LAST_NUMBER.search(name)) else -1 for name in names]
    of_group: defaultdict[str, list[int]] = defaultdict(list)
    for group, number in zip(groups, numbers, strict=True):
        of_group[group].append(number)
    n_groups_of = Counter(number for of_one in of_group.values() for number in set(of_one))
    n_once = sum(len(set(of_one)) for of_one in of_group.values())
    n_dense = sum(len(of_one) for of_one in of_group.values() if _is_dense(of_one))
    n_shared = sum(n_groups_of[number] > 1 for number in numbers)
    return n_once > ONCE * len(names) and min(n_dense, n_shared) >= SHARED * len(names)


def _is_dense(numbers: Sequence[int]) -> bool:
    least = min(numbers)
    # every tenth frame may have been kept
    step = gcd(*(number - least for number in numbers)) or 1
    return (max(numbers) - least) / step < SPARSE * len(numbers)


def _as_numbers(groups: Sequence[str]) -> tuple[int, ...]:
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups)


def _examples(paths: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Paths of the first group with several images."""
    sizes = Counter(groups)
    chosen = next(group for group in groups if sizes[group] > 1)
    return tuple(path for path, group in zip(paths, groups, strict=True) if group == chosen)[:N_EXAMPLES]
