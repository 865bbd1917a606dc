"""Find the images of all domains in data/raw, and say which domains may be absent."""

from pathlib import Path
from typing import NamedTuple

from graft.files import visible
from graft.preparation.found import FOLDERS, Found
from graft.preparation.scan import scan, scan_optional, scan_unlabelled
from graft.preparation.value_range import recognised_bits
from graft.records.common import Preprocessing


class RawFiles(NamedTuple):
    """The files of each domain, relative to its folder; none where it is absent."""

    source: tuple[Found, ...]
    target: tuple[Found, ...]
    unlabeled: tuple[Found, ...]


def scan_raw(raw: Path) -> RawFiles:
    """Files of all domains.

    The target must have labelled images to train on, unless unlabelled images of it and a labelled source are there:
    then it may be absent, or have a test split alone, whose classes must be those of the source.

    Args:
        raw: the folder of the domains' folders, such as data/raw.

    Raises:
        FileNotFoundError: there is no target, and nothing to do without.
        OSError: a folder cannot be read.
        ValueError: as `scan` and `scan_unlabelled`, or the test split has classes that the source lacks.
    """
    unlabeled = scan_unlabelled(raw / FOLDERS["unlabeled"])
    source = scan_optional(raw / FOLDERS["source"])
    folder = raw / FOLDERS["target"]
    if not (unlabeled and source):
        return RawFiles(source, _needed(folder), unlabeled)
    target = scan_optional(folder, needs_train=False)
    if {each.split for each in target} == {"test"}:
        _check_known(folder, source, target)
    return RawFiles(source, target, unlabeled)


def target_preprocessing(raw: Path, files: RawFiles, preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing with the bits in use in 16-bit files of the target, for which its unlabelled images count too.

    Without unlabelled images it stays as it is: `prepare` finds the bits of the labelled ones alone.

    Raises:
        ValueError: the values do not determine the bits in use.
    """
    if not files.unlabeled:
        return preprocessing
    found = [
        each._replace(path=f"{FOLDERS[name]}/{each.path}")
        for name in ("target", "unlabeled")
        for each in getattr(files, name)
    ]
    return preprocessing.model_copy(update={"value_bits": recognised_bits(raw, found, preprocessing)})


def _needed(folder: Path) -> tuple[Found, ...]:
    try:
        return scan(folder)
    except FileNotFoundError as error:
        unlabeled, source = (visible(folder.with_name(FOLDERS[name])) for name in ("unlabeled", "source"))
        raise FileNotFoundError(
            f"{error} Without labels of the target: put its images into {unlabeled}/ and labelled images of a source "
            f"under {source}/<class>/."
        ) from None


def _check_known(folder: Path, source: tuple[Found, ...], target: tuple[Found, ...]) -> None:
    """Refuse classes of the test split that nothing could have taught."""
    known = {each.label for each in source}
    strange = ", ".join(visible(each) for each in sorted({each.label for each in target} - known))
    if strange:
        raise ValueError(
            f"{visible(folder)}: want classes of the source ({', '.join(map(visible, sorted(known)))}) where the "
            f"target has labels for testing alone, got {strange}. Rename the folders of either, or add labelled train "
            "images of the target."
        )
