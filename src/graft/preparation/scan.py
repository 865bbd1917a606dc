"""Find the images of a domain in its folders, and refuse folders that are wrong."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from graft.files import visible
from graft.preparation.found import SPLIT_NAMES, Found, absent_classes
from graft.preparation.label_table import TABLE, TEST_ALONE, read_labels, table_in
from graft.preparation.leftovers import IMAGE_SUFFIXES, is_left_out
from graft.records.common import Split
from graft.store.catalogue import look, nfc


def scan(folder: Path, needs_train: bool = True) -> tuple[Found, ...]:
    """Image files under `<class>/` or `train|val|test/<class>/`, sorted by path.

    Hidden files and those of the operating system are left out. If the folder has a table of labels (labels.csv),
    the result is the files that it names, wherever they are below the folder. No file is decoded. Links to files are
    followed. Links to folders are refused: DVC does not follow them, so that a change behind one would be missed.

    Args:
        folder: the domain's folder, such as data/raw/target.
        needs_train: whether split folders, or the splits of the table, must have train. Without, test alone will do.

    Raises:
        FileNotFoundError: the folder does not exist.
        OSError: a folder cannot be read.
        ValueError: the folder has no images, images outside of class folders, fewer than two classes, an empty
            class, classes that look alike, split folders that do not match, names that are not UTF-8, links to
            folders, broken links, or an invalid table.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{visible(folder)}: want {_WANTED}, got no such folder. {_CURE.format(folder=visible(folder))}"
        )
    _check_link(folder)
    if table := table_in(folder):
        return read_labels(table, sorted(_files(folder, folder)), needs_train)
    splits = _split_folders(folder, needs_train)
    named = [(part, SPLIT_NAMES[look(part.name)]) for part in splits]
    parts: list[tuple[Path, Split | None]] = [*named] or [(folder, None)]
    found = [each for part, split in parts for each in _class_folders(part, folder, split)]
    if not found:
        raise ValueError(f"{visible(folder)}: want {_WANTED}, got no images. {_CURE.format(folder=visible(folder))}")
    classes = [(each, split) for part, split in parts for each in _folders(part)]
    labels = [Found(each.relative_to(folder).as_posix(), nfc(each.name), split) for each, split in classes]
    _check_names(folder, [*labels, *found])
    _check_empty(folder, labels, found)
    _check_look(folder, sorted({each.name for each, _ in classes}))
    _check_classes(folder, found)
    return tuple(sorted(found))


def scan_optional(folder: Path, needs_train: bool = True) -> tuple[Found, ...]:
    """Like `scan`, but empty if the folder is absent, or has no class folders, no table and no images."""
    if not folder.is_dir() or not (
        _folders(folder) or _loose_images(folder) or _lost_links(folder) or table_in(folder)
    ):
        return ()
    return scan(folder, needs_train)


def scan_unlabelled(folder: Path) -> tuple[Found, ...]:
    """All files at any depth below the folder of unlabelled images, sorted by path; empty if the folder is absent.

    All of them are in train and have no label: the names of sub-folders, splits included, mean nothing. Left out are
    hidden files, those of the operating system, and notes (such as README.md) directly in the folder.

    Raises:
        OSError: a folder cannot be read.
        ValueError: the folder has a table of labels, names that are not UTF-8, or links to folders.
    """
    _check_link(folder)
    if not folder.is_dir():
        return ()
    if table := table_in(folder):
        raise ValueError(
            f"{visible(table)}: want no labels for images that are used without, got a table of labels. Move it with "
            "its images to data/raw/target, or delete it: nothing here is ever labelled."
        )
    paths = [each for each in _files(folder, folder) if "/" in each or not each.lower().endswith(NOTES)]
    found = sorted(Found(each, "", "train") for each in paths)
    _check_names(folder, found)
    return tuple(found)


# Suffixes of files about the images, among which they may lie: a README, a licence, a file of groups.
NOTES = (".md", ".txt", ".csv", ".json", ".pdf")
_WANTED = "a folder of images for each class"
_CURE = (
    "Put images under {folder}/<class>/, or anywhere below {folder} with a table of path,label in {folder}/labels.csv "
    "(for a queued experiment `dvc add` them, and `git add` the .dvc file), or set `prepare_data.dataset: example` in "
    "params.yaml."
)


