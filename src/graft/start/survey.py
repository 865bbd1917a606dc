"""Survey of the folder of a domain, from names, headers and a few decoded images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from graft.files import visible
from graft.params.pipeline import Params
from graft.preparation.found import Found
from graft.preparation.image_groups import named_groups, table_groups
from graft.preparation.leftovers import left_out, unlabelled
from graft.preparation.scan import scan, scan_optional, scan_unlabelled
from graft.preparation.splits import Unit, assign_splits
from graft.preparation.value_range import recognised_bits
from graft.records.catalog import LeftOut
from graft.records.common import LabelsFrom, Split
from graft.start.headers import ANY_RANGE, Header, header, is_grey
from graft.start.shape import check_shape, meant
from graft.store.catalogue import SPLITS
from graft.validation.name_hints import Hint, hints

# largest number of files of a domain whose headers are read
MOST_HEADERS = 1000
# largest number of files of a domain that are decoded
MOST_DECODED = 40
# largest number of paths that are searched for groups
MOST_NAMES = 100_000

T = TypeVar("T")


class Survey(NamedTuple):
    """What was found in the folder of a domain."""

    folder: Path
    found: tuple[Found, ...]
    counts: dict[Split, Counter[str]]
    """number of files by split and class, after the cut; copies and near duplicates, which move a few, are ignored"""
    headers: dict[str, Header]
    """headers by path, of all files or of a thousand spread over them"""
    n_decoded: int
    """number of images that were decoded"""
    n_grey: int
    """number of grey images among them"""
    n_deep: int
    """number of grey files of 16 bits among the headers"""
    bits: int | None
    """bits in use in these files; None if there are none, or if their values do not tell"""
    doubt: str
    """why the values do not tell the bits; else empty"""
    left_out: tuple[LeftOut, ...]
    hints: tuple[Hint, ...]
    """ways in which names may tell groups, if params.yaml names none"""

    @property
    def classes(self) -> Counter[str]:
        """Number of files by class."""
        return Counter(each.label for each in self.found)

    @property
    def readable(self) -> dict[str, Header]:
        """Headers of the files that can be read, by path."""
        return {path: each for path, each in self.headers.items() if not each.error}

    @property
    def unreadable(self) -> dict[str, Header]:
        """Headers of the files that cannot be read, by path."""
        return {path: each for path, each in self.headers.items() if each.error}


def survey(folder: Path, params: Params, any_shape: bool) -> Survey:
    """Survey a domain.

    Args:
        folder: folder of the domain.
        params: params with the seed of the cut into splits, and with the groups, if any.
        any_shape: whether to accept class folders that look like data sets of their own.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: the folder cannot be used; the message names a folder below it that may be meant.
    """
    try:
        found = scan(folder)
    except ValueError as error:
        raise ValueError(f"{error} {meant(folder)}".rstrip()) from None
    if not any_shape:
        check_shape(folder, found)
    return _look(folder, found, params)


def survey_source(folder: Path, params: Params, any_shape: bool) -> Survey | None:
    """Survey the source; None if it has no images."""
    return survey(folder, params, any_shape) if scan_optional(folder) else None


class Surveys(NamedTuple):
    """What was found in the folders of all domains."""

    learned: Survey
    """survey of the domain whose labels are learned: the target, or the source where the target has none to train on"""
    labels_from: LabelsFrom
    source: Survey | None
    tested: tuple[Found, ...]
    """images of a target that has labels for testing alone; else none"""
    unlabelled: tuple[Found, ...]

    @property
    def target(self) -> Survey | None:
        """Survey of the target; None where it has no labels to train on."""
        return self.learned if self.labels_from == "target" else None


def survey_all(folders: Mapping[str, Path], params: Params, any_shape: bool) -> Surveys:
    """Survey all domains.

    Args:
        folders: folder of each domain.
        params: as `survey`.
        any_shape: as `survey`.

    Raises:
        FileNotFoundError: there is no target, and nothing to do without.
        ValueError: a folder cannot be used.
    """
    unlabelled = scan_unlabelled(folders["unlabeled"])
    source = survey_source(folders["source"], params, any_shape)
    if unlabelled and source:
        found = scan_optional(folders["target"], needs_train=False)
        if {each.split for each in found} <= {"test"}:
            return Surveys(source, "source", source, found, unlabelled)
    return Surveys(survey(folders["target"], params, any_shape), "target", source, (), unlabelled)


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
        counts=_counts(cut(folder, found, params, [path for path, _ in broken])),
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
    """At most `most` items, spread evenly over all: in sorted paths each class gets its share."""
    n = min(len(items), most)
    return [items[place * len(items) // n] for place in range(n)]


def cut(folder: Path, found: Sequence[Found], params: Params, unreadable: Sequence[str] = ()) -> list[Unit]:
    """Class, group and split of each file, as prepare_data will cut them but for copies and near duplicates.

    Args:
        folder: folder of the domain.
        found: files in the folder.
        params: the seed of the cut, and the groups, if any.
        unreadable: paths of files that are known to be unreadable; they are their own groups.

    Raises:
        ValueError: groups lack images, or a class has fewer groups than splits to be cut.
    """
    broken = set(unreadable)
    named: Mapping[str, str] = table_groups(found, params.prepare_data, folder)
    if not named:
        paths = [each.path for each in found if each.path not in broken]
        named = named_groups(paths, params.prepare_data, folder, unreadable)
    units = [Unit(each.label, named.get(each.path, each.path), each.split) for each in found]
    splits = assign_splits(units, str(folder), params.seed)
    return [unit._replace(split=split) for unit, split in zip(units, splits, strict=True)]


def _counts(units: Sequence[Unit]) -> dict[Split, Counter[str]]:
    return {split: Counter(each.label for each in units if each.split == split) for split in SPLITS}


def _bits(folder: Path, deep: Sequence[Found]) -> tuple[int | None, str]:
    """Bits in use in grey files of 16 bits, and why they are unknown if they are."""
    try:
        return recognised_bits(folder, deep, ANY_RANGE.model_copy(update={"value_bits": None})), ""
    except ValueError as error:
        return None, str(error)
