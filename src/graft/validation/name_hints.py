"""Do the names of images tell which belong together: frames of one video, slices of one patient, days at one site."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import gcd
from typing import Literal, NamedTuple

from graft.store.catalogue import nfc

Kind = Literal["frames", "patients", "sites"]

MEAN_SIZE: dict[Kind, float] = {"patients": 1.5, "frames": 1.5, "sites": 3.0}
"""images a group on average; with fewer the names tell images apart and not groups"""
FEWEST_GROUPS = 3
"""as many as there are splits to cut"""
FEWEST_SERIES = 10
"""groups where no word in the names says what they are"""
SPARSE = 4
"""numbers of a series leave out at most so many for each that is there"""
SHARED = 0.5
"""share of the images whose number occurs in another series too: series count from the start, a camera goes on"""
ONCE = 0.9
"""share of the images whose number occurs once in their series; else the folder belongs to its name"""
ALMOST = 0.2
"""share of the images that a pattern must match to be told of where it does not match all"""
MOST_SHORT = 4
"""letters of a word that may end others, as cam does webcam"""
N_LOOKED_AT = 50
"""paths that patterns are made from, and tried on first"""
N_EXAMPLES = 3

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
"""a word before a number or a letter names what pictures are of"""
_MARK = r"\d+|(?<=[ _-])(?=[A-Za-z]*\d)[A-Za-z0-9]+|[A-Z](?![A-Za-z])"
_NAMED = {kind: re.compile(rf"(?<![A-Za-z])({words})([ _-]?)({_MARK})", re.IGNORECASE) for kind, words in _WORDS}
_PART = re.compile(
    r"(?:([^/]*?)([_. -]?)(?<![A-Za-z]))(frame|frm|slice|tile|patch|crop|view|aug|shot|still|page)([_. -]?)\d",
    re.IGNORECASE,
)
"""a word for a part: what stands before it, or the folder, names the whole"""
_FIXED: tuple[tuple[Kind, str], ...] = (
    ("patients", r"(TCGA-\w\w-\w{4})"),
    ("patients", r"(?<![A-Za-z0-9])([PS]\d+)(?=[_/-])"),
    ("patients", r"(?<![A-Za-z0-9])([ps]\d+)(?=[_/-])"),
    ("patients", r"([^/]+)[_-](?:left|right|LEFT|RIGHT|L|R|OD|OS)\b[^/]*$"),
    ("frames", r"([^/]+)\.rf\.[0-9a-f]{16,}"),  # versions of one picture, as a known labelling service writes them
    ("sites", r"(?<!\d)((?:19|20)\d\d[01]\d[0-3]\d)(?!\d)"),
    ("sites", r"(?<!\d)((?:19|20)\d\d-[01]\d-[0-3]\d)(?!\d)"),
    ("sites", r"(?<!\d)((?:19|20)\d\d_[01]\d_[0-3]\d)(?!\d)"),
)
_SERIES = (
    r"([^/]+)[_-][A-Za-z]*\d+\.[A-Za-z][^/]*$",
    r"([^/]+/[^/]+)[_-][A-Za-z]*\d+\.[A-Za-z][^/]*$",
    r"([^/]+)/[A-Za-z]*[_-]?\d+\.[A-Za-z][^/]*$",
)
"""a name with a digit, then a running number: where folders of classes each count anew, the folder belongs to it"""
_LAST_NUMBER = re.compile(r"(\d+)\.[A-Za-z][^/]*$")
_ORDER: tuple[Kind, ...] = ("patients", "frames", "sites")


class Hint(NamedTuple):
    """A way in which names tell groups."""

    kind: Kind
    """frames of a video and other pictures in series; patients and whatever is one thing in several pictures; sites,
    cameras and days"""
    pattern: str
    """regular expression with one group, for prepare_data.group_pattern; it matches every path"""
    n_groups: int
    examples: tuple[str, ...]
    """two or three paths of one group"""


class Almost(NamedTuple):
    """A way in which the names of some images tell groups; those of others do not."""

    kind: Kind
    pattern: str
    n_matched: int
    """images"""
    n_groups: int
    """of these images"""
    examples: tuple[str, ...]
    """two or three paths of one group"""
    missed: str
    """a path that does not match"""


def hints(paths: Sequence[str], labels: Sequence[str]) -> tuple[Hint, ...]:
    """Patterns that cut images into groups by their names, at most one of a kind, the likeliest leak first.

    Each is tried on all paths: it matches every one, has fewer groups than images and at least three, and is not just
    another name of the classes. A counter of a camera (`IMG_1234.jpg`), a running number or a hash is no group.

    Args:
        paths: of the images, relative to the folder of the domain, with forward slashes.
        labels: class of each image.
    """
    names = [nfc(path) for path in paths]
    some = _spread(names)
    found: dict[Kind, Hint] = {}
    seen: set[tuple[int, ...]] = set()
    for kind, pattern in _patterns(some):
        groups = None if kind in found else _groups(pattern, names, some)
        if groups is None or not _tells(kind, groups, names, labels) or (cut := _as_numbers(groups)) in seen:
            continue
        seen.add(cut)
        found[kind] = Hint(kind, pattern, len(set(groups)), _examples(paths, groups))
    return tuple(found[kind] for kind in _ORDER if kind in found) or tuple(_series(paths, names, some, labels))


def almost(paths: Sequence[str], labels: Sequence[str]) -> Almost | None:
    """The pattern that tells groups in the names of most images but not of all; None where there is none.

    Args:
        paths: of the images, relative to the folder of the domain, with forward slashes.
        labels: class of each image.
    """
    names = [nfc(path) for path in paths]
    some = _spread(names)
    best: Almost | None = None
    for kind, pattern in _patterns(some):
        if sum(bool(re.search(pattern, name)) for name in some) < ALMOST / 2 * len(some):
            continue
        marks = [match[1] if match else None for match in map(re.compile(pattern).search, names)]
        places = [place for place, mark in enumerate(marks) if mark]
        least = max(ALMOST * len(names), 0 if best is None else best.n_matched + 1)
        groups = [mark for mark in marks if mark]
        of_these = [[each[place] for place in places] for each in (names, labels, paths)]
        if len(names) > len(places) >= least and _tells(kind, groups, *of_these[:2]):
            missed = next(path for path, mark in zip(paths, marks, strict=True) if not mark)
            best = Almost(kind, pattern, len(places), len(set(groups)), _examples(of_these[2], groups), missed)
    return best


def _spread(names: Sequence[str]) -> list[str]:
    return list(names[:: max(1, len(names) // N_LOOKED_AT)])


def _patterns(some: Sequence[str]) -> list[tuple[Kind, str]]:
    """Patterns that words in some paths suggest, each once, the commonest first, then those that need no word."""
    counts = Counter(each for name in some for each in dict.fromkeys(_suggested(name)))
    return [*(each for each, _ in counts.most_common()), *_FIXED]


def _suggested(name: str) -> Iterator[tuple[Kind, str]]:
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
    """The group of each name; None where the pattern misses one."""
    search = re.compile(pattern).search
    if not all(search(name) for name in some):
        return None
    groups = [match[1] if match else "" for match in map(search, names)]
    return groups if all(groups) else None


def _tells(kind: Kind, groups: Sequence[str], names: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether groups are fewer than files, several, and not just another name of the classes.

    Files of one name in several folders count once: `cat/scan_1.png` and `dog/scan_1.png` are no scan in common.
    """
    n_groups, n_parts = len(set(groups)), len(set(zip(groups, labels, strict=True)))
    n_files = len({(group, name.rpartition("/")[2]) for group, name in zip(groups, names, strict=True)})
    return FEWEST_GROUPS <= n_groups <= n_files / MEAN_SIZE[kind] and n_parts > len(set(labels))


def _series(paths: Sequence[str], names: Sequence[str], some: Sequence[str], labels: Sequence[str]) -> Iterator[Hint]:
    """The first of the patterns for names without a word that tells groups, if there is one."""
    for pattern in _SERIES:
        groups = _groups(pattern, names, some)
        if groups is None or len(set(groups)) < FEWEST_SERIES or not _tells("frames", groups, names, labels):
            continue
        if all(re.search(r"\d", group.rpartition("/")[2]) for group in groups) and _run(groups, names):
            yield Hint("frames", pattern, len(set(groups)), _examples(paths, groups))
            return


def _run(groups: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the last numbers of most names run, group by group, from the same start, each number once."""
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
    step = gcd(*(number - least for number in numbers)) or 1  # every tenth frame may have been kept
    return (max(numbers) - least) / step < SPARSE * len(numbers)


def _as_numbers(groups: Sequence[str]) -> tuple[int, ...]:
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups)


def _examples(paths: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Paths of the first group that holds several."""
    sizes = Counter(groups)
    chosen = next(group for group in groups if sizes[group] > 1)
    return tuple(path for path, group in zip(paths, groups, strict=True) if group == chosen)[:N_EXAMPLES]