def _split_folders(folder: Path, needs_train: bool) -> list[Path]:
    """Folders named train, val or test, unless they are classes with those names."""
    folders = _folders(folder)
    named = [each for each in folders if look(each.name) in SPLIT_NAMES]
    if not any(_folders(each) for each in named) and len(named) < len(folders):
        return []
    if not named:
        return []
    others = sorted(each.name for each in folders if each not in named)
    if others:
        raise ValueError(
            f"{visible(folder)}: want either class folders or train, val and test folders, got "
            f"{_listed(each.name for each in named)} beside {_listed(others)}. "
            "Move every class folder into a split folder, or none."
        )
    names = [SPLIT_NAMES[look(each.name)] for each in named]
    test_alone = names == ["test"]
    if not (test_alone and not needs_train) and ("train" not in names or len(set(names)) < len(names)):
        raise ValueError(
            f"{visible(folder)}: want train, and at most one val and one test folder, got "
            f"{_listed(each.name for each in named)}. Rename or merge them."
            f"{f' {TEST_ALONE}' if test_alone else ''}"
        )
    return named


def _class_folders(parent: Path, domain: Path, split: Split | None) -> list[Found]:
    if lost := _lost_links(parent):
        raise ValueError(
            f"{visible(parent)}: want links to existing files, got broken ones: {_listed(lost)}. Fix or delete them."
        )
    loose = _loose_images(parent)
    if loose:
        raise ValueError(
            f"{visible(parent)}: want images in class folders, got {len(loose)} outside, such as "
            f"{visible(loose[0].name)}. Move each into {visible(parent)}/<class>/, or name their classes in a table of "
            f"path,label in {visible(domain / TABLE)}."
        )
    return [Found(file, nfc(label.name), split) for label in _folders(parent) for file in _files(label, domain)]


def _files(folder: Path, domain: Path) -> Iterator[str]:
    """Paths of the files below a folder, relative to the domain's folder."""
    for top, folders, files in os.walk(folder, onerror=_refuse):
        # os.walk descends only into the folders that stay in its list
        folders[:] = [each for each in folders if not is_left_out(each)]
        for each in folders:
            _check_link(Path(top, each))
        below = "".join(f"{part}/" for part in Path(top).relative_to(domain).parts)
        yield from (f"{below}{each}" for each in files if not is_left_out(each))


def _refuse(error: OSError) -> None:
    raise OSError(f"{visible(error.filename)}: want a readable folder, got: {error.strerror}. Check its permissions.")


def _check_names(folder: Path, found: Sequence[Found]) -> None:
    """Refuse names that are not UTF-8: catalogue and records cannot hold them."""
    foreign = [each.path for each in found if _is_foreign(each.path)]
    if foreign:
        raise ValueError(
            f"{visible(folder)}: want file names in UTF-8, got {len(foreign)} others, such as "
            f"{os.fsencode(foreign[0])!r}. Rename them, for example with `convmv`."
        )


def _is_foreign(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def _check_empty(folder: Path, labels: Sequence[Found], found: Sequence[Found]) -> None:
    filled = {(each.split, each.label) for each in found}
    empty = _listed(each.path for each in labels if (each.split, each.label) not in filled)
    if empty:
        raise ValueError(
            f"{visible(folder)}: want images in every class folder, got none in {empty}. Add some, or delete it."
        )


def _check_classes(folder: Path, found: Sequence[Found]) -> None:
    classes = {each.label for each in found}
    if len(classes) == 1:
        raise ValueError(
            f"{visible(folder)}: want at least two classes, got only {_listed(classes)}. Add a folder of another class."
        )
    for split, missing in absent_classes(found):
        raise ValueError(
            f"{visible(folder)}: want the same class folders, with images, in every split, got none of "
            f"{_listed(missing)} in {split}. Add them there, or remove them from the other splits."
        )


def _check_look(folder: Path, names: Sequence[str]) -> None:
    """Refuse class folders that look alike to a person, or are equal on a disk that ignores case."""
    seen: dict[str, str] = {}
    for name in names:
        alike = seen.setdefault(look(name), name)
        if alike != name:
            raise ValueError(
                f"{visible(folder)}: want class names that differ in more than case, spaces at the ends or accents' "
                f"encoding, got '{visible(alike)}' and '{visible(name)}'. Merge the folders, or rename one."
            )


def _check_link(folder: Path) -> None:
    if folder.is_symlink():
        raise ValueError(
            f"{visible(folder)}: want a folder, got a link to one: DVC does not see what changes behind it. "
            "Move or copy the folder itself there."
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(visible, names))


def _folders(folder: Path) -> list[Path]:
    folders = [each for each in _shown(folder) if each.is_dir()]
    for each in folders:
        _check_link(each)
    return folders


def _loose_images(folder: Path) -> list[Path]:
    return [each for each in _shown(folder) if not each.is_dir() and each.suffix.lower() in IMAGE_SUFFIXES]


def _lost_links(folder: Path) -> list[str]:
    return [each.name for each in _shown(folder) if each.is_symlink() and not each.exists()]


def _shown(folder: Path) -> list[Path]:
    """Entries of a folder that are not left out, sorted."""
    return sorted(each for each in folder.iterdir() if not is_left_out(each.name))
