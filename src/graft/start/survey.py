"""What lies in the folder of a domain, as far as names and headers tell it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from graft.files import visible
from graft.params.pipeline import Params
from graft.preparation.found import Found
from graft.preparation.leftovers import left_out, unlabelled
from graft.preparation.scan import scan, scan_optional
from graft.preparation.splits import Unit, assign_splits
from graft.preparation.value_range import recognised_bits
from graft.records.catalog import LeftOut
from graft.records.common import Split
from graft.start.headers import ANY_RANGE, Header, header, is_grey
from graft.start.shape import check_shape, meant
from graft.validation.name_hints import Hint, hints

MOST_HEADERS = 1000
"""files of a domain whose headers are read"""
MOST_DECODED = 40
"""files of a domain whose pixels are looked at"""
MOST_NAMES = 100_000
"""paths in which groups are looked for"""

T = TypeVar("T")


class Survey(NamedTuple):
    """A domain."""

    folder: Path
    found: tuple[Found, ...]
    counts: dict[Split, Counter[str]]
    """files of each class in each split, after the cut; groups and near duplicates, which move a few, left aside"""
    headers: dict[str, Header]
    """of all files, or of a thousand spread over them, by path"""
    n_decoded: int
    """images whose pixels were looked at"""
    n_grey: int
    """of these"""
    n_deep: int
    """grey files of 16 bits among the headers"""
    bits: int | None
    """in use in them; None where there are none, or where their values do not tell it"""
    doubt: str
    """why they do not; else empty"""
    left_out: tuple[LeftOut, ...]
    hints: tuple[Hint, ...]
    """ways in which names tell groups, where params.yaml does not"""

    @property
    def classes(self) -> Counter[str]:
        """Files of each class."""
        return Counter(each.label for each in self.found)

    @property
    def readable(self) -> dict[str, Header]:
        """Headers of the files that can be read, as far as is known."""
        return {path: each for path, each in self.headers.items() if not each.error}

    @property
    def unreadable(self) -> dict[str, Header]:
        """Headers of the files that cannot be read, as far as is known."""
        return {path: each for path, each in self.headers.items() if each.error}


def survey(folder: Path, params: Params, any_shape: bool) -> Survey:
    """Look at a domain.

    Args:
        folder: of the domain.
        params: with the seed of the cut into splits, and whether groups are told already.
        any_shape: also where class folders look like data sets of their own.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it cannot be used; the sentence names the folder below it that a person may have meant.
    """
    try:
        found = scan(folder)
    except ValueError as error:
        raise ValueError(f"{error} {meant(folder)}".rstrip()) from None
    if not any_shape:
        check_shape(folder, found)
    return _look(folder, found, params)


def survey_source(folder: Path, params: Params, any_shape: bool) -> Survey | None:
    """The same where there are images; None where there are none."""
    return survey(folder, params, any_shape) if scan_optional(folder) else None


def _look(folder: Path, found: tuple[Found, ...], params: Params) -> Survey:
    headers = {each.path: header(folder, each) for each in spread(found, MOST_HEADERS)}
    readable = [path for path, each in headers.items() if not each.error]
    broken = [(path, each.error) for path, each in headers.items() if each.error]
    if len(broken) > len(readable):
        path, why = broken[0]
        raise ValueError(
            f"{visible(folder)}: want images, got files of which most cannot be read ({len(broken):,} of "
            f"{len(headers):,} looked at), such as {visible(path)}: {why}"
        )
    seen = [is_grey(folder / path, headers[path].mode) for path in spread(readable, MOST_DECODED)]
    deep = [each for each in found if each.path in headers and headers[each.path].deep]
    bits, doubt = _bits(folder, spread(deep, MOST_DECODED))
    told = bool(params.prepare_data.group_pattern or params.prepare_data.group_file or found[0].group)
    named = [] if told else spread(found, MOST_NAMES)
    return Survey(
        folder=folder,
        found=found,
        counts=_counts(folder, found, params.seed),
        headers=headers,
        n_decoded=len(seen) - seen.count(None),
        n_grey=seen.count(True),
        n_deep=len(deep),
        bits=bits,
        doubt=doubt,
        left_out=(*left_out(folder), *unlabelled(folder, found)),
        hints=hints([each.path for each in named], [each.label for each in named]) if named else (),
    )


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly over all: sorted paths give each class its share."""
    n = min(len(items), most)
    return [items[place * len(items) // n] for place in range(n)]


def _counts(folder: Path, found: Sequence[Found], seed: int) -> dict[Split, Counter[str]]:
    units = [Unit(each.label, each.group or each.path, each.split) for each in found]
    counts: dict[Split, Counter[str]] = {"train": Counter(), "val": Counter(), "test": Counter()}
    for unit, split in zip(units, assign_splits(units, str(folder), seed), strict=True):
        counts[split][unit.label] += 1
    return counts


def _bits(folder: Path, deep: Sequence[Found]) -> tuple[int | None, str]:
    """Bits in use in grey files of 16, and why they cannot be told."""
    try:
        return recognised_bits(folder, deep, ANY_RANGE.model_copy(update={"value_bits": None})), ""
    except ValueError as error:
        return None, str(error)
